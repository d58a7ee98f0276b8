"""Webhooks to hospital systems: an outbox that no change can miss, subscriptions, deliveries; calendar feeds."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE webhook_subscription (
    id uuid CONSTRAINT pk_webhook_subscription PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_webhook_subscription_facility_id REFERENCES facility (id),
    client_id uuid CONSTRAINT fk_webhook_subscription_client_id REFERENCES integrator_client (id),
    name text NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    state text NOT NULL DEFAULT 'active',
    secret_sealed bytea NOT NULL,
    previous_sealed bytea,
    previous_until timestamptz,
    last_sequence bigint NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ck_webhook_subscription_state CHECK (state IN ('active', 'paused', 'ended')),
    CONSTRAINT ck_webhook_subscription_events CHECK (cardinality(events) > 0),
    CONSTRAINT ck_webhook_subscription_previous
        CHECK ((previous_sealed IS NULL) = (previous_until IS NULL))
);
CREATE INDEX ix_webhook_subscription_facility_id ON webhook_subscription (facility_id);
CREATE INDEX ix_webhook_subscription_client_id ON webhook_subscription (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at);

-- What happened, in the transaction in which it happened; gone as soon as it is a delivery for each subscriber.
CREATE TABLE webhook_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_webhook_event PRIMARY KEY,
    facility_id uuid NOT NULL,
    event text NOT NULL,
    subject uuid NOT NULL,
    data jsonb NOT NULL,
    occurred_at timestamptz NOT NULL
);

CREATE TABLE webhook_delivery (
    id uuid CONSTRAINT pk_webhook_delivery PRIMARY KEY DEFAULT gen_random_uuid(),
    subscription_id uuid NOT NULL
        CONSTRAINT fk_webhook_delivery_subscription_id REFERENCES webhook_subscription (id),
    sequence bigint NOT NULL,
    event text NOT NULL,
    subject uuid NOT NULL,
    data jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0,
    give_up_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    last_status integer,
    last_error text,
    settled_at timestamptz,
    CONSTRAINT uq_webhook_delivery_subscription_id_sequence UNIQUE (subscription_id, sequence),
    CONSTRAINT ck_webhook_delivery_state CHECK (state IN ('waiting', 'delivered', 'dead')),
    CONSTRAINT ck_webhook_delivery_settled CHECK ((state = 'waiting') = (settled_at IS NULL))
);
CREATE INDEX ix_webhook_delivery_next_at ON webhook_delivery (subscription_id, next_at) WHERE state = 'waiting';
CREATE INDEX ix_webhook_delivery_settled_at ON webhook_delivery (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE calendar_feed (
    token_hash bytea CONSTRAINT pk_calendar_feed PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT fk_calendar_feed_account_id REFERENCES account (id),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX uq_calendar_feed_account_id ON calendar_feed (account_id) WHERE revoked_at IS NULL;
"""

WALLS = """
ALTER TABLE webhook_subscription ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON webhook_subscription USING (
    app_kind() = 'system' OR (app_kind() IN ('staff', 'integrator') AND facility_id = ANY (app_facilities())));
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_subscription ON webhook_delivery
    USING (EXISTS (SELECT FROM webhook_subscription s WHERE s.id = subscription_id));
ALTER TABLE webhook_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON webhook_event USING (app_kind() = 'system');
REVOKE DELETE ON webhook_subscription FROM telehealth_app;

ALTER TABLE calendar_feed ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON calendar_feed USING (
    app_kind() = 'system' OR (app_kind() = 'patient' AND account_id = app_account()));
REVOKE DELETE ON calendar_feed FROM telehealth_app;

-- Whoever holds a feed's address reads the family's appointments and nothing else: enter as that account.
CREATE FUNCTION enter_by_feed(p_token_hash bytea, p_now timestamptz)
RETURNS TABLE (account_id uuid, patient_ids uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_account uuid;
BEGIN
    SELECT f.account_id INTO v_account FROM calendar_feed f JOIN account a ON a.id = f.account_id
     WHERE f.token_hash = p_token_hash AND f.revoked_at IS NULL AND a.disabled_at IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    PERFORM set_config('app.kind', 'patient', true), set_config('app.account', v_account::text, true),
            set_config('app.facilities', '{}', true);
    RETURN QUERY SELECT v_account, coalesce(array_agg(ap.patient_id), '{}') FROM account_patient ap
     WHERE ap.account_id = v_account AND (ap.valid_to IS NULL OR ap.valid_to > p_now);
END $$;
"""

