"""Fairness: the waitlist and the places that become free."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE waitlist_entry (
    id uuid CONSTRAINT pk_waitlist_entry PRIMARY KEY,
    patient_id uuid NOT NULL CONSTRAINT fk_waitlist_entry_patient_id_patient REFERENCES patient (id),
    account_id uuid CONSTRAINT fk_waitlist_entry_account_id_account REFERENCES account (id),
    desk_id uuid CONSTRAINT fk_waitlist_entry_desk_id_facility REFERENCES facility (id),
    service_code text NOT NULL,
    facility_id uuid CONSTRAINT fk_waitlist_entry_facility_id_facility REFERENCES facility (id),
    area text,
    practitioner_id uuid CONSTRAINT fk_waitlist_entry_practitioner_id_practitioner REFERENCES practitioner (id),
    modality text,
    first_day date NOT NULL,
    last_day date NOT NULL,
    weekdays smallint[] NOT NULL,
    from_minute integer NOT NULL,
    to_minute integer NOT NULL,
    channel text NOT NULL,
    coverage_basis text NOT NULL,
    bound tstzrange,
    state text NOT NULL,
    since timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    looked_at timestamptz,
    appointment_id uuid CONSTRAINT fk_waitlist_entry_appointment_id_appointment REFERENCES appointment (id),
    CONSTRAINT ck_waitlist_entry_state CHECK (state IN ('waiting', 'offered', 'booked', 'left', 'over')),
    CONSTRAINT ck_waitlist_entry_channel CHECK (channel IN ('online', 'desk', 'kiosk', 'referral')),
    CONSTRAINT ck_waitlist_entry_modality CHECK (modality IN ('in-person', 'video')),
    CONSTRAINT ck_waitlist_entry_coverage_basis CHECK (coverage_basis IN (
        'registered-here', 'referral-slip', 'reexamination-slip', 'listed-disease', 'emergency',
        'temporary-residence', 'elsewhere', 'none')),
    CONSTRAINT ck_waitlist_entry_days CHECK (first_day <= last_day),
    CONSTRAINT ck_waitlist_entry_minutes
        CHECK (0 <= from_minute AND from_minute < to_minute AND to_minute <= 1440),
    CONSTRAINT ck_waitlist_entry_booked CHECK ((state = 'booked') = (appointment_id IS NOT NULL)),
    CONSTRAINT ck_waitlist_entry_bound CHECK (bound IS NULL OR coalesce(desk_id = facility_id, false))
);
CREATE UNIQUE INDEX uq_waitlist_entry_waits ON waitlist_entry (patient_id, service_code)
    WHERE state IN ('waiting', 'offered');
CREATE INDEX ix_waitlist_entry_line ON waitlist_entry (service_code, since) WHERE state IN ('waiting', 'offered');
CREATE INDEX ix_waitlist_entry_patient_id ON waitlist_entry (patient_id);

CREATE TABLE waitlist_offer (
    id uuid CONSTRAINT pk_waitlist_offer PRIMARY KEY,
    entry_id uuid NOT NULL CONSTRAINT fk_waitlist_offer_entry_id_waitlist_entry REFERENCES waitlist_entry (id),
    slot_id text NOT NULL,
    start_at timestamptz NOT NULL,
    state text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    answered_at timestamptz,
    CONSTRAINT ck_waitlist_offer_state
        CHECK (state IN ('open', 'accepted', 'declined', 'lapsed', 'gone', 'withdrawn'))
);
CREATE UNIQUE INDEX uq_waitlist_offer_open ON waitlist_offer (entry_id) WHERE state = 'open';
CREATE INDEX ix_waitlist_offer_entry_id ON waitlist_offer (entry_id, created_at);
CREATE INDEX ix_waitlist_offer_slot ON waitlist_offer (slot_id) WHERE state = 'open';

CREATE TABLE waitlist_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_waitlist_event PRIMARY KEY,
    entry_id uuid NOT NULL CONSTRAINT fk_waitlist_event_entry_id_waitlist_entry REFERENCES waitlist_entry (id),
    at timestamptz NOT NULL,
    kind text NOT NULL,
    reason text,
    start_at timestamptz,
    CONSTRAINT ck_waitlist_event_kind CHECK (kind IN ('joined', 'changed', 'offered', 'passed-over', 'declined',
        'lapsed', 'gone', 'booked', 'left', 'over')),
    CONSTRAINT ck_waitlist_event_reason CHECK (reason IN ('not-your-time', 'outside-validity', 'other-doctor',
        'other-way', 'other-door', 'busy', 'have-earlier', 'no-phone', 'answered', 'desk-only')),
    CONSTRAINT ck_waitlist_event_why CHECK ((kind = 'passed-over') = (reason IS NOT NULL))
);
CREATE INDEX ix_waitlist_event_entry_id ON waitlist_event (entry_id, at);

CREATE TABLE freed_place (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_freed_place PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT ck_freed_place_times CHECK (from_at < to_at)
);
CREATE INDEX ix_freed_place_due_at ON freed_place (due_at, id);

REVOKE DELETE ON waitlist_entry, waitlist_offer FROM telehealth_app;
REVOKE UPDATE, DELETE ON waitlist_event FROM telehealth_app;
"""

