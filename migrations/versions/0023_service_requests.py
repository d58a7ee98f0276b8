"""Referrals and slips to come again: one appointment each, an owner as long as they are open, a clock when deferred.

And the condition that a video appointment is about, since only listed ones may be treated from afar.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE service_request (
    id uuid CONSTRAINT pk_service_request PRIMARY KEY,
    kind text NOT NULL CONSTRAINT ck_service_request_kind CHECK (kind IN ('referral', 'reexamination')),
    origin text NOT NULL CONSTRAINT ck_service_request_origin CHECK (origin IN ('issued', 'paper')),
    status text NOT NULL CONSTRAINT ck_service_request_status CHECK (
        status IN ('draft', 'active', 'on-hold', 'completed', 'revoked', 'entered-in-error')),
    priority text NOT NULL CONSTRAINT ck_service_request_priority CHECK (priority IN ('routine', 'urgent', 'asap')),
    number text NOT NULL,
    number_key text NOT NULL,
    issuer_key text NOT NULL,
    issuer_name text,
    patient_id uuid NOT NULL CONSTRAINT fk_service_request_patient_id_patient REFERENCES patient (id),
    presented_by uuid CONSTRAINT fk_service_request_presented_by_patient REFERENCES patient (id),
    encounter_id uuid CONSTRAINT fk_service_request_encounter_id_encounter REFERENCES encounter (id),
    requester_facility_id uuid
        CONSTRAINT fk_service_request_requester_facility_id_facility REFERENCES facility (id),
    requester_practitioner_id uuid
        CONSTRAINT fk_service_request_requester_practitioner_id_practitioner REFERENCES practitioner (id),
    entered_facility_id uuid CONSTRAINT fk_service_request_entered_facility_id_facility REFERENCES facility (id),
    entered_by uuid CONSTRAINT fk_service_request_entered_by_account REFERENCES account (id),
    target_facility_id uuid CONSTRAINT fk_service_request_target_facility_id_facility REFERENCES facility (id),
    target_service_code text,
    performer_id uuid CONSTRAINT fk_service_request_performer_id_facility REFERENCES facility (id),
    icd10_sealed bytea,
    clinical_sealed bytea,
    transfer_reason text,
    appointment_on date,
    signed_on date NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    listed boolean NOT NULL DEFAULT false,
    rules_version text NOT NULL,
    owner_role text CONSTRAINT ck_service_request_owner_role CHECK (
        owner_role IN ('desk', 'facility-admin', 'province-officer')),
    owner_facility_id uuid CONSTRAINT fk_service_request_owner_facility_id_facility REFERENCES facility (id),
    escalation_step integer NOT NULL DEFAULT 0,
    escalate_at timestamptz,
    deferred_at timestamptz,
    lapsed_at timestamptz,
    reason text,
    decided_on date,
    decision text CONSTRAINT ck_service_request_decision CHECK (decision IN ('accepted', 'refused')),
    decision_reason text,
    decided_at timestamptz,
    decided_by uuid CONSTRAINT fk_service_request_decided_by_account REFERENCES account (id),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Nobody's request is nobody's: while it is open somebody owns it, and a deferred one has a clock.
    CONSTRAINT ck_service_request_owner CHECK (
        status IN ('completed', 'revoked', 'entered-in-error')
        OR (owner_role IS NOT NULL AND (owner_facility_id IS NOT NULL) = (owner_role <> 'province-officer'))),
    CONSTRAINT ck_service_request_clock CHECK ((status = 'on-hold') = (escalate_at IS NOT NULL)),
    CONSTRAINT ck_service_request_step CHECK (escalation_step BETWEEN 0 AND 2),
    CONSTRAINT ck_service_request_requester CHECK (origin = 'paper' OR requester_facility_id IS NOT NULL),
    CONSTRAINT ck_service_request_issuer CHECK (requester_facility_id IS NOT NULL OR issuer_name IS NOT NULL),
    CONSTRAINT ck_service_request_validity CHECK (
        valid_from >= signed_on AND (valid_until IS NULL OR valid_until >= valid_from)
        AND (kind = 'reexamination' OR valid_until IS NOT NULL)),
    CONSTRAINT ck_service_request_target CHECK (target_facility_id IS NOT NULL OR target_service_code IS NOT NULL),
    CONSTRAINT ck_service_request_decided CHECK (
        (decision IS NULL) = (decided_on IS NULL) AND (decision IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX uq_service_request_slip ON service_request (kind, issuer_key, number_key)
    WHERE status NOT IN ('revoked', 'entered-in-error');
CREATE UNIQUE INDEX uq_service_request_encounter ON service_request (encounter_id)
    WHERE kind = 'reexamination' AND status NOT IN ('revoked', 'entered-in-error');
CREATE INDEX ix_service_request_number_key ON service_request (number_key);
CREATE INDEX ix_service_request_patient_id ON service_request (patient_id);
CREATE INDEX ix_service_request_presented_by ON service_request (presented_by) WHERE presented_by IS NOT NULL;
CREATE INDEX ix_service_request_owner ON service_request (owner_facility_id, owner_role)
    WHERE status IN ('draft', 'active', 'on-hold');
CREATE INDEX ix_service_request_escalate_at ON service_request (escalate_at) WHERE status = 'on-hold';

CREATE TABLE slip_use (
    id uuid CONSTRAINT pk_slip_use PRIMARY KEY,
    service_request_id uuid NOT NULL
        CONSTRAINT fk_slip_use_service_request_id_service_request REFERENCES service_request (id),
    appointment_id uuid NOT NULL CONSTRAINT fk_slip_use_appointment_id_appointment REFERENCES appointment (id),
    used_at timestamptz NOT NULL,
    released_at timestamptz,
    outcome text CONSTRAINT ck_slip_use_outcome CHECK (outcome IN ('cancelled', 'expired', 'noshow')),
    CONSTRAINT uq_slip_use_appointment_id UNIQUE (appointment_id),
    CONSTRAINT ck_slip_use_released CHECK ((released_at IS NULL) = (outcome IS NULL))
);
-- A slip is spent by one appointment.
CREATE UNIQUE INDEX uq_slip_use_once ON slip_use (service_request_id) WHERE released_at IS NULL;

CREATE TABLE service_request_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_service_request_event PRIMARY KEY,
    service_request_id uuid NOT NULL
        CONSTRAINT fk_service_request_event_service_request_id_service_request REFERENCES service_request (id),
    at timestamptz NOT NULL,
    kind text NOT NULL CONSTRAINT ck_service_request_event_kind CHECK (kind IN (
        'issued', 'entered', 'presented', 'booked', 'released', 'deferred', 'escalated', 'reminded', 'lapsed',
        'returned', 'handed-over', 'revoked', 'date-accepted', 'date-refused', 'completed')),
    actor_kind text NOT NULL,
    actor_id uuid,
    owner_role text,
    owner_facility_id uuid,
    escalation_step integer NOT NULL,
    escalate_at timestamptz,
    reason text
);
CREATE INDEX ix_service_request_event_service_request_id ON service_request_event (service_request_id, id);

CREATE TABLE appointment_condition (
    appointment_id uuid CONSTRAINT pk_appointment_condition PRIMARY KEY
        CONSTRAINT fk_appointment_condition_appointment_id_appointment REFERENCES appointment (id),
    code_sealed bytea,
    consultation_only boolean NOT NULL,
    list_version text NOT NULL,
    stated_at timestamptz NOT NULL,
    CONSTRAINT ck_appointment_condition_known CHECK (consultation_only OR code_sealed IS NOT NULL)
);

REVOKE DELETE ON service_request, slip_use, appointment_condition FROM telehealth_app;
REVOKE UPDATE, DELETE ON service_request_event FROM telehealth_app;
"""

