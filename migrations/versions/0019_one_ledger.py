"""One ledger for every door: reserves, buffers, resources, overbooking, blockings, daily limits, validity."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
-- Counted from now on by count_places.
INSERT INTO practitioner_day
SELECT practitioner_id, business_date, sum(booked + overbooked) FROM clinic_session
 GROUP BY practitioner_id, business_date HAVING sum(booked + overbooked) > 0;

UPDATE appointment SET door = CASE channel WHEN 'online' THEN 'online' ELSE 'counter' END WHERE door IS NULL;

-- Who holds a place: a principal by name, since not all of them have accounts; or the offer it is kept for.
ALTER TABLE appointment ADD COLUMN held_by text;
CREATE INDEX ix_appointment_held_by ON appointment (held_by) WHERE status = 'held';
UPDATE appointment a SET held_by = c.kind || ':' || c.id FROM account c WHERE c.id = a.account_id AND a.status = 'held';

-- Who books while a time is being blocked is refused: the session is no longer the one that was read.
CREATE FUNCTION raise_blocked_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE clinic_session c SET version = c.version + 1
      FROM (SELECT s.id FROM clinic_session s
             WHERE s.facility_id = NEW.facility_id AND s.start_at < NEW.to_at AND s.end_at > NEW.from_at
               AND (NEW.practitioner_id IS NULL OR s.practitioner_id = NEW.practitioner_id)
               AND (NEW.resource_id IS NULL OR NEW.resource_id = ANY (s.resource_ids))
             ORDER BY s.id FOR UPDATE) blocked
     WHERE c.id = blocked.id;
    RETURN NULL;
END $$;
CREATE TRIGGER raise_blocked_sessions AFTER INSERT OR UPDATE ON blocking
    FOR EACH ROW EXECUTE FUNCTION raise_blocked_sessions();
"""

UNDO_TABLES = """
DROP TRIGGER raise_blocked_sessions ON blocking;
DROP FUNCTION raise_blocked_sessions();
DELETE FROM practitioner_day;
ALTER TABLE appointment DROP COLUMN held_by;
"""

DROP_OLD = """
DROP FUNCTION move_appointment(uuid, integer, uuid, integer, integer, uuid, timestamptz, timestamptz, text,
    timestamptz);
DROP FUNCTION book_appointment(boolean, uuid, text, uuid, integer, integer, uuid, uuid, uuid, text, timestamptz,
    timestamptz, text, uuid, uuid, text, text, boolean, bytea, text, text, text, uuid, uuid, jsonb, text, text,
    text, integer, bytea, timestamptz);
DROP FUNCTION hold_slot(uuid, text, uuid, integer, integer, uuid, uuid, uuid, text, timestamptz, timestamptz,
    text, uuid, integer, timestamptz);
DROP FUNCTION give_back(uuid);
DROP FUNCTION take_place(uuid, uuid, integer, integer, uuid, uuid, timestamptz, timestamptz, boolean, timestamptz,
    uuid, boolean);
DROP FUNCTION claim_time(uuid, text, uuid, integer, tstzrange, timestamptz, boolean);
DROP FUNCTION count_places(uuid, integer, boolean, uuid[], boolean[]);
DROP FUNCTION expire_holds(uuid);
DROP FUNCTION booking_context(uuid, integer, uuid, uuid, uuid, timestamptz);
"""

