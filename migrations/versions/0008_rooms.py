"""Rooms: the room, who was in it and when, and the signalling between workers."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CONSULTATION_BY_LINK = """
-- Whoever holds a join link may see the one consultation it opens; the link is the right to it.
CREATE FUNCTION consultation_by_link(p_token_hash bytea, p_now timestamptz)
RETURNS TABLE (
    appointment_id uuid, facility_id uuid, facility_name text, facility_hotline text,
    practitioner_id uuid, practitioner_title text, practitioner_name text, licence_no text,
    patient_id uuid, patient_name text, service_id uuid, modality text, status text,
    start_at timestamptz, end_at timestamptz, participant_id uuid, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.id, f.id, f.name, f.hotline, d.id, d.title, d.name, d.licence_no,
           p.id, p.full_name, a.service_id, a.modality, a.status, a.start_at, a.end_at,
           l.participant_id, l.role
      FROM join_link l
      JOIN appointment a ON a.id = l.appointment_id
      JOIN facility f ON f.id = a.facility_id
      JOIN practitioner d ON d.id = a.practitioner_id
      JOIN patient p ON p.id = a.patient_id
     WHERE l.token_hash = p_token_hash AND l.revoked_at IS NULL AND l.expires_at > p_now
$$
"""


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE room (
            id uuid CONSTRAINT pk_room PRIMARY KEY,
            kind text NOT NULL,
            appointment_id uuid CONSTRAINT fk_room_appointment_id REFERENCES appointment (id),
            opens_at timestamptz NOT NULL,
            closes_at timestamptz NOT NULL,
            ended_at timestamptz,
            end_reason text,
            last_seq bigint DEFAULT 0 NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT ck_room_kind CHECK (kind IN ('consultation', 'conference')),
            CONSTRAINT ck_room_window CHECK (opens_at < closes_at),
            CONSTRAINT ck_room_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
            CONSTRAINT ck_room_end_reason CHECK (end_reason IN ('ended', 'time', 'cancelled'))
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_room_appointment_id ON room (appointment_id)
        WHERE appointment_id IS NOT NULL
        """
    )
    op.execute("CREATE INDEX ix_room_closes_at ON room (closes_at) WHERE ended_at IS NULL")
    op.execute(
        """
        CREATE TABLE room_presence (
            id uuid CONSTRAINT pk_room_presence PRIMARY KEY,
            room_id uuid NOT NULL CONSTRAINT fk_room_presence_room_id REFERENCES room (id),
            participant_id uuid NOT NULL,
            role text NOT NULL,
            client_id uuid NOT NULL,
            connection_id uuid NOT NULL,
            ticket_jti uuid NOT NULL,
            joined_seq bigint NOT NULL,
            heard bigint DEFAULT 0 NOT NULL,
            joined_at timestamptz NOT NULL,
            last_seen_at timestamptz NOT NULL,
            left_at timestamptz,
            departure text,
            CONSTRAINT ck_room_presence_role CHECK (role IN ('patient', 'guardian', 'practitioner')),
            CONSTRAINT ck_room_presence_left CHECK ((left_at IS NULL) = (departure IS NULL)),
            CONSTRAINT ck_room_presence_departure
                CHECK (departure IN ('left', 'vanished', 'replaced', 'ended')),
            CONSTRAINT ck_room_presence_times CHECK (left_at >= joined_at)
        )
        """
    )
    op.execute(
        """
        CREATE UNIQUE INDEX uq_room_presence_live ON room_presence (room_id, participant_id)
        WHERE left_at IS NULL
        """
    )
    op.execute("CREATE INDEX ix_room_presence_client_id ON room_presence (client_id, joined_at)")
    op.execute("CREATE INDEX ix_room_presence_room_id ON room_presence (room_id, joined_at)")
    op.execute(
        "CREATE INDEX ix_room_presence_last_seen_at ON room_presence (last_seen_at) WHERE left_at IS NULL"
    )
    op.execute(
        """
        CREATE TABLE room_message (
            room_id uuid NOT NULL CONSTRAINT fk_room_message_room_id REFERENCES room (id),
            seq bigint NOT NULL,
            kind text NOT NULL,
            sender uuid NOT NULL,
            addressee uuid,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_room_message PRIMARY KEY (room_id, seq),
            CONSTRAINT ck_room_message_kind CHECK (kind IN ('joined', 'left', 'relay'))
        )
        """
    )
    op.execute("CREATE INDEX ix_room_message_created_at ON room_message (created_at)")
    op.execute(
        """
        CREATE TABLE join_link (
            id uuid CONSTRAINT pk_join_link PRIMARY KEY,
            token_hash bytea NOT NULL,
            appointment_id uuid NOT NULL
                CONSTRAINT fk_join_link_appointment_id REFERENCES appointment (id),
            participant_id uuid NOT NULL,
            role text NOT NULL,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz,
            created_at timestamptz NOT NULL,
            CONSTRAINT uq_join_link_token_hash UNIQUE (token_hash),
            CONSTRAINT ck_join_link_role CHECK (role IN ('patient', 'guardian', 'practitioner'))
        )
        """
    )
    op.execute("CREATE INDEX ix_join_link_appointment_id ON join_link (appointment_id)")
    op.execute(CONSULTATION_BY_LINK)
    op.execute("REVOKE DELETE ON room, room_presence, join_link FROM telehealth_app")
    op.execute("REVOKE UPDATE ON room_message FROM telehealth_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION consultation_by_link(bytea, timestamptz)")
    op.execute("DROP TABLE join_link")
    op.execute("DROP TABLE room_message")
    op.execute("DROP TABLE room_presence")
    op.execute("DROP TABLE room")
