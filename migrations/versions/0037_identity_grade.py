"""Who books at the desk after missed visits cannot go round it as a newcomer with the same number."""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

# What holds for the record that had a number first holds for every later one with it, and never the other way:
# a stranger who types somebody's number and stays away must not take the online door from them.
GRADE = """
CREATE FUNCTION desk_only_by_identity(p_patient uuid, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT app_sees_patient(p_patient) AND EXISTS (
        SELECT FROM patient_identifier own
          JOIN patient_identifier first ON first.system = own.system AND first.value_index = own.value_index
               AND first.active AND first.patient_id <> own.patient_id
               AND (first.created_at, first.id) < (own.created_at, own.id)
          JOIN patient t ON t.id = first.patient_id AND t.merged_into IS NULL
          JOIN booking_restriction r ON r.patient_id = t.id AND r.grade = 'desk-only'
               AND r.since <= p_now AND r.until > p_now
         WHERE own.patient_id = p_patient AND own.active)
$$;

CREATE FUNCTION check_identity_grade() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM account c WHERE c.id = NEW.account_id AND c.kind = 'patient')
       AND NOT EXISTS (SELECT FROM healthcare_service v WHERE v.id = NEW.service_id AND v.code = 'emergency')
       AND desk_only_by_identity(NEW.patient_id, NEW.updated_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'identity-at-desk';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_grade_of_booking AFTER INSERT ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked' AND NEW.channel = 'online')
    EXECUTE FUNCTION check_identity_grade();
CREATE TRIGGER check_grade_of_confirming AFTER UPDATE OF status ON appointment
    FOR EACH ROW WHEN (OLD.status = 'held' AND NEW.status = 'booked' AND NEW.channel = 'online')
    EXECUTE FUNCTION check_identity_grade();
"""

UNDONE = """
DROP TRIGGER check_grade_of_confirming ON appointment;
DROP TRIGGER check_grade_of_booking ON appointment;
DROP FUNCTION check_identity_grade();
DROP FUNCTION desk_only_by_identity(uuid, timestamptz);
"""


def upgrade() -> None:
    op.execute(GRADE)


def downgrade() -> None:
    op.execute(UNDONE)
