"""Accounts and patients: idle expiry, limits, device enrolment, shared computers."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE account ADD COLUMN enabled_at timestamptz;
ALTER TABLE access_session ADD COLUMN idle_seconds integer;
ALTER TABLE otp_challenge ADD COLUMN account_id uuid
    CONSTRAINT fk_otp_challenge_account_id REFERENCES account (id);
CREATE INDEX ix_otp_challenge_account_id ON otp_challenge (account_id) WHERE account_id IS NOT NULL;

CREATE TABLE device_enrolment (
    id uuid CONSTRAINT pk_device_enrolment PRIMARY KEY,
    code_index bytea NOT NULL CONSTRAINT uq_device_enrolment_code_index UNIQUE,
    kind text NOT NULL CONSTRAINT ck_device_enrolment_kind CHECK (kind IN ('kiosk', 'board', 'computer')),
    facility_id uuid NOT NULL CONSTRAINT fk_device_enrolment_facility_id REFERENCES facility (id),
    name text NOT NULL,
    created_by uuid CONSTRAINT fk_device_enrolment_created_by REFERENCES account (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE device_user (
    device_id uuid CONSTRAINT fk_device_user_device_id REFERENCES device (id),
    account_id uuid CONSTRAINT fk_device_user_account_id REFERENCES account (id),
    signed_in_at timestamptz NOT NULL,
    mfa boolean NOT NULL,
    pin_failures integer NOT NULL,
    CONSTRAINT pk_device_user PRIMARY KEY (device_id, account_id)
);

CREATE TABLE rate_count (
    name text,
    window_start timestamptz,
    count integer NOT NULL,
    CONSTRAINT pk_rate_count PRIMARY KEY (name, window_start)
);
CREATE INDEX ix_rate_count_window_start ON rate_count (window_start);
"""

# As in 0002, with a token that was not used for idle_seconds opening nothing.
ENTER = """
CREATE OR REPLACE FUNCTION app_enter(p_token_hash bytea, p_now timestamptz)
RETURNS TABLE (
    session_id uuid, kind text, account_id uuid, device_id uuid, client_id uuid,
    practitioner_id uuid, display_name text, mfa boolean, grants jsonb, patient_ids uuid[],
    scopes jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    s access_session%ROWTYPE;
    a account%ROWTYPE;
    d device%ROWTYPE;
    c integrator_client%ROWTYPE;
    v_grants jsonb := '[]';
    v_patients uuid[] := '{}';
    v_kind text;
    v_facilities uuid[] := '{}';
BEGIN
    SELECT * INTO s FROM access_session x
    WHERE x.token_hash = p_token_hash AND x.revoked_at IS NULL AND x.expires_at > p_now@IDLE@;
    IF NOT FOUND THEN RETURN; END IF;

    IF s.account_id IS NOT NULL THEN
        SELECT * INTO a FROM account x WHERE x.id = s.account_id AND x.disabled_at IS NULL;
        IF NOT FOUND THEN RETURN; END IF;
        v_kind := a.kind;
        IF a.kind = 'staff' THEN
            SELECT coalesce(jsonb_agg(jsonb_build_object('role', m.role, 'facility', m.facility_id)), '[]'),
                   coalesce(array_agg(m.facility_id) FILTER (WHERE m.facility_id IS NOT NULL), '{}')
              INTO v_grants, v_facilities
              FROM membership m
             WHERE m.account_id = a.id AND m.valid_from <= p_now
               AND (m.valid_to IS NULL OR m.valid_to > p_now);
        ELSE
            SELECT coalesce(array_agg(ap.patient_id), '{}') INTO v_patients
              FROM account_patient ap
             WHERE ap.account_id = a.id AND (ap.valid_to IS NULL OR ap.valid_to > p_now);
        END IF;
    ELSIF s.device_id IS NOT NULL THEN
        SELECT * INTO d FROM device x WHERE x.id = s.device_id AND x.revoked_at IS NULL;
        IF NOT FOUND THEN RETURN; END IF;
        IF d.kind = 'kiosk' THEN
            v_facilities := ARRAY[d.facility_id];
            v_grants := jsonb_build_array(jsonb_build_object('role', 'kiosk', 'facility', d.facility_id));
        ELSIF d.kind <> 'board' THEN RETURN;  -- a computer says where somebody is, never who
        END IF;
        v_kind := d.kind;  -- a board shows what everybody may see: no role, nobody behind the walls
    ELSE
        SELECT * INTO c FROM integrator_client x WHERE x.id = s.client_id AND x.revoked_at IS NULL;
        IF NOT FOUND THEN RETURN; END IF;
        v_kind := 'integrator';
        v_facilities := CASE WHEN c.facility_id IS NULL THEN '{}' ELSE ARRAY[c.facility_id] END;
        v_grants := jsonb_build_array(jsonb_build_object('role', 'integrator', 'facility', c.facility_id));
    END IF;

    PERFORM set_config('app.kind', v_kind, true),
            set_config('app.account', coalesce(s.account_id::text, ''), true),
            set_config('app.facilities', v_facilities::text, true);
    IF s.last_seen_at < p_now - interval '1 minute' THEN
        UPDATE access_session x SET last_seen_at = p_now WHERE x.id = s.id;
    END IF;
    RETURN QUERY SELECT s.id, v_kind, s.account_id, s.device_id, s.client_id, a.practitioner_id,
        coalesce(a.display_name, d.name, c.name, ''), s.mfa, v_grants, v_patients,
        coalesce(c.scopes, '[]'::jsonb);
END $$;
"""

IDLE = """
      AND (x.idle_seconds IS NULL OR x.last_seen_at > p_now - x.idle_seconds * interval '1 second')"""

UNDO = """
DROP TABLE rate_count;
DROP TABLE device_user;
DROP TABLE device_enrolment;
DROP INDEX ix_otp_challenge_account_id;
ALTER TABLE otp_challenge DROP COLUMN account_id;
ALTER TABLE access_session DROP COLUMN idle_seconds;
ALTER TABLE account DROP COLUMN enabled_at;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ENTER.replace("@IDLE@", IDLE))


def downgrade() -> None:
    op.execute(ENTER.replace("@IDLE@", ""))
    op.execute(UNDO)
