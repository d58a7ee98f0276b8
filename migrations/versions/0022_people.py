"""People: guardianship ends at 18, delegation, other ways to sign in, invited companions, merged records."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# With only a year or a month known, the last day it may mean counts, as in article 417 of the Criminal
# Procedure Code (2015): a child is never taken for grown too early. Born on 29 February: 1 March.
GUARDIANS = """
CREATE FUNCTION adult_from(p_birth_date text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT SET search_path = public, pg_temp AS $$
    SELECT ((CASE length(p_birth_date)
                WHEN 4 THEN make_date(p_birth_date::int, 12, 31)
                WHEN 7 THEN (to_date(p_birth_date, 'YYYY-MM') + interval '1 month - 1 day')::date
                ELSE to_date(p_birth_date, 'YYYY-MM-DD') END
             - 1 + interval '18 years')::date + 1)::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh'
$$;

-- Whom an account acts for at this moment, and as what: the one answer to "may it still?".
CREATE FUNCTION live_links(p_account uuid, p_now timestamptz) RETURNS TABLE (patient_id uuid, relation text)
LANGUAGE sql STABLE AS $$
    SELECT ap.patient_id, ap.relation FROM account_patient ap
     WHERE ap.account_id = p_account AND (ap.valid_to IS NULL OR ap.valid_to > p_now)
$$;

CREATE FUNCTION ends_at_majority(p_relation text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_relation NOT IN ('self', 'spouse', 'child')
$$;

-- Who began to act for a child does so until the child is of age, whatever was asked for. (An adult may have a
-- guardian too; that begins and ends by a court's word.)
CREATE FUNCTION end_at_majority() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_adult timestamptz;
BEGIN
    SELECT adult_from(p.birth_date) INTO v_adult FROM patient p WHERE p.id = NEW.patient_id;
    IF v_adult > NEW.valid_from THEN
        NEW.valid_to := least(NEW.valid_to, v_adult);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER end_at_majority BEFORE INSERT OR UPDATE ON account_patient
    FOR EACH ROW WHEN (ends_at_majority(NEW.relation)) EXECUTE FUNCTION end_at_majority();
UPDATE account_patient SET relation = relation WHERE ends_at_majority(relation);
CREATE INDEX ix_account_patient_valid_to ON account_patient (valid_to) WHERE valid_to IS NOT NULL;

-- A birth date put right moves the end that followed from it, and no other; a parent's right for a child never
-- becomes one for a grown person that way. What was delegated for a child ends no later.
CREATE FUNCTION move_majority() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_adult timestamptz := adult_from(NEW.birth_date);
BEGIN
    UPDATE account_patient ap
       SET valid_to = CASE WHEN v_adult > ap.valid_from THEN v_adult
                           WHEN ap.relation = 'parent' AND ap.valid_to IS NOT NULL
                           THEN coalesce(v_adult, ap.valid_to) END
     WHERE ap.patient_id = NEW.id AND ends_at_majority(ap.relation)
       AND (ap.valid_to IS NULL OR ap.valid_to = adult_from(OLD.birth_date));
    UPDATE delegation d SET valid_to = v_adult
     WHERE d.patient_id = NEW.id AND d.revoked_at IS NULL
       AND d.valid_to > v_adult AND d.valid_from < v_adult;
    RETURN NULL;
END $$;
CREATE TRIGGER move_majority AFTER UPDATE OF birth_date ON patient
    FOR EACH ROW WHEN (NEW.birth_date IS DISTINCT FROM OLD.birth_date) EXECUTE FUNCTION move_majority();

ALTER TABLE patient ADD COLUMN guardian_since timestamptz;
UPDATE patient SET guardian_since = created_at WHERE guardian_id IS NOT NULL;
CREATE FUNCTION note_guardian() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.guardian_since := CASE WHEN NEW.guardian_id IS NOT NULL THEN NEW.updated_at END;
    RETURN NEW;
END $$;
CREATE TRIGGER note_guardian_of_new BEFORE INSERT ON patient
    FOR EACH ROW WHEN (NEW.guardian_id IS NOT NULL) EXECUTE FUNCTION note_guardian();
CREATE TRIGGER note_guardian BEFORE UPDATE OF guardian_id ON patient
    FOR EACH ROW WHEN (NEW.guardian_id IS DISTINCT FROM OLD.guardian_id) EXECUTE FUNCTION note_guardian();

-- Whom to tell for somebody who has a guardian: a child's until the child is of age.
CREATE FUNCTION guardian_of(p_patient uuid, p_now timestamptz) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.guardian_id FROM patient p
     WHERE p.id = p_patient
       AND (p.birth_date IS NULL OR adult_from(p.birth_date) > p_now
            OR p.guardian_since >= adult_from(p.birth_date))
$$;

-- Whom the entered account looked after as children, and who are of age now.
CREATE FUNCTION grown_up(p_since timestamptz, p_now timestamptz)
RETURNS TABLE (patient_id uuid, full_name text, since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.id, p.full_name, ap.valid_to
      FROM account_patient ap JOIN patient p ON p.id = ap.patient_id
     WHERE app_kind() = 'patient' AND ap.account_id = app_account()
       AND ends_at_majority(ap.relation) AND p.merged_into IS NULL
       AND ap.valid_to = adult_from(p.birth_date) AND ap.valid_to > p_since AND ap.valid_to <= p_now
     ORDER BY ap.valid_to DESC
$$;

-- The record of a grown person whose own telephone has just been proven, by name and date of birth; nobody's
-- own yet. One row or none: two that fit are for the desk, and so is who has a record of their own already or
-- ever looked after this one, whose number may still stand in it.
CREATE FUNCTION own_record(p_phone_index bytea, p_name_search text, p_birth_date text, p_now timestamptz)
RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN count(*) = 1 THEN (array_agg(p.id))[1] END
      FROM patient p
     WHERE app_kind() = 'patient' AND p.phone_index = p_phone_index AND p.name_search = p_name_search
       AND p.birth_date = p_birth_date AND p.merged_into IS NULL AND NOT p.unidentified
       AND adult_from(p.birth_date) <= p_now
       AND NOT EXISTS (SELECT FROM live_links(app_account(), p_now) l WHERE l.relation = 'self')
       AND NOT EXISTS (SELECT FROM account_patient ap
                        WHERE ap.patient_id = p.id
                          AND (ap.account_id = app_account()
                               OR ap.relation = 'self' AND (ap.valid_to IS NULL OR ap.valid_to > p_now)))
$$;
"""

SEES_PATIENT = """
-- As in 0011.
CREATE OR REPLACE FUNCTION app_sees_patient(p_patient uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kind text := app_kind();
    v_now timestamptz;
BEGIN
    IF kind = 'system' THEN
        RETURN true;
    ELSIF kind = 'patient' THEN
        v_now := app_clock();
        RETURN EXISTS (@LINKED@);
    ELSIF kind IN ('staff', 'kiosk', 'integrator') THEN
        RETURN EXISTS (
            SELECT FROM patient_facility pf
            WHERE pf.patient_id = p_patient AND pf.facility_id = ANY (app_facilities()));
    ELSIF kind = 'link' THEN
        RETURN EXISTS (
            SELECT FROM appointment a JOIN patient p ON p.id = a.patient_id
            WHERE a.id = app_appointment() AND p_patient IN (p.id, p.guardian_id));
    END IF;
    RETURN false;
END $$;
"""
BY_LIVE_LINK = "SELECT FROM live_links(app_account(), v_now) l WHERE l.patient_id = p_patient"
BY_ROW = """
            SELECT FROM account_patient ap
            WHERE ap.account_id = app_account() AND ap.patient_id = p_patient
              AND (ap.valid_to IS NULL OR ap.valid_to > v_now)"""

UNDO_GUARDIANS = """
DROP FUNCTION own_record(bytea, text, text, timestamptz);
DROP FUNCTION grown_up(timestamptz, timestamptz);
DROP FUNCTION guardian_of(uuid, timestamptz);
DROP TRIGGER note_guardian ON patient;
DROP TRIGGER note_guardian_of_new ON patient;
DROP FUNCTION note_guardian();
ALTER TABLE patient DROP COLUMN guardian_since;
DROP TRIGGER move_majority ON patient;
DROP FUNCTION move_majority();
DROP INDEX ix_account_patient_valid_to;
DROP TRIGGER end_at_majority ON account_patient;
DROP FUNCTION end_at_majority();
DROP FUNCTION ends_at_majority(text);
DROP FUNCTION live_links(uuid, timestamptz);
DROP FUNCTION adult_from(text);
"""

DELEGATION = """
CREATE TABLE delegation (
    id uuid CONSTRAINT pk_delegation PRIMARY KEY,
    patient_id uuid NOT NULL CONSTRAINT fk_delegation_patient_id REFERENCES patient (id),
    account_id uuid NOT NULL CONSTRAINT fk_delegation_account_id REFERENCES account (id),
    delegate_name text NOT NULL,
    relation text NOT NULL,
    scopes text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    given_how text NOT NULL,
    given_by uuid CONSTRAINT fk_delegation_given_by REFERENCES account (id),
    facility_id uuid CONSTRAINT fk_delegation_facility_id REFERENCES facility (id),
    text_version text NOT NULL,
    revoked_at timestamptz,
    revoked_by uuid CONSTRAINT fk_delegation_revoked_by REFERENCES account (id),
    created_at timestamptz NOT NULL,
    CONSTRAINT ck_delegation_scopes CHECK ('see' = ANY (scopes) AND scopes <@ ARRAY['see', 'book', 'join']),
    CONSTRAINT ck_delegation_times CHECK (valid_to > valid_from AND valid_to - valid_from <= interval '367 days'),
    CONSTRAINT ck_delegation_given_how CHECK (given_how IN ('code', 'desk')),
    CONSTRAINT ck_delegation_seen CHECK (given_how <> 'desk' OR facility_id IS NOT NULL)
);
CREATE UNIQUE INDEX uq_delegation_open ON delegation (patient_id, account_id) WHERE revoked_at IS NULL;
CREATE INDEX ix_delegation_account_id ON delegation (account_id) WHERE revoked_at IS NULL;
CREATE TRIGGER end_at_majority BEFORE INSERT ON delegation
    FOR EACH ROW EXECUTE FUNCTION end_at_majority();

-- What each scope allows, by the names of the policy.
CREATE FUNCTION delegated_actions(p_scopes text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(g.action), '{}')
      FROM (VALUES ('see', 'booking.read'), ('see', 'booking.list'),
                   ('book', 'booking.book'), ('book', 'booking.cancel'), ('book', 'booking.reschedule'),
                   ('join', 'room.join')) g (scope, action)
     WHERE g.scope = ANY (p_scopes)
$$;

-- A delegation is worth what the right of its giver is; at a desk the person has given it themselves.
CREATE FUNCTION live_delegations(p_account uuid, p_now timestamptz) RETURNS SETOF delegation
LANGUAGE sql STABLE AS $$
    SELECT d.* FROM delegation d
     WHERE d.account_id = p_account AND d.revoked_at IS NULL AND d.valid_to > p_now
       AND (d.given_how = 'desk'
            OR EXISTS (SELECT FROM live_links(d.given_by, p_now) l
                        WHERE l.patient_id = d.patient_id AND l.relation IN ('self', 'parent', 'guardian')))
$$;

CREATE FUNCTION app_delegated(p_patient uuid, p_action text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT app_kind() = 'patient' AND EXISTS (
        SELECT FROM live_delegations(app_account(), app_clock()) d
         WHERE d.patient_id = p_patient AND p_action = ANY (delegated_actions(d.scopes)))
$$;

CREATE FUNCTION app_may_delegate(p_patient uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM live_links(app_account(), app_clock()) l
         WHERE l.patient_id = p_patient AND l.relation IN ('self', 'parent', 'guardian'))
$$;

ALTER TABLE delegation ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON delegation FOR SELECT
    USING (app_sees_patient(patient_id) OR (app_kind() = 'patient' AND account_id = app_account()));
CREATE POLICY give ON delegation FOR INSERT WITH CHECK (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN given_how = 'code' AND app_may_delegate(patient_id)
        WHEN 'staff' THEN given_how = 'desk' AND facility_id = ANY (app_facilities())
                          AND app_sees_patient(patient_id)
        ELSE false
    END);
CREATE POLICY take_back ON delegation FOR UPDATE
    USING (app_sees_patient(patient_id) OR (app_kind() = 'patient' AND account_id = app_account()));
REVOKE UPDATE, DELETE ON delegation FROM telehealth_app;
GRANT UPDATE (revoked_at, revoked_by) ON delegation TO telehealth_app;

-- A delegate sees the person's name and, as far as the scope goes, appointments; nothing else of them.
CREATE POLICY by_delegation ON patient FOR SELECT USING (app_delegated(id, 'booking.read'));
CREATE POLICY by_delegation ON appointment FOR SELECT
    USING (patient_id IS NOT NULL AND app_delegated(patient_id, 'booking.read'));
CREATE POLICY change_by_delegation ON appointment FOR UPDATE
    -- Whoever comes along into the room marks that the patient has come.
    USING (patient_id IS NOT NULL
           AND (app_delegated(patient_id, 'booking.book') OR app_delegated(patient_id, 'room.join')));
CREATE POLICY book_by_delegation ON appointment FOR INSERT
    WITH CHECK (patient_id IS NOT NULL AND app_delegated(patient_id, 'booking.book'));
"""

UNDO_DELEGATION = """
DROP POLICY book_by_delegation ON appointment;
DROP POLICY change_by_delegation ON appointment;
DROP POLICY by_delegation ON appointment;
DROP POLICY by_delegation ON patient;
DROP FUNCTION app_delegated(uuid, text);
DROP FUNCTION live_delegations(uuid, timestamptz);
DROP TABLE delegation;
DROP FUNCTION app_may_delegate(uuid);
DROP FUNCTION delegated_actions(text[]);
"""

# As in 0003, and with what has been delegated to the account: {patient: [actions]}.
ENTER = """
DROP FUNCTION app_enter(bytea, timestamptz);
CREATE FUNCTION app_enter(p_token_hash bytea, p_now timestamptz)
RETURNS TABLE (
    session_id uuid, kind text, account_id uuid, device_id uuid, client_id uuid,
    practitioner_id uuid, display_name text, mfa boolean, grants jsonb, patient_ids uuid[],
    scopes jsonb@COLUMN@)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    s access_session%ROWTYPE;
    a account%ROWTYPE;
    d device%ROWTYPE;
    c integrator_client%ROWTYPE;
    v_grants jsonb := '[]';
    v_patients uuid[] := '{}';@VARIABLE@
    v_kind text;
    v_facilities uuid[] := '{}';
BEGIN
    SELECT * INTO s FROM access_session x
    WHERE x.token_hash = p_token_hash AND x.revoked_at IS NULL AND x.expires_at > p_now
      AND (x.idle_seconds IS NULL OR x.last_seen_at > p_now - x.idle_seconds * interval '1 second');
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
              FROM @LINKS@;@READ@
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
        coalesce(c.scopes, '[]'::jsonb)@RETURN@;
END $$;
"""
WITHOUT_DELEGATIONS = {
    "@COLUMN@": "",
    "@VARIABLE@": "",
    "@LINKS@": """account_patient ap
             WHERE ap.account_id = a.id AND (ap.valid_to IS NULL OR ap.valid_to > p_now)""",
    "@READ@": "",
    "@RETURN@": "",
}
WITH_DELEGATIONS = {
    "@COLUMN@": ", delegations jsonb",
    "@VARIABLE@": "\n    v_delegations jsonb := '{}';",
    "@LINKS@": "live_links(a.id, p_now) ap",
    "@READ@": """
            SELECT coalesce(jsonb_object_agg(g.patient_id, to_jsonb(delegated_actions(g.scopes))), '{}')
              INTO v_delegations
              FROM live_delegations(a.id, p_now) g;""",
    "@RETURN@": ", v_delegations",
}

SIGN_IN = """
ALTER TABLE account
    ADD COLUMN email_sealed bytea,
    ADD COLUMN email_index bytea CONSTRAINT uq_account_email_index UNIQUE,
    DROP CONSTRAINT ck_account_named,
    ADD CONSTRAINT ck_account_named CHECK (
        (kind = 'staff' AND login IS NOT NULL)
        OR (kind = 'patient' AND (phone_index IS NOT NULL OR email_index IS NOT NULL)));
ALTER TABLE patient ADD COLUMN email_sealed bytea;
ALTER TABLE otp_challenge
    ALTER COLUMN phone_sealed DROP NOT NULL,
    ALTER COLUMN phone_index DROP NOT NULL,
    ADD COLUMN email_sealed bytea,
    ADD COLUMN email_index bytea,
    ADD CONSTRAINT ck_otp_challenge_address CHECK (
        (phone_index IS NULL) = (phone_sealed IS NULL) AND (email_index IS NULL) = (email_sealed IS NULL)
        AND (phone_index IS NULL) <> (email_index IS NULL));

CREATE TABLE passkey (
    id uuid CONSTRAINT pk_passkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT fk_passkey_account_id REFERENCES account (id),
    credential_id bytea NOT NULL CONSTRAINT uq_passkey_credential_id UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX ix_passkey_account_id ON passkey (account_id);

CREATE TABLE passkey_challenge (
    id uuid CONSTRAINT pk_passkey_challenge PRIMARY KEY,
    challenge bytea NOT NULL,
    account_id uuid CONSTRAINT fk_passkey_challenge_account_id REFERENCES account (id),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ix_passkey_challenge_expires_at ON passkey_challenge (expires_at);
"""

UNDO_SIGN_IN = """
DROP TABLE passkey_challenge, passkey;
DELETE FROM otp_challenge WHERE phone_index IS NULL;
ALTER TABLE otp_challenge
    DROP CONSTRAINT ck_otp_challenge_address,
    DROP COLUMN email_sealed, DROP COLUMN email_index,
    ALTER COLUMN phone_sealed SET NOT NULL,
    ALTER COLUMN phone_index SET NOT NULL;
ALTER TABLE patient DROP COLUMN email_sealed;
-- Who had an address only keeps the account, under an index that no telephone has.
UPDATE account SET phone_index = email_index WHERE kind = 'patient' AND phone_index IS NULL;
ALTER TABLE account
    DROP CONSTRAINT ck_account_named,
    DROP COLUMN email_sealed, DROP COLUMN email_index,
    ADD CONSTRAINT ck_account_named CHECK (
        (kind = 'staff' AND login IS NOT NULL) OR (kind = 'patient' AND phone_index IS NOT NULL));
"""

INVITEES = """
CREATE TABLE appointment_invitee (
    id uuid CONSTRAINT pk_appointment_invitee PRIMARY KEY,
    appointment_id uuid NOT NULL CONSTRAINT fk_appointment_invitee_appointment_id REFERENCES appointment (id),
    name_sealed bytea NOT NULL,
    phone_sealed bytea,
    email_sealed bytea,
    contact_index bytea NOT NULL,
    relation text NOT NULL,
    language text NOT NULL,
    text_version text NOT NULL,
    invited_by uuid CONSTRAINT fk_appointment_invitee_invited_by REFERENCES account (id),
    created_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    -- What they were last told: the start, or that it is off.
    told_start timestamptz,
    CONSTRAINT ck_appointment_invitee_contact CHECK ((phone_sealed IS NULL) <> (email_sealed IS NULL))
);
CREATE UNIQUE INDEX uq_appointment_invitee_contact ON appointment_invitee (appointment_id, contact_index)
    WHERE withdrawn_at IS NULL;
CREATE INDEX ix_appointment_invitee_told ON appointment_invitee (appointment_id)
    WHERE withdrawn_at IS NULL AND told_start IS NOT NULL;
REVOKE DELETE ON appointment_invitee FROM telehealth_app;
ALTER TABLE appointment_invitee ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON appointment_invitee
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));

-- What an invitation's link is checked against before anybody may see more.
CREATE FUNCTION invitee_subject(p_id uuid) RETURNS TABLE (appointment_id uuid, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.appointment_id, i.created_at FROM appointment_invitee i
     WHERE i.id = p_id AND i.withdrawn_at IS NULL
$$;
"""

UNDO_INVITEES = """
DROP FUNCTION invitee_subject(uuid);
DROP TABLE appointment_invitee;
"""

CONSENT = """
ALTER TABLE consent
    ADD COLUMN asked_by text,
    ADD COLUMN asked_how text,
    ADD COLUMN appointment_id uuid CONSTRAINT fk_consent_appointment_id REFERENCES appointment (id),
    ADD CONSTRAINT ck_consent_asked_by CHECK (asked_by IN ('patient', 'family', 'health-worker')),
    ADD CONSTRAINT ck_consent_asked_how CHECK (asked_how IN ('in-person', 'phone')),
    ADD CONSTRAINT ck_consent_asked CHECK ((asked_by IS NULL) = (asked_how IS NULL));
CREATE INDEX ix_consent_appointment_id ON consent (appointment_id) WHERE appointment_id IS NOT NULL;
"""

UNDO_CONSENT = """
DROP INDEX ix_consent_appointment_id;
ALTER TABLE consent DROP COLUMN asked_by, DROP COLUMN asked_how, DROP COLUMN appointment_id;
"""

MERGING = """
-- Does a record have this number that the facility does not know? Yes or no, and nothing more.
CREATE FUNCTION number_known_elsewhere(p_system text, p_value_index bytea, p_facility uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT app_kind() IN ('staff', 'system') AND p_facility = ANY (app_facilities()) AND EXISTS (
        SELECT FROM patient_identifier i JOIN patient p ON p.id = i.patient_id
         WHERE i.system = p_system AND i.value_index = p_value_index AND i.active AND p.merged_into IS NULL
           AND NOT EXISTS (SELECT FROM patient_facility f
                            WHERE f.patient_id = p.id AND f.facility_id = p_facility))
$$;

-- Nothing is booked for a record that was merged, and none with bookings is called merged.
CREATE FUNCTION refuse_merged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'appointment' THEN
        IF EXISTS (SELECT FROM patient p WHERE p.id = NEW.patient_id AND p.merged_into IS NOT NULL) THEN
            RAISE check_violation USING CONSTRAINT = 'ck_appointment_merged', TABLE = 'appointment',
                MESSAGE = 'the record was merged into another';
        END IF;
    ELSIF EXISTS (SELECT FROM appointment a WHERE a.patient_id = NEW.id AND a.status = 'booked')
       OR EXISTS (SELECT FROM patient p WHERE p.merged_into = NEW.id)
       OR EXISTS (SELECT FROM patient p WHERE p.id = NEW.merged_into AND p.merged_into IS NOT NULL) THEN
        RAISE check_violation USING CONSTRAINT = 'ck_patient_merged', TABLE = 'patient',
            MESSAGE = 'a merged record has no bookings and leads to one that stands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_merged_new BEFORE INSERT ON appointment
    FOR EACH ROW WHEN (NEW.patient_id IS NOT NULL) EXECUTE FUNCTION refuse_merged();
CREATE TRIGGER refuse_merged BEFORE UPDATE OF patient_id ON appointment
    FOR EACH ROW WHEN (NEW.patient_id IS DISTINCT FROM OLD.patient_id AND NEW.patient_id IS NOT NULL)
    EXECUTE FUNCTION refuse_merged();
CREATE TRIGGER refuse_merged BEFORE UPDATE OF merged_into ON patient
    FOR EACH ROW WHEN (NEW.merged_into IS NOT NULL AND NEW.merged_into IS DISTINCT FROM OLD.merged_into)
    EXECUTE FUNCTION refuse_merged();

-- Make one person of two records: 'ok', or why not; then roll back. Everything that names the one names the
-- other from then on, in whatever table (foreign keys say which); the trail stays as it was written. Locks in
-- the order of booking: the patients, then appointments, then claims.
CREATE FUNCTION merge_patients(p_from uuid, p_into uuid, p_now timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k claim%ROWTYPE;
    r record;
BEGIN
    IF p_from = p_into OR app_kind() NOT IN ('staff', 'system')
       OR NOT app_sees_patient(p_from) OR NOT app_sees_patient(p_into) THEN
        RETURN 'patient-not-found';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || least(p_from, p_into), 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || greatest(p_from, p_into), 0));
    PERFORM FROM patient p WHERE p.id IN (p_from, p_into) ORDER BY p.id FOR UPDATE;
    IF EXISTS (SELECT FROM patient p WHERE p.id IN (p_from, p_into) AND p.merged_into IS NOT NULL) THEN
        RETURN 'patient-merged';
    END IF;
    PERFORM FROM appointment a WHERE a.patient_id = p_from ORDER BY a.id FOR UPDATE;
    FOR k IN SELECT * FROM claim c
              WHERE c.resource_kind = 'patient' AND c.resource_id = p_from AND c.active
              ORDER BY lower(c.during) LOOP
        UPDATE claim SET active = false WHERE id = k.id;
        INSERT INTO claim
            (id, appointment_id, resource_kind, resource_id, lane, during, active, hold_until, online)
        VALUES (gen_random_uuid(), k.appointment_id, 'patient', p_into, k.lane, k.during, true, k.hold_until,
                k.online)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN 'patient-busy';
        END IF;
    END LOOP;

    UPDATE patient_identifier i SET active = false
     WHERE i.patient_id = p_from AND i.active
       AND EXISTS (SELECT FROM patient_identifier o
                    WHERE o.patient_id = p_into AND o.system = i.system AND o.active);
    INSERT INTO account_patient (account_id, patient_id, relation, valid_from, valid_to)
    SELECT ap.account_id, p_into, ap.relation, ap.valid_from, ap.valid_to FROM account_patient ap
     WHERE ap.patient_id = p_from AND (ap.valid_to IS NULL OR ap.valid_to > p_now)
    ON CONFLICT (account_id, patient_id) DO UPDATE
       SET relation = excluded.relation, valid_from = excluded.valid_from, valid_to = excluded.valid_to
     WHERE account_patient.valid_to <= p_now;
    UPDATE account_patient ap SET valid_to = p_now
     WHERE ap.patient_id = p_from AND (ap.valid_to IS NULL OR ap.valid_to > p_now);
    UPDATE delegation g SET revoked_at = p_now
     WHERE g.patient_id = p_from AND g.revoked_at IS NULL
       AND EXISTS (SELECT FROM delegation o
                    WHERE o.patient_id = p_into AND o.account_id = g.account_id AND o.revoked_at IS NULL);
    DELETE FROM patient_facility f
     WHERE f.patient_id = p_from
       AND EXISTS (SELECT FROM patient_facility o
                    WHERE o.patient_id = p_into AND o.facility_id = f.facility_id);

    FOR r IN SELECT c.conrelid::regclass AS held_by, t.attname AS named
               FROM pg_constraint c
               JOIN pg_attribute t ON t.attrelid = c.conrelid AND t.attnum = c.conkey[1]
              WHERE c.contype = 'f' AND c.confrelid = 'patient'::regclass
                AND c.conrelid NOT IN ('patient'::regclass, 'account_patient'::regclass) LOOP
        EXECUTE format('UPDATE %s SET %I = $1 WHERE %I = $2', r.held_by, r.named, r.named) USING p_into, p_from;
    END LOOP;
    UPDATE patient p SET guardian_id = CASE WHEN p.id = p_into THEN NULL ELSE p_into END
     WHERE p.guardian_id = p_from;
    UPDATE patient p SET merged_into = p_into WHERE p.merged_into = p_from;
    UPDATE patient p SET merged_into = p_into, version = p.version + 1, updated_at = p_now WHERE p.id = p_from;
    INSERT INTO contact_change (patient_id, changed_at) VALUES (p_into, p_now);
    RETURN 'ok';
END $$;
"""

UNDO_MERGING = """
DROP FUNCTION merge_patients(uuid, uuid, timestamptz);
DROP TRIGGER refuse_merged ON patient;
DROP TRIGGER refuse_merged ON appointment;
DROP TRIGGER refuse_merged_new ON appointment;
DROP FUNCTION refuse_merged();
DROP FUNCTION number_known_elsewhere(text, bytea, uuid);
"""


def upgrade() -> None:
    op.execute(GUARDIANS)
    op.execute(SEES_PATIENT.replace("@LINKED@", BY_LIVE_LINK))
    op.execute(DELEGATION)
    op.execute(_enter(WITH_DELEGATIONS))
    op.execute(SIGN_IN)
    op.execute(INVITEES)
    op.execute(CONSENT)
    op.execute(MERGING)


def downgrade() -> None:
    op.execute(UNDO_MERGING)
    op.execute(UNDO_CONSENT)
    op.execute(UNDO_INVITEES)
    op.execute(UNDO_SIGN_IN)
    op.execute(_enter(WITHOUT_DELEGATIONS))
    op.execute(UNDO_DELEGATION)
    op.execute(SEES_PATIENT.replace("@LINKED@", BY_ROW))
    op.execute(UNDO_GUARDIANS)


def _enter(parts: dict[str, str]) -> str:
    text = ENTER
    for place, words in parts.items():
        text = text.replace(place, words)
    return text