CONTEXT = """
-- Everything the rules ask about one slot and one patient, in one row (all null: no such slot).
-- Bookings for one patient wait for each other here, so that the counted limits hold in a race.
-- E-mail addresses and guardian_of() come with 0022; a body is read when it is first run.
CREATE FUNCTION booking_context(
    p_session uuid, p_minute integer, p_hold uuid, p_patient uuid, p_account uuid, p_holder text,
    p_now timestamptz)
RETURNS TABLE (
    session_id uuid, session_version integer, session_status text, modality text, room text,
    business_date date, start_minute integer, slot_minutes integer, slot_count integer, capacity integer,
    lead_minutes integer, tail_minutes integer, opens_at timestamptz, notice_minutes integer,
    overbook_most integer, online_left integer, places_left integer, quotas jsonb, blockings jsonb,
    minute integer, taken integer,
    facility_id uuid, facility_code text, facility_name text, facility_address text, facility_hotline text,
    service_id uuid, service_code text, service_name_vi text, service_name_en text, service_online boolean,
    duration_minutes integer, price_insured integer, price_self integer, price_on_request integer,
    price_after_hours integer, hold_seconds integer, cancel_notice_minutes integer,
    practitioner_id uuid, practitioner_licence text, practitioner_name text, practitioner_title text,
    practitioner_specialty text,
    hold_id uuid, hold_by text, hold_live boolean, hold_code text, hold_version integer, hold_channel text,
    patient_id uuid, patient_name text, patient_phone_sealed bytea, patient_email_sealed bytea,
    patient_language text, guardian_id uuid, guardian_phone_sealed bytea, guardian_email_sealed bytea,
    family_account uuid, account_phone_sealed bytea, account_email_sealed bytea, restriction text,
    active_count integer, same_day_count integer, same_practitioner_count integer, account_count integer,
    account_day_count integer)
LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    h appointment%ROWTYPE;
    v_clock timestamptz := app_clock();
BEGIN
    IF p_patient IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || p_patient, 0));
    END IF;
    IF p_hold IS NOT NULL THEN
        SELECT * INTO h FROM appointment a WHERE a.id = p_hold;
    ELSIF p_holder IS NOT NULL THEN
        SELECT a.* INTO h FROM appointment a JOIN clinic_session s ON s.id = a.clinic_session_id
         WHERE a.held_by = p_holder AND a.clinic_session_id = p_session AND a.status = 'held'
           AND a.start_at = s.start_at + (p_minute - s.start_minute) * interval '1 minute'
           AND a.hold_until > v_clock
         LIMIT 1;
    END IF;
    RETURN QUERY
    SELECT s.id, s.version, s.status, s.modality, s.room, s.business_date, s.start_minute, s.slot_minutes,
           s.slot_count, s.capacity, s.lead_minutes, s.tail_minutes, s.opens_at, s.notice_minutes,
           s.overbook_most, s.online_quota - s.online_booked, s.slot_count * s.capacity - s.booked,
           (SELECT jsonb_agg(jsonb_build_array(
                        q.door, q.reserved - q.booked, extract(epoch FROM q.falls_at)) ORDER BY q.door)
              FROM session_quota q WHERE q.clinic_session_id = s.id AND q.falls_at > v_clock),
           -- What the roster no longer has of the session is blocked, and nobody overrides that.
           (SELECT jsonb_agg(jsonb_build_array(b.roles, b.accounts))
              FROM (SELECT b.override_roles AS roles, b.override_account_ids AS accounts FROM blocking b
                     WHERE b.facility_id = s.facility_id AND b.lifted_at IS NULL
                       AND (b.practitioner_id IS NULL OR b.practitioner_id = s.practitioner_id)
                       AND (b.resource_id IS NULL OR b.resource_id = ANY (s.resource_ids))
                       AND b.from_at < upper(slot.during) AND b.to_at > lower(slot.during)
                     UNION ALL
                    SELECT '{}', '{}' FROM roster_change r
                     WHERE r.clinic_session_id = s.id AND r.resolved_at IS NULL
                       AND NOT r.worked @> slot.during) b),
           slot.minute, taken.lanes,
           f.id, f.code, f.name, f.address, f.hotline,
           v.id, v.code, v.name_vi, v.name_en, v.online_booking, v.duration_minutes,
           v.price_insured_vnd, v.price_self_vnd, v.price_on_request_vnd, v.price_after_hours_vnd,
           y.hold_seconds, y.cancel_notice_minutes,
           p.id, p.licence_no, p.name, p.title, p.specialty,
           h.id, h.held_by, h.status = 'held' AND h.hold_until > v_clock, h.code, h.version, h.channel,
           t.id, t.full_name, t.phone_sealed, t.email_sealed, t.language, g.id, g.phone_sealed, g.email_sealed,
           c.id, c.phone_sealed, c.email_sealed,
           (SELECT x.grade FROM booking_restriction x
             WHERE x.patient_id = p_patient AND x.since <= p_now AND x.until > p_now),
           counted.active, counted.same_day, counted.same_practitioner, accounted.active, accounted.same_day
      FROM clinic_session s
      JOIN facility f ON f.id = s.facility_id
      JOIN healthcare_service v ON v.id = s.service_id
      JOIN practitioner p ON p.id = s.practitioner_id
      LEFT JOIN booking_policy y ON y.service_id = s.service_id
      LEFT JOIN patient t ON t.id = p_patient
      -- Apart from the join: behind the wall a condition that calls such a function would read every patient.
      LEFT JOIN LATERAL (
        SELECT guardian_of(t.id, p_now) AS id WHERE t.guardian_id IS NOT NULL OFFSET 0) looked_after_by ON true
      LEFT JOIN patient g ON g.id = looked_after_by.id
      LEFT JOIN account c ON c.id = coalesce(
        (SELECT o.id FROM account o WHERE o.id = p_account AND o.kind = 'patient'),
        (SELECT ap.account_id FROM account_patient ap
          WHERE ap.patient_id = p_patient AND (ap.valid_to IS NULL OR ap.valid_to > p_now)
          ORDER BY ap.relation = 'self' DESC, ap.valid_from LIMIT 1))
     CROSS JOIN LATERAL (
        SELECT coalesce(p_minute, s.start_minute
                   + (extract(epoch FROM h.start_at - s.start_at) / 60)::int) AS minute) shown
     CROSS JOIN LATERAL (
        SELECT shown.minute, tstzrange(
            s.start_at + (shown.minute - s.start_minute - s.lead_minutes) * interval '1 minute',
            s.start_at + (shown.minute - s.start_minute - s.lead_minutes + s.slot_minutes) * interval '1 minute'
        ) AS during) slot
     CROSS JOIN LATERAL (
        SELECT count(DISTINCT k.lane)::int AS lanes FROM claim k
         WHERE k.active AND k.resource_id = s.practitioner_id AND k.lane <= s.capacity
           AND lower(k.during) BETWEEN lower(slot.during) - interval '8 hours' AND upper(slot.during)
           AND k.during && slot.during
           AND (k.hold_until IS NULL OR k.hold_until > v_clock)) taken
     CROSS JOIN LATERAL (
        SELECT count(*)::int AS active,
               (count(*) FILTER (WHERE a.start_at >= s.start_at - s.start_minute * interval '1 minute'
                   AND a.start_at < s.start_at + (1440 - s.start_minute) * interval '1 minute'))::int AS same_day,
               (count(*) FILTER (WHERE a.practitioner_id = s.practitioner_id))::int AS same_practitioner
          FROM appointment a
         WHERE a.patient_id = p_patient AND a.status = 'booked' AND a.start_at > p_now) counted
     CROSS JOIN LATERAL (
        SELECT count(*)::int AS active,
               (count(*) FILTER (WHERE a.start_at >= s.start_at - s.start_minute * interval '1 minute'
                   AND a.start_at < s.start_at + (1440 - s.start_minute) * interval '1 minute'))::int AS same_day
          FROM appointment a
         WHERE a.account_id = p_account AND c.id = p_account AND a.status = 'booked' AND a.start_at > p_now) accounted
     WHERE s.id = coalesce(p_session, h.clinic_session_id);
END $$;
"""

