"""What a search stands on: sessions with room are found without reading full ones, and days are counted."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Generated, so that whoever moves a counter need not know of them; and compared as a whole by the indexes
# that ask them, so that a booking which fills nothing still changes its row in place (heap-only tuple).
SEARCH = """
ALTER TABLE clinic_session
    ADD COLUMN bookable boolean GENERATED ALWAYS AS (
        status = 'open' AND booked < slot_count * capacity) STORED,
    ADD COLUMN bookable_online boolean GENERATED ALWAYS AS (
        status = 'open' AND booked < slot_count * capacity AND online_booked < online_quota) STORED;
DROP INDEX ix_clinic_session_service_code_start_at;
CREATE INDEX ix_clinic_session_bookable ON clinic_session (service_code, start_at, id) WHERE bookable;
CREATE INDEX ix_clinic_session_online_code ON clinic_session (service_code, start_at, id) WHERE bookable_online;
CREATE INDEX ix_clinic_session_online_service ON clinic_session (service_id, start_at, id) WHERE bookable_online;
CREATE INDEX ix_clinic_session_online_facility ON clinic_session (facility_id, start_at, id) WHERE bookable_online;

CREATE TABLE practitioner_day (
    practitioner_id uuid NOT NULL
        CONSTRAINT fk_practitioner_day_practitioner_id_practitioner REFERENCES practitioner (id),
    business_date date NOT NULL,
    booked integer NOT NULL CONSTRAINT ck_practitioner_day_booked CHECK (booked >= 0),
    CONSTRAINT pk_practitioner_day PRIMARY KEY (practitioner_id, business_date)
) WITH (fillfactor = 70);

-- Holds whose time is over and that nobody has tidied away yet: their places can be had, though the counters
-- still count them. SECURITY DEFINER: whose they are stays unseen. `places`: without overbooked ones; `people`:
-- with them.
CREATE FUNCTION lapsed_holds()
RETURNS TABLE (clinic_session_id uuid, practitioner_id uuid, business_date date, door text, places integer,
               people integer)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 SET search_path = public, pg_temp AS $$
    SELECT s.id, s.practitioner_id, s.business_date, a.door, a.places, a.people
      FROM (SELECT x.clinic_session_id,
                   coalesce(x.door, CASE x.channel WHEN 'online' THEN 'online' ELSE 'counter' END) AS door,
                   (count(*) FILTER (WHERE NOT x.overbooked))::int AS places, count(*)::int AS people
              FROM appointment x
             WHERE x.status = 'held' AND x.hold_until <= (SELECT app_clock())
             GROUP BY 1, 2) a
      JOIN clinic_session s ON s.id = a.clinic_session_id
$$;

-- How many live bookings and holds of a session came through a door, whoever may see them: a reader who looks
-- beyond the horizon makes days, too.
CREATE FUNCTION come_by_door(p_session uuid, p_door text) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::integer FROM appointment a
     WHERE a.clinic_session_id = p_session AND a.door = p_door AND NOT a.overbooked
       AND EXISTS (SELECT FROM claim k WHERE k.appointment_id = a.id AND k.active)
$$;
"""

UNDO = """
DROP FUNCTION come_by_door(uuid, text);
DROP FUNCTION lapsed_holds();
DROP TABLE practitioner_day;
DROP INDEX ix_clinic_session_online_facility, ix_clinic_session_online_service, ix_clinic_session_online_code,
    ix_clinic_session_bookable;
ALTER TABLE clinic_session DROP COLUMN bookable_online, DROP COLUMN bookable;
CREATE INDEX ix_clinic_session_service_code_start_at ON clinic_session (service_code, start_at, id);
"""


def upgrade() -> None:
    op.execute(SEARCH)


def downgrade() -> None:
    op.execute(UNDO)
