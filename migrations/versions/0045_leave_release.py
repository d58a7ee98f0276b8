"""Who waits for a release hour can give up their place."""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

# The turns of the others are times that stand; nobody's place changes. The release's row is locked as a draw
# and an entry lock it. Null: no release is near.
LEAVE = """
CREATE FUNCTION leave_release(p_service uuid, p_account uuid, p_now timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_opens timestamptz := current_release(p_service, p_now);
BEGIN
    IF v_opens IS NULL OR p_account IS DISTINCT FROM app_account() THEN
        RETURN NULL;
    END IF;
    PERFORM FROM release r WHERE r.service_id = p_service AND r.opens_at = v_opens FOR UPDATE;
    DELETE FROM release_ticket t
     WHERE t.service_id = p_service AND t.opens_at = v_opens AND t.account_id = p_account;
    RETURN v_opens;
END $$;
"""


def upgrade() -> None:
    op.execute(LEAVE)


def downgrade() -> None:
    op.execute("DROP FUNCTION leave_release(uuid, uuid, timestamptz)")