WALLS = """
-- An officer of the whole province, now. They belong to no facility, so that no other wall lets them through.
CREATE FUNCTION app_is_province() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT app_kind() = 'staff' AND EXISTS (
        SELECT FROM membership m
         WHERE m.account_id = app_account() AND m.role = 'province-officer' AND m.facility_id IS NULL
           AND m.valid_from <= app_clock() AND (m.valid_to IS NULL OR m.valid_to > app_clock()))
$$;

ALTER TABLE service_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON service_request USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN
            app_sees_patient(patient_id) OR (presented_by IS NOT NULL AND app_sees_patient(presented_by))
        WHEN 'staff' THEN
            ARRAY[requester_facility_id, target_facility_id, performer_id, owner_facility_id, entered_facility_id]
            && app_facilities()
        ELSE false
    END);

ALTER TABLE slip_use ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_request ON slip_use
    USING (EXISTS (SELECT FROM service_request r WHERE r.id = service_request_id));
ALTER TABLE service_request_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_request ON service_request_event
    USING (EXISTS (SELECT FROM service_request r WHERE r.id = service_request_id));
ALTER TABLE appointment_condition ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON appointment_condition
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));

-- Beside the policies `own` and `on_behalf`: who books by a referral at another facility sees what they booked.
CREATE POLICY by_referral ON appointment
    USING (app_kind() = 'staff' AND channel = 'referral' AND account_id = app_account())
    WITH CHECK (
        app_kind() = 'staff' AND channel = 'referral' AND account_id = app_account()
        AND patient_id IS NOT NULL AND app_sees_patient(patient_id));

-- When a slip's appointment lies, for both facilities and the patient: the referrer may not see the rest of it.
CREATE FUNCTION appointments_of_slips(p_requests uuid[])
RETURNS TABLE (service_request_id uuid, appointment_id uuid, code text, status text, start_at timestamptz,
               facility_id uuid, modality text, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.service_request_id, a.id, a.code, a.status, a.start_at, a.facility_id, a.modality, a.version
      FROM slip_use u
      JOIN service_request r ON r.id = u.service_request_id
      JOIN appointment a ON a.id = u.appointment_id
     WHERE u.service_request_id = ANY (p_requests) AND u.released_at IS NULL
       AND CASE app_kind()
               WHEN 'system' THEN true
               WHEN 'patient' THEN app_sees_patient(r.patient_id) OR app_sees_patient(r.presented_by)
               WHEN 'staff' THEN
                   ARRAY[r.requester_facility_id, r.target_facility_id, r.performer_id, r.owner_facility_id,
                         r.entered_facility_id] && app_facilities()
               ELSE false
           END
$$;

-- Somebody shows a slip that was made here for another record of the same person: with its number, the day of
-- its signature, and the same name and year of birth, it is theirs to book with. Its id, or null.
CREATE FUNCTION present_slip(p_number_key text, p_signed_on date, p_patient uuid, p_now timestamptz) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_id uuid;
BEGIN
    IF NOT app_sees_patient(p_patient) THEN
        RETURN NULL;
    END IF;
    UPDATE service_request r SET presented_by = p_patient, version = r.version + 1, updated_at = p_now
      FROM patient mine, patient theirs
     WHERE r.number_key = p_number_key AND r.signed_on = p_signed_on AND r.origin = 'issued'
       AND r.status IN ('active', 'on-hold') AND (r.presented_by IS NULL OR r.presented_by = p_patient)
       AND mine.id = p_patient AND theirs.id = r.patient_id
       AND mine.name_search = theirs.name_search AND left(mine.birth_date, 4) = left(theirs.birth_date, 4)
    RETURNING r.id INTO v_id;
    IF FOUND THEN
        INSERT INTO service_request_event (service_request_id, at, kind, actor_kind, actor_id, owner_role,
                                           owner_facility_id, escalation_step, escalate_at)
        SELECT r.id, p_now, 'presented', app_kind(), app_account(), r.owner_role, r.owner_facility_id,
               r.escalation_step, r.escalate_at FROM service_request r WHERE r.id = v_id;
    END IF;
    RETURN v_id;
END $$;

-- Whether a request with that number is in the system already for the same person, whatever hospital was said to
-- have written it; and which, if it is of that very record. Whoever asks waits for who is typing the number in.
CREATE FUNCTION slip_in_system(p_kind text, p_number_key text, p_patient uuid, OUT known boolean, OUT own_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    known := false;
    IF NOT app_sees_patient(p_patient) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('slip ' || p_kind || ' ' || p_number_key, 0));
    SELECT true, CASE WHEN p_patient IN (r.patient_id, r.presented_by) THEN r.id END INTO known, own_id
      FROM service_request r
      JOIN patient mine ON mine.id = p_patient
      JOIN patient theirs ON theirs.id = r.patient_id
     WHERE r.kind = p_kind AND r.number_key = p_number_key
       AND (r.status NOT IN ('revoked', 'entered-in-error') OR r.origin = 'issued')
       AND (p_patient IN (r.patient_id, r.presented_by)
            OR (mine.name_search = theirs.name_search AND left(mine.birth_date, 4) = left(theirs.birth_date, 4)))
     ORDER BY p_patient IN (r.patient_id, r.presented_by) DESC NULLS LAST, r.created_at LIMIT 1;
    known := coalesce(known, false);
END $$;

-- What has come up to the province: no name, no diagnosis, no text.
CREATE FUNCTION requests_at_province()
RETURNS TABLE (
    id uuid, number text, kind text, origin text, status text, priority text, requester_facility_id uuid,
    issuer_name text, target_facility_id uuid, target_service_code text, signed_on date, valid_until date,
    escalation_step integer, escalate_at timestamptz, deferred_at timestamptz, lapsed_at timestamptz,
    version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.id, r.number, r.kind, r.origin, r.status, r.priority, r.requester_facility_id, r.issuer_name,
           r.target_facility_id, r.target_service_code, r.signed_on, r.valid_until, r.escalation_step,
           r.escalate_at, r.deferred_at, r.lapsed_at, r.version
      FROM service_request r
     WHERE app_is_province() AND r.owner_role = 'province-officer'
       AND r.status IN ('draft', 'active', 'on-hold')
     ORDER BY r.escalate_at NULLS LAST, r.created_at
$$;

-- The province gives a request to a facility that can see to it. False: it is not the province's, or has changed.
CREATE FUNCTION hand_over_request(
    p_id uuid, p_version integer, p_facility uuid, p_escalate_at timestamptz, p_reason text, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT app_is_province() THEN
        RETURN false;
    END IF;
    UPDATE service_request r
       SET owner_role = 'facility-admin', owner_facility_id = p_facility, target_facility_id = p_facility,
           status = 'on-hold', escalation_step = 1, escalate_at = p_escalate_at,
           deferred_at = coalesce(r.deferred_at, p_now), version = r.version + 1, updated_at = p_now
     WHERE r.id = p_id AND r.version = p_version AND r.owner_role = 'province-officer'
       AND r.status IN ('active', 'on-hold');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO service_request_event (service_request_id, at, kind, actor_kind, actor_id, owner_role,
                                       owner_facility_id, escalation_step, escalate_at, reason)
    VALUES (p_id, p_now, 'handed-over', app_kind(), app_account(), 'facility-admin', p_facility, 1, p_escalate_at,
            p_reason);
    RETURN true;
END $$;

-- A slip follows its appointment, however that is cancelled, missed or done. At commit, so that slips are
-- locked after appointments, claims, counters and tickets.
CREATE FUNCTION follow_slip_use() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_request uuid;
    v_kind text;
    v_waits boolean;
BEGIN
    IF NEW.status IN ('cancelled', 'expired', 'noshow') THEN
        UPDATE slip_use u SET released_at = NEW.updated_at, outcome = NEW.status
         WHERE u.appointment_id = NEW.id AND u.released_at IS NULL RETURNING u.service_request_id INTO v_request;
        v_kind := 'released';
    ELSIF NEW.status = 'arrived' AND OLD.status = 'noshow' THEN
        -- Missed, and come after all: the slip is theirs again unless it was used otherwise.
        BEGIN
            UPDATE slip_use u SET released_at = NULL, outcome = NULL
             WHERE u.appointment_id = NEW.id AND u.released_at IS NOT NULL
            RETURNING u.service_request_id INTO v_request;
        EXCEPTION WHEN unique_violation THEN
            RETURN NULL;
        END;
        v_kind := 'booked';
    ELSIF NEW.status = 'fulfilled' THEN
        SELECT u.service_request_id INTO v_request FROM slip_use u
         WHERE u.appointment_id = NEW.id AND u.released_at IS NULL;
        v_kind := 'completed';
    END IF;
    IF v_request IS NULL THEN
        RETURN NULL;
    END IF;
    -- One that waited for a place before, or whose place the hospital took away, waits again: its clock has run
    -- out, so that the next look at the clocks gives it an owner and a new one.
    v_waits := v_kind = 'released' AND (
        NEW.cancel_reason IN ('practitioner-away', 'facility', 'entered-in-error')
        OR (SELECT r.deferred_at IS NOT NULL FROM service_request r WHERE r.id = v_request));
    UPDATE service_request r
       SET status = CASE WHEN v_waits THEN 'on-hold' WHEN v_kind = 'completed' THEN 'completed' ELSE 'active' END,
           performer_id = CASE WHEN v_kind = 'released' THEN NULL ELSE NEW.facility_id END,
           escalate_at = CASE WHEN v_waits THEN NEW.updated_at END,
           deferred_at = CASE WHEN v_waits THEN coalesce(r.deferred_at, NEW.updated_at) ELSE r.deferred_at END,
           version = r.version + 1, updated_at = NEW.updated_at
     WHERE r.id = v_request AND r.status IN ('draft', 'active', 'on-hold');
    INSERT INTO service_request_event (service_request_id, at, kind, actor_kind, actor_id, owner_role,
                                       owner_facility_id, escalation_step, escalate_at, reason)
    SELECT r.id, NEW.updated_at, v_kind, app_kind(), app_account(), r.owner_role, r.owner_facility_id,
           r.escalation_step, r.escalate_at, CASE WHEN v_kind = 'released' THEN NEW.status END
      FROM service_request r WHERE r.id = v_request;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER follow_slip_use AFTER UPDATE OF status ON appointment
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.status IN ('cancelled', 'expired', 'noshow', 'arrived', 'fulfilled'))
    EXECUTE FUNCTION follow_slip_use();
"""

UNDO = """
DROP TRIGGER follow_slip_use ON appointment;
DROP FUNCTION follow_slip_use();
DROP FUNCTION hand_over_request(uuid, integer, uuid, timestamptz, text, timestamptz);
DROP FUNCTION requests_at_province();
DROP FUNCTION slip_in_system(text, text, uuid);
DROP FUNCTION present_slip(text, date, uuid, timestamptz);
DROP FUNCTION appointments_of_slips(uuid[]);
DROP POLICY by_referral ON appointment;
DROP TABLE appointment_condition, service_request_event, slip_use, service_request;
DROP FUNCTION app_is_province();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)


def downgrade() -> None:
    op.execute(UNDO)