# Written by the transaction that frees the place: what commits is seen, what rolls back is not. Two rows for
# one place do no harm; a unique index would lose one to a worker that is just taking it away.
TRIGGERS = """
CREATE FUNCTION note_freed_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    VALUES (OLD.resource_id, lower(OLD.during), upper(OLD.during));
    RETURN NULL;
END $$;
CREATE TRIGGER note_freed_claim AFTER UPDATE OF active ON claim
    FOR EACH ROW WHEN (OLD.active AND NOT NEW.active AND OLD.resource_kind = 'practitioner')
    EXECUTE FUNCTION note_freed_claim();

-- Sessions come by the thousand when days are made: only those that somebody waits for.
CREATE FUNCTION note_new_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    SELECT s.practitioner_id, s.start_at, s.end_at FROM made s
     WHERE s.status = 'open' AND EXISTS (
        SELECT FROM waitlist_entry e
         WHERE e.service_code = s.service_code AND e.state IN ('waiting', 'offered'));
    RETURN NULL;
END $$;
CREATE TRIGGER note_new_sessions AFTER INSERT ON clinic_session
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION note_new_sessions();

CREATE FUNCTION note_opened_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    VALUES (NEW.practitioner_id, NEW.start_at, NEW.end_at);
    RETURN NULL;
END $$;
CREATE TRIGGER note_opened_session AFTER UPDATE OF status, capacity, slot_count, online_quota ON clinic_session
    FOR EACH ROW WHEN (NEW.status = 'open' AND (OLD.status <> 'open' OR NEW.capacity > OLD.capacity
        OR NEW.slot_count > OLD.slot_count OR NEW.online_quota > OLD.online_quota))
    EXECUTE FUNCTION note_opened_session();
"""

WALLS = """
-- The family sees its own; a facility sees who waits for it, and whom its desk has put on the list.
ALTER TABLE waitlist_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON waitlist_entry USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities()) OR desk_id = ANY (app_facilities())
        ELSE false
    END);
ALTER TABLE waitlist_offer ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_entry ON waitlist_offer
    USING (EXISTS (SELECT FROM waitlist_entry e WHERE e.id = entry_id));
ALTER TABLE waitlist_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_entry ON waitlist_event
    USING (EXISTS (SELECT FROM waitlist_entry e WHERE e.id = entry_id));

-- How many wait before somebody: a number, nobody's name. In the order of waitlist.queries.LINE.
CREATE FUNCTION waitlist_ahead(p_entry uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::int FROM waitlist_entry mine JOIN waitlist_entry e
        ON e.service_code = mine.service_code AND e.id <> mine.id AND e.state IN ('waiting', 'offered')
       AND (e.facility_id IS NULL OR mine.facility_id IS NULL OR e.facility_id = mine.facility_id)
       AND (coalesce(upper(e.bound), 'infinity'), e.since, e.id)
           < (coalesce(upper(mine.bound), 'infinity'), mine.since, mine.id)
     WHERE mine.id = p_entry
$$;

-- What a link's signature is checked against, before anybody may see more.
CREATE FUNCTION waitlist_subject(p_id uuid) RETURNS TABLE (entry_id uuid, offer_id uuid, about timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.entry_id, o.id, o.expires_at FROM waitlist_offer o WHERE o.id = p_id
    UNION ALL
    SELECT e.id, NULL, e.since FROM waitlist_entry e WHERE e.id = p_id
$$;

-- Whether a slip was spent on an appointment: asked by whoever holds the appointment, who may not see the slip.
CREATE FUNCTION spends_a_slip(p_appointment uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM slip_use u WHERE u.appointment_id = p_appointment AND u.released_at IS NULL)
$$;

-- Whoever answers an offer waits for whatever else is done for the same patient (as booking_context does).
CREATE FUNCTION lock_waiting(p_entry uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || e.patient_id, 0))
       FROM waitlist_entry e WHERE e.id = p_entry;
    PERFORM FROM waitlist_entry e WHERE e.id = p_entry FOR UPDATE;
END $$;
"""

