"""One alarm of a kind from a kiosk however often it is pressed; who booked says so to a kiosk that is cut off."""

from alembic import op

revision = "0044"
down_revision = "0037"
branch_labels = None
depends_on = None

# Open calls of one machine and kind were rows of their own until now: the first of them stands for all.
ALARMS = """
ALTER TABLE staff_call ADD COLUMN presses integer NOT NULL DEFAULT 1;
ALTER TABLE staff_call ADD COLUMN pressed_again_at timestamptz;
ALTER TABLE staff_call ADD COLUMN told_at timestamptz;
WITH open AS (
    SELECT id, row_number() OVER w AS place, count(*) OVER all_of_them AS presses, max(at) OVER all_of_them AS last
      FROM staff_call WHERE answered_at IS NULL AND device_id IS NOT NULL
    WINDOW w AS (PARTITION BY device_id, kind ORDER BY at, id), all_of_them AS (PARTITION BY device_id, kind)
)
UPDATE staff_call c SET presses = open.presses, pressed_again_at = open.last
  FROM open WHERE open.id = c.id AND open.place = 1 AND open.presses > 1;
DELETE FROM staff_call c USING staff_call first
 WHERE c.answered_at IS NULL AND first.answered_at IS NULL AND first.device_id = c.device_id
   AND first.kind = c.kind AND (first.at, first.id) < (c.at, c.id);
ALTER TABLE staff_call ADD CONSTRAINT ck_staff_call_presses
    CHECK (presses >= 1 AND (presses > 1) = (pressed_again_at IS NOT NULL) AND coalesce(pressed_again_at >= at, true));
CREATE UNIQUE INDEX uq_staff_call_open ON staff_call (device_id, kind) WHERE answered_at IS NULL;

ALTER TABLE handed_in_number ADD COLUMN given_sealed bytea;
ALTER TABLE handed_in_number DROP CONSTRAINT ck_handed_in_number_why;
ALTER TABLE handed_in_number ADD CONSTRAINT ck_handed_in_number_why
    CHECK (why IN ('outside-lease', 'number-taken', 'press-reused', 'device-revoked', 'appointment-unclear'));
"""

UNDONE = """
DELETE FROM handed_in_number WHERE why = 'appointment-unclear';
ALTER TABLE handed_in_number DROP CONSTRAINT ck_handed_in_number_why;
ALTER TABLE handed_in_number ADD CONSTRAINT ck_handed_in_number_why
    CHECK (why IN ('outside-lease', 'number-taken', 'press-reused', 'device-revoked'));
ALTER TABLE handed_in_number DROP COLUMN given_sealed;
DROP INDEX uq_staff_call_open;
ALTER TABLE staff_call DROP CONSTRAINT ck_staff_call_presses;
ALTER TABLE staff_call DROP COLUMN told_at;
ALTER TABLE staff_call DROP COLUMN pressed_again_at;
ALTER TABLE staff_call DROP COLUMN presses;
"""


def upgrade() -> None:
    op.execute(ALARMS)


def downgrade() -> None:
    op.execute(UNDONE)