# Locks are taken in the order patient (advisory), appointment, claim (by resource), clinic session (by id),
# its quotas (by door), the practitioner's day.
COUNTERS = """
-- Put an end to holds whose time is over: of one practitioner, on some resources, or (both null) all.
-- Returns the places whose counters the caller must lower in the same transaction (count_places).
-- SECURITY DEFINER: such a hold may be another person's, whose row the taker cannot see. It touches
-- nothing but held rows past their time, and only those that it won (RETURNING chain).
CREATE FUNCTION expire_holds(p_practitioner uuid, p_resources uuid[])
RETURNS TABLE (session_id uuid, door text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
    WITH over AS (
        SELECT a.id FROM appointment a
         WHERE a.status = 'held' AND a.hold_until <= app_clock()
           AND (p_practitioner IS NULL OR a.practitioner_id = p_practitioner
                OR (p_resources <> '{}' AND EXISTS (
                    SELECT FROM claim k WHERE k.appointment_id = a.id AND k.active
                                          AND k.resource_id = ANY (p_resources))))
         ORDER BY a.id FOR UPDATE
    ), expired AS (
        UPDATE appointment a SET status = 'expired', version = a.version + 1, updated_at = app_clock()
          FROM over WHERE a.id = over.id AND a.status = 'held'
        RETURNING a.id, a.clinic_session_id, a.door
    ), freed AS (
        UPDATE claim k SET active = false FROM expired e WHERE k.appointment_id = e.id AND k.active
    )
    SELECT e.clinic_session_id, e.door FROM expired e
$$;

-- Move the counters: one place taken in p_session (null: none), some given back. 'ok', or why the place in
-- p_session cannot be had; then roll back. An overbooked place counts apart, and for the practitioner's day.
CREATE FUNCTION count_places(
    p_session uuid, p_version integer, p_door text, p_over boolean,
    p_freed uuid[], p_freed_doors text[], p_freed_over boolean[])
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    d record;
    s clinic_session%ROWTYPE;
    v_sessions uuid[] := p_freed;
    v_doors text[] := p_freed_doors;
    v_over boolean[] := p_freed_over;
    v_signs integer[] := array_fill(-1, ARRAY[coalesce(cardinality(p_freed), 0)]);
    v_left integer;
    v_day integer;
BEGIN
    IF p_session IS NOT NULL THEN
        v_sessions := array_append(v_sessions, p_session);
        v_doors := array_append(v_doors, p_door);
        v_over := array_append(v_over, p_over);
        v_signs := array_append(v_signs, 1);
    END IF;
    FOR d IN
        SELECT x.session, sum(x.n * (NOT x.over)::int)::int AS total, sum(x.n * x.over::int)::int AS over,
               sum(x.n * (x.door = 'online' AND NOT x.over)::int)::int AS online
          FROM unnest(v_sessions, v_doors, v_over, v_signs) AS x (session, door, over, n)
         GROUP BY x.session ORDER BY x.session
    LOOP
        UPDATE clinic_session c
           SET booked = c.booked + d.total, online_booked = c.online_booked + d.online,
               overbooked = c.overbooked + d.over
         WHERE c.id = d.session AND (d.session IS DISTINCT FROM p_session OR (
               c.status = 'open' AND c.version = p_version
               AND (d.online <= 0 OR c.online_booked + d.online <= c.online_quota)
               AND (d.total <= 0 OR c.booked + d.total <= c.slot_count * c.capacity)
               AND (d.over <= 0 OR c.overbooked + d.over <= c.slot_count * c.overbook_most)))
        RETURNING c.slot_count * c.capacity - c.booked INTO v_day;
        IF NOT FOUND THEN
            SELECT * INTO s FROM clinic_session c WHERE c.id = p_session;
            RETURN CASE WHEN s.status <> 'open' OR s.version <> p_version THEN 'slot-closed'
                        WHEN d.over > 0 AND s.overbooked + d.over > s.slot_count * s.overbook_most
                            THEN 'overbook-full'
                        WHEN d.online > 0 AND s.online_booked + d.online > s.online_quota
                            THEN 'online-quota-full'
                        ELSE 'slot-taken' END;
        END IF;
        IF d.session = p_session THEN
            v_left := v_day;
        END IF;
    END LOOP;
    FOR d IN
        SELECT x.session, x.door, sum(x.n)::int AS total
          FROM unnest(v_sessions, v_doors, v_over, v_signs) AS x (session, door, over, n)
          JOIN session_quota q ON q.clinic_session_id = x.session AND q.door = x.door
         WHERE NOT x.over
         GROUP BY x.session, x.door HAVING sum(x.n) <> 0 ORDER BY x.session, x.door
    LOOP
        UPDATE session_quota q SET booked = q.booked + d.total
         WHERE q.clinic_session_id = d.session AND q.door = d.door;
    END LOOP;
    -- The session's row is locked by now, so nobody else moves its quotas.
    IF p_session IS NOT NULL AND NOT p_over AND v_left < (
        SELECT coalesce(sum(greatest(q.reserved - q.booked, 0)), 0) FROM session_quota q
         WHERE q.clinic_session_id = p_session AND q.door <> p_door AND q.falls_at > app_clock())
    THEN
        RETURN 'door-quota-full';
    END IF;
    FOR d IN
        SELECT c.practitioner_id, c.business_date, sum(x.n)::int AS total
          FROM unnest(v_sessions, v_signs) AS x (session, n) JOIN clinic_session c ON c.id = x.session
         GROUP BY c.practitioner_id, c.business_date HAVING sum(x.n) <> 0
         ORDER BY c.practitioner_id, c.business_date
    LOOP
        IF d.total < 0 THEN
            UPDATE practitioner_day y SET booked = y.booked + d.total
             WHERE y.practitioner_id = d.practitioner_id AND y.business_date = d.business_date;
            CONTINUE;
        END IF;
        INSERT INTO practitioner_day AS y (practitioner_id, business_date, booked)
        VALUES (d.practitioner_id, d.business_date, d.total)
        ON CONFLICT (practitioner_id, business_date) DO UPDATE SET booked = y.booked + excluded.booked
        RETURNING y.booked INTO v_day;
        IF v_day > (SELECT l.per_day FROM practitioner_limit l WHERE l.practitioner_id = d.practitioner_id) THEN
            RETURN 'practitioner-day-full';
        END IF;
    END LOOP;
    RETURN 'ok';
END $$;
"""