ATTENDANCE = """
CREATE TABLE no_show (
    appointment_id uuid CONSTRAINT pk_no_show PRIMARY KEY
        CONSTRAINT fk_no_show_appointment_id_appointment REFERENCES appointment (id),
    patient_id uuid NOT NULL CONSTRAINT fk_no_show_patient_id_patient REFERENCES patient (id),
    account_id uuid CONSTRAINT fk_no_show_account_id_account REFERENCES account (id),
    facility_id uuid NOT NULL CONSTRAINT fk_no_show_facility_id_facility REFERENCES facility (id),
    start_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    returned_at timestamptz,
    excuse text,
    excused_at timestamptz,
    excused_by uuid CONSTRAINT fk_no_show_excused_by_account REFERENCES account (id),
    graded_at timestamptz,
    CONSTRAINT ck_no_show_excuse
        CHECK (excuse IN ('sick', 'practitioner-late', 'disaster', 'our-mistake', 'appeal')),
    CONSTRAINT ck_no_show_excused CHECK ((excuse IS NULL) = (excused_at IS NULL))
);
CREATE INDEX ix_no_show_patient_id ON no_show (patient_id, start_at);
CREATE INDEX ix_no_show_account_id ON no_show (account_id, start_at);
CREATE INDEX ix_no_show_ungraded ON no_show (patient_id) WHERE graded_at IS NULL;
REVOKE DELETE ON no_show FROM telehealth_app;

CREATE TABLE confirmation_request (
    appointment_id uuid NOT NULL
        CONSTRAINT fk_confirmation_request_appointment_id_appointment REFERENCES appointment (id),
    start_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL,
    closed_at timestamptz,
    released boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_confirmation_request PRIMARY KEY (appointment_id, start_at),
    CONSTRAINT ck_confirmation_request_released CHECK (closed_at IS NOT NULL OR NOT released)
);
CREATE INDEX ix_confirmation_request_due_at ON confirmation_request (due_at) WHERE closed_at IS NULL;

ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error', 'not-confirmed'));

-- Whoever records that somebody was missed, and by whichever door, it is written down with it.
CREATE FUNCTION note_no_show() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status = 'noshow' AND NEW.patient_id IS NOT NULL THEN
        INSERT INTO no_show (appointment_id, patient_id, account_id, facility_id, start_at, recorded_at)
        VALUES (NEW.id, NEW.patient_id, NEW.account_id, NEW.facility_id, NEW.start_at, NEW.updated_at)
        ON CONFLICT (appointment_id) DO UPDATE SET returned_at = NULL, graded_at = NULL;
    ELSE
        UPDATE no_show SET returned_at = NEW.updated_at, graded_at = NULL WHERE appointment_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_no_show AFTER UPDATE OF status ON appointment
    FOR EACH ROW WHEN (OLD.status <> NEW.status AND 'noshow' IN (OLD.status, NEW.status))
    EXECUTE FUNCTION note_no_show();

-- Who sees the person sees what they missed.
ALTER TABLE no_show ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_their_patient ON no_show USING (app_sees_patient(patient_id));
ALTER TABLE confirmation_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON confirmation_request
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));
"""

