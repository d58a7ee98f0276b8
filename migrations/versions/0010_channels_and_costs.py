"""Messages: several providers to a channel, what they cost, what people wish, texts with versions."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE notifications.notification
    ADD COLUMN owner uuid,
    ADD COLUMN copy_of uuid CONSTRAINT notification_copy_of_fkey REFERENCES notifications.notification (id),
    ADD COLUMN purged_at timestamptz;
CREATE INDEX notification_dead ON notifications.notification (updated_at) WHERE state = 'dead';
CREATE INDEX notification_unpurged ON notifications.notification (expires_at) WHERE purged_at IS NULL;

ALTER TABLE notifications.outbox
    ADD COLUMN provider text,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN fallback boolean NOT NULL DEFAULT false;
-- Until now every channel had one provider: who may have sent what is in doubt is known.
UPDATE notifications.outbox SET provider = CASE channel WHEN 'sms' THEN 'twilio' ELSE channel END, tries = attempt
WHERE in_doubt OR lease_owner IS NOT NULL;
DROP INDEX notifications.outbox_ready;
CREATE INDEX outbox_ready ON notifications.outbox (channel, priority, due_at) WHERE lease_owner IS NULL;

ALTER TABLE notifications.delivery_attempt ADD COLUMN vnd integer;
CREATE INDEX delivery_attempt_at ON notifications.delivery_attempt (at);

ALTER TABLE notifications.provider_state
    ADD COLUMN weight smallint CONSTRAINT provider_state_weight CHECK (weight BETWEEN 0 AND 100),
    ADD COLUMN weight_changed_at timestamptz,
    ADD COLUMN paused_by text CONSTRAINT provider_state_paused_by
        CHECK (paused_by IN ('breaker', 'config', 'quota', 'operator'));

CREATE INDEX receipt_claimed ON notifications.receipt (id) WHERE status = 'claimed';

CREATE TABLE notifications.provider_change (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT provider_change_pkey PRIMARY KEY,
    provider text NOT NULL,
    at timestamptz NOT NULL,
    change text NOT NULL CONSTRAINT provider_change_change CHECK (change IN ('weight', 'pause', 'resume')),
    weight smallint,
    reason text NOT NULL,
    changed_by uuid
);
CREATE INDEX provider_change_provider ON notifications.provider_change (provider, at);

CREATE TABLE notifications.provider_minute (
    provider text,
    minute timestamptz,
    channel text NOT NULL,
    accepted integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    slow integer NOT NULL DEFAULT 0,
    latency_ms bigint NOT NULL DEFAULT 0,
    CONSTRAINT provider_minute_pkey PRIMARY KEY (provider, minute)
);

CREATE TABLE notifications.spending (
    day date,
    provider text,
    messages integer NOT NULL DEFAULT 0,
    segments integer NOT NULL DEFAULT 0,
    vnd bigint NOT NULL DEFAULT 0,
    CONSTRAINT spending_pkey PRIMARY KEY (day, provider)
);

CREATE TABLE notifications.daily_tally (
    recipient_index bytea,
    day date,
    messages integer NOT NULL,
    CONSTRAINT daily_tally_pkey PRIMARY KEY (recipient_index, day)
);
CREATE INDEX daily_tally_day ON notifications.daily_tally (day);

CREATE TABLE notifications.rate_bucket (
    provider text CONSTRAINT rate_bucket_pkey PRIMARY KEY,
    rate double precision NOT NULL CONSTRAINT rate_bucket_rate CHECK (rate > 0),
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL,
    slowed_at timestamptz
);

CREATE TABLE notifications.preference (
    recipient_index bytea,
    kind text,
    channel text,
    wanted boolean NOT NULL,
    source text NOT NULL CONSTRAINT preference_source CHECK (source IN ('link', 'desk', 'zalo', 'account')),
    changed_at timestamptz NOT NULL,
    CONSTRAINT preference_pkey PRIMARY KEY (recipient_index, kind, channel)
);

CREATE TABLE notifications.contact (
    recipient_index bytea CONSTRAINT contact_pkey PRIMARY KEY,
    accented boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL
);

CREATE TABLE notifications.template (
    kind text,
    language text CONSTRAINT template_language CHECK (language IN ('vi', 'en')),
    channel text,
    version integer CONSTRAINT template_version CHECK (version > 0),
    state text NOT NULL CONSTRAINT template_state CHECK (state IN ('draft', 'review', 'approved', 'retired')),
    content jsonb NOT NULL,
    digest bytea NOT NULL,
    provider_template_id text,
    provider_state text,
    checked_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT template_pkey PRIMARY KEY (kind, language, channel, version)
);

CREATE TABLE notifications.alarm (
    name text,
    subject text,
    raised_at timestamptz,
    cleared_at timestamptz,
    CONSTRAINT alarm_pkey PRIMARY KEY (name, subject, raised_at)
);
CREATE UNIQUE INDEX alarm_open ON notifications.alarm (name, subject) WHERE cleared_at IS NULL;
"""

GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
        GRANT SELECT, INSERT ON notifications.provider_change TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE ON notifications.spending, notifications.rate_bucket,
            notifications.preference, notifications.contact, notifications.template, notifications.alarm
            TO telehealth_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.provider_minute, notifications.daily_tally
            TO telehealth_app;
    END IF;
END
$$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE notifications.alarm, notifications.template, notifications.contact, notifications.preference,
            notifications.rate_bucket, notifications.daily_tally, notifications.spending,
            notifications.provider_minute, notifications.provider_change;
        ALTER TABLE notifications.provider_state
            DROP COLUMN weight, DROP COLUMN weight_changed_at, DROP COLUMN paused_by;
        DROP INDEX notifications.delivery_attempt_at, notifications.receipt_claimed;
        ALTER TABLE notifications.delivery_attempt DROP COLUMN vnd;
        DROP INDEX notifications.outbox_ready;
        CREATE INDEX outbox_ready ON notifications.outbox (priority, due_at) WHERE lease_owner IS NULL;
        ALTER TABLE notifications.outbox DROP COLUMN provider, DROP COLUMN tries, DROP COLUMN fallback;
        DROP INDEX notifications.notification_dead, notifications.notification_unpurged;
        ALTER TABLE notifications.notification
            DROP COLUMN owner, DROP COLUMN copy_of, DROP COLUMN purged_at;
        """
    )
