"""What a booking may ask of a session: rules of schedules, doors with reserves, resources, blockings, policies."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SCHEDULES = """
ALTER TABLE schedule
    ADD COLUMN every_weeks integer NOT NULL DEFAULT 1,
    ADD COLUMN mode text NOT NULL DEFAULT 'slot',
    ADD COLUMN lead_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN tail_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN overbook_most integer NOT NULL DEFAULT 2,
    ADD COLUMN origin text NOT NULL DEFAULT 'import',
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT ck_schedule_every_weeks CHECK (every_weeks BETWEEN 1 AND 52),
    ADD CONSTRAINT ck_schedule_mode CHECK (mode IN ('slot', 'session')),
    ADD CONSTRAINT ck_schedule_buffers CHECK (lead_minutes BETWEEN 0 AND 120 AND tail_minutes BETWEEN 0 AND 120),
    ADD CONSTRAINT ck_schedule_overbook_most CHECK (overbook_most BETWEEN 0 AND 20),
    ADD CONSTRAINT ck_schedule_origin CHECK (origin IN ('import', 'editor'));
ALTER TABLE schedule_exception
    ADD COLUMN origin text NOT NULL DEFAULT 'import',
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT ck_schedule_exception_origin CHECK (origin IN ('import', 'editor'));

CREATE TABLE resource (
    id uuid CONSTRAINT pk_resource PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_resource_facility_id_facility REFERENCES facility (id),
    kind text NOT NULL CONSTRAINT ck_resource_kind CHECK (kind IN ('room', 'device')),
    code text NOT NULL,
    name text NOT NULL,
    lanes integer NOT NULL CONSTRAINT ck_resource_lanes CHECK (lanes BETWEEN 1 AND 100),
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT uq_resource_facility_id_code UNIQUE (facility_id, code)
);
CREATE TABLE schedule_service (
    schedule_id uuid NOT NULL CONSTRAINT fk_schedule_service_schedule_id_schedule REFERENCES schedule (id),
    service_id uuid NOT NULL
        CONSTRAINT fk_schedule_service_service_id_healthcare_service REFERENCES healthcare_service (id),
    CONSTRAINT pk_schedule_service PRIMARY KEY (schedule_id, service_id)
);
CREATE TABLE schedule_resource (
    schedule_id uuid NOT NULL CONSTRAINT fk_schedule_resource_schedule_id_schedule REFERENCES schedule (id),
    resource_id uuid NOT NULL CONSTRAINT fk_schedule_resource_resource_id_resource REFERENCES resource (id),
    CONSTRAINT pk_schedule_resource PRIMARY KEY (schedule_id, resource_id)
);
CREATE TABLE schedule_quota (
    schedule_id uuid NOT NULL CONSTRAINT fk_schedule_quota_schedule_id_schedule REFERENCES schedule (id),
    door text NOT NULL CONSTRAINT ck_schedule_quota_door CHECK (door IN (
        'online', 'counter', 'referral-initial', 'referral-basic', 'referral-specialised')),
    places integer NOT NULL CONSTRAINT ck_schedule_quota_places CHECK (places > 0),
    falls_minutes integer NOT NULL CONSTRAINT ck_schedule_quota_falls_minutes CHECK (falls_minutes >= 0),
    CONSTRAINT pk_schedule_quota PRIMARY KEY (schedule_id, door)
);
CREATE TABLE blocking (
    id uuid CONSTRAINT pk_blocking PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_blocking_facility_id_facility REFERENCES facility (id),
    practitioner_id uuid CONSTRAINT fk_blocking_practitioner_id_practitioner REFERENCES practitioner (id),
    resource_id uuid CONSTRAINT fk_blocking_resource_id_resource REFERENCES resource (id),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    reason text NOT NULL,
    override_roles text[] NOT NULL DEFAULT '{}',
    override_account_ids uuid[] NOT NULL DEFAULT '{}',
    created_by uuid CONSTRAINT fk_blocking_created_by_account REFERENCES account (id),
    created_at timestamptz NOT NULL,
    lifted_at timestamptz,
    CONSTRAINT ck_blocking_times CHECK (from_at < to_at),
    CONSTRAINT ck_blocking_subject CHECK (num_nonnulls(practitioner_id, resource_id) <= 1)
);
CREATE INDEX ix_blocking_facility_id_from_at ON blocking (facility_id, from_at) WHERE lifted_at IS NULL;
CREATE TABLE booking_policy (
    service_id uuid CONSTRAINT pk_booking_policy PRIMARY KEY
        CONSTRAINT fk_booking_policy_service_id_healthcare_service REFERENCES healthcare_service (id),
    min_notice_minutes integer,
    window_days integer,
    release_minute integer,
    cancel_notice_minutes integer,
    hold_seconds integer,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT ck_booking_policy_bounds CHECK (
        min_notice_minutes BETWEEN 0 AND 43200 AND window_days BETWEEN 0 AND 366
        AND release_minute BETWEEN 0 AND 1439 AND cancel_notice_minutes BETWEEN 0 AND 43200
        AND hold_seconds BETWEEN 60 AND 1800)
);
CREATE TABLE practitioner_limit (
    practitioner_id uuid CONSTRAINT pk_practitioner_limit PRIMARY KEY
        CONSTRAINT fk_practitioner_limit_practitioner_id_practitioner REFERENCES practitioner (id),
    per_day integer NOT NULL CONSTRAINT ck_practitioner_limit_per_day CHECK (per_day BETWEEN 1 AND 1000)
);

CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON schedule_service
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON schedule_resource
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON schedule_quota
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON booking_policy
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
"""

LEDGER = """
ALTER TABLE clinic_session
    ADD COLUMN mode text NOT NULL DEFAULT 'slot',
    ADD COLUMN lead_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN tail_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN resource_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN opens_at timestamptz,
    ADD COLUMN notice_minutes integer,
    ADD COLUMN overbook_most integer NOT NULL DEFAULT 2,
    ADD COLUMN overbooked integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_clinic_session_mode CHECK (mode IN ('slot', 'session')),
    ADD CONSTRAINT ck_clinic_session_buffers CHECK (
        lead_minutes >= 0 AND tail_minutes >= 0 AND lead_minutes + tail_minutes < slot_minutes),
    ADD CONSTRAINT ck_clinic_session_overbooked CHECK (overbooked BETWEEN 0 AND slot_count * overbook_most);

CREATE TABLE session_quota (
    clinic_session_id uuid NOT NULL
        CONSTRAINT fk_session_quota_clinic_session_id_clinic_session REFERENCES clinic_session (id),
    door text NOT NULL CONSTRAINT ck_session_quota_door CHECK (door IN (
        'online', 'counter', 'referral-initial', 'referral-basic', 'referral-specialised')),
    reserved integer NOT NULL CONSTRAINT ck_session_quota_reserved CHECK (reserved >= 0),
    booked integer NOT NULL DEFAULT 0 CONSTRAINT ck_session_quota_booked CHECK (booked >= 0),
    falls_at timestamptz NOT NULL,
    CONSTRAINT pk_session_quota PRIMARY KEY (clinic_session_id, door)
) WITH (fillfactor = 70);

ALTER TABLE claim DROP CONSTRAINT ck_claim_resource_kind;
ALTER TABLE claim ADD CONSTRAINT ck_claim_resource_kind
    CHECK (resource_kind IN ('practitioner', 'patient', 'room', 'device'));

ALTER TABLE appointment
    ADD COLUMN door text,
    ADD COLUMN overbooked boolean NOT NULL DEFAULT false,
    ADD COLUMN overbook_reason_sealed bytea,
    ADD COLUMN bound tstzrange,
    ADD CONSTRAINT ck_appointment_door CHECK (door IN (
        'online', 'counter', 'referral-initial', 'referral-basic', 'referral-specialised')),
    ADD CONSTRAINT ck_appointment_bound CHECK (
        bound IS NULL OR status NOT IN ('held', 'booked') OR start_at <@ bound);

CREATE TABLE booking_restriction (
    patient_id uuid CONSTRAINT pk_booking_restriction PRIMARY KEY
        CONSTRAINT fk_booking_restriction_patient_id_patient REFERENCES patient (id),
    grade text NOT NULL CONSTRAINT ck_booking_restriction_grade
        CHECK (grade IN ('noted', 'must-confirm', 'desk-only')),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT ck_booking_restriction_times CHECK (since < until)
);
ALTER TABLE booking_restriction ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_their_patient ON booking_restriction USING (app_sees_patient(patient_id));
"""

UNDO = """
DROP TABLE booking_restriction;
ALTER TABLE appointment
    DROP CONSTRAINT ck_appointment_bound, DROP CONSTRAINT ck_appointment_door,
    DROP COLUMN bound, DROP COLUMN overbook_reason_sealed, DROP COLUMN overbooked, DROP COLUMN door;
ALTER TABLE claim DROP CONSTRAINT ck_claim_resource_kind;
ALTER TABLE claim ADD CONSTRAINT ck_claim_resource_kind CHECK (resource_kind IN ('practitioner', 'patient'));
DROP TABLE session_quota;
ALTER TABLE clinic_session
    DROP CONSTRAINT ck_clinic_session_overbooked, DROP CONSTRAINT ck_clinic_session_buffers,
    DROP CONSTRAINT ck_clinic_session_mode,
    DROP COLUMN overbooked, DROP COLUMN overbook_most, DROP COLUMN notice_minutes, DROP COLUMN opens_at,
    DROP COLUMN resource_ids, DROP COLUMN tail_minutes, DROP COLUMN lead_minutes, DROP COLUMN mode;
DROP TABLE practitioner_limit, booking_policy, blocking, schedule_quota, schedule_resource, schedule_service,
    resource;
ALTER TABLE schedule_exception
    DROP CONSTRAINT ck_schedule_exception_origin, DROP COLUMN version, DROP COLUMN origin;
ALTER TABLE schedule
    DROP CONSTRAINT ck_schedule_origin, DROP CONSTRAINT ck_schedule_overbook_most,
    DROP CONSTRAINT ck_schedule_buffers, DROP CONSTRAINT ck_schedule_mode, DROP CONSTRAINT ck_schedule_every_weeks,
    DROP COLUMN version, DROP COLUMN origin, DROP COLUMN overbook_most, DROP COLUMN tail_minutes,
    DROP COLUMN lead_minutes, DROP COLUMN mode, DROP COLUMN every_weeks;
"""


def upgrade() -> None:
    op.execute(SCHEDULES)
    op.execute(LEDGER)


def downgrade() -> None:
    op.execute(UNDO)
