"""Messages follow the appointment, and the official account at Zalo listens.

Since when an appointment's time stands, when it cannot be kept, who has another telephone; and who follows the
account, with which telephone, and what they did that has not been acted on yet.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

AGREEMENT = """
ALTER TABLE appointment ADD COLUMN agreed_at timestamptz;
UPDATE appointment SET agreed_at = created_at WHERE status NOT IN ('held', 'expired');

CREATE FUNCTION note_agreement() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.agreed_at := NEW.updated_at;
    RETURN NEW;
END $$;
CREATE TRIGGER note_agreement_of_new BEFORE INSERT ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked') EXECUTE FUNCTION note_agreement();
CREATE TRIGGER note_agreement BEFORE UPDATE OF status, start_at ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked' AND (OLD.status = 'held' OR NEW.start_at <> OLD.start_at))
    EXECUTE FUNCTION note_agreement();
"""

DISRUPTIONS = """
-- When the roster still has that practitioner for that service there, of a session that no longer fits it.
ALTER TABLE roster_change ADD COLUMN worked tstzmultirange NOT NULL DEFAULT '{}';

CREATE TABLE appointment_disruption (
    id uuid CONSTRAINT pk_appointment_disruption PRIMARY KEY,
    appointment_id uuid NOT NULL CONSTRAINT fk_appointment_disruption_appointment_id REFERENCES appointment (id),
    start_at timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    resolved_at timestamptz,
    CONSTRAINT ck_appointment_disruption_times CHECK (resolved_at >= found_at)
);
CREATE UNIQUE INDEX uq_appointment_disruption_open ON appointment_disruption (appointment_id)
    WHERE resolved_at IS NULL;
REVOKE DELETE ON appointment_disruption FROM telehealth_app;
ALTER TABLE appointment_disruption ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON appointment_disruption
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));
"""

CONTACT_CHANGES = """
CREATE TABLE contact_change (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_contact_change PRIMARY KEY,
    patient_id uuid NOT NULL CONSTRAINT fk_contact_change_patient_id REFERENCES patient (id),
    changed_at timestamptz NOT NULL
);
"""

ZALO = """
CREATE TABLE notifications.zalo_contact (
    uid_index bytea CONSTRAINT zalo_contact_pkey PRIMARY KEY,
    uid bytea NOT NULL,
    following boolean NOT NULL DEFAULT false,
    following_at timestamptz,
    phone_index bytea,
    phone bytea,
    linked_at timestamptz,
    claim bytea,
    claim_until timestamptz,
    claim_tries smallint NOT NULL DEFAULT 0,
    asked_at timestamptz,
    last_wrote_at timestamptz,
    replied_at timestamptz,
    CONSTRAINT zalo_contact_phone CHECK (
        (phone_index IS NULL) = (phone IS NULL) AND (phone_index IS NULL) = (linked_at IS NULL)),
    CONSTRAINT zalo_contact_claim CHECK ((claim IS NULL) = (claim_until IS NULL))
);
CREATE INDEX zalo_contact_by_phone ON notifications.zalo_contact (phone_index, linked_at)
    WHERE phone_index IS NOT NULL;

CREATE TABLE notifications.zalo_event (
    event_key bytea CONSTRAINT zalo_event_pkey PRIMARY KEY,
    content bytea,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    processed_at timestamptz,
    CONSTRAINT zalo_event_content CHECK ((content IS NULL) = (processed_at IS NOT NULL))
);
CREATE INDEX zalo_event_waiting ON notifications.zalo_event (at) WHERE processed_at IS NULL;
CREATE INDEX zalo_event_processed ON notifications.zalo_event (processed_at) WHERE processed_at IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
        GRANT SELECT, INSERT, UPDATE ON notifications.zalo_contact TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.zalo_event TO telehealth_app;
    END IF;
END
$$;
"""


def upgrade() -> None:
    op.execute(AGREEMENT)
    op.execute(DISRUPTIONS)
    op.execute(CONTACT_CHANGES)
    op.execute(ZALO)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE notifications.zalo_event, notifications.zalo_contact;
        DROP TABLE contact_change;
        DROP TABLE appointment_disruption;
        ALTER TABLE roster_change DROP COLUMN worked;
        DROP TRIGGER note_agreement ON appointment;
        DROP TRIGGER note_agreement_of_new ON appointment;
        DROP FUNCTION note_agreement();
        ALTER TABLE appointment DROP COLUMN agreed_at;
        """
    )
