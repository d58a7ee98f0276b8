"""A sign-in that was proven again, and the order of what a hospital's system hears of one record."""

from alembic import op

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE access_session ADD COLUMN proven_at timestamptz;

CREATE INDEX ix_webhook_delivery_subject ON webhook_delivery (subscription_id, subject, sequence)
    WHERE state = 'waiting';
"""

DOWN = """
DROP INDEX ix_webhook_delivery_subject;
ALTER TABLE access_session DROP COLUMN proven_at;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
