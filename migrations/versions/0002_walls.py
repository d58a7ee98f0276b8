"""Row-level security, the audit trail's lock, the database's clock, and entering as a principal."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Nobody but the application calls what is made here and in later migrations.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO telehealth_app;

CREATE TABLE clock_offset (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), seconds double precision NOT NULL);
INSERT INTO clock_offset (seconds) VALUES (0);
REVOKE INSERT, UPDATE, DELETE ON clock_offset FROM telehealth_app;

-- The database's wall clock; a test's owner may shift it to simulate days.
CREATE FUNCTION app_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + (SELECT seconds FROM clock_offset) * interval '1 second'
$$;

CREATE FUNCTION app_kind() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('app.kind', true), '')
$$;

CREATE FUNCTION app_account() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('app.account', true), '')::uuid
$$;

CREATE FUNCTION app_facilities() RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('app.facilities', true), ''), '{}')::uuid[]
$$;

-- May the entered principal see this patient? Patients by their relation, staff and kiosks by the
-- facilities that know the patient; nobody else.
CREATE FUNCTION app_sees_patient(p_patient uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kind text := app_kind();
BEGIN
    IF kind = 'system' THEN
        RETURN true;
    ELSIF kind = 'patient' THEN
        RETURN EXISTS (
            SELECT FROM account_patient ap
            WHERE ap.account_id = app_account() AND ap.patient_id = p_patient
              AND (ap.valid_to IS NULL OR ap.valid_to > app_clock()));
    ELSIF kind IN ('staff', 'kiosk', 'integrator') THEN
        RETURN EXISTS (
            SELECT FROM patient_facility pf
            WHERE pf.patient_id = p_patient AND pf.facility_id = ANY (app_facilities()));
    END IF;
    RETURN false;
END $$;

-- Find who holds a token, enter row-level security as that principal for this transaction, and
-- return what the policy needs. No row: the token opens nothing.
CREATE FUNCTION app_enter(p_token_hash bytea, p_now timestamptz)
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
    WHERE x.token_hash = p_token_hash AND x.revoked_at IS NULL AND x.expires_at > p_now;
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

-- The desk finds a person by a number the person has shown: ids only, the caller writes the audit row.
CREATE FUNCTION patients_by_identifier(p_system text, p_value_index bytea) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT coalesce(p.merged_into, p.id)
      FROM patient_identifier i JOIN patient p ON p.id = i.patient_id
     WHERE i.system = p_system AND i.value_index = p_value_index AND i.active
       AND app_kind() IN ('staff', 'kiosk', 'system')
$$;
"""

POLICIES = """
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON patient FOR SELECT USING (app_sees_patient(id));
CREATE POLICY change ON patient FOR UPDATE USING (app_sees_patient(id));
CREATE POLICY register ON patient FOR INSERT
    WITH CHECK (app_kind() IN ('patient', 'staff', 'kiosk', 'integrator', 'system'));

ALTER TABLE patient_identifier ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON patient_identifier FOR SELECT USING (app_sees_patient(patient_id));
CREATE POLICY change ON patient_identifier FOR UPDATE USING (app_sees_patient(patient_id));
CREATE POLICY register ON patient_identifier FOR INSERT
    WITH CHECK (app_kind() IN ('patient', 'staff', 'kiosk', 'integrator', 'system'));

ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON consent FOR SELECT USING (app_sees_patient(patient_id));
CREATE POLICY change ON consent FOR UPDATE USING (app_sees_patient(patient_id));
CREATE POLICY give ON consent FOR INSERT
    WITH CHECK (app_kind() IN ('patient', 'staff', 'kiosk', 'integrator', 'system'));

ALTER TABLE appointment ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON appointment USING (
    CASE app_kind()
        WHEN 'system' THEN true
        -- Where somebody is named, the relation decides; who left them has nothing more to see.
        WHEN 'patient' THEN
            CASE WHEN patient_id IS NULL THEN account_id = app_account() ELSE app_sees_patient(patient_id) END
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        WHEN 'integrator' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);

ALTER TABLE encounter ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON encounter USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN patient_id IS NOT NULL AND app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        WHEN 'integrator' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);

REVOKE UPDATE, DELETE ON audit_event FROM telehealth_app;
REVOKE UPDATE, DELETE ON login_event FROM telehealth_app;
REVOKE DELETE ON appointment, patient, encounter, ticket FROM telehealth_app;
REVOKE UPDATE, DELETE ON ticket_event, consent FROM telehealth_app;
GRANT UPDATE (withdrawn_at) ON consent TO telehealth_app;
"""

UNDO = """
DROP POLICY own ON encounter;
ALTER TABLE encounter DISABLE ROW LEVEL SECURITY;
DROP POLICY own ON appointment;
ALTER TABLE appointment DISABLE ROW LEVEL SECURITY;
DROP POLICY see ON consent;
DROP POLICY change ON consent;
DROP POLICY give ON consent;
ALTER TABLE consent DISABLE ROW LEVEL SECURITY;
DROP POLICY see ON patient_identifier;
DROP POLICY change ON patient_identifier;
DROP POLICY register ON patient_identifier;
ALTER TABLE patient_identifier DISABLE ROW LEVEL SECURITY;
DROP POLICY see ON patient;
DROP POLICY change ON patient;
DROP POLICY register ON patient;
ALTER TABLE patient DISABLE ROW LEVEL SECURITY;
DROP FUNCTION patients_by_identifier(text, bytea);
DROP FUNCTION app_enter(bytea, timestamptz);
DROP FUNCTION app_sees_patient(uuid);
DROP FUNCTION app_facilities();
DROP FUNCTION app_account();
DROP FUNCTION app_kind();
DROP FUNCTION app_clock();
DROP TABLE clock_offset;
GRANT UPDATE, DELETE ON audit_event, login_event, ticket_event, consent TO telehealth_app;
GRANT DELETE ON appointment, patient, encounter, ticket TO telehealth_app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM telehealth_app;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(POLICIES)


def downgrade() -> None:
    op.execute(UNDO)
