"""A doctor is called away, a holiday is declared: sessions close at once, and nobody in them is forgotten."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE session_closure (
    id uuid CONSTRAINT pk_session_closure PRIMARY KEY,
    kind text NOT NULL CONSTRAINT ck_session_closure_kind CHECK (kind IN ('practitioner', 'facility', 'holiday')),
    facility_id uuid CONSTRAINT fk_session_closure_facility_id_facility REFERENCES facility (id),
    practitioner_id uuid
        CONSTRAINT fk_session_closure_practitioner_id_practitioner REFERENCES practitioner (id),
    from_date date NOT NULL,
    to_date date NOT NULL,
    start_minute integer NOT NULL,
    end_minute integer NOT NULL,
    plan text NOT NULL CONSTRAINT ck_session_closure_plan CHECK (plan IN ('offer', 'move', 'cancel')),
    reason text NOT NULL CONSTRAINT ck_session_closure_reason CHECK (reason IN (
        'sick', 'called-away', 'duty', 'equipment', 'weather', 'holiday', 'other')),
    note text NOT NULL DEFAULT '',
    state text NOT NULL CONSTRAINT ck_session_closure_state CHECK (state IN (
        'running', 'finished', 'undoing', 'undone')),
    sessions integer NOT NULL DEFAULT 0,
    people integer NOT NULL DEFAULT 0,
    exception_id uuid
        CONSTRAINT fk_session_closure_exception_id_schedule_exception REFERENCES schedule_exception (id),
    calendar_day_ids uuid[] NOT NULL DEFAULT '{}',
    created_by uuid CONSTRAINT fk_session_closure_created_by_account REFERENCES account (id),
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    undone_by uuid CONSTRAINT fk_session_closure_undone_by_account REFERENCES account (id),
    undone_at timestamptz,
    CONSTRAINT ck_session_closure_dates CHECK (from_date <= to_date),
    CONSTRAINT ck_session_closure_minutes CHECK (0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440),
    CONSTRAINT ck_session_closure_subject CHECK (
        (kind = 'practitioner') = (practitioner_id IS NOT NULL) AND (kind = 'holiday' OR facility_id IS NOT NULL))
);
CREATE INDEX ix_session_closure_facility_id_created_at ON session_closure (facility_id, created_at);
CREATE INDEX ix_session_closure_unfinished ON session_closure (created_at) WHERE state IN ('running', 'undoing');

-- Who held a place, as it was; what was done for them; what they were told. How things stand now is read from
-- their appointment, their offer and their message (closure_standings).
CREATE TABLE session_closure_item (
    id uuid CONSTRAINT pk_session_closure_item PRIMARY KEY,
    closure_id uuid NOT NULL
        CONSTRAINT fk_session_closure_item_closure_id_session_closure REFERENCES session_closure (id),
    appointment_id uuid NOT NULL
        CONSTRAINT fk_session_closure_item_appointment_id_appointment REFERENCES appointment (id),
    facility_id uuid NOT NULL CONSTRAINT fk_session_closure_item_facility_id_facility REFERENCES facility (id),
    clinic_session_id uuid NOT NULL
        CONSTRAINT fk_session_closure_item_clinic_session_id_clinic_session REFERENCES clinic_session (id),
    start_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT ck_session_closure_item_state CHECK (state IN (
        'waiting', 'offered', 'told', 'moved', 'cancelled', 'settled', 'stands')),
    equivalence text CONSTRAINT ck_session_closure_item_equivalence CHECK (equivalence IN (
        'same-day', 'same-doctor', 'same-facility', 'elsewhere')),
    new_session_id uuid
        CONSTRAINT fk_session_closure_item_new_session_id_clinic_session REFERENCES clinic_session (id),
    new_start_at timestamptz,
    offer_id uuid CONSTRAINT fk_session_closure_item_offer_id_appointment_offer REFERENCES appointment_offer (id),
    message_key text,
    acted_at timestamptz,
    call_from timestamptz,
    calls integer NOT NULL DEFAULT 0,
    call_outcome text CONSTRAINT ck_session_closure_item_call_outcome CHECK (call_outcome IN (
        'agreed', 'other-time', 'cancelled', 'no-answer')),
    called_by uuid CONSTRAINT fk_session_closure_item_called_by_account REFERENCES account (id),
    called_at timestamptz,
    CONSTRAINT uq_session_closure_item_closure_id_appointment_id UNIQUE (closure_id, appointment_id),
    CONSTRAINT ck_session_closure_item_place CHECK ((new_session_id IS NULL) = (new_start_at IS NULL)),
    CONSTRAINT ck_session_closure_item_called CHECK ((call_outcome IS NULL) = (called_at IS NULL))
) WITH (fillfactor = 85);
CREATE INDEX ix_session_closure_item_appointment_id ON session_closure_item (appointment_id);
CREATE INDEX ix_session_closure_item_waiting ON session_closure_item (closure_id, start_at) WHERE state = 'waiting';
REVOKE DELETE ON session_closure, session_closure_item FROM telehealth_app;

ALTER TABLE session_closure_item ENABLE ROW LEVEL SECURITY;
-- Who sees the appointment; and the place that it was at, wherever it went.
CREATE POLICY with_its_appointment ON session_closure_item USING (
    EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id)
    OR (app_kind() = 'staff' AND facility_id = ANY (app_facilities())));

-- The hold that keeps an offered place for the one it was offered to.
ALTER TABLE appointment_offer ADD COLUMN hold_id uuid
    CONSTRAINT fk_appointment_offer_hold_id_appointment REFERENCES appointment (id);
"""

