"""Rooms: when they are open, who was in them, and the log that joins two realtime processes.

The realtime process reads and writes these tables by its own statements (realtime/store.py).
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from telehealth.core.ids import new_id
from telehealth.core.join_ticket import ParticipantRole
from telehealth.core.orm import Base, one_of


class RoomKind(StrEnum):
    """What a room is for."""

    CONSULTATION = "consultation"
    CONFERENCE = "conference"


class EndReason(StrEnum):
    """Why a room closed."""

    ENDED = "ended"
    TIME = "time"
    CANCELLED = "cancelled"


class Departure(StrEnum):
    """Why a presence ended."""

    LEFT = "left"
    VANISHED = "vanished"
    REPLACED = "replaced"
    ENDED = "ended"


class MessageKind(StrEnum):
    """What a line of a room's log tells."""

    JOINED = "joined"
    LEFT = "left"
    RELAY = "relay"


class Room(Base):
    """A place where people meet by video, from `opens_at` until it ends or its time is over.

    `last_seq` numbers the log; its row lock is held until commit, so that numbers appear in their order.
    """

    __tablename__ = "room"
    __table_args__ = (
        CheckConstraint(one_of("kind", RoomKind), name="kind"),
        CheckConstraint("opens_at < closes_at", name="window"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end"),
        CheckConstraint(one_of("end_reason", EndReason), name="end_reason"),
        Index(
            "uq_room_appointment_id",
            "appointment_id",
            unique=True,
            postgresql_where=text("appointment_id IS NOT NULL"),
        ),
        Index("ix_room_closes_at", "closes_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    appointment_id: Mapped[UUID | None] = mapped_column(ForeignKey("appointment.id"))
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime]


class RoomPresence(Base):
    """A stretch of time in which one opened page (`client_id`) of a participant was in the room.

    `heard` is the highest message number taken from the page, `joined_seq` the line of the log that
    introduced it. Holds no name: it outlives the log.
    """

    __tablename__ = "room_presence"
    __table_args__ = (
        CheckConstraint(one_of("role", ParticipantRole), name="role"),
        CheckConstraint("(left_at IS NULL) = (departure IS NULL)", name="left"),
        CheckConstraint(one_of("departure", Departure), name="departure"),
        CheckConstraint("left_at >= joined_at", name="times"),
        Index(
            "uq_room_presence_live",
            "room_id",
            "participant_id",
            unique=True,
            postgresql_where=text("left_at IS NULL"),
        ),
        Index("ix_room_presence_client_id", "client_id", "joined_at"),
        Index("ix_room_presence_room_id", "room_id", "joined_at"),
        Index("ix_room_presence_last_seen_at", "last_seen_at", postgresql_where=text("left_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    room_id: Mapped[UUID] = mapped_column(ForeignKey("room.id"))
    participant_id: Mapped[UUID]
    role: Mapped[str]
    client_id: Mapped[UUID]
    connection_id: Mapped[UUID]
    ticket_jti: Mapped[UUID]
    joined_seq: Mapped[int] = mapped_column(BigInteger)
    heard: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    joined_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    departure: Mapped[str | None]


class RoomMessage(Base):
    """One line of a room's log, sealed; to everybody when `addressee` is null. Deleted after the room."""

    __tablename__ = "room_message"
    __table_args__ = (
        CheckConstraint(one_of("kind", MessageKind), name="kind"),
        Index("ix_room_message_created_at", "created_at"),
    )

    room_id: Mapped[UUID] = mapped_column(ForeignKey("room.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    sender: Mapped[UUID]
    addressee: Mapped[UUID | None]
    body: Mapped[bytes]
    created_at: Mapped[datetime]


class JoinLink(Base):
    """A link in a message that opens one consultation for one participant; stored hashed, single purpose.

    It may be opened again (a phone that restarts), until it expires or is revoked.
    """

    __tablename__ = "join_link"
    __table_args__ = (
        CheckConstraint(one_of("role", ParticipantRole), name="role"),
        UniqueConstraint("token_hash"),
        Index("ix_join_link_appointment_id", "appointment_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes]
    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("appointment.id"))
    participant_id: Mapped[UUID]
    role: Mapped[str]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
