"""What the schedule editor needs: versions to change by, and nobody rostered in two places at once.

A practitioner works within registered hours and places, which do not overlap between facilities (Law on
Medical Examination and Treatment 15/2023, articles 36 to 38). The province's files are taken as they come; what
people write in the editor is held to it.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

VERSIONS = """
ALTER TABLE resource ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE blocking ADD COLUMN version integer NOT NULL DEFAULT 1;
ALTER TABLE practitioner_limit ADD COLUMN version integer NOT NULL DEFAULT 1;
CREATE INDEX ix_schedule_facility_id ON schedule (facility_id);

-- One session of one day is moved: a leave that is about its line alone, and an extra session on its terms.
ALTER TABLE schedule_exception
    ADD COLUMN schedule_id uuid CONSTRAINT fk_schedule_exception_schedule_id_schedule REFERENCES schedule (id),
    ADD COLUMN mode text NOT NULL DEFAULT 'slot',
    ADD COLUMN lead_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN tail_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN overbook_most integer NOT NULL DEFAULT 2,
    ADD COLUMN resource_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN kept jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT ck_schedule_exception_mode CHECK (mode IN ('slot', 'session')),
    ADD CONSTRAINT ck_schedule_exception_buffers
        CHECK (lead_minutes BETWEEN 0 AND 120 AND tail_minutes BETWEEN 0 AND 120),
    ADD CONSTRAINT ck_schedule_exception_overbook_most CHECK (overbook_most BETWEEN 0 AND 20);
"""

ONE_PLACE = """
-- Where else, and on which first day, a practitioner is rostered at the same minutes; two years ahead are looked at.
CREATE FUNCTION rostered_elsewhere(
    p_practitioner uuid, p_facility uuid, p_weekdays smallint[], p_every integer, p_start integer, p_end integer,
    p_from date, p_to date)
RETURNS TABLE (facility_id uuid, day date, start_minute integer, end_minute integer)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH here AS (
        SELECT d::date AS day, extract(isodow FROM d)::integer - 1 AS weekday
          FROM generate_series(p_from, least(coalesce(p_to, p_from + 730), p_from + 730), interval '1 day') d
         WHERE extract(isodow FROM d)::integer - 1 = ANY (p_weekdays)
           AND ((d::date - date_trunc('week', p_from::timestamp)::date) / 7) % p_every = 0
    ), there AS (
        SELECT s.facility_id, h.day, s.start_minute, s.end_minute, s.id AS schedule_id
          FROM schedule s JOIN here h ON h.day >= s.valid_from AND (s.valid_to IS NULL OR h.day <= s.valid_to)
           AND h.weekday = ANY (s.weekdays)
           AND ((h.day - date_trunc('week', s.valid_from::timestamp)::date) / 7) % s.every_weeks = 0
         WHERE s.practitioner_id = p_practitioner AND s.facility_id <> p_facility AND s.active
           AND s.start_minute < p_end AND s.end_minute > p_start
        UNION ALL
        SELECT e.facility_id, h.day, e.start_minute, e.end_minute, NULL
          FROM schedule_exception e JOIN here h ON h.day BETWEEN e.from_date AND e.to_date
         WHERE e.practitioner_id = p_practitioner AND e.facility_id <> p_facility AND e.active
           AND e.kind = 'extra' AND e.start_minute < p_end AND e.end_minute > p_start
    )
    SELECT DISTINCT ON (t.facility_id) t.facility_id, t.day, t.start_minute, t.end_minute FROM there t
     WHERE NOT EXISTS (
        SELECT FROM schedule_exception x
         WHERE x.facility_id = t.facility_id AND x.active AND x.kind IN ('leave', 'closed')
           AND (x.practitioner_id IS NULL OR x.practitioner_id = p_practitioner)
           AND (x.schedule_id IS NULL OR x.schedule_id = t.schedule_id)
           AND t.day BETWEEN x.from_date AND x.to_date
           AND coalesce(x.start_minute, 0) <= greatest(t.start_minute, p_start)
           AND coalesce(x.end_minute, 1440) >= least(t.end_minute, p_end))
     ORDER BY t.facility_id, t.day, t.start_minute
$$;

CREATE FUNCTION refuse_two_places() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    elsewhere record;
BEGIN
    -- Two editors of one practitioner take turns, so that each sees what the other has written.
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.practitioner_id::text, 7702607));
    IF TG_TABLE_NAME = 'schedule' THEN
        SELECT * INTO elsewhere FROM rostered_elsewhere(
            NEW.practitioner_id, NEW.facility_id, NEW.weekdays, NEW.every_weeks, NEW.start_minute,
            NEW.end_minute, NEW.valid_from, NEW.valid_to) LIMIT 1;
    ELSE
        SELECT * INTO elsewhere FROM rostered_elsewhere(
            NEW.practitioner_id, NEW.facility_id, '{0,1,2,3,4,5,6}', 1, NEW.start_minute,
            NEW.end_minute, NEW.from_date, NEW.to_date) LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'practitioner % is rostered elsewhere on %', NEW.practitioner_id, elsewhere.day
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'one_place_at_a_time';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER one_place_at_a_time AFTER INSERT OR UPDATE ON schedule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.active AND NEW.origin = 'editor')
    EXECUTE FUNCTION refuse_two_places();
CREATE CONSTRAINT TRIGGER one_place_at_a_time AFTER INSERT OR UPDATE ON schedule_exception
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.active AND NEW.origin = 'editor' AND NEW.kind = 'extra')
    EXECUTE FUNCTION refuse_two_places();
"""

UNDO = """
DROP TRIGGER one_place_at_a_time ON schedule_exception;
DROP TRIGGER one_place_at_a_time ON schedule;
DROP FUNCTION refuse_two_places();
DROP FUNCTION rostered_elsewhere(uuid, uuid, smallint[], integer, integer, integer, date, date);
ALTER TABLE schedule_exception
    DROP COLUMN schedule_id, DROP COLUMN mode, DROP COLUMN lead_minutes, DROP COLUMN tail_minutes,
    DROP COLUMN overbook_most, DROP COLUMN resource_ids, DROP COLUMN kept;
DROP INDEX ix_schedule_facility_id;
ALTER TABLE practitioner_limit DROP COLUMN version;
ALTER TABLE blocking DROP COLUMN version;
ALTER TABLE resource DROP COLUMN version;
"""


def upgrade() -> None:
    op.execute(VERSIONS)
    op.execute(ONE_PLACE)


def downgrade() -> None:
    op.execute(UNDO)
