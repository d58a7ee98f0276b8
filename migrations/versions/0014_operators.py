"""Operators: what a provider has left for today, and forgetting what machines changed long ago."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What a person changed is kept; the application may not delete from the table itself.
TABLES = """
ALTER TABLE notifications.provider_state
    ADD COLUMN remaining integer,
    ADD COLUMN remaining_at timestamptz;

CREATE FUNCTION notifications.forget_provider_changes(p_before timestamptz, p_most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = notifications, pg_temp AS $$
    WITH old AS (
        SELECT id FROM provider_change WHERE changed_by IS NULL AND at < p_before ORDER BY id LIMIT p_most
    ), gone AS (
        DELETE FROM provider_change c USING old WHERE c.id = old.id RETURNING c.id
    )
    SELECT count(*) FROM gone
$$;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION notifications.forget_provider_changes(timestamptz, integer);
        ALTER TABLE notifications.provider_state DROP COLUMN remaining, DROP COLUMN remaining_at;
        """
    )
