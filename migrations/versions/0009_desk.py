"""A desk books elsewhere for a person it knows, and sees what it booked."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Beside the policy `own` of 0002: a clerk's bookings at other facilities go through the online door.
POLICY = """
CREATE POLICY on_behalf ON appointment
    USING (app_kind() = 'staff' AND channel = 'online' AND account_id = app_account())
    WITH CHECK (
        app_kind() = 'staff' AND channel = 'online' AND account_id = app_account()
        AND patient_id IS NOT NULL AND app_sees_patient(patient_id))
"""


def upgrade() -> None:
    op.execute(POLICY)


def downgrade() -> None:
    op.execute("DROP POLICY on_behalf ON appointment")