# Against touts. Numbers are the province's to set; staff who book for others (a commune station) are not bound.
IDENTITY = """
CREATE TABLE identity_limit (
    name text CONSTRAINT pk_identity_limit PRIMARY KEY,
    most integer NOT NULL,
    CONSTRAINT ck_identity_limit_name CHECK (name IN ('account-day', 'phone-active', 'identity-active')),
    CONSTRAINT ck_identity_limit_most CHECK (most > 0)
);
INSERT INTO identity_limit VALUES ('account-day', 12), ('phone-active', 15), ('identity-active', 6);
REVOKE INSERT, UPDATE, DELETE ON identity_limit FROM telehealth_app;

-- One after another for each identity, in one order, and before any claim: no two can wait for each other.
CREATE FUNCTION check_identity_limits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_phone bytea;
    v_numbers bytea[];
    v_midnight timestamptz := date_trunc('day', NEW.updated_at AT TIME ZONE 'Asia/Ho_Chi_Minh')
        AT TIME ZONE 'Asia/Ho_Chi_Minh';
    v_key bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM account c WHERE c.id = NEW.account_id AND c.kind = 'patient') THEN
        RETURN NULL;
    END IF;
    v_phone := (SELECT t.phone_index FROM patient t WHERE t.id = NEW.patient_id);
    v_numbers := ARRAY(SELECT i.value_index FROM patient_identifier i
        WHERE i.patient_id = NEW.patient_id AND i.system = 'national-id' AND i.active);
    FOR v_key IN
        SELECT DISTINCT hashtextextended('identity:' || x.name, 0) AS key FROM (
            SELECT NEW.account_id::text AS name
            UNION ALL SELECT encode(v_phone, 'hex') WHERE v_phone IS NOT NULL
            UNION ALL SELECT encode(n, 'hex') FROM unnest(v_numbers) n) x
         ORDER BY key
    LOOP
        PERFORM pg_advisory_xact_lock(v_key);
    END LOOP;
    IF (
        SELECT count(*) FROM appointment a
         WHERE a.account_id = NEW.account_id AND a.channel = 'online' AND a.created_at >= v_midnight
           AND a.status NOT IN ('held', 'expired')
    ) > (SELECT most FROM identity_limit WHERE name = 'account-day') THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'too-many-by-account';
    END IF;
    IF v_phone IS NOT NULL AND (
        SELECT count(*) FROM patient t JOIN appointment a ON a.patient_id = t.id
         WHERE t.phone_index = v_phone AND a.status = 'booked' AND a.channel = 'online'
           AND a.start_at > NEW.updated_at
    ) > (SELECT most FROM identity_limit WHERE name = 'phone-active') THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'too-many-by-phone';
    END IF;
    IF cardinality(v_numbers) > 0 AND (
        SELECT count(DISTINCT a.id) FROM patient_identifier i JOIN appointment a ON a.patient_id = i.patient_id
         WHERE i.system = 'national-id' AND i.value_index = ANY (v_numbers) AND i.active
           AND a.status = 'booked' AND a.channel = 'online' AND a.start_at > NEW.updated_at
    ) > (SELECT most FROM identity_limit WHERE name = 'identity-active') THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'too-many-by-identity';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_identity_of_booking AFTER INSERT ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked' AND NEW.channel = 'online')
    EXECUTE FUNCTION check_identity_limits();
CREATE TRIGGER check_identity_of_confirming AFTER UPDATE OF status ON appointment
    FOR EACH ROW WHEN (OLD.status = 'held' AND NEW.status = 'booked' AND NEW.channel = 'online')
    EXECUTE FUNCTION check_identity_limits();

-- An appointment is its patient's for good: it follows them only into the record that theirs is merged into.
-- Asked at the end of the transaction, when a merge has said so.
CREATE FUNCTION keep_patient() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM patient t WHERE t.id = OLD.patient_id AND t.merged_into = NEW.patient_id) THEN
        RAISE EXCEPTION 'an appointment cannot be given to another person' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER keep_patient AFTER UPDATE OF patient_id ON appointment DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.patient_id IS NOT NULL AND NEW.patient_id IS DISTINCT FROM OLD.patient_id)
    EXECUTE FUNCTION keep_patient();

-- Two records become one person: who waits for a service twice waits once, and what follows from misses is
-- settled anew for the one.
CREATE FUNCTION follow_merged_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'no_show' THEN
        NEW.graded_at := NULL;
    ELSIF TG_TABLE_NAME = 'booking_restriction' THEN
        IF EXISTS (SELECT FROM booking_restriction r WHERE r.patient_id = NEW.patient_id) THEN
            RETURN NULL;
        END IF;
    ELSIF NEW.state IN ('waiting', 'offered') AND EXISTS (SELECT FROM waitlist_entry e
        WHERE e.patient_id = NEW.patient_id AND e.service_code = NEW.service_code
          AND e.state IN ('waiting', 'offered')) THEN
        NEW.state := 'left';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follow_merged_person BEFORE UPDATE OF patient_id ON no_show
    FOR EACH ROW EXECUTE FUNCTION follow_merged_person();
CREATE TRIGGER follow_merged_person BEFORE UPDATE OF patient_id ON booking_restriction
    FOR EACH ROW EXECUTE FUNCTION follow_merged_person();
CREATE TRIGGER follow_merged_person BEFORE UPDATE OF patient_id ON waitlist_entry
    FOR EACH ROW EXECUTE FUNCTION follow_merged_person();
"""

