"""Messages: every first token that was ever taken over from the settings is remembered."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE notifications.provider_token ADD COLUMN bootstraps_seen bytea[] NOT NULL DEFAULT '{}';
        UPDATE notifications.provider_token SET bootstraps_seen = ARRAY[bootstrap_index];
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE notifications.provider_token DROP COLUMN bootstraps_seen")
