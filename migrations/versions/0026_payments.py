"""Deposits by bank transfer: who asks for one, what is owed, what the bank said; and how to prepare for a service."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE healthcare_service
    ADD COLUMN preparation_vi text NOT NULL DEFAULT '',
    ADD COLUMN preparation_en text NOT NULL DEFAULT '';

CREATE TABLE bank_account (
    facility_id uuid CONSTRAINT pk_bank_account PRIMARY KEY
        CONSTRAINT fk_bank_account_facility_id_facility REFERENCES facility (id),
    bank_bin text NOT NULL CONSTRAINT ck_bank_account_bank_bin CHECK (bank_bin ~ '^[0-9]{6}$'),
    account_no text NOT NULL CONSTRAINT ck_bank_account_account_no CHECK (account_no ~ '^[0-9A-Za-z]{3,19}$'),
    holder text NOT NULL,
    provider text NOT NULL,
    secret_sealed bytea NOT NULL,
    active boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE deposit_policy (
    service_id uuid CONSTRAINT pk_deposit_policy PRIMARY KEY
        CONSTRAINT fk_deposit_policy_service_id_healthcare_service REFERENCES healthcare_service (id),
    amount_vnd integer NOT NULL CONSTRAINT ck_deposit_policy_amount_vnd CHECK (amount_vnd BETWEEN 1000 AND 50000000),
    pay_within_minutes integer NOT NULL
        CONSTRAINT ck_deposit_policy_pay_within_minutes CHECK (pay_within_minutes BETWEEN 10 AND 2880),
    full_refund_minutes integer NOT NULL
        CONSTRAINT ck_deposit_policy_full_refund_minutes CHECK (full_refund_minutes BETWEEN 0 AND 43200),
    late_refund_percent integer NOT NULL
        CONSTRAINT ck_deposit_policy_late_refund_percent CHECK (late_refund_percent BETWEEN 0 AND 100),
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE payment (
    id uuid CONSTRAINT pk_payment PRIMARY KEY,
    appointment_id uuid NOT NULL CONSTRAINT uq_payment_appointment_id UNIQUE
        CONSTRAINT fk_payment_appointment_id_appointment REFERENCES appointment (id),
    facility_id uuid NOT NULL CONSTRAINT fk_payment_facility_id_facility REFERENCES facility (id),
    patient_id uuid NOT NULL CONSTRAINT fk_payment_patient_id_patient REFERENCES patient (id),
    reference text NOT NULL CONSTRAINT uq_payment_reference UNIQUE,
    state text NOT NULL CONSTRAINT ck_payment_state
        CHECK (state IN ('due', 'paid', 'void', 'lapsed', 'cancelled', 'forfeited')),
    amount_vnd integer NOT NULL CONSTRAINT ck_payment_amount_vnd CHECK (amount_vnd > 0),
    received_vnd integer NOT NULL DEFAULT 0,
    refund_vnd integer NOT NULL DEFAULT 0,
    refunded_vnd integer NOT NULL DEFAULT 0,
    full_refund_minutes integer NOT NULL,
    late_refund_percent integer NOT NULL,
    full_until timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    told_at timestamptz,
    paid_at timestamptz,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT ck_payment_sums CHECK (
        received_vnd >= 0 AND refunded_vnd BETWEEN 0 AND refund_vnd AND refund_vnd <= received_vnd),
    CONSTRAINT ck_payment_paid CHECK (state NOT IN ('paid', 'forfeited') OR received_vnd >= amount_vnd)
);
CREATE INDEX ix_payment_due ON payment (due_at) WHERE state = 'due';
CREATE INDEX ix_payment_untold ON payment (created_at) WHERE state = 'due' AND told_at IS NULL;
CREATE INDEX ix_payment_refund ON payment (facility_id) WHERE refunded_vnd < refund_vnd;
CREATE TABLE bank_transfer (
    id uuid CONSTRAINT pk_bank_transfer PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_bank_transfer_facility_id_facility REFERENCES facility (id),
    provider text NOT NULL,
    provider_ref text NOT NULL,
    amount_vnd integer NOT NULL CONSTRAINT ck_bank_transfer_amount_vnd CHECK (amount_vnd > 0),
    content_sealed bytea NOT NULL,
    booked_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT ck_bank_transfer_state
        CHECK (state IN ('matched', 'short', 'over', 'late', 'unmatched', 'settled')),
    payment_id uuid CONSTRAINT fk_bank_transfer_payment_id_payment REFERENCES payment (id),
    settled_by uuid CONSTRAINT fk_bank_transfer_settled_by_account REFERENCES account (id),
    settled_note text,
    CONSTRAINT uq_bank_transfer_provider_ref UNIQUE (facility_id, provider, provider_ref)
);
CREATE INDEX ix_bank_transfer_unmatched ON bank_transfer (facility_id) WHERE state = 'unmatched';
CREATE TABLE refund (
    id uuid CONSTRAINT pk_refund PRIMARY KEY,
    payment_id uuid NOT NULL CONSTRAINT fk_refund_payment_id_payment REFERENCES payment (id),
    amount_vnd integer NOT NULL CONSTRAINT ck_refund_amount_vnd CHECK (amount_vnd > 0),
    paid_out_ref text NOT NULL,
    paid_out_by uuid CONSTRAINT fk_refund_paid_out_by_account REFERENCES account (id),
    paid_out_at timestamptz NOT NULL,
    CONSTRAINT uq_refund_payment_id_paid_out_ref UNIQUE (payment_id, paid_out_ref)
);
REVOKE DELETE ON payment, bank_transfer, refund FROM telehealth_app;
REVOKE UPDATE ON refund FROM telehealth_app;

ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error', 'not-confirmed',
        'deposit-unpaid'));
"""

