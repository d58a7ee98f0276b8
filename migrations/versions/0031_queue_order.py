"""Queues as a facility sets them, rooms that change during the day, and numbers from the web."""

from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None

QUEUES = """
ALTER TABLE queue
    ADD COLUMN practitioner_id uuid CONSTRAINT fk_queue_practitioner_id_practitioner REFERENCES practitioner (id),
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN first_number integer NOT NULL DEFAULT 1,
    ADD COLUMN last_number integer,
    ADD COLUMN web_limit integer NOT NULL DEFAULT 0,
    ADD COLUMN web_until_minute integer NOT NULL DEFAULT 600,
    ADD COLUMN priority_run integer NOT NULL DEFAULT 2,
    ADD COLUMN appointment_run integer NOT NULL DEFAULT 2,
    ADD COLUMN early_minutes integer NOT NULL DEFAULT 30,
    ADD COLUMN late_minutes integer NOT NULL DEFAULT 15,
    ADD COLUMN calls_before_missed integer NOT NULL DEFAULT 3,
    ADD COLUMN skips_by_itself boolean NOT NULL DEFAULT false,
    ADD COLUMN max_passed integer NOT NULL DEFAULT 10,
    ADD COLUMN return_places integer NOT NULL DEFAULT 3,
    ADD COLUMN near integer NOT NULL DEFAULT 3,
    ADD COLUMN travel_minutes integer NOT NULL DEFAULT 30,
    ADD CONSTRAINT ck_queue_band CHECK (
        first_number BETWEEN 1 AND 9999 AND coalesce(last_number BETWEEN first_number AND 9999, true)),
    ADD CONSTRAINT ck_queue_contingent CHECK (
        coalesce(daily_limit >= 0, true) AND web_limit >= 0 AND coalesce(web_limit <= daily_limit, true)
        AND web_until_minute BETWEEN 0 AND 1439),
    ADD CONSTRAINT ck_queue_order CHECK (
        priority_run BETWEEN 1 AND 20 AND appointment_run BETWEEN 1 AND 20
        AND early_minutes BETWEEN 0 AND 240 AND late_minutes BETWEEN 0 AND 240),
    ADD CONSTRAINT ck_queue_calling CHECK (
        calls_before_missed BETWEEN 1 AND 10 AND max_passed BETWEEN 0 AND 100
        AND return_places BETWEEN 0 AND 20 AND near BETWEEN 0 AND 20 AND travel_minutes BETWEEN 0 AND 240);
CREATE UNIQUE INDEX uq_queue_practitioner ON queue (facility_id, practitioner_id) WHERE practitioner_id IS NOT NULL;

-- A queue's day. Whoever gives a number locks this row, so what it says holds from the next number on.
ALTER TABLE queue_counter
    ADD COLUMN first integer NOT NULL DEFAULT 1,
    ADD COLUMN web integer NOT NULL DEFAULT 0,
    ADD COLUMN closed boolean NOT NULL DEFAULT false,
    ADD COLUMN merged_into uuid CONSTRAINT fk_queue_counter_merged_into_queue REFERENCES queue (id),
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_until timestamptz,
    ADD COLUMN paused_reason text,
    ADD CONSTRAINT ck_queue_counter_band CHECK (last >= first - 1 AND web BETWEEN 0 AND last - first + 1),
    ADD CONSTRAINT ck_queue_counter_merged CHECK (merged_into <> queue_id),
    ADD CONSTRAINT ck_queue_counter_paused CHECK (
        (paused_at IS NULL) = (paused_reason IS NULL) AND (paused_until IS NULL OR paused_until > paused_at)),
    ADD CONSTRAINT ck_queue_counter_paused_reason CHECK (paused_reason IN (
        'break', 'emergency', 'meeting', 'equipment', 'other'));
CREATE INDEX ix_queue_counter_merged_into ON queue_counter (merged_into, business_date)
    WHERE merged_into IS NOT NULL;

-- A point calls from a queue, or no longer does: always (no date), or on one day, which goes before.
CREATE TABLE queue_point (
    queue_id uuid NOT NULL CONSTRAINT fk_queue_point_queue_id_queue REFERENCES queue (id),
    service_point_id uuid NOT NULL
        CONSTRAINT fk_queue_point_service_point_id_service_point REFERENCES service_point (id),
    business_date date,
    open boolean NOT NULL,
    CONSTRAINT uq_queue_point_queue_id_service_point_id_business_date
        UNIQUE NULLS NOT DISTINCT (queue_id, service_point_id, business_date)
);
CREATE INDEX ix_queue_point_service_point_id ON queue_point (service_point_id);

ALTER TABLE ticket
    ADD COLUMN priority_basis text CONSTRAINT ck_ticket_priority_basis CHECK (priority_basis IN (
        'declared', 'birth-date', 'document', 'seen')),
    ADD COLUMN web_until timestamptz,
    ADD COLUMN here_at timestamptz,
    ADD COLUMN leave_notified_at timestamptz;
UPDATE ticket SET priority_basis = CASE priority_set_by
    WHEN 'self' THEN 'declared' WHEN 'birth-date' THEN 'birth-date' ELSE 'seen' END
 WHERE priority_class <> 'none';
-- One number from the web for a person, a facility and a day, whatever became of it.
CREATE UNIQUE INDEX uq_ticket_web ON ticket (patient_id, facility_id, business_date) WHERE web_until IS NOT NULL;
CREATE INDEX ix_ticket_transferred_from_id ON ticket (transferred_from_id) WHERE transferred_from_id IS NOT NULL;
CREATE INDEX ix_ticket_web_absent ON ticket (web_until)
    WHERE web_until IS NOT NULL AND here_at IS NULL AND status = 'waiting';
ALTER TABLE ticket ADD CONSTRAINT ck_ticket_web CHECK (web_until IS NULL OR patient_id IS NOT NULL);
"""

