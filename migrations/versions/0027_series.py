"""Appointments that belong together: dialysis, rehabilitation, vaccination."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SERIES = """
CREATE TABLE appointment_series (
    id uuid CONSTRAINT pk_appointment_series PRIMARY KEY,
    patient_id uuid NOT NULL CONSTRAINT fk_appointment_series_patient_id_patient REFERENCES patient (id),
    service_id uuid NOT NULL
        CONSTRAINT fk_appointment_series_service_id_healthcare_service REFERENCES healthcare_service (id),
    facility_id uuid NOT NULL CONSTRAINT fk_appointment_series_facility_id_facility REFERENCES facility (id),
    practitioner_id uuid
        CONSTRAINT fk_appointment_series_practitioner_id_practitioner REFERENCES practitioner (id),
    first_day date NOT NULL,
    minute integer NOT NULL,
    every_days integer,
    every_weeks integer,
    weekdays integer[] NOT NULL DEFAULT '{}',
    visits integer,
    until date,
    on_holiday text NOT NULL CONSTRAINT ck_appointment_series_on_holiday CHECK (on_holiday IN ('move', 'skip')),
    created_by uuid CONSTRAINT fk_appointment_series_created_by_account REFERENCES account (id),
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT ck_appointment_series_minute CHECK (minute BETWEEN 0 AND 1439),
    CONSTRAINT ck_appointment_series_step CHECK (
        num_nonnulls(every_days, every_weeks) = 1 AND coalesce(every_days, 1) BETWEEN 1 AND 90
        AND coalesce(every_weeks, 1) BETWEEN 1 AND 26 AND (every_weeks IS NULL) = (weekdays = '{}')
        AND weekdays <@ '{0,1,2,3,4,5,6}'),
    CONSTRAINT ck_appointment_series_end CHECK (
        num_nonnulls(visits, until) = 1 AND coalesce(visits, 1) BETWEEN 1 AND 60 AND until >= first_day)
);
CREATE INDEX ix_appointment_series_patient_id ON appointment_series (patient_id);

ALTER TABLE appointment ADD COLUMN series_id uuid
    CONSTRAINT fk_appointment_series_id_appointment_series REFERENCES appointment_series (id);
CREATE INDEX ix_appointment_series_id ON appointment (series_id) WHERE series_id IS NOT NULL;

ALTER TABLE appointment_series ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON appointment_series USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN app_sees_patient(patient_id) OR app_delegated(patient_id, 'booking.read')
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);
REVOKE DELETE ON appointment_series FROM telehealth_app;
"""

UNDO = """
ALTER TABLE appointment DROP COLUMN series_id;
DROP TABLE appointment_series;
"""


def upgrade() -> None:
    op.execute(SERIES)


def downgrade() -> None:
    op.execute(UNDO)
