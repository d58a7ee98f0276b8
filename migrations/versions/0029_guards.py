"""A sign-in that was proven again, and the order of what a hospital's system hears of one record."""

from alembic import op

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE access_session ADD COLUMN proven_at timestamptz;

-- The province sets how often one identity may book; everybody may know.
GRANT UPDATE (most) ON identity_limit TO telehealth_app;
ALTER TABLE identity_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON identity_limit FOR SELECT USING (true);
CREATE POLICY set_by_the_province ON identity_limit FOR UPDATE
    USING (app_kind() = 'system' OR (app_kind() = 'staff' AND app_is_province()));

CREATE INDEX ix_webhook_delivery_subject ON webhook_delivery (subscription_id, subject, sequence)
    WHERE state = 'waiting';
"""

DOWN = """
DROP INDEX ix_webhook_delivery_subject;
DROP POLICY set_by_the_province ON identity_limit;
DROP POLICY known ON identity_limit;
ALTER TABLE identity_limit DISABLE ROW LEVEL SECURITY;
REVOKE UPDATE (most) ON identity_limit FROM telehealth_app;
ALTER TABLE access_session DROP COLUMN proven_at;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
