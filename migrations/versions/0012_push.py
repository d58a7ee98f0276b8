"""Web push: the browsers in which people have turned it on."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE notifications.push_subscription (
    id uuid CONSTRAINT push_subscription_pkey PRIMARY KEY,
    owner uuid NOT NULL,
    sign_in uuid,
    endpoint_index bytea NOT NULL CONSTRAINT push_subscription_endpoint_index_key UNIQUE,
    sealed bytea NOT NULL,
    user_agent text,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE INDEX push_subscription_owner ON notifications.push_subscription (owner, seen_at);
CREATE INDEX push_subscription_sign_in ON notifications.push_subscription (sign_in) WHERE sign_in IS NOT NULL;
"""

GRANTS = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.push_subscription TO telehealth_app;
    END IF;
END
$$;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("DROP TABLE notifications.push_subscription")
