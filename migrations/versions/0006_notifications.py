"""Notifications: the outbox and what became of each message, and the heartbeats of workers."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA notifications;

CREATE TABLE notifications.notification (
    id uuid CONSTRAINT notification_pkey PRIMARY KEY,
    dedupe_key text NOT NULL CONSTRAINT notification_dedupe_key_key UNIQUE,
    kind text NOT NULL,
    language text NOT NULL CONSTRAINT notification_language CHECK (language IN ('vi', 'en')),
    template_version integer NOT NULL,
    recipient bytea NOT NULL,
    recipient_index bytea,
    params bytea NOT NULL,
    state text NOT NULL DEFAULT 'queued' CONSTRAINT notification_state CHECK (state IN (
        'queued', 'sending', 'accepted', 'delivered', 'undelivered', 'in_doubt', 'held', 'falling_back',
        'expired', 'cancelled', 'suppressed', 'dead')),
    channel text,
    provider text,
    provider_ref text,
    subject uuid,
    group_id uuid,
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT notification_period CHECK (expires_at > not_before)
) WITH (fillfactor = 85);
CREATE INDEX notification_subject ON notifications.notification (subject) WHERE subject IS NOT NULL;
CREATE INDEX notification_recipient ON notifications.notification (recipient_index, created_at)
    WHERE recipient_index IS NOT NULL;

CREATE TABLE notifications.outbox (
    notification_id uuid CONSTRAINT outbox_pkey PRIMARY KEY
        CONSTRAINT outbox_notification_id_fkey REFERENCES notifications.notification (id),
    channel text NOT NULL,
    priority smallint NOT NULL CONSTRAINT outbox_priority CHECK (priority BETWEEN 0 AND 9),
    due_at timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    in_doubt boolean NOT NULL DEFAULT false,
    cancelled boolean NOT NULL DEFAULT false,
    idem_key uuid NOT NULL,
    CONSTRAINT outbox_lease CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_ready ON notifications.outbox (priority, due_at) WHERE lease_owner IS NULL;
CREATE INDEX outbox_leased ON notifications.outbox (lease_until) WHERE lease_owner IS NOT NULL;
CREATE UNIQUE INDEX outbox_idem_key ON notifications.outbox (idem_key);

CREATE TABLE notifications.delivery_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT delivery_attempt_pkey PRIMARY KEY,
    notification_id uuid NOT NULL
        CONSTRAINT delivery_attempt_notification_id_fkey REFERENCES notifications.notification (id),
    idem_key uuid NOT NULL,
    attempt integer NOT NULL,
    channel text NOT NULL,
    provider text NOT NULL,
    outcome text NOT NULL,
    code text,
    provider_ref text,
    segments smallint,
    latency_ms integer,
    at timestamptz NOT NULL
);
CREATE INDEX delivery_attempt_notification ON notifications.delivery_attempt (notification_id);
CREATE INDEX delivery_attempt_idem_key ON notifications.delivery_attempt (idem_key);
CREATE UNIQUE INDEX delivery_attempt_ref ON notifications.delivery_attempt (provider, provider_ref)
    WHERE provider_ref IS NOT NULL;

CREATE TABLE notifications.receipt (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT receipt_pkey PRIMARY KEY,
    provider text NOT NULL,
    event_key text NOT NULL,
    idem_key uuid,
    provider_ref text,
    status text NOT NULL,
    code text,
    raw jsonb NOT NULL,
    notification_id uuid,
    received_at timestamptz NOT NULL,
    CONSTRAINT receipt_provider_event_key_key UNIQUE (provider, event_key)
);
CREATE INDEX receipt_notification ON notifications.receipt (notification_id)
    WHERE notification_id IS NOT NULL;

CREATE TABLE notifications.provider_token (
    provider text CONSTRAINT provider_token_pkey PRIMARY KEY,
    version integer NOT NULL,
    bootstrap_index bytea NOT NULL,
    refresh_token bytea NOT NULL,
    access_token bytea,
    access_expires_at timestamptz,
    state text NOT NULL CONSTRAINT provider_token_state CHECK (state IN ('ok', 'refreshing', 'needs_reauth')),
    refresh_started_at timestamptz,
    updated_at timestamptz NOT NULL
);

CREATE TABLE notifications.provider_state (
    provider text CONSTRAINT provider_state_pkey PRIMARY KEY,
    paused_until timestamptz,
    reason text,
    updated_at timestamptz NOT NULL
);

CREATE TABLE notifications.unreachable (
    channel text,
    recipient_index bytea,
    code text,
    until timestamptz NOT NULL,
    CONSTRAINT unreachable_pkey PRIMARY KEY (channel, recipient_index)
);

CREATE TABLE worker_heartbeat (
    name text CONSTRAINT worker_heartbeat_pkey PRIMARY KEY,
    beat_at timestamptz NOT NULL
);
"""

# Attempts and receipts are evidence: the application adds to them and never changes them.
GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
        GRANT USAGE ON SCHEMA notifications TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE ON notifications.notification, notifications.provider_token,
            notifications.provider_state TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.outbox, notifications.unreachable TO telehealth_app;
        GRANT SELECT, INSERT ON notifications.delivery_attempt, notifications.receipt TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE ON worker_heartbeat TO telehealth_app;
    END IF;
END
$$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("DROP TABLE worker_heartbeat")
    op.execute("DROP SCHEMA notifications CASCADE")