LINE = """
DROP FUNCTION queue_line(uuid, date);
DROP FUNCTION ticket_by_token(bytea);

-- Which points call from a queue on a day: a hall's desks and a room of its own, unless somebody said otherwise.
CREATE FUNCTION queue_points(p_queue uuid, p_date date) RETURNS TABLE (id uuid, code text, name text)
LANGUAGE sql STABLE AS $$
    SELECT p.id, p.code, p.name
      FROM queue q
      JOIN service_point p ON p.facility_id = q.facility_id AND p.active
      LEFT JOIN LATERAL (
           SELECT said.open FROM queue_point said
            WHERE said.queue_id = q.id AND said.service_point_id = p.id
              AND (said.business_date IS NULL OR said.business_date = p_date)
            ORDER BY said.business_date NULLS LAST LIMIT 1) said ON true
     WHERE q.id = p_queue
       AND coalesce(said.open, CASE
               WHEN q.service_point_id IS NULL AND q.practitioner_id IS NULL THEN p.kind = q.kind
               ELSE p.id = q.service_point_id END)
     ORDER BY p.code
$$;

-- Everybody in a queue on a day, in those merged into it too, and its last calls.
CREATE FUNCTION queue_line(p_queue uuid, p_date date)
RETURNS TABLE (id uuid, number integer, status text, priority_class text, appointment_start timestamptz,
               waiting_since timestamptz, resume_after integer, called_at timestamptz, called_lane text,
               service_point_id uuid, called_total bigint, queue_id uuid, prefix text, priority_set_by text,
               call_count integer, version integer, web_until timestamptz, here_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH joined AS (
        SELECT p_queue AS id
        UNION ALL
        SELECT c.queue_id FROM queue_counter c WHERE c.merged_into = p_queue AND c.business_date = p_date
    ), called AS (
        SELECT t.id FROM ticket t
         WHERE t.queue_id IN (SELECT j.id FROM joined j) AND t.business_date = p_date
           AND t.called_at IS NOT NULL
         ORDER BY t.called_at DESC LIMIT 13
    )
    SELECT t.id, t.number, t.status, t.priority_class, t.appointment_start, t.waiting_since,
           t.resume_after, t.called_at, t.called_lane, t.service_point_id,
           (SELECT count(*) FROM ticket c
             WHERE c.queue_id IN (SELECT j.id FROM joined j) AND c.business_date = p_date
               AND c.called_at IS NOT NULL),
           q.id, q.prefix, CASE WHEN t.priority_set_by LIKE 'staff:%' THEN 'staff' ELSE t.priority_set_by END,
           t.call_count, t.version, t.web_until, t.here_at
      FROM joined j
      JOIN queue q ON q.id = j.id
      JOIN ticket t ON t.queue_id = j.id AND t.business_date = p_date
     WHERE t.status IN ('waiting', 'called', 'serving', 'parked') OR t.id IN (SELECT c.id FROM called c)
$$;

-- How many stand in each lane of a queue (rules.lane_of), whom its last calls were for, which rooms call: enough to
-- place somebody who comes now, without reading everybody.
CREATE FUNCTION queue_standing(
    p_queue uuid, p_date date, p_now timestamptz, p_early interval, p_late interval, p_grace interval)
RETURNS TABLE (priority bigint, due bigint, early bigint, walk_in bigint, back integer[], called timestamptz[],
               lanes text[], rooms text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
    WITH joined AS (
        SELECT p_queue AS id
        UNION ALL
        SELECT c.queue_id FROM queue_counter c WHERE c.merged_into = p_queue AND c.business_date = p_date
    ), last AS (
        SELECT t.called_at, t.called_lane FROM ticket t
         WHERE t.queue_id IN (SELECT j.id FROM joined j) AND t.business_date = p_date
           AND t.called_at IS NOT NULL
         ORDER BY t.called_at DESC LIMIT 13
    ), here AS (
        SELECT t.resume_after,
               CASE WHEN t.resume_after IS NOT NULL THEN 'back'
                    WHEN t.priority_class <> 'none' THEN 'priority'
                    WHEN t.appointment_start - p_early <= p_now
                         AND t.waiting_since <= t.appointment_start + p_late
                         THEN CASE WHEN t.appointment_start - p_grace <= p_now THEN 'due' ELSE 'early' END
                    ELSE 'walk-in' END AS lane
          FROM ticket t
         WHERE t.queue_id IN (SELECT j.id FROM joined j) AND t.business_date = p_date AND t.status = 'waiting'
           AND (t.web_until IS NULL OR t.here_at IS NOT NULL)
    ), counted AS (
        SELECT count(*) FILTER (WHERE h.lane = 'priority') AS priority,
               count(*) FILTER (WHERE h.lane = 'due') AS due,
               count(*) FILTER (WHERE h.lane = 'early') AS early,
               count(*) FILTER (WHERE h.lane = 'walk-in') AS walk_in,
               array_agg(h.resume_after) FILTER (WHERE h.lane = 'back') AS back
          FROM here h
    )
    SELECT c.priority, c.due, c.early, c.walk_in,
           CASE WHEN c.back IS NULL THEN '{}' ELSE ARRAY(
               SELECT b - (SELECT count(*)::integer FROM ticket t
                            WHERE t.queue_id IN (SELECT j.id FROM joined j) AND t.business_date = p_date
                              AND t.called_at IS NOT NULL)
                 FROM unnest(c.back) b) END,
           ARRAY(SELECT l.called_at FROM last l ORDER BY l.called_at),
           ARRAY(SELECT l.called_lane FROM last l WHERE l.called_lane IS NOT NULL ORDER BY l.called_at),
           ARRAY(SELECT p.name FROM queue_points(p_queue, p_date) p)
      FROM counted c
$$;

-- Whoever takes a number from the web is known where they take it, as whoever books is.
CREATE FUNCTION know_for_web_number(p_patient uuid, p_facility uuid, p_now timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO patient_facility (patient_id, facility_id, created_at)
    SELECT p_patient, p_facility, p_now WHERE app_sees_patient(p_patient)
    ON CONFLICT DO NOTHING
$$;

-- The number behind a slip; where its holder was moved to another line, the number they have there.
CREATE FUNCTION ticket_by_token(p_token_hash bytea)
RETURNS TABLE (id uuid, queue_id uuid, facility_id uuid, business_date date, number integer, status text,
               service_point_id uuid, web_until timestamptz, here_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE moved AS (
        SELECT t.id, 0 AS step FROM ticket t WHERE t.public_token_hash = p_token_hash
        UNION ALL
        SELECT n.id, m.step + 1 FROM moved m JOIN ticket n ON n.transferred_from_id = m.id WHERE m.step < 50
    )
    SELECT t.id, t.queue_id, t.facility_id, t.business_date, t.number, t.status, t.service_point_id,
           t.web_until, t.here_at
      FROM moved m JOIN ticket t ON t.id = m.id ORDER BY m.step DESC, t.issued_at DESC LIMIT 1
$$;
"""