PLACES = """
-- Claim one resource's time on the first free of some lanes; null: none is free. What the same appointment
-- leaves (p_left) counts as free and is let go here, at its place in the order of resources.
-- Never a bare insert: it deadlocks. A lane that another wins meanwhile is tried no more; then any free one,
-- so that a crowd does not queue for each lane in turn.
CREATE FUNCTION claim_lane(
    p_appointment uuid, p_kind text, p_resource uuid, p_first integer, p_last integer, p_during tstzrange,
    p_hold_until timestamptz, p_door text, p_left uuid[])
RETURNS integer LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_lane integer := p_first;
    v_lost integer[] := '{}';
BEGIN
    WHILE cardinality(v_lost) <= p_last - p_first LOOP
        IF p_last > p_first OR p_left <> '{}' THEN
            SELECT l.lane INTO v_lane FROM generate_series(p_first, p_last) AS l (lane)
             WHERE l.lane <> ALL (v_lost) AND NOT EXISTS (
                SELECT FROM claim k
                 WHERE k.active AND k.resource_id = p_resource AND k.lane = l.lane
                   AND lower(k.during) > lower(p_during) - interval '8 hours'
                   AND lower(k.during) < upper(p_during) AND k.during && p_during
                   AND k.id <> ALL (p_left))
             ORDER BY CASE WHEN v_lost = '{}' THEN l.lane ELSE random() END LIMIT 1;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            IF p_left <> '{}' THEN
                UPDATE claim k SET active = false
                 WHERE k.id = ANY (p_left) AND k.active AND k.resource_id = p_resource AND k.lane = v_lane
                   AND k.during && p_during;
            END IF;
        END IF;
        INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active, hold_until, online)
        VALUES (gen_random_uuid(), p_appointment, p_kind, p_resource, v_lane, p_during, true, p_hold_until,
                p_door = 'online')
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN v_lane;
        END IF;
        v_lost := array_append(v_lost, v_lane);
    END LOOP;
    RETURN NULL;
END $$;

-- Take a place for an appointment the caller has just written: a lane of the practitioner and of every
-- resource of the session with the buffers, and the patient's own visit (null while held), in the order of
-- their ids; then the counters. An overbooked one takes a lane beyond the practitioner's capacity.
-- p_left*: claims and place that the same appointment leaves. Anything but 'ok' must be followed by a rollback.
CREATE FUNCTION take_place(
    p_appointment uuid, p_session uuid, p_version integer, p_patient uuid, p_start timestamptz,
    p_end timestamptz, p_door text, p_over boolean, p_hold_until timestamptz, p_left uuid[],
    p_left_session uuid, p_left_door text, p_left_over boolean)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    s clinic_session%ROWTYPE;
    r record;
    v_during tstzrange;
    v_freed uuid[];
    v_doors text[];
    v_over boolean[];
    v_lane integer;
BEGIN
    SELECT * INTO s FROM clinic_session c WHERE c.id = p_session;
    v_during := tstzrange(p_start - s.lead_minutes * interval '1 minute',
                          p_start + (s.slot_minutes - s.lead_minutes) * interval '1 minute');
    SELECT array_agg(e.session_id), array_agg(e.door), array_agg(false) INTO v_freed, v_doors, v_over
      FROM expire_holds(s.practitioner_id, s.resource_ids) e;
    IF p_left_session IS NOT NULL THEN
        v_freed := array_append(v_freed, p_left_session);
        v_doors := array_append(v_doors, p_left_door);
        v_over := array_append(v_over, p_left_over);
    END IF;
    FOR r IN
        SELECT s.practitioner_id AS id, 'practitioner' AS kind, s.capacity AS lanes
        UNION ALL SELECT p_patient, 'patient', 1 WHERE p_patient IS NOT NULL
        UNION ALL SELECT x.id, x.kind, CASE WHEN x.active THEN x.lanes ELSE 0 END
                    FROM resource x WHERE x.id = ANY (s.resource_ids)
        ORDER BY id
    LOOP
        IF r.kind = 'patient' THEN
            v_lane := claim_lane(p_appointment, r.kind, r.id, 1, 1, tstzrange(p_start, p_end), NULL, p_door, '{}');
            IF v_lane IS NULL THEN
                RETURN 'patient-busy';
            END IF;
        ELSIF r.kind = 'practitioner' THEN
            v_lane := claim_lane(
                p_appointment, r.kind, r.id, CASE WHEN p_over THEN s.capacity + 1 ELSE 1 END,
                CASE WHEN p_over THEN s.capacity + s.overbook_most ELSE s.capacity END,
                v_during, p_hold_until, p_door, p_left);
            IF v_lane IS NULL THEN
                RETURN CASE WHEN p_over THEN 'overbook-full' ELSE 'slot-taken' END;
            END IF;
            IF v_lane > 1 THEN
                UPDATE appointment a SET lane = v_lane WHERE a.id = p_appointment;
            END IF;
        ELSE
            v_lane := claim_lane(
                p_appointment, r.kind, r.id, 1,
                r.lanes + CASE WHEN p_over AND r.lanes > 0 THEN s.overbook_most ELSE 0 END,
                v_during, p_hold_until, p_door, p_left);
            IF v_lane IS NULL THEN
                RETURN 'resource-busy';
            END IF;
        END IF;
    END LOOP;
    RETURN count_places(p_session, p_version, p_door, p_over, v_freed, v_doors, v_over);
END $$;

-- Give back the place of an appointment whose status the caller has just changed.
CREATE FUNCTION give_back(p_appointment uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE claim k SET active = false WHERE k.appointment_id = p_appointment AND k.active;
    IF FOUND THEN
        PERFORM count_places(NULL, NULL, NULL, NULL, ARRAY[a.clinic_session_id], ARRAY[a.door], ARRAY[a.overbooked])
           FROM appointment a WHERE a.id = p_appointment;
    END IF;
END $$;

-- Hold a slot for a while: 'ok' and until when, or why not.
CREATE FUNCTION hold_slot(
    p_id uuid, p_code text, p_session uuid, p_version integer, p_facility uuid,
    p_practitioner uuid, p_service uuid, p_modality text, p_start timestamptz, p_end timestamptz,
    p_channel text, p_door text, p_account uuid, p_holder text, p_seconds integer, p_now timestamptz)
RETURNS TABLE (outcome text, hold_until timestamptz)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_until timestamptz := app_clock() + p_seconds * interval '1 second';
BEGIN
    INSERT INTO appointment (
        id, code, status, version, clinic_session_id, facility_id, practitioner_id, service_id, modality,
        start_at, end_at, lane, channel, door, account_id, held_by, hold_until, price_class, coverage_basis,
        companion, created_at, updated_at)
    VALUES (
        p_id, p_code, 'held', 1, p_session, p_facility, p_practitioner, p_service, p_modality,
        p_start, p_end, 1, p_channel, p_door, p_account, p_holder, v_until, 'self', 'none', false, p_now, p_now);
    RETURN QUERY SELECT take_place(p_id, p_session, p_version, NULL, p_start, p_end, p_door, false, v_until,
                                   '{}', NULL, NULL, NULL), v_until;
END $$;

-- Book a slot, or confirm a hold (p_confirm), with all that belongs to it: the facility's link to the
-- patient, consent, audit row and stored answer. 'ok', or why not; then roll back.
CREATE FUNCTION book_appointment(
    p_confirm boolean, p_id uuid, p_code text, p_session uuid, p_version integer,
    p_facility uuid, p_practitioner uuid, p_service uuid, p_modality text, p_start timestamptz, p_end timestamptz,
    p_channel text, p_door text, p_over boolean, p_over_reason_sealed bytea, p_bound tstzrange,
    p_patient uuid, p_account uuid, p_holder text, p_price_class text, p_coverage_basis text,
    p_companion boolean, p_reason_sealed bytea, p_consent_purpose text, p_consent_version text,
    p_actor_kind text, p_actor uuid, p_access_session uuid, p_details jsonb,
    p_principal text, p_route text, p_key text, p_status integer, p_response bytea, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF p_confirm THEN
        UPDATE appointment a SET
            status = 'booked', version = a.version + 1, hold_until = NULL, patient_id = p_patient,
            price_class = p_price_class, coverage_basis = p_coverage_basis, companion = p_companion,
            reason_sealed = p_reason_sealed, overbook_reason_sealed = p_over_reason_sealed, bound = p_bound,
            updated_at = p_now
         WHERE a.id = p_id AND a.status = 'held' AND a.hold_until > app_clock()
           AND a.held_by = p_holder;
        IF NOT FOUND THEN
            RETURN 'hold-expired';
        END IF;
    ELSE
        INSERT INTO appointment (
            id, code, status, version, clinic_session_id, facility_id, practitioner_id, service_id, modality,
            start_at, end_at, lane, channel, door, overbooked, overbook_reason_sealed, bound, patient_id,
            account_id, price_class, coverage_basis, companion, reason_sealed, created_at, updated_at)
        VALUES (
            p_id, p_code, 'booked', 1, p_session, p_facility, p_practitioner, p_service, p_modality,
            p_start, p_end, 1, p_channel, p_door, p_over, p_over_reason_sealed, p_bound, p_patient,
            p_account, p_price_class, p_coverage_basis, p_companion, p_reason_sealed, p_now, p_now);
    END IF;
    INSERT INTO patient_facility (patient_id, facility_id, created_at)
    VALUES (p_patient, p_facility, p_now) ON CONFLICT DO NOTHING;
    IF p_consent_purpose IS NOT NULL THEN
        INSERT INTO consent (id, patient_id, purpose, text_version, channel, given_by, given_at)
        VALUES (gen_random_uuid(), p_patient, p_consent_purpose, p_consent_version, p_channel, p_account, p_now);
    END IF;
    INSERT INTO audit_event (
        at, actor_kind, actor_id, session_id, action, entity, entity_id, patient_id, facility_id, details)
    VALUES (p_now, p_actor_kind, p_actor, p_access_session,
            CASE WHEN p_over THEN 'booking.overbook' ELSE 'booking.book' END, 'Appointment', p_id, p_patient,
            p_facility, p_details);
    IF p_key IS NOT NULL THEN
        UPDATE idempotency i SET status = p_status, response_sealed = p_response
         WHERE i.principal = p_principal AND i.route = p_route AND i.key = p_key;
    END IF;
    IF NOT p_confirm THEN
        RETURN take_place(p_id, p_session, p_version, p_patient, p_start, p_end, p_door, p_over, NULL,
                          '{}', NULL, NULL, NULL);
    END IF;
    UPDATE claim k SET hold_until = NULL WHERE k.appointment_id = p_id AND k.active;
    IF claim_lane(p_id, 'patient', p_patient, 1, 1, tstzrange(p_start, p_end), NULL, p_door, '{}') IS NULL THEN
        RETURN 'patient-busy';
    END IF;
    -- The place was counted when it was held; the session must still be the one that was read, until commit.
    PERFORM FROM clinic_session c
      WHERE c.id = p_session AND c.status = 'open' AND c.version = p_version FOR SHARE;
    RETURN CASE WHEN FOUND THEN 'ok' ELSE 'slot-closed' END;
END $$;

-- Move a booked appointment to another slot: 'ok', or why not; then roll back, and everything is as it was.
-- The new place is taken before the old one is given back: two who swap refuse each other, never deadlock.
-- The patient's own time comes off first: nobody else wants it, and the new time may overlap the old.
CREATE FUNCTION move_appointment(
    p_id uuid, p_appointment_version integer, p_session uuid, p_version integer,
    p_start timestamptz, p_end timestamptz, p_channel text, p_door text, p_over boolean,
    p_over_reason_sealed bytea, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
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
    IF NOT coalesce(a.bound @> p_start, true) THEN
        RETURN 'outside-validity';
    END IF;
    UPDATE claim k SET active = false
     WHERE k.appointment_id = p_id AND k.active AND k.resource_kind = 'patient';
    SELECT coalesce(array_agg(k.id), '{}') INTO v_left FROM claim k WHERE k.appointment_id = p_id AND k.active;
    UPDATE appointment x SET
        version = x.version + 1, clinic_session_id = p_session,
        practitioner_id = (SELECT c.practitioner_id FROM clinic_session c WHERE c.id = p_session),
        start_at = p_start, end_at = p_end, lane = 1, channel = p_channel, door = p_door,
        overbooked = p_over, overbook_reason_sealed = p_over_reason_sealed,
        moved_from = x.start_at, confirmed_at = NULL, on_the_way_at = NULL, updated_at = p_now
     WHERE x.id = p_id;
    v_outcome := take_place(p_id, p_session, p_version, a.patient_id, p_start, p_end, p_door, p_over, NULL,
                            v_left, a.clinic_session_id, a.door, a.overbooked);
    UPDATE claim k SET active = false WHERE k.id = ANY (v_left) AND k.active;
    RETURN v_outcome;
END $$;
"""

