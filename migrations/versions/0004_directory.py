"""National codes are unique among facilities in service, and may change hands within a transaction."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE facility DROP CONSTRAINT uq_facility_national_code")
    op.execute(
        "ALTER TABLE facility ADD CONSTRAINT ex_facility_national_code"
        " EXCLUDE USING btree (national_code WITH =) WHERE (active) DEFERRABLE INITIALLY DEFERRED"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE facility DROP CONSTRAINT ex_facility_national_code")
    op.execute("ALTER TABLE facility ADD CONSTRAINT uq_facility_national_code UNIQUE (national_code)")
