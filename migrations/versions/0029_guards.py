"""Who proves themselves again, who still hears of an appointment, and the order of what other systems hear."""

from alembic import op

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

PEOPLE = """
-- Is an account, that booked for a person once, still to hear of their appointments? Staff never are.
CREATE FUNCTION hears_of(p_account uuid, p_patient uuid, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM account c WHERE c.id = p_account AND c.kind = 'patient')
       AND (EXISTS (SELECT FROM live_links(p_account, p_now) l WHERE l.patient_id = p_patient)
            OR EXISTS (SELECT FROM live_delegations(p_account, p_now) d WHERE d.patient_id = p_patient))
$$;

-- When the right of an account ends, now or on a day to come, what waits goes to whoever is left. Some seconds
-- later, so that it has ended by whichever clock is asked.
CREATE FUNCTION note_end_of_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO contact_change (patient_id, changed_at) VALUES (NEW.patient_id, NEW.valid_to + interval '5 seconds');
    RETURN NULL;
END $$;
CREATE TRIGGER note_end_of_link AFTER INSERT OR UPDATE OF valid_to ON account_patient
    FOR EACH ROW WHEN (NEW.valid_to IS NOT NULL) EXECUTE FUNCTION note_end_of_link();

CREATE FUNCTION note_end_of_delegation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO contact_change (patient_id, changed_at)
    VALUES (NEW.patient_id, least(NEW.revoked_at, NEW.valid_to + interval '5 seconds'));
    RETURN NULL;
END $$;
CREATE TRIGGER note_end_of_delegation AFTER INSERT OR UPDATE OF valid_to, revoked_at ON delegation
    FOR EACH ROW EXECUTE FUNCTION note_end_of_delegation();

CREATE INDEX ix_contact_change_changed_at ON contact_change (changed_at, id);
INSERT INTO contact_change (patient_id, changed_at)
SELECT ap.patient_id, ap.valid_to + interval '5 seconds' FROM account_patient ap WHERE ap.valid_to > app_clock()
UNION ALL SELECT d.patient_id, d.valid_to + interval '5 seconds' FROM delegation d
           WHERE d.revoked_at IS NULL AND d.valid_to > app_clock();

-- Whom nobody tells has nobody's telephone: neither a grown person's former guardian's nor a former delegate's.
CREATE OR REPLACE FUNCTION closure_phone(p_appointment uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM appointment a
          JOIN patient named ON named.id = a.patient_id
          JOIN patient p ON p.id = coalesce(named.merged_into, named.id)
          LEFT JOIN patient g ON g.id = guardian_of(p.id, app_clock())
          LEFT JOIN account b ON b.id = a.account_id AND hears_of(b.id, p.id, app_clock())
         WHERE a.id = p_appointment AND app_kind() IN ('staff', 'system')
           AND (num_nonnulls(p.phone_sealed, g.phone_sealed, b.phone_sealed) > 0 OR EXISTS (
               SELECT FROM account_patient ap JOIN account c ON c.id = ap.account_id
                WHERE ap.patient_id = p.id AND (ap.valid_to IS NULL OR ap.valid_to > app_clock())
                  AND c.phone_sealed IS NOT NULL)))
$$;
"""

# As in 0021.
UNDO_PEOPLE = """
CREATE OR REPLACE FUNCTION closure_phone(p_appointment uuid) RETURNS boolean
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
DROP INDEX ix_contact_change_changed_at;
DELETE FROM contact_change WHERE changed_at > app_clock();
DROP TRIGGER note_end_of_delegation ON delegation;
DROP FUNCTION note_end_of_delegation();
DROP TRIGGER note_end_of_link ON account_patient;
DROP FUNCTION note_end_of_link();
DROP FUNCTION hears_of(uuid, uuid, timestamptz);
"""

UP = """
ALTER TABLE access_session ADD COLUMN proven_at timestamptz;

-- The province sets how often one identity may book; everybody may know.
GRANT UPDATE (most) ON identity_limit TO telehealth_app;
ALTER TABLE identity_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON identity_limit FOR SELECT USING (true);
CREATE POLICY set_by_the_province ON identity_limit FOR UPDATE
    USING (app_kind() = 'system' OR (app_kind() = 'staff' AND app_is_province()));

CREATE INDEX ix_webhook_delivery_subject ON webhook_delivery (subscription_id, subject, sequence)
    WHERE state = 'waiting';
"""

DOWN = """
DROP INDEX ix_webhook_delivery_subject;
DROP POLICY set_by_the_province ON identity_limit;
DROP POLICY known ON identity_limit;
ALTER TABLE identity_limit DISABLE ROW LEVEL SECURITY;
REVOKE UPDATE (most) ON identity_limit FROM telehealth_app;
ALTER TABLE access_session DROP COLUMN proven_at;
"""


def upgrade() -> None:
    op.execute(UP)
    op.execute(PEOPLE)


def downgrade() -> None:
    op.execute(UNDO_PEOPLE)
    op.execute(DOWN)
