"""The booking ledger: places taken and given back in one way only, and the rosters' version."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEDULING = """
CREATE TABLE roster_state (
    only_row boolean CONSTRAINT pk_roster_state PRIMARY KEY,
    version integer NOT NULL,
    CONSTRAINT ck_roster_state_only_row CHECK (only_row)
);

-- Whoever changes what sessions are made from, the days made from it are stale.
CREATE FUNCTION raise_roster_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO roster_state VALUES (true, 1)
    ON CONFLICT (only_row) DO UPDATE SET version = roster_state.version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON schedule
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON schedule_exception
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER INSERT OR UPDATE OR DELETE ON calendar_day
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER UPDATE OF active ON practitioner
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER UPDATE OF hours, after_hours, active ON facility
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();
CREATE TRIGGER raise_roster_version AFTER UPDATE OF online_booking, online_share_percent, active ON healthcare_service
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_version();

ALTER TABLE clinic_session SET (fillfactor = 70);  -- counters change in place (heap-only tuples)
ALTER TABLE clinic_session ADD CONSTRAINT ck_clinic_session_slot_minutes CHECK (slot_minutes BETWEEN 1 AND 480);
DROP INDEX ix_clinic_session_service_code_start_at;
CREATE INDEX ix_clinic_session_service_code_start_at ON clinic_session (service_code, start_at, id);
CREATE INDEX ix_clinic_session_start_at ON clinic_session (start_at, id);
ALTER TABLE roster_change ADD CONSTRAINT ck_roster_change_reason CHECK (reason IN ('removed', 'changed'));
CREATE UNIQUE INDEX uq_roster_change_open ON roster_change (clinic_session_id, reason) WHERE resolved_at IS NULL;
"""

LEDGER = """
ALTER TABLE appointment SET (fillfactor = 85);
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_price_class
    CHECK (price_class IN ('insured', 'self', 'on_request', 'after_hours'));
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error'));
CREATE INDEX ix_appointment_held ON appointment (practitioner_id) WHERE status = 'held';

ALTER TABLE claim ADD COLUMN hold_until timestamptz;
ALTER TABLE claim ADD COLUMN online boolean NOT NULL DEFAULT false;
DROP INDEX ix_claim_resource_id_start;
CREATE INDEX ix_claim_resource_id_start ON claim (resource_id, lower(during))
    INCLUDE (during, lane, hold_until, online) WHERE active;
"""

# Locks are taken in the order appointment, claim, counter; counters in the order of their ids.
FUNCTIONS = """
-- The idempotency row of a request. A concurrent replay waits at the insert until the first is decided.
-- fresh: nobody used this key before; else the stored request hash and answer.
CREATE FUNCTION remember_request(p_principal text, p_route text, p_key text, p_hash bytea, p_now timestamptz)
RETURNS TABLE (fresh boolean, request_hash bytea, response_sealed bytea)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO idempotency (principal, route, key, request_hash, created_at)
    VALUES (p_principal, p_route, p_key, p_hash, p_now) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN QUERY SELECT true, NULL::bytea, NULL::bytea;
    ELSE
        RETURN QUERY SELECT false, i.request_hash, i.response_sealed FROM idempotency i
                      WHERE i.principal = p_principal AND i.route = p_route AND i.key = p_key;
    END IF;
END $$;

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
-- The new place is taken before the old one is given back: two who swap refuse each other, never deadlock.
-- The patient's own time comes off first: nobody else wants it, and the new time may overlap the old.
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
        start_at = p_start, end_at = p_end, lane = 1, channel = p_channel, updated_at = p_now
     WHERE x.id = p_id;
    v_outcome := take_place(p_id, p_session, p_version, p_capacity, p_practitioner, a.patient_id, p_start, p_end,
                            p_channel = 'online', NULL, a.clinic_session_id, a.channel = 'online');
    UPDATE claim k SET active = false WHERE k.id = ANY(v_left);
    RETURN v_outcome;
END $$;
"""

UNDO = """
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
DROP FUNCTION remember_request(text, text, text, bytea, timestamptz);

DROP INDEX ix_claim_resource_id_start;
ALTER TABLE claim DROP COLUMN online;
ALTER TABLE claim DROP COLUMN hold_until;
CREATE INDEX ix_claim_resource_id_start ON claim (resource_id, lower(during)) INCLUDE (during, lane) WHERE active;
DROP INDEX ix_appointment_held;
ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment DROP CONSTRAINT ck_appointment_price_class;
ALTER TABLE appointment RESET (fillfactor);

DROP INDEX uq_roster_change_open;
ALTER TABLE roster_change DROP CONSTRAINT ck_roster_change_reason;
DROP INDEX ix_clinic_session_start_at;
DROP INDEX ix_clinic_session_service_code_start_at;
CREATE INDEX ix_clinic_session_service_code_start_at ON clinic_session (service_code, modality, start_at);
ALTER TABLE clinic_session DROP CONSTRAINT ck_clinic_session_slot_minutes;
ALTER TABLE clinic_session RESET (fillfactor);
DROP TRIGGER raise_roster_version ON healthcare_service;
DROP TRIGGER raise_roster_version ON practitioner;
DROP TRIGGER raise_roster_version ON facility;
DROP TRIGGER raise_roster_version ON calendar_day;
DROP TRIGGER raise_roster_version ON schedule_exception;
DROP TRIGGER raise_roster_version ON schedule;
DROP FUNCTION raise_roster_version();
DROP TABLE roster_state;
"""


def upgrade() -> None:
    op.execute(SCHEDULING)
    op.execute(LEDGER)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute(UNDO)
