"""Forgetting: what a provider's receipt said, what was claimed in Zalo, and who has long left there."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Receipts are evidence that the application may only add to. That one came stays; its words go.
TABLES = """
CREATE INDEX receipt_said ON notifications.receipt (received_at) WHERE raw <> '{}';

CREATE FUNCTION notifications.empty_receipts(p_before timestamptz, p_most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = notifications, pg_temp AS $$
    WITH old AS (
        SELECT id FROM receipt WHERE received_at < p_before AND raw <> '{}'
        ORDER BY received_at LIMIT p_most FOR UPDATE SKIP LOCKED
    ), emptied AS (
        UPDATE receipt r SET raw = '{}' FROM old WHERE r.id = old.id RETURNING r.id
    )
    SELECT count(*) FROM emptied
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
        GRANT DELETE ON notifications.zalo_contact TO telehealth_app;
    END IF;
END
$$;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        """
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'telehealth_app') THEN
                REVOKE DELETE ON notifications.zalo_contact FROM telehealth_app;
            END IF;
        END
        $$;
        DROP FUNCTION notifications.empty_receipts(timestamptz, integer);
        DROP INDEX notifications.receipt_said;
        """
    )