# Evidence without anything of what people come for. Whose eyes it is for is asked here: the function sees past
# the walls. Facility null: the province.
ANOMALIES = """
CREATE TABLE anomaly_check (
    kind text NOT NULL,
    subject text NOT NULL,
    facility_id uuid CONSTRAINT fk_anomaly_check_facility_id_facility REFERENCES facility (id),
    checked_at timestamptz NOT NULL,
    checked_by uuid CONSTRAINT fk_anomaly_check_checked_by_account REFERENCES account (id),
    id uuid CONSTRAINT pk_anomaly_check PRIMARY KEY
);
CREATE INDEX ix_anomaly_check_subject ON anomaly_check (kind, subject, checked_at);
REVOKE UPDATE, DELETE ON anomaly_check FROM telehealth_app;
ALTER TABLE anomaly_check ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_staff ON anomaly_check USING (app_kind() IN ('staff', 'system'));

CREATE FUNCTION oversees_bookings(p_facility uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT app_kind() = 'system' OR app_kind() = 'staff' AND EXISTS (
        SELECT FROM membership m
         WHERE m.account_id = app_account() AND (m.valid_to IS NULL OR m.valid_to > app_clock())
           AND (m.role = 'province-officer' OR m.role = 'facility-admin' AND m.facility_id = p_facility))
$$;

CREATE FUNCTION booking_anomalies(p_facility uuid, p_since timestamptz)
RETURNS TABLE (kind text, subject text, account_id uuid, bookings integer, people integer, first_at timestamptz,
    last_at timestamptz, codes text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT oversees_bookings(p_facility) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH online AS MATERIALIZED (
        SELECT a.id, a.code, a.account_id, a.patient_id, a.status, a.clinic_session_id, a.start_at,
               a.created_at, a.updated_at
          FROM appointment a JOIN account c ON c.id = a.account_id AND c.kind = 'patient'
         WHERE (p_facility IS NULL OR a.facility_id = p_facility) AND a.created_at >= p_since
           AND a.channel = 'online' AND a.status NOT IN ('held', 'expired') AND a.patient_id IS NOT NULL
    ), found AS (
        -- One account books for many who are not its near family.
        SELECT 'many-people' AS kind, o.account_id::text AS subject, o.account_id, count(*) AS n,
               count(DISTINCT o.patient_id) AS people, min(o.created_at) AS first_at,
               max(o.created_at) AS last_at, array_agg(o.code ORDER BY o.created_at DESC) AS codes
          FROM online o
         WHERE NOT EXISTS (SELECT FROM account_patient ap
                WHERE ap.account_id = o.account_id AND ap.patient_id = o.patient_id
                  AND ap.relation IN ('self', 'parent', 'child', 'spouse'))
         GROUP BY o.account_id HAVING count(DISTINCT o.patient_id) >= 5
        UNION ALL
        -- A place given up by one and taken by another within minutes: handed over.
        SELECT 'handed-over', a.account_id::text, a.account_id, count(*), count(DISTINCT b.patient_id),
               min(b.created_at), max(b.created_at), array_agg(b.code ORDER BY b.created_at DESC)
          FROM online a JOIN online b
            ON b.clinic_session_id = a.clinic_session_id AND b.start_at = a.start_at
           AND b.patient_id <> a.patient_id AND a.status = 'cancelled'
           AND b.created_at >= a.updated_at AND b.created_at < a.updated_at + interval '5 minutes'
         GROUP BY a.account_id HAVING count(*) >= 2
        UNION ALL
        SELECT 'missed', n.account_id::text, n.account_id, count(*), count(DISTINCT n.patient_id),
               min(n.start_at), max(n.start_at), array_agg(a.code ORDER BY n.start_at DESC)
          FROM no_show n JOIN appointment a ON a.id = n.appointment_id
          JOIN account c ON c.id = n.account_id AND c.kind = 'patient'
         WHERE (p_facility IS NULL OR n.facility_id = p_facility) AND n.start_at >= p_since
           AND n.excuse IS NULL AND n.returned_at IS NULL
         GROUP BY n.account_id HAVING count(*) >= 3 AND count(DISTINCT n.patient_id) >= 2
        UNION ALL
        -- More within a minute than hands can do.
        SELECT 'burst', o.account_id::text, o.account_id, count(*), count(DISTINCT o.patient_id),
               min(o.created_at), max(o.created_at), array_agg(o.code ORDER BY o.created_at DESC)
          FROM online o JOIN (
              SELECT x.account_id, date_trunc('minute', x.created_at) AS minute FROM online x
               GROUP BY 1, 2 HAVING count(*) >= 4) hot
            ON hot.account_id = o.account_id AND hot.minute = date_trunc('minute', o.created_at)
         GROUP BY o.account_id
        UNION ALL
        SELECT 'shared-' || num.system, left(encode(num.value, 'hex'), 16), NULL, count(DISTINCT o.id),
               count(DISTINCT o.patient_id), min(o.created_at), max(o.created_at),
               array_agg(DISTINCT o.code)
          FROM online o JOIN (
              SELECT i.patient_id, 'identity' AS system, i.value_index AS value FROM patient_identifier i
               WHERE i.system = 'national-id' AND i.active
              UNION ALL SELECT t.id, 'phone', t.phone_index FROM patient t
               WHERE t.phone_index IS NOT NULL AND t.merged_into IS NULL) num
            ON num.patient_id = o.patient_id
         GROUP BY num.system, num.value
        HAVING count(DISTINCT o.patient_id) >= CASE num.system WHEN 'phone' THEN 6 ELSE 2 END
        UNION ALL
        -- Only a signal: whole villages share one address of a mobile network.
        SELECT 'same-address', left(encode(sha256(s.ip::bytea), 'hex'), 16), NULL, count(DISTINCT o.id),
               count(DISTINCT o.account_id), min(o.created_at), max(o.created_at), array_agg(DISTINCT o.code)
          FROM online o JOIN access_session s ON s.account_id = o.account_id AND s.ip IS NOT NULL
           AND o.created_at BETWEEN s.created_at AND s.created_at + interval '30 minutes'
         GROUP BY s.ip, date_trunc('hour', o.created_at) HAVING count(DISTINCT o.account_id) >= 5
    )
    SELECT f.kind, f.subject, f.account_id, f.n::int, f.people::int, f.first_at, f.last_at, f.codes[1:10]
      FROM found f ORDER BY f.last_at DESC, f.kind, f.subject LIMIT 200;
END $$;
"""