TRIGGERS = """
-- Only where somebody listens: a booking elsewhere pays one look at a small index.
CREATE FUNCTION note_webhook_event(p_facility uuid, p_event text, p_subject uuid, p_data jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO webhook_event (facility_id, event, subject, data, occurred_at)
    SELECT p_facility, p_event, p_subject, p_data, app_clock()
     WHERE EXISTS (SELECT FROM webhook_subscription s
                    WHERE s.facility_id = p_facility AND s.state <> 'ended' AND p_event = ANY (s.events))
$$;

CREATE FUNCTION note_appointment_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_event text;
BEGIN
    v_event := CASE
        WHEN NEW.status IN ('held', 'expired') THEN NULL
        WHEN TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN 'appointment.' || NEW.status
        ELSE 'appointment.moved' END;
    IF v_event IS NOT NULL THEN
        PERFORM note_webhook_event(NEW.facility_id, v_event, NEW.id, jsonb_build_object(
            'status', NEW.status, 'version', NEW.version, 'start', NEW.start_at, 'end', NEW.end_at,
            'practitioner_id', NEW.practitioner_id, 'service_id', NEW.service_id,
            'session_id', NEW.clinic_session_id, 'modality', NEW.modality, 'patient_id', NEW.patient_id)
            || CASE WHEN v_event = 'appointment.moved' THEN jsonb_build_object('moved_from', OLD.start_at)
                    WHEN v_event = 'appointment.cancelled'
                    THEN jsonb_build_object('cancel_reason', NEW.cancel_reason)
                    ELSE '{}' END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_event_of_new AFTER INSERT ON appointment
    FOR EACH ROW WHEN (NEW.status = 'booked') EXECUTE FUNCTION note_appointment_event();
CREATE TRIGGER note_event_of_change AFTER UPDATE ON appointment
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
        OR (OLD.start_at, OLD.clinic_session_id) IS DISTINCT FROM (NEW.start_at, NEW.clinic_session_id))
    EXECUTE FUNCTION note_appointment_event();

CREATE FUNCTION note_session_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_webhook_event(
        NEW.facility_id, CASE NEW.status WHEN 'open' THEN 'session.opened' ELSE 'session.closed' END, NEW.id,
        jsonb_build_object('status', NEW.status, 'version', NEW.version, 'start', NEW.start_at,
            'end', NEW.end_at, 'practitioner_id', NEW.practitioner_id, 'service_id', NEW.service_id,
            'modality', NEW.modality));
    RETURN NULL;
END $$;
CREATE TRIGGER note_event_of_change AFTER UPDATE ON clinic_session
    FOR EACH ROW WHEN ((OLD.status = 'open') IS DISTINCT FROM (NEW.status = 'open'))
    EXECUTE FUNCTION note_session_event();

-- A system that is admitted no more hears nothing more: what it asked for itself waits for an administrator.
CREATE FUNCTION pause_webhooks_of_client() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE webhook_subscription s SET state = 'paused', version = s.version + 1, updated_at = NEW.revoked_at
     WHERE s.client_id = NEW.id AND s.state = 'active';
    RETURN NULL;
END $$;
CREATE TRIGGER pause_webhooks AFTER UPDATE OF revoked_at ON integrator_client
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION pause_webhooks_of_client();

-- Number what happened for each who listens. One worker at a time: a number is given once and none is left out.
CREATE FUNCTION fan_out_webhooks(p_most integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_done integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7702625);
    WITH taken AS (
        DELETE FROM webhook_event e WHERE e.id IN (
            SELECT id FROM webhook_event ORDER BY id LIMIT p_most FOR UPDATE SKIP LOCKED)
        RETURNING e.*
    ), numbered AS (
        SELECT t.*, s.id AS subscription_id,
               s.last_sequence + row_number() OVER (PARTITION BY s.id ORDER BY t.id) AS sequence
          FROM taken t JOIN webhook_subscription s
            ON s.facility_id = t.facility_id AND s.state <> 'ended' AND t.event = ANY (s.events)
    ), raised AS (
        UPDATE webhook_subscription s SET last_sequence = n.highest
          FROM (SELECT subscription_id, max(sequence) AS highest FROM numbered GROUP BY subscription_id) n
         WHERE s.id = n.subscription_id
    ), made AS (
        INSERT INTO webhook_delivery
               (subscription_id, sequence, event, subject, data, occurred_at, give_up_at, next_at)
        SELECT subscription_id, sequence, event, subject, data, occurred_at, p_now + interval '3 days', p_now
          FROM numbered
    )
    SELECT count(*) INTO v_done FROM taken;
    RETURN v_done;
END $$;
"""

UNDO = """
DROP INDEX ix_idempotency_created_at;
DROP FUNCTION fan_out_webhooks(integer, timestamptz);
DROP TRIGGER pause_webhooks ON integrator_client;
DROP FUNCTION pause_webhooks_of_client();
DROP TRIGGER note_event_of_change ON clinic_session;
DROP FUNCTION note_session_event();
DROP TRIGGER note_event_of_change ON appointment;
DROP TRIGGER note_event_of_new ON appointment;
DROP FUNCTION note_appointment_event();
DROP FUNCTION note_webhook_event(uuid, text, uuid, jsonb);
DROP FUNCTION enter_by_feed(bytea, timestamptz);
DROP TABLE calendar_feed;
DROP TABLE webhook_delivery;
DROP TABLE webhook_event;
DROP TABLE webhook_subscription;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute(UNDO)