OLD_LINE = """
DROP FUNCTION ticket_by_token(bytea);
DROP FUNCTION queue_line(uuid, date);
DROP FUNCTION queue_standing(uuid, date, timestamptz, interval, interval, interval);
DROP FUNCTION queue_points(uuid, date);
DROP FUNCTION know_for_web_number(uuid, uuid, timestamptz);

CREATE FUNCTION ticket_by_token(p_token_hash bytea)
RETURNS TABLE (id uuid, queue_id uuid, facility_id uuid, business_date date, number integer, status text,
               service_point_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.queue_id, t.facility_id, t.business_date, t.number, t.status, t.service_point_id
      FROM ticket t WHERE t.public_token_hash = p_token_hash
$$;

CREATE FUNCTION queue_line(p_queue uuid, p_date date)
RETURNS TABLE (id uuid, number integer, status text, priority_class text, appointment_start timestamptz,
               waiting_since timestamptz, resume_after integer, called_at timestamptz, called_lane text,
               service_point_id uuid, called_total bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH called AS (
        SELECT t.id FROM ticket t
         WHERE t.queue_id = p_queue AND t.business_date = p_date AND t.called_at IS NOT NULL
         ORDER BY t.called_at DESC LIMIT 13
    )
    SELECT t.id, t.number, t.status, t.priority_class, t.appointment_start, t.waiting_since,
           t.resume_after, t.called_at, t.called_lane, t.service_point_id,
           (SELECT count(*) FROM ticket c
             WHERE c.queue_id = p_queue AND c.business_date = p_date AND c.called_at IS NOT NULL)
      FROM ticket t
     WHERE t.queue_id = p_queue AND t.business_date = p_date
       AND (t.status IN ('waiting', 'called', 'serving', 'parked') OR t.id IN (SELECT id FROM called))
$$;
"""