# A waiting room in front of taking a place at the release hour. A service without a release_policy has none.
RELEASES = """
CREATE TABLE release_policy (
    service_id uuid CONSTRAINT pk_release_policy PRIMARY KEY
        CONSTRAINT fk_release_policy_service_id_healthcare_service REFERENCES healthcare_service (id),
    rate_per_minute integer NOT NULL,
    early_minutes integer NOT NULL,
    hot_minutes integer NOT NULL,
    admission_minutes integer NOT NULL,
    CONSTRAINT ck_release_policy_bounds CHECK (rate_per_minute BETWEEN 1 AND 6000 AND early_minutes BETWEEN 5 AND 240
        AND hot_minutes BETWEEN 1 AND 240 AND admission_minutes BETWEEN 2 AND 120)
);
CREATE TABLE release (
    service_id uuid NOT NULL
        CONSTRAINT fk_release_service_id_healthcare_service REFERENCES healthcare_service (id),
    opens_at timestamptz NOT NULL,
    drawn_at timestamptz,
    last_place integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    CONSTRAINT pk_release PRIMARY KEY (service_id, opens_at)
);
CREATE INDEX ix_release_undrawn ON release (opens_at) WHERE drawn_at IS NULL;
CREATE TABLE release_ticket (
    service_id uuid NOT NULL,
    opens_at timestamptz NOT NULL,
    account_id uuid NOT NULL CONSTRAINT fk_release_ticket_account_id_account REFERENCES account (id),
    joined_at timestamptz NOT NULL,
    place integer,
    admit_at timestamptz,
    lapses_at timestamptz,
    CONSTRAINT pk_release_ticket PRIMARY KEY (service_id, opens_at, account_id),
    CONSTRAINT fk_release_ticket_release FOREIGN KEY (service_id, opens_at) REFERENCES release (service_id, opens_at),
    CONSTRAINT uq_release_ticket_place UNIQUE (service_id, opens_at, place),
    CONSTRAINT ck_release_ticket_drawn CHECK (num_nulls(place, admit_at, lapses_at) IN (0, 3))
);
REVOKE INSERT, UPDATE, DELETE ON release, release_ticket FROM telehealth_app;
ALTER TABLE release_ticket ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON release_ticket USING (app_kind() = 'system' OR account_id = app_account());

CREATE INDEX ix_clinic_session_service_id_opens_at ON clinic_session (service_id, opens_at)
    WHERE opens_at IS NOT NULL;

-- The release that is near or hot: its hour comes within early_minutes, came less than hot_minutes ago, or its
-- line has not been let in yet. Null: come as you are.
CREATE FUNCTION current_release(p_service uuid, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM release_policy p WHERE p.service_id = p_service) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT max(x.opens_at) FROM (
        SELECT s.opens_at FROM clinic_session s JOIN release_policy p ON p.service_id = s.service_id
         WHERE s.service_id = p_service AND s.status = 'open' AND s.start_at > p_now
           AND s.opens_at BETWEEN p_now - p.hot_minutes * interval '1 minute'
                              AND p_now + p.early_minutes * interval '1 minute'
        UNION ALL
        SELECT r.opens_at FROM release r JOIN release_policy p ON p.service_id = r.service_id
         WHERE r.service_id = p_service AND r.drawn_at IS NOT NULL AND r.next_at > p_now) x);
END $$;

-- At the hour those who were there before it are drawn in random order. Drawn once, whoever comes first.
CREATE FUNCTION draw_release(p_service uuid, p_opens_at timestamptz, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p release_policy%ROWTYPE;
    v_step interval;
    v_drawn integer;
BEGIN
    PERFORM FROM release r WHERE r.service_id = p_service AND r.opens_at = p_opens_at
        AND r.drawn_at IS NULL AND r.opens_at <= p_now FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO p FROM release_policy x WHERE x.service_id = p_service;
    v_step := interval '1 minute' / coalesce(p.rate_per_minute, 60);
    UPDATE release_ticket t SET
        place = d.place, admit_at = p_opens_at + (d.place - 1) * v_step,
        lapses_at = p_opens_at + (d.place - 1) * v_step + coalesce(p.admission_minutes, 10) * interval '1 minute'
      FROM (SELECT y.account_id, row_number() OVER (ORDER BY random())::int AS place FROM release_ticket y
             WHERE y.service_id = p_service AND y.opens_at = p_opens_at) d
     WHERE t.service_id = p_service AND t.opens_at = p_opens_at AND t.account_id = d.account_id;
    GET DIAGNOSTICS v_drawn = ROW_COUNT;
    UPDATE release r SET drawn_at = p_now, last_place = v_drawn, next_at = p_opens_at + v_drawn * v_step
     WHERE r.service_id = p_service AND r.opens_at = p_opens_at;
    RETURN true;
END $$;

-- One place for each account: before the hour to be drawn, after it at the end of the line. Who let their turn
-- pass goes to the end. The token is the account itself, so that there is nothing to hand on.
CREATE FUNCTION enter_release(p_service uuid, p_account uuid, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_opens timestamptz := current_release(p_service, p_now);
    p release_policy%ROWTYPE;
    r release%ROWTYPE;
    v_at timestamptz;
BEGIN
    IF v_opens IS NULL OR p_account IS DISTINCT FROM app_account() THEN
        RETURN NULL;
    END IF;
    SELECT * INTO p FROM release_policy x WHERE x.service_id = p_service;
    INSERT INTO release (service_id, opens_at, next_at) VALUES (p_service, v_opens, v_opens) ON CONFLICT DO NOTHING;
    PERFORM draw_release(p_service, v_opens, p_now);
    SELECT * INTO r FROM release x WHERE x.service_id = p_service AND x.opens_at = v_opens FOR UPDATE;
    INSERT INTO release_ticket (service_id, opens_at, account_id, joined_at)
    VALUES (p_service, v_opens, p_account, p_now) ON CONFLICT DO NOTHING;
    IF r.drawn_at IS NOT NULL THEN
        v_at := greatest(p_now, r.next_at);
        UPDATE release_ticket t SET place = r.last_place + 1, admit_at = v_at,
               lapses_at = v_at + p.admission_minutes * interval '1 minute'
         WHERE t.service_id = p_service AND t.opens_at = v_opens AND t.account_id = p_account
           AND (t.place IS NULL OR t.lapses_at <= p_now);
        IF FOUND THEN
            UPDATE release x SET last_place = r.last_place + 1,
                   next_at = v_at + interval '1 minute' / p.rate_per_minute
             WHERE x.service_id = p_service AND x.opens_at = v_opens;
        END IF;
    END IF;
    RETURN v_opens;
END $$;

-- In front of hold, not of browse: a place of a hot release is for those who have been let in, whether they take
-- it anew or move to it themselves. Not for staff, nor for who takes a place that was offered to them.
CREATE FUNCTION check_admission() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_account uuid := NEW.account_id;
    v_exempt boolean;
    v_opens timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM release_policy p WHERE p.service_id = NEW.service_id) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        v_exempt := NOT EXISTS (SELECT FROM account c WHERE c.id = NEW.account_id AND c.kind = 'patient');
    ELSE
        v_account := coalesce(app_account(), NEW.account_id);
        v_exempt := app_kind() IN ('staff', 'system');
    END IF;
    IF v_exempt THEN
        RETURN NULL;
    END IF;
    SELECT s.opens_at INTO v_opens FROM clinic_session s WHERE s.id = NEW.clinic_session_id;
    IF v_opens = current_release(NEW.service_id, NEW.updated_at)
       AND NOT EXISTS (SELECT FROM release_ticket t
                        WHERE t.service_id = NEW.service_id AND t.opens_at = v_opens
                          AND t.account_id = v_account
                          AND t.admit_at <= NEW.updated_at AND t.lapses_at > NEW.updated_at)
       AND NOT EXISTS (SELECT FROM appointment_offer o
                        WHERE o.appointment_id = NEW.id AND o.state = 'accepted'
                          AND o.answered_at = NEW.updated_at
                          AND split_part(o.slot_id, '.', 1) = NEW.clinic_session_id::text)
       AND NOT EXISTS (SELECT FROM waitlist_entry e JOIN waitlist_offer o ON o.entry_id = e.id
                        WHERE e.patient_id = NEW.patient_id AND o.state = 'accepted'
                          AND o.answered_at = NEW.updated_at AND o.start_at = NEW.start_at
                          AND split_part(o.slot_id, '.', 1) = NEW.clinic_session_id::text) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'waiting-room';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_admission AFTER INSERT ON appointment
    FOR EACH ROW WHEN (NEW.channel = 'online' AND NEW.status IN ('held', 'booked'))
    EXECUTE FUNCTION check_admission();
CREATE TRIGGER check_admission_of_move AFTER UPDATE OF clinic_session_id ON appointment
    FOR EACH ROW WHEN (NEW.clinic_session_id <> OLD.clinic_session_id AND NEW.channel = 'online'
        AND NEW.status = 'booked')
    EXECUTE FUNCTION check_admission();
"""

