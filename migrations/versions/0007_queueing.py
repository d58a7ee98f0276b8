"""Places of those who come back, purposes, staff calls, and the walls around tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PURPOSES = "'appointment', 'reexamination', 'insured', 'self-pay', 'family', 'foreigner', 'other'"

# Nobody but the staff and kiosks of a facility, and the patient, sees a ticket as a row. The line of a
# queue and the ticket behind a public token are read through functions that return no personal column.
WALLS = """
ALTER TABLE ticket ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ticket USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN patient_id IS NOT NULL AND app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        WHEN 'integrator' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);

ALTER TABLE staff_call ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON staff_call USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);

CREATE FUNCTION ticket_by_token(p_token_hash bytea)
RETURNS TABLE (id uuid, queue_id uuid, facility_id uuid, business_date date, number integer, status text,
               service_point_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.queue_id, t.facility_id, t.business_date, t.number, t.status, t.service_point_id
      FROM ticket t WHERE t.public_token_hash = p_token_hash
$$;

CREATE FUNCTION ticket_statuses(p_ids uuid[]) RETURNS TABLE (id uuid, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.status FROM ticket t WHERE t.id = ANY (p_ids)
$$;

-- Everybody in a queue on a day, and its last calls.
CREATE FUNCTION queue_line(p_queue uuid, p_date date)
RETURNS TABLE (id uuid, number integer, status text, priority_class text, appointment_start timestamptz,
               waiting_since timestamptz, resume_after integer, called_at timestamptz, called_lane text,
               service_point_id uuid, called_total bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH called AS (
        SELECT t.id FROM ticket t
         WHERE t.queue_id = p_queue AND t.business_date = p_date AND t.called_at IS NOT NULL
         ORDER BY t.called_at DESC LIMIT 13
    )
    SELECT t.id, t.number, t.status, t.priority_class, t.appointment_start, t.waiting_since,
           t.resume_after, t.called_at, t.called_lane, t.service_point_id,
           (SELECT count(*) FROM ticket c
             WHERE c.queue_id = p_queue AND c.business_date = p_date AND c.called_at IS NOT NULL)
      FROM ticket t
     WHERE t.queue_id = p_queue AND t.business_date = p_date
       AND (t.status IN ('waiting', 'called', 'serving', 'parked') OR t.id IN (SELECT id FROM called))
$$;

-- A person at the wrong door has shown their code: tell where and when to go, and nothing else.
CREATE FUNCTION appointment_whereabouts(p_code text)
RETURNS TABLE (id uuid, facility_id uuid, start_at timestamptz, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.id, a.facility_id, a.start_at, a.status FROM appointment a
     WHERE a.code = p_code AND app_kind() IN ('staff', 'kiosk', 'system')
$$;
"""

UNDO_WALLS = """
DROP FUNCTION appointment_whereabouts(text);
DROP FUNCTION queue_line(uuid, date);
DROP FUNCTION ticket_statuses(uuid[]);
DROP FUNCTION ticket_by_token(bytea);
DROP POLICY own ON staff_call;
DROP POLICY own ON ticket;
ALTER TABLE ticket DISABLE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    op.add_column("ticket", sa.Column("purpose", sa.Text(), nullable=False, server_default="other"))
    op.add_column("ticket", sa.Column("transferred_from_id", sa.Uuid(), nullable=True))
    op.add_column("ticket", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("ticket", sa.Column("resume_after", sa.Integer(), nullable=True))
    op.add_column("ticket", sa.Column("called_lane", sa.Text(), nullable=True))
    op.execute("UPDATE ticket SET waiting_since = issued_at")
    op.alter_column("ticket", "waiting_since", nullable=False)
    op.alter_column("ticket", "purpose", server_default=None)
    op.create_check_constraint(op.f("ck_ticket_purpose"), "ticket", f"purpose IN ({PURPOSES})")
    op.create_check_constraint(
        op.f("ck_ticket_print_status"), "ticket", "print_status IN ('unprinted', 'printed', 'failed')"
    )
    op.create_foreign_key(
        op.f("fk_ticket_transferred_from_id"), "ticket", "ticket", ["transferred_from_id"], ["id"]
    )
    op.create_index(
        "ix_ticket_called",
        "ticket",
        ["queue_id", "business_date", "called_at"],
        postgresql_where=sa.text("called_at IS NOT NULL"),
    )
    op.create_table(
        "staff_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('emergency', 'help')", name=op.f("ck_staff_call_kind")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_staff_call_facility_id")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_staff_call_device_id")),
        sa.ForeignKeyConstraint(["answered_by"], ["account.id"], name=op.f("fk_staff_call_answered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_call")),
    )
    op.create_index(
        "ix_staff_call_open", "staff_call", ["facility_id"], postgresql_where=sa.text("answered_at IS NULL")
    )
    op.execute(WALLS)


def downgrade() -> None:
    op.execute(UNDO_WALLS)
    op.drop_table("staff_call")
    op.drop_index("ix_ticket_called", table_name="ticket", postgresql_where=sa.text("called_at IS NOT NULL"))
    op.drop_constraint(op.f("fk_ticket_transferred_from_id"), "ticket", type_="foreignkey")
    op.drop_constraint(op.f("ck_ticket_print_status"), "ticket", type_="check")
    op.drop_constraint(op.f("ck_ticket_purpose"), "ticket", type_="check")
    for column in ("called_lane", "resume_after", "waiting_since", "transferred_from_id", "purpose"):
        op.drop_column("ticket", column)