UNDO = """
ALTER TABLE ticket DROP CONSTRAINT ck_ticket_web;
DROP INDEX ix_ticket_web_absent;
DROP INDEX ix_ticket_transferred_from_id;
DROP INDEX uq_ticket_web;
ALTER TABLE ticket
    DROP COLUMN priority_basis, DROP COLUMN web_until, DROP COLUMN here_at, DROP COLUMN leave_notified_at;
DROP TABLE queue_point;
DROP INDEX ix_queue_counter_merged_into;
ALTER TABLE queue_counter
    DROP COLUMN first, DROP COLUMN web, DROP COLUMN closed, DROP COLUMN merged_into, DROP COLUMN paused_at,
    DROP COLUMN paused_until, DROP COLUMN paused_reason;
DROP INDEX uq_queue_practitioner;
ALTER TABLE queue
    DROP CONSTRAINT ck_queue_band, DROP CONSTRAINT ck_queue_contingent, DROP CONSTRAINT ck_queue_order,
    DROP CONSTRAINT ck_queue_calling, DROP COLUMN practitioner_id, DROP COLUMN version,
    DROP COLUMN first_number, DROP COLUMN last_number, DROP COLUMN web_limit, DROP COLUMN web_until_minute,
    DROP COLUMN priority_run, DROP COLUMN appointment_run, DROP COLUMN early_minutes, DROP COLUMN late_minutes,
    DROP COLUMN calls_before_missed, DROP COLUMN skips_by_itself, DROP COLUMN max_passed,
    DROP COLUMN return_places, DROP COLUMN near, DROP COLUMN travel_minutes;
"""


def upgrade() -> None:
    op.execute(QUEUES)
    op.execute(LINE)


def downgrade() -> None:
    op.execute(OLD_LINE)
    op.execute(UNDO)
