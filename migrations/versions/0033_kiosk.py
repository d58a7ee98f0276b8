"""Finding people at a kiosk, printers that call for people, and what people say."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

KIOSK = """
-- Whom a shown number belongs to: what the kiosk masks on its screen. The caller writes the audit row.
CREATE FUNCTION kiosk_people(p_system text, p_value_index bytea)
RETURNS TABLE (id uuid, full_name text, birth_date text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT k.id, k.full_name, k.birth_date
      FROM patient_identifier i
      JOIN patient p ON p.id = i.patient_id
      JOIN patient k ON k.id = coalesce(p.merged_into, p.id)
     WHERE i.system = p_system AND i.value_index = p_value_index AND i.active
       AND app_kind() IN ('kiosk', 'system')
     ORDER BY k.full_name, k.id LIMIT 6
$$;

ALTER TABLE staff_call DROP CONSTRAINT ck_staff_call_kind;
ALTER TABLE staff_call ADD CONSTRAINT ck_staff_call_kind CHECK (kind IN ('emergency', 'help', 'printer'));

CREATE TABLE feedback (
    id uuid CONSTRAINT pk_feedback PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_feedback_facility_id_facility REFERENCES facility (id),
    device_id uuid CONSTRAINT fk_feedback_device_id_device REFERENCES device (id),
    kind text NOT NULL,
    rating integer NOT NULL,
    topics text[] NOT NULL,
    phone_sealed bytea,
    given_at timestamptz NOT NULL,
    handled_at timestamptz,
    handled_by uuid CONSTRAINT fk_feedback_handled_by_account REFERENCES account (id),
    CONSTRAINT ck_feedback_kind CHECK (kind IN ('feedback', 'complaint')),
    CONSTRAINT ck_feedback_rating CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT ck_feedback_answerable CHECK ((kind = 'complaint') = (phone_sealed IS NOT NULL))
);
CREATE INDEX ix_feedback_open ON feedback (facility_id, given_at) WHERE handled_at IS NULL;

-- A kiosk gives and never reads back; only staff of the place read.
ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY give ON feedback FOR INSERT
    WITH CHECK (app_kind() = 'system' OR (app_kind() = 'kiosk' AND facility_id = ANY (app_facilities())));
CREATE POLICY see ON feedback FOR SELECT
    USING (app_kind() = 'system' OR (app_kind() = 'staff' AND facility_id = ANY (app_facilities())));
CREATE POLICY handle ON feedback FOR UPDATE
    USING (app_kind() = 'system' OR (app_kind() = 'staff' AND facility_id = ANY (app_facilities())));
REVOKE UPDATE, DELETE ON feedback FROM telehealth_app;
GRANT UPDATE (handled_at, handled_by) ON feedback TO telehealth_app;
"""

UNDO = """
DROP TABLE feedback;
DELETE FROM staff_call WHERE kind = 'printer';
ALTER TABLE staff_call DROP CONSTRAINT ck_staff_call_kind;
ALTER TABLE staff_call ADD CONSTRAINT ck_staff_call_kind CHECK (kind IN ('emergency', 'help'));
DROP FUNCTION kiosk_people(text, bytea);
"""


def upgrade() -> None:
    op.execute(KIOSK)


def downgrade() -> None:
    op.execute(UNDO)