UNDO = """
DROP TRIGGER check_admission_of_move ON appointment;
DROP TRIGGER check_admission ON appointment;
DROP FUNCTION check_admission();
DROP FUNCTION enter_release(uuid, uuid, timestamptz);
DROP FUNCTION draw_release(uuid, timestamptz, timestamptz);
DROP FUNCTION current_release(uuid, timestamptz);
DROP INDEX ix_clinic_session_service_id_opens_at;
DROP TABLE release_ticket, release, release_policy;
DROP FUNCTION booking_anomalies(uuid, timestamptz);
DROP FUNCTION oversees_bookings(uuid);
DROP TABLE anomaly_check;
DROP TRIGGER follow_merged_person ON waitlist_entry;
DROP TRIGGER follow_merged_person ON booking_restriction;
DROP TRIGGER follow_merged_person ON no_show;
DROP FUNCTION follow_merged_person();
DROP TRIGGER keep_patient ON appointment;
DROP FUNCTION keep_patient();
DROP TRIGGER check_identity_of_confirming ON appointment;
DROP TRIGGER check_identity_of_booking ON appointment;
DROP FUNCTION check_identity_limits();
DROP TABLE identity_limit;
DROP TRIGGER note_no_show ON appointment;
DROP FUNCTION note_no_show();
DROP TABLE confirmation_request, no_show;
UPDATE appointment SET cancel_reason = 'patient' WHERE cancel_reason = 'not-confirmed';
ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error'));
DROP FUNCTION lock_waiting(uuid);
DROP FUNCTION spends_a_slip(uuid);
DROP FUNCTION waitlist_subject(uuid);
DROP FUNCTION waitlist_ahead(uuid);
DROP TRIGGER note_opened_session ON clinic_session;
DROP FUNCTION note_opened_session();
DROP TRIGGER note_new_sessions ON clinic_session;
DROP FUNCTION note_new_sessions();
DROP TRIGGER note_freed_claim ON claim;
DROP FUNCTION note_freed_claim();
DROP TABLE freed_place, waitlist_event, waitlist_offer, waitlist_entry;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(WALLS)
    op.execute(ATTENDANCE)
    op.execute(IDENTITY)
    op.execute(ANOMALIES)
    op.execute(RELEASES)


def downgrade() -> None:
    op.execute(UNDO)