# A hold whose time is over is nobody's: whoever takes the place next ends it, by the ledger's own rule. So an
# accepted offer is a move onto a place that nobody else can have had in between.
OFFERS = """
CREATE FUNCTION let_offered_place_go() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE appointment h SET hold_until = app_clock()
     WHERE h.id = NEW.hold_id AND h.status = 'held' AND h.hold_until > app_clock();
    IF FOUND THEN
        UPDATE claim k SET hold_until = app_clock() WHERE k.appointment_id = NEW.hold_id AND k.active;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER let_offered_place_go AFTER UPDATE OF state ON appointment_offer
    FOR EACH ROW WHEN (OLD.state = 'open' AND NEW.state <> 'open' AND NEW.hold_id IS NOT NULL)
    EXECUTE FUNCTION let_offered_place_go();
"""

FUNCTIONS = """
-- The clinic sessions that a closure closes, and the part of the day that it closes. A session that somebody added
-- for that very day stands when the place or the province closes, as do those that work like another day.
CREATE FUNCTION closure_sessions(
    p_kind text, p_facility uuid, p_practitioner uuid, p_from date, p_to date, p_start integer, p_end integer,
    p_now timestamptz)
RETURNS TABLE (session_id uuid, closed tstzrange) LANGUAGE sql STABLE AS $$
    SELECT s.id, day.closed
      FROM clinic_session s
     CROSS JOIN LATERAL (
           SELECT tstzrange(s.start_at + (p_start - s.start_minute) * interval '1 minute',
                            s.start_at + (p_end - s.start_minute) * interval '1 minute') AS closed) day
     WHERE s.start_at >= p_from::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh'
       AND s.start_at < (p_to + 1)::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh'
       AND s.status <> 'cancelled' AND s.end_at > p_now
       AND tstzrange(s.start_at, s.end_at) && day.closed
       AND (p_facility IS NULL OR s.facility_id = p_facility)
       AND (p_practitioner IS NULL OR s.practitioner_id = p_practitioner)
       AND (p_kind = 'practitioner' OR s.exception_id IS NULL)
       AND (p_kind <> 'holiday' OR NOT EXISTS (
           SELECT FROM schedule_exception e
            WHERE e.facility_id = s.facility_id AND e.active AND e.kind = 'works-like'
              AND (e.practitioner_id IS NULL OR e.practitioner_id = s.practitioner_id)
              AND s.business_date BETWEEN e.from_date AND e.to_date))
       AND (p_kind <> 'holiday' OR p_facility IS NOT NULL OR NOT EXISTS (
           SELECT FROM calendar_day c WHERE c.day = s.business_date AND c.facility_id = s.facility_id))
$$;

-- Is somebody's lost time in the hands of a closure already?
CREATE FUNCTION in_closure(p_appointment uuid, p_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM session_closure_item i JOIN session_closure c ON c.id = i.closure_id
         WHERE i.appointment_id = p_appointment AND i.start_at = p_start AND c.state IN ('running', 'finished'))
$$;

-- How many people a closure touches, by service and way. Figures only: also for who may see no patient.
CREATE FUNCTION closure_figures(
    p_kind text, p_facility uuid, p_practitioner uuid, p_from date, p_to date, p_start integer, p_end integer,
    p_now timestamptz)
RETURNS TABLE (
    service_id uuid, modality text, sessions bigint, people bigint, arrived bigint, bound bigint,
    without_phone bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.service_id, s.modality, count(DISTINCT s.id),
           count(a.id) FILTER (WHERE a.status = 'booked' AND a.start_at > p_now),
           count(a.id) FILTER (WHERE a.status = 'arrived'),
           count(a.id) FILTER (WHERE a.status = 'booked' AND a.start_at > p_now AND a.bound IS NOT NULL),
           count(a.id) FILTER (WHERE a.status = 'booked' AND a.start_at > p_now AND NOT closure_phone(a.id))
      FROM closure_sessions(p_kind, p_facility, p_practitioner, p_from, p_to, p_start, p_end, p_now) f
      JOIN clinic_session s ON s.id = f.session_id
      LEFT JOIN appointment a ON a.clinic_session_id = s.id AND a.status IN ('booked', 'arrived')
           AND a.start_at < upper(f.closed) AND a.end_at > lower(f.closed)
           AND NOT in_closure(a.id, a.start_at)
     WHERE app_kind() IN ('staff', 'system')
     GROUP BY s.service_id, s.modality
$$;

-- Close the sessions of a closure just written, and put everybody who has a place in them on its list.
-- Whoever books at the same moment is either on the list or refused: their counter waits for this, or this for it.
-- Locks in the order of booking: appointments, then counters. What is inserted afterwards refers to both.
CREATE FUNCTION open_closure(p_closure uuid, p_now timestamptz)
RETURNS TABLE (sessions integer, people integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c session_closure%ROWTYPE;
    v_ids uuid[];
    v_closed tstzrange[];
    v_people integer;
BEGIN
    SELECT * INTO STRICT c FROM session_closure x WHERE x.id = p_closure FOR UPDATE;
    SELECT array_agg(f.session_id ORDER BY f.session_id), array_agg(f.closed ORDER BY f.session_id)
      INTO v_ids, v_closed
      FROM closure_sessions(c.kind, c.facility_id, c.practitioner_id, c.from_date, c.to_date, c.start_minute,
                            c.end_minute, p_now) f;
    PERFORM FROM appointment a WHERE a.clinic_session_id = ANY (v_ids) AND a.status = 'booked'
      ORDER BY a.id FOR KEY SHARE;
    PERFORM FROM clinic_session s WHERE s.id = ANY (v_ids) ORDER BY s.id FOR UPDATE;
    UPDATE clinic_session s SET status = 'closed', version = s.version + 1
     WHERE s.id = ANY (v_ids) AND s.status = 'open';

    INSERT INTO session_closure_item (id, closure_id, appointment_id, facility_id, clinic_session_id, start_at, state)
    SELECT gen_random_uuid(), p_closure, a.id, a.facility_id, a.clinic_session_id, a.start_at, 'waiting'
      FROM unnest(v_ids, v_closed) AS f (session_id, closed)
      JOIN appointment a ON a.clinic_session_id = f.session_id
     WHERE a.status = 'booked' AND a.start_at > p_now
       AND a.start_at < upper(f.closed) AND a.end_at > lower(f.closed)
       AND NOT in_closure(a.id, a.start_at);
    GET DIAGNOSTICS v_people = ROW_COUNT;

    -- The roster worklist, as bringing the day to the changed roster would write it; it may do so again.
    INSERT INTO roster_change (id, clinic_session_id, facility_id, reason, worked, created_at)
    SELECT gen_random_uuid(), s.id, s.facility_id,
           CASE WHEN s.start_at <@ f.closed THEN 'removed' ELSE 'changed' END,
           tstzmultirange(tstzrange(s.start_at, s.end_at)) - tstzmultirange(f.closed), p_now
      FROM unnest(v_ids, v_closed) AS f (session_id, closed) JOIN clinic_session s ON s.id = f.session_id
     WHERE EXISTS (SELECT FROM session_closure_item i
                    WHERE i.closure_id = p_closure AND i.clinic_session_id = s.id)
    ON CONFLICT (clinic_session_id, reason) WHERE resolved_at IS NULL DO UPDATE
    SET worked = roster_change.worked * excluded.worked;

    -- From now on the time is lost; what is said about it is this closure's.
    UPDATE appointment_disruption d SET resolved_at = greatest(p_now, d.found_at)
      FROM session_closure_item i
     WHERE i.closure_id = p_closure AND d.appointment_id = i.appointment_id AND d.resolved_at IS NULL
       AND d.start_at <> i.start_at;
    INSERT INTO appointment_disruption (id, appointment_id, start_at, found_at)
    SELECT gen_random_uuid(), i.appointment_id, i.start_at, p_now
      FROM session_closure_item i WHERE i.closure_id = p_closure
    ON CONFLICT (appointment_id) WHERE resolved_at IS NULL DO NOTHING;

    UPDATE session_closure x SET sessions = coalesce(cardinality(v_ids), 0), people = v_people
     WHERE x.id = p_closure;
    RETURN QUERY SELECT coalesce(cardinality(v_ids), 0), v_people;
END $$;

-- How each of a closure's people stands now, whether they were reached, whether somebody must telephone.
-- No names and no numbers: also for who may see no patient.
CREATE FUNCTION closure_standings(p_closure uuid)
RETURNS TABLE (item_id uuid, facility_id uuid, start_at timestamptz, standing text, reach text, to_call boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.id, f.facility_id, f.start_at, f.standing, f.reach,
           f.standing NOT IN ('waiting', 'stands', 'accepted', 'settled', 'unreached')
           AND coalesce(f.call_outcome, 'no-answer') = 'no-answer'
           AND CASE WHEN f.standing IN ('moved', 'cancelled')
                    THEN f.by_us AND f.reach IN ('no-phone', 'failed')
                    ELSE f.reach IN ('no-phone', 'failed') OR f.standing = 'unanswered' OR f.call_from <= app_clock()
               END
      FROM (
        SELECT i.id, i.facility_id, i.start_at, i.call_outcome, i.call_from,
               i.state IN ('moved', 'cancelled') AS by_us,
               CASE WHEN i.state = 'stands' THEN 'stands'
                    WHEN a.status = 'cancelled' THEN 'cancelled'
                    WHEN a.status <> 'booked' THEN 'settled'
                    WHEN (a.clinic_session_id, a.start_at) = (i.new_session_id, i.new_start_at)
                        THEN CASE WHEN i.state = 'moved' THEN 'moved' ELSE 'accepted' END
                    WHEN (a.clinic_session_id, a.start_at) <> (i.clinic_session_id, i.start_at) THEN 'settled'
                    WHEN i.state IN ('waiting', 'settled') THEN i.state
                    WHEN i.start_at <= app_clock() THEN 'unreached'
                    WHEN o.state = 'declined' THEN 'declined'
                    WHEN o.state = 'open' AND o.expires_at > app_clock() THEN 'offered'
                    WHEN o.id IS NOT NULL THEN 'unanswered'
                    ELSE 'told' END AS standing,
               CASE WHEN i.state IN ('waiting', 'settled') THEN 'waiting'
                    WHEN i.message_key IS NULL THEN 'no-phone'
                    WHEN n.state = 'delivered' AND n.channel IS DISTINCT FROM 'call-list' THEN 'delivered'
                    WHEN n.channel = 'call-list'
                         OR n.state IN ('undelivered', 'expired', 'cancelled', 'suppressed', 'dead') THEN 'failed'
                    WHEN n.state IN ('accepted', 'in_doubt', 'falling_back') THEN 'sent'
                    ELSE 'waiting' END AS reach
          FROM session_closure_item i
          JOIN appointment a ON a.id = i.appointment_id
          LEFT JOIN appointment_offer o ON o.id = i.offer_id
          LEFT JOIN notifications.notification n ON n.dedupe_key = i.message_key
         WHERE i.closure_id = p_closure AND app_kind() IN ('staff', 'system')) f
$$;
"""

