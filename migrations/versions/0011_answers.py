"""Patients answer by link: they come, they are on their way, another time is offered to them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE appointment
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN on_the_way_at timestamptz,
    -- The start before the last move: a link about it is ours, though it answers no more.
    ADD COLUMN moved_from timestamptz;

CREATE TABLE appointment_offer (
    id uuid CONSTRAINT pk_appointment_offer PRIMARY KEY,
    appointment_id uuid NOT NULL CONSTRAINT fk_appointment_offer_appointment_id REFERENCES appointment (id),
    slot_id text NOT NULL,
    state text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_by uuid CONSTRAINT fk_appointment_offer_created_by REFERENCES account (id),
    created_at timestamptz NOT NULL,
    answered_at timestamptz,
    CONSTRAINT ck_appointment_offer_state
        CHECK (state IN ('open', 'accepted', 'declined', 'expired', 'withdrawn')),
    CONSTRAINT ck_appointment_offer_answered CHECK ((state IN ('accepted', 'declined')) = (answered_at IS NOT NULL))
);
CREATE INDEX ix_appointment_offer_appointment_id ON appointment_offer (appointment_id, created_at);
CREATE UNIQUE INDEX uq_appointment_offer_open ON appointment_offer (appointment_id) WHERE state = 'open';
REVOKE DELETE ON appointment_offer FROM telehealth_app;
"""

WALLS = """
-- The appointment that the holder of an answer link has entered for, once its signature was found good.
CREATE FUNCTION app_appointment() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('app.appointment', true), '')::uuid
$$;

CREATE POLICY by_link ON appointment USING (app_kind() = 'link' AND id = app_appointment());

-- Who sees the appointment sees what was offered for it.
ALTER TABLE appointment_offer ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON appointment_offer
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));

-- Whoever answers an offer waits for who moves or cancels the same appointment. In the order of booking: the
-- patient (as booking_context does), then the appointment.
CREATE FUNCTION lock_appointment(p_appointment uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || a.patient_id, 0))
       FROM appointment a WHERE a.id = p_appointment AND a.patient_id IS NOT NULL;
    PERFORM FROM appointment a WHERE a.id = p_appointment FOR UPDATE;
END $$;

-- What a link's signature is checked against, before anybody may see more: the appointment of an id that is
-- its own or an offer's, and the instants that links to it are about.
CREATE FUNCTION answer_subject(p_id uuid)
RETURNS TABLE (appointment_id uuid, about timestamptz, moved_from timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.id, a.start_at, a.moved_from FROM appointment a WHERE a.id = p_id
    UNION ALL
    SELECT o.appointment_id, o.expires_at, NULL FROM appointment_offer o WHERE o.id = p_id
$$;
"""

# As in 0002, with the last branch: the holder of a link acts for the one patient of its appointment. The
# guardian's row says whom to tell.
SEES_PATIENT = """
CREATE OR REPLACE FUNCTION app_sees_patient(p_patient uuid) RETURNS boolean
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
    {link}END IF;
    RETURN false;
END $$;
"""
BY_LINK = """ELSIF kind = 'link' THEN
        RETURN EXISTS (
            SELECT FROM appointment a JOIN patient p ON p.id = a.patient_id
            WHERE a.id = app_appointment() AND p_patient IN (p.id, p.guardian_id));
    """

# As in 0005, and what was said of the old time is not said of the new one.
MOVE = """
CREATE OR REPLACE FUNCTION move_appointment(
    p_id uuid, p_appointment_version integer, p_session uuid, p_version integer, p_capacity integer,
    p_practitioner uuid, p_start timestamptz, p_end timestamptz, p_channel text, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    a appointment%ROWTYPE;
    v_left uuid[];
    v_outcome text;
BEGIN
    SELECT * INTO a FROM appointment x
     WHERE x.id = p_id AND x.status = 'booked' AND x.version = p_appointment_version FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'stale-version';
    END IF;
    UPDATE claim k SET active = false
     WHERE k.appointment_id = p_id AND k.active AND k.resource_kind = 'patient';
    SELECT array_agg(k.id) INTO v_left FROM claim k WHERE k.appointment_id = p_id AND k.active;
    UPDATE appointment x SET
        version = x.version + 1, clinic_session_id = p_session, practitioner_id = p_practitioner,
        start_at = p_start, end_at = p_end, lane = 1, channel = p_channel, {forget}updated_at = p_now
     WHERE x.id = p_id;
    v_outcome := take_place(p_id, p_session, p_version, p_capacity, p_practitioner, a.patient_id, p_start, p_end,
                            p_channel = 'online', NULL, a.clinic_session_id, a.channel = 'online');
    UPDATE claim k SET active = false WHERE k.id = ANY(v_left);
    RETURN v_outcome;
END $$;
"""
FORGET = """moved_from = x.start_at,
        confirmed_at = NULL, on_the_way_at = NULL, """

UNDO = """
DROP FUNCTION answer_subject(uuid);
DROP FUNCTION lock_appointment(uuid);
DROP POLICY by_link ON appointment;
DROP TABLE appointment_offer;
DROP FUNCTION app_appointment();
ALTER TABLE appointment DROP COLUMN confirmed_at, DROP COLUMN on_the_way_at, DROP COLUMN moved_from;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)
    op.execute(SEES_PATIENT.format(link=BY_LINK))
    op.execute(MOVE.format(forget=FORGET))


def downgrade() -> None:
    op.execute(MOVE.format(forget=""))
    op.execute(SEES_PATIENT.format(link=""))
    op.execute(UNDO)