DROP_NEW = """
DROP FUNCTION move_appointment(uuid, integer, uuid, integer, timestamptz, timestamptz, text, text, boolean, bytea,
    timestamptz);
DROP FUNCTION book_appointment(boolean, uuid, text, uuid, integer, uuid, uuid, uuid, text, timestamptz,
    timestamptz, text, text, boolean, bytea, tstzrange, uuid, uuid, text, text, text, boolean, bytea, text, text,
    text, uuid, uuid, jsonb, text, text, text, integer, bytea, timestamptz);
DROP FUNCTION hold_slot(uuid, text, uuid, integer, uuid, uuid, uuid, text, timestamptz, timestamptz, text, text,
    uuid, text, integer, timestamptz);
DROP FUNCTION give_back(uuid);
DROP FUNCTION take_place(uuid, uuid, integer, uuid, timestamptz, timestamptz, text, boolean, timestamptz, uuid[],
    uuid, text, boolean);
DROP FUNCTION claim_lane(uuid, text, uuid, integer, integer, tstzrange, timestamptz, text, uuid[]);
DROP FUNCTION count_places(uuid, integer, text, boolean, uuid[], text[], boolean[]);
DROP FUNCTION expire_holds(uuid, uuid[]);
DROP FUNCTION booking_context(uuid, integer, uuid, uuid, uuid, text, timestamptz);
"""