ELSEWHERE = """
-- Was somebody sent away from a place of the entered staff's by a closure? Then they may still see how it went on.
CREATE FUNCTION sent_away(p_appointment uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM session_closure_item i
                    WHERE i.appointment_id = p_appointment AND i.facility_id = ANY (app_facilities()))
$$;
CREATE POLICY sent_away ON appointment USING (app_kind() = 'staff' AND sent_away(id));

-- Let an appointment belong to the facility of the place that was offered for it and has been accepted: its move
-- there follows in the same transaction. From now on that facility knows the patient.
CREATE FUNCTION take_elsewhere(p_appointment uuid, p_session uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE appointment a SET facility_id = s.facility_id, service_id = s.service_id
      FROM clinic_session s
     WHERE a.id = p_appointment AND s.id = p_session AND a.status = 'booked'
       AND EXISTS (SELECT FROM appointment_offer o
                    WHERE o.appointment_id = a.id AND o.state = 'accepted' AND o.answered_at = p_now
                      AND o.slot_id LIKE p_session::text || '.%');
    IF FOUND THEN
        INSERT INTO patient_facility (patient_id, facility_id, created_at)
        SELECT a.patient_id, a.facility_id, p_now FROM appointment a
         WHERE a.id = p_appointment AND a.patient_id IS NOT NULL
        ON CONFLICT DO NOTHING;
        RETURN true;
    END IF;
    RETURN false;
END $$;
"""