WALLS = """
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON payment USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);
ALTER TABLE bank_transfer ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bank_transfer USING (
    app_kind() = 'system' OR (app_kind() = 'staff' AND facility_id = ANY (app_facilities())));
ALTER TABLE refund ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_payment ON refund USING (EXISTS (SELECT FROM payment p WHERE p.id = payment_id));
"""

# In the database, so that no door and no later verb can forget it. Locks: the appointment, then its payment.
FOLLOW = """
CREATE FUNCTION deposit_follows_appointment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status = 'booked' THEN
        INSERT INTO payment (id, appointment_id, facility_id, patient_id, reference, state, amount_vnd,
                             full_refund_minutes, late_refund_percent, full_until, due_at, created_at)
        SELECT gen_random_uuid(), NEW.id, NEW.facility_id, NEW.patient_id,
               'KB' || upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)), 'due', d.amount_vnd,
               d.full_refund_minutes, d.late_refund_percent,
               NEW.start_at - d.full_refund_minutes * interval '1 minute',
               least(NEW.updated_at + d.pay_within_minutes * interval '1 minute', NEW.start_at), NEW.updated_at
          FROM deposit_policy d JOIN bank_account b ON b.facility_id = NEW.facility_id AND b.active
         WHERE d.service_id = NEW.service_id AND NEW.channel = 'online'
        ON CONFLICT (appointment_id) DO NOTHING;
    ELSIF NEW.status = 'cancelled' THEN
        -- All of it when the hospital is the cause, by its reason or because it could not keep the time.
        UPDATE payment p SET
               state = CASE WHEN p.state = 'paid' THEN 'cancelled'
                            WHEN NEW.cancel_reason = 'deposit-unpaid' THEN 'lapsed' ELSE 'void' END,
               refund_vnd = CASE
                   WHEN p.state = 'due' OR NEW.cancel_reason IN ('practitioner-away', 'facility', 'entered-in-error')
                     OR NEW.updated_at <= p.full_until
                     OR EXISTS (SELECT FROM appointment_disruption d WHERE d.appointment_id = NEW.id
                                   AND d.start_at = NEW.start_at AND d.resolved_at IS NULL)
                   THEN p.received_vnd
                   ELSE p.received_vnd - p.amount_vnd + p.amount_vnd::bigint * p.late_refund_percent / 100 END,
               version = p.version + 1
         WHERE p.appointment_id = NEW.id AND p.state IN ('due', 'paid');
    ELSIF NEW.status = 'noshow' THEN
        UPDATE payment p SET state = CASE WHEN p.state = 'paid' THEN 'forfeited' ELSE 'void' END,
               refund_vnd = CASE WHEN p.state = 'paid' THEN p.refund_vnd ELSE p.received_vnd END,
               version = p.version + 1
         WHERE p.appointment_id = NEW.id AND p.state IN ('due', 'paid');
    ELSIF NEW.status = 'arrived' THEN
        -- Who came without having paid pays at the counter; who was only late has not lost it.
        UPDATE payment p SET state = CASE WHEN p.state = 'forfeited' THEN 'paid' ELSE 'void' END,
               refund_vnd = CASE WHEN p.state = 'forfeited' THEN p.refund_vnd ELSE p.received_vnd END,
               version = p.version + 1
         WHERE p.appointment_id = NEW.id AND p.state IN ('due', 'forfeited');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_of_new AFTER INSERT ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked') EXECUTE FUNCTION deposit_follows_appointment();
CREATE TRIGGER deposit_follows AFTER UPDATE OF status ON appointment
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION deposit_follows_appointment();

-- A move takes the deposit along: not the time of a full refund, once the patient has let it pass. At another
-- facility, where a closure has sent the patient, it is not owed, and what was paid goes back.
CREATE FUNCTION deposit_follows_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.facility_id <> OLD.facility_id THEN
        UPDATE payment p SET state = CASE WHEN p.state = 'paid' THEN 'cancelled' ELSE 'void' END,
               refund_vnd = p.received_vnd, version = p.version + 1
         WHERE p.appointment_id = NEW.id AND p.state IN ('due', 'paid');
    ELSE
        UPDATE payment p SET full_until = NEW.start_at - p.full_refund_minutes * interval '1 minute',
               due_at = least(p.due_at, NEW.start_at), version = p.version + 1
         WHERE p.appointment_id = NEW.id AND p.state IN ('due', 'paid')
           AND (NEW.channel <> 'online' OR NEW.updated_at <= p.full_until);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_follows_move AFTER UPDATE OF start_at, facility_id ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked' AND OLD.status = 'booked'
        AND (NEW.start_at, NEW.facility_id) IS DISTINCT FROM (OLD.start_at, OLD.facility_id))
    EXECUTE FUNCTION deposit_follows_move();

-- A missed visit that is excused costs nothing.
CREATE FUNCTION deposit_follows_excuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE payment p SET state = 'cancelled', refund_vnd = p.received_vnd, version = p.version + 1
     WHERE p.appointment_id = NEW.appointment_id AND p.state = 'forfeited';
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_follows_excuse AFTER UPDATE OF excuse ON no_show
    FOR EACH ROW WHEN (NEW.excuse IS NOT NULL) EXECUTE FUNCTION deposit_follows_excuse();
"""

UNDO = """
DROP TRIGGER deposit_follows_excuse ON no_show;
DROP FUNCTION deposit_follows_excuse();
DROP TRIGGER deposit_follows_move ON appointment;
DROP FUNCTION deposit_follows_move();
DROP TRIGGER deposit_follows ON appointment;
DROP TRIGGER deposit_of_new ON appointment;
DROP FUNCTION deposit_follows_appointment();
DROP TABLE refund, bank_transfer, payment, deposit_policy, bank_account;
UPDATE appointment SET cancel_reason = 'facility' WHERE cancel_reason = 'deposit-unpaid';
ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error', 'not-confirmed'));
ALTER TABLE healthcare_service DROP COLUMN preparation_en, DROP COLUMN preparation_vi;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)
    op.execute(FOLLOW)


def downgrade() -> None:
    op.execute(UNDO)
