"""Proving oneself again before what opens the account changes."""

from alembic import op

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE access_session ADD COLUMN proven_at timestamptz;
"""

DOWN = """
ALTER TABLE access_session DROP COLUMN proven_at;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