PHONE = """
-- Does anybody hear of an appointment: the patient, the guardian, who booked, who looks after them?
CREATE FUNCTION closure_phone(p_appointment uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM appointment a
          JOIN patient named ON named.id = a.patient_id
          JOIN patient p ON p.id = coalesce(named.merged_into, named.id)
          LEFT JOIN patient g ON g.id = p.guardian_id
          LEFT JOIN account b ON b.id = a.account_id
         WHERE a.id = p_appointment AND app_kind() IN ('staff', 'system')
           AND (num_nonnulls(p.phone_sealed, g.phone_sealed, b.phone_sealed) > 0 OR EXISTS (
               SELECT FROM account_patient ap JOIN account c ON c.id = ap.account_id
                WHERE ap.patient_id = p.id AND (ap.valid_to IS NULL OR ap.valid_to > app_clock())
                  AND c.phone_sealed IS NOT NULL)))
$$;
"""

UNDO = """
DROP FUNCTION take_elsewhere(uuid, uuid, timestamptz);
DROP POLICY sent_away ON appointment;
DROP FUNCTION sent_away(uuid);
DROP FUNCTION closure_standings(uuid);
DROP FUNCTION open_closure(uuid, timestamptz);
DROP FUNCTION closure_figures(text, uuid, uuid, date, date, integer, integer, timestamptz);
DROP FUNCTION closure_phone(uuid);
DROP FUNCTION in_closure(uuid, timestamptz);
DROP FUNCTION closure_sessions(text, uuid, uuid, date, date, integer, integer, timestamptz);
DROP TRIGGER let_offered_place_go ON appointment_offer;
DROP FUNCTION let_offered_place_go();
ALTER TABLE appointment_offer DROP COLUMN hold_id;
DROP TABLE session_closure_item;
DROP TABLE session_closure;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(OFFERS)
    op.execute(ELSEWHERE)
    op.execute(PHONE)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute(UNDO)