# As in 0005, and move_appointment as in 0011.
OLD = """
-- Everything the rules ask about one slot and one patient, in one row (all null: no such slot).
-- Bookings for one patient wait for each other here, so that the counted limits hold in a race.
CREATE FUNCTION booking_context(
    p_session uuid, p_minute integer, p_hold uuid, p_patient uuid, p_account uuid, p_now timestamptz)
RETURNS TABLE (
    session_id uuid, session_version integer, session_status text, modality text, room text,
    business_date date, start_minute integer, slot_minutes integer, slot_count integer, capacity integer,
    online_left integer, minute integer, taken integer,
    facility_id uuid, facility_code text, facility_name text, facility_address text, facility_hotline text,
    service_id uuid, service_code text, service_name_vi text, service_name_en text, service_online boolean,
    duration_minutes integer, price_insured integer, price_self integer, price_on_request integer,
    price_after_hours integer,
    practitioner_id uuid, practitioner_licence text, practitioner_name text, practitioner_title text,
    practitioner_specialty text,
    hold_id uuid, hold_account uuid, hold_live boolean, hold_code text, hold_version integer, hold_channel text,
    patient_id uuid, patient_name text, patient_phone_sealed bytea, patient_language text, guardian_id uuid,
    guardian_phone_sealed bytea, family_account uuid, account_phone_sealed bytea, active_count integer,
    same_day_count integer, same_practitioner_count integer)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    h appointment%ROWTYPE;
    v_clock timestamptz := app_clock();
BEGIN
    IF p_patient IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || p_patient, 0));
    END IF;
    IF p_hold IS NOT NULL THEN
        SELECT * INTO h FROM appointment a WHERE a.id = p_hold;
    ELSIF p_account IS NOT NULL THEN
        SELECT a.* INTO h FROM appointment a JOIN clinic_session s ON s.id = a.clinic_session_id
         WHERE a.account_id = p_account AND a.clinic_session_id = p_session AND a.status = 'held'
           AND a.start_at = s.start_at + (p_minute - s.start_minute) * interval '1 minute'
           AND a.hold_until > v_clock
         LIMIT 1;
    END IF;
    RETURN QUERY
    SELECT s.id, s.version, s.status, s.modality, s.room, s.business_date, s.start_minute, s.slot_minutes,
           s.slot_count, s.capacity, s.online_quota - s.online_booked, slot.minute, taken.lanes,
           f.id, f.code, f.name, f.address, f.hotline,
           v.id, v.code, v.name_vi, v.name_en, v.online_booking, v.duration_minutes,
           v.price_insured_vnd, v.price_self_vnd, v.price_on_request_vnd, v.price_after_hours_vnd,
           p.id, p.licence_no, p.name, p.title, p.specialty,
           h.id, h.account_id, h.status = 'held' AND h.hold_until > v_clock, h.code, h.version, h.channel,
           t.id, t.full_name, t.phone_sealed, t.language, g.id, g.phone_sealed, c.id, c.phone_sealed,
           counted.active, counted.same_day, counted.same_practitioner
      FROM clinic_session s
      JOIN facility f ON f.id = s.facility_id
      JOIN healthcare_service v ON v.id = s.service_id
      JOIN practitioner p ON p.id = s.practitioner_id
      LEFT JOIN patient t ON t.id = p_patient
      LEFT JOIN patient g ON g.id = t.guardian_id
      LEFT JOIN account c ON c.id = coalesce(
        (SELECT o.id FROM account o WHERE o.id = p_account AND o.kind = 'patient'),
        (SELECT ap.account_id FROM account_patient ap
          WHERE ap.patient_id = p_patient AND (ap.valid_to IS NULL OR ap.valid_to > p_now)
          ORDER BY ap.relation = 'self' DESC, ap.valid_from LIMIT 1))
     CROSS JOIN LATERAL (
        SELECT coalesce(p_minute, s.start_minute
                   + (extract(epoch FROM h.start_at - s.start_at) / 60)::int) AS minute) slot
     CROSS JOIN LATERAL (
        SELECT count(*)::int AS lanes FROM claim k
         WHERE k.active AND k.resource_id = s.practitioner_id AND k.lane <= s.capacity
           AND lower(k.during) BETWEEN s.start_at + (slot.minute - s.start_minute - 480) * interval '1 minute'
                                   AND s.start_at + (slot.minute - s.start_minute + s.slot_minutes) * interval '1 minute'
           AND k.during && tstzrange(
                s.start_at + (slot.minute - s.start_minute) * interval '1 minute',
                s.start_at + (slot.minute - s.start_minute + s.slot_minutes) * interval '1 minute')
           AND (k.hold_until IS NULL OR k.hold_until > v_clock)) taken
     CROSS JOIN LATERAL (
        SELECT count(*)::int AS active,
               (count(*) FILTER (WHERE a.start_at >= s.start_at - s.start_minute * interval '1 minute'
                   AND a.start_at < s.start_at + (1440 - s.start_minute) * interval '1 minute'))::int AS same_day,
               (count(*) FILTER (WHERE a.practitioner_id = s.practitioner_id))::int AS same_practitioner
          FROM appointment a
         WHERE a.patient_id = p_patient AND a.status = 'booked' AND a.start_at > p_now) counted
     WHERE s.id = coalesce(p_session, h.clinic_session_id);
END $$;

-- Put an end to holds whose time is over, of one practitioner or (null) all, and free their claims.
-- Returns the places whose counters the caller must lower in the same transaction (count_places).
-- SECURITY DEFINER: such a hold may be another person's, whose row the taker cannot see. It touches
-- nothing but held rows past their time, and only those that it won (RETURNING chain).
CREATE FUNCTION expire_holds(p_practitioner uuid)
RETURNS TABLE (session_id uuid, online boolean)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH over AS (
        SELECT a.id FROM appointment a
         WHERE a.status = 'held' AND a.hold_until <= app_clock()
           AND (p_practitioner IS NULL OR a.practitioner_id = p_practitioner)
         ORDER BY a.id FOR UPDATE
    ), expired AS (
        UPDATE appointment a SET status = 'expired', version = a.version + 1, updated_at = app_clock()
          FROM over WHERE a.id = over.id AND a.status = 'held'
        RETURNING a.id, a.clinic_session_id, a.channel
    ), freed AS (
        UPDATE claim k SET active = false FROM expired e WHERE k.appointment_id = e.id AND k.active
    )
    SELECT e.clinic_session_id, e.channel = 'online' FROM expired e
$$;

-- Move the counters of clinic sessions: one place taken in p_session (null: none), some given back.
-- 'ok', or why the place in p_session cannot be had.
CREATE FUNCTION count_places(
    p_session uuid, p_version integer, p_online boolean, p_freed uuid[], p_freed_online boolean[])
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    d record;
    s clinic_session%ROWTYPE;
BEGIN
    FOR d IN
        SELECT x.session, sum(x.total)::int AS total, sum(x.online)::int AS online
          FROM (SELECT f.session, -1 AS total, -f.online::int AS online
                  FROM unnest(p_freed, p_freed_online) AS f (session, online)
                 UNION ALL
                SELECT p_session, 1, p_online::int WHERE p_session IS NOT NULL) x
         GROUP BY x.session ORDER BY x.session
    LOOP
        IF d.session IS DISTINCT FROM p_session THEN
            UPDATE clinic_session c SET booked = c.booked + d.total, online_booked = c.online_booked + d.online
             WHERE c.id = d.session;
            CONTINUE;
        END IF;
        UPDATE clinic_session c SET booked = c.booked + d.total, online_booked = c.online_booked + d.online
         WHERE c.id = d.session AND c.status = 'open' AND c.version = p_version
           AND (d.online <= 0 OR c.online_booked + d.online <= c.online_quota)
           AND (d.total <= 0 OR c.booked + d.total <= c.slot_count * c.capacity);
        IF NOT FOUND THEN
            SELECT * INTO s FROM clinic_session c WHERE c.id = p_session;
            RETURN CASE WHEN s.status <> 'open' OR s.version <> p_version THEN 'slot-closed'
                        WHEN d.online > 0 AND s.online_booked + d.online > s.online_quota THEN 'online-quota-full'
                        ELSE 'slot-taken' END;
        END IF;
    END LOOP;
    RETURN 'ok';
END $$;

-- Claim one resource's time. False: somebody has it. Never a bare insert: it deadlocks.
CREATE FUNCTION claim_time(
    p_appointment uuid, p_kind text, p_resource uuid, p_lane integer, p_during tstzrange, p_hold_until timestamptz,
    p_online boolean)
RETURNS boolean LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO claim (id, appointment_id, resource_kind, resource_id, lane, during, active, hold_until, online)
    VALUES (gen_random_uuid(), p_appointment, p_kind, p_resource, p_lane, p_during, true, p_hold_until, p_online)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- Take a place for an appointment the caller has just written: the practitioner's first free lane and the
-- patient's own time (null while held) in the order of the resources, then the session's counter.
-- `p_left` is the session whose place the same appointment leaves (null: none), `p_left_online` by which door.
-- Anything but 'ok' must be followed by a rollback.
CREATE FUNCTION take_place(
    p_appointment uuid, p_session uuid, p_version integer, p_capacity integer, p_practitioner uuid,
    p_patient uuid, p_start timestamptz, p_end timestamptz, p_online boolean, p_hold_until timestamptz,
    p_left uuid, p_left_online boolean)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_during tstzrange := tstzrange(p_start, p_end);
    v_freed uuid[];
    v_freed_online boolean[];
    v_lane integer := 0;
    v_got boolean := false;
BEGIN
    SELECT array_agg(e.session_id), array_agg(e.online) INTO v_freed, v_freed_online
      FROM expire_holds(p_practitioner) e;
    IF p_left IS NOT NULL THEN
        v_freed := array_append(v_freed, p_left);
        v_freed_online := array_append(v_freed_online, p_left_online);
    END IF;
    IF p_patient IS NOT NULL AND p_patient < p_practitioner AND NOT claim_time(p_appointment, 'patient', p_patient, 1, v_during, NULL, p_online) THEN
        RETURN 'patient-busy';
    END IF;
    WHILE NOT v_got AND v_lane < p_capacity LOOP
        v_lane := v_lane + 1;
        v_got := claim_time(p_appointment, 'practitioner', p_practitioner, v_lane, v_during, p_hold_until, p_online);
    END LOOP;
    IF NOT v_got THEN
        RETURN 'slot-taken';
    END IF;
    IF v_lane > 1 THEN
        UPDATE appointment a SET lane = v_lane WHERE a.id = p_appointment;
    END IF;
    IF p_patient IS NOT NULL AND p_patient > p_practitioner AND NOT claim_time(p_appointment, 'patient', p_patient, 1, v_during, NULL, p_online) THEN
        RETURN 'patient-busy';
    END IF;
    RETURN count_places(p_session, p_version, p_online, v_freed, v_freed_online);
END $$;

-- Give back the place of an appointment whose status the caller has just changed.
CREATE FUNCTION give_back(p_appointment uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE claim k SET active = false WHERE k.appointment_id = p_appointment AND k.active;
    IF FOUND THEN
        UPDATE clinic_session s
           SET booked = s.booked - 1, online_booked = s.online_booked - (a.channel = 'online')::int
          FROM appointment a WHERE a.id = p_appointment AND s.id = a.clinic_session_id;
    END IF;
END $$;

-- Hold a slot for a while: 'ok' and until when, or why not.
CREATE FUNCTION hold_slot(
    p_id uuid, p_code text, p_session uuid, p_version integer, p_capacity integer, p_facility uuid,
    p_practitioner uuid, p_service uuid, p_modality text, p_start timestamptz, p_end timestamptz,
    p_channel text, p_account uuid, p_seconds integer, p_now timestamptz)
RETURNS TABLE (outcome text, hold_until timestamptz)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_until timestamptz := app_clock() + p_seconds * interval '1 second';
BEGIN
    INSERT INTO appointment (
        id, code, status, version, clinic_session_id, facility_id, practitioner_id, service_id, modality,
        start_at, end_at, lane, channel, account_id, hold_until, price_class, coverage_basis, companion,
        created_at, updated_at)
    VALUES (
        p_id, p_code, 'held', 1, p_session, p_facility, p_practitioner, p_service, p_modality,
        p_start, p_end, 1, p_channel, p_account, v_until, 'self', 'none', false, p_now, p_now);
    RETURN QUERY SELECT take_place(p_id, p_session, p_version, p_capacity, p_practitioner, NULL, p_start, p_end,
                                   p_channel = 'online', v_until, NULL, NULL), v_until;
END $$;

-- Book a slot, or confirm a hold (p_confirm), with all that belongs to it: the facility's link to the
-- patient, consent, audit row and stored answer. 'ok', or why not; then roll back.
CREATE FUNCTION book_appointment(
    p_confirm boolean, p_id uuid, p_code text, p_session uuid, p_version integer, p_capacity integer,
    p_facility uuid, p_practitioner uuid, p_service uuid, p_modality text, p_start timestamptz, p_end timestamptz,
    p_channel text, p_patient uuid, p_account uuid, p_price_class text, p_coverage_basis text,
    p_companion boolean, p_reason_sealed bytea, p_consent_purpose text, p_consent_version text,
    p_actor_kind text, p_actor uuid, p_access_session uuid, p_details jsonb,
    p_principal text, p_route text, p_key text, p_status integer, p_response bytea, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF p_confirm THEN
        UPDATE appointment a SET
            status = 'booked', version = a.version + 1, hold_until = NULL, patient_id = p_patient,
            price_class = p_price_class, coverage_basis = p_coverage_basis, companion = p_companion,
            reason_sealed = p_reason_sealed, updated_at = p_now
         WHERE a.id = p_id AND a.status = 'held' AND a.hold_until > app_clock()
           AND a.account_id IS NOT DISTINCT FROM p_account;
        IF NOT FOUND THEN
            RETURN 'hold-expired';
        END IF;
    ELSE
        INSERT INTO appointment (
            id, code, status, version, clinic_session_id, facility_id, practitioner_id, service_id, modality,
            start_at, end_at, lane, channel, patient_id, account_id, price_class, coverage_basis, companion,
            reason_sealed, created_at, updated_at)
        VALUES (
            p_id, p_code, 'booked', 1, p_session, p_facility, p_practitioner, p_service, p_modality,
            p_start, p_end, 1, p_channel, p_patient, p_account, p_price_class, p_coverage_basis, p_companion,
            p_reason_sealed, p_now, p_now);
    END IF;
    INSERT INTO patient_facility (patient_id, facility_id, created_at)
    VALUES (p_patient, p_facility, p_now) ON CONFLICT DO NOTHING;
    IF p_consent_purpose IS NOT NULL THEN
        INSERT INTO consent (id, patient_id, purpose, text_version, channel, given_by, given_at)
        VALUES (gen_random_uuid(), p_patient, p_consent_purpose, p_consent_version, p_channel, p_account, p_now);
    END IF;
    INSERT INTO audit_event (
        at, actor_kind, actor_id, session_id, action, entity, entity_id, patient_id, facility_id, details)
    VALUES (p_now, p_actor_kind, p_actor, p_access_session, 'booking.book', 'Appointment', p_id, p_patient,
            p_facility, p_details);
    IF p_key IS NOT NULL THEN
        UPDATE idempotency i SET status = p_status, response_sealed = p_response
         WHERE i.principal = p_principal AND i.route = p_route AND i.key = p_key;
    END IF;
    IF NOT p_confirm THEN
        RETURN take_place(p_id, p_session, p_version, p_capacity, p_practitioner, p_patient, p_start, p_end,
                          p_channel = 'online', NULL, NULL, NULL);
    END IF;
    UPDATE claim k SET hold_until = NULL WHERE k.appointment_id = p_id AND k.active;
    IF NOT claim_time(p_id, 'patient', p_patient, 1, tstzrange(p_start, p_end), NULL, p_channel = 'online') THEN
        RETURN 'patient-busy';
    END IF;
    -- The place was counted when it was held; the session must still be the one that was read, until commit.
    PERFORM FROM clinic_session c
      WHERE c.id = p_session AND c.status = 'open' AND c.version = p_version FOR SHARE;
    RETURN CASE WHEN FOUND THEN 'ok' ELSE 'slot-closed' END;
END $$;

-- Move a booked appointment to another slot: 'ok', or why not; then roll back, and everything is as it was.
CREATE FUNCTION move_appointment(
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
        start_at = p_start, end_at = p_end, lane = 1, channel = p_channel, moved_from = x.start_at,
        confirmed_at = NULL, on_the_way_at = NULL, updated_at = p_now
     WHERE x.id = p_id;
    v_outcome := take_place(p_id, p_session, p_version, p_capacity, p_practitioner, a.patient_id, p_start, p_end,
                            p_channel = 'online', NULL, a.clinic_session_id, a.channel = 'online');
    UPDATE claim k SET active = false WHERE k.id = ANY(v_left);
    RETURN v_outcome;
END $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(DROP_OLD)
    op.execute(CONTEXT)
    op.execute(COUNTERS)
    op.execute(PLACES)


def downgrade() -> None:
    op.execute(DROP_NEW)
    op.execute(OLD)
    op.execute(UNDO_TABLES)
