"""Who may be in a room: a pure state machine, without sockets, SQL or a clock of its own.

A *client* is one opened page. A *presence* is a stretch of time in which one client is in the room; a client
that vanished and came back has two. One participant has at most one live presence.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from telehealth.core.join_ticket import JoinTicket, ParticipantRole


class Departure(StrEnum):
    """Why a presence ended."""

    LEFT = "left"
    VANISHED = "vanished"
    REPLACED = "replaced"
    ENDED = "ended"


class Seat(StrEnum):
    """A consultation has one seat on each side; a second person of a side waits for the first to go."""

    FAMILY = "family"
    CARE = "care"


SEAT_OF: dict[ParticipantRole, Seat] = {
    ParticipantRole.PATIENT: Seat.FAMILY,
    ParticipantRole.GUARDIAN: Seat.FAMILY,
    ParticipantRole.PRACTITIONER: Seat.CARE,
}


class RoomRefused(Exception):
    """The room does not let this person in now; `code` is part of the protocol."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Presence:
    """One client in the room from `joined` until `departure`."""

    client_id: UUID
    participant_id: UUID
    role: ParticipantRole
    ticket_jti: UUID
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it stands: its window, its end, and the live presences."""

    id: UUID
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None
    present: tuple[Presence, ...] = ()

    def of_participant(self, participant_id: UUID) -> Presence | None:
        """Return the live presence of that person, if any."""
        return next((p for p in self.present if p.participant_id == participant_id), None)

    def of_client(self, client_id: UUID) -> Presence | None:
        """Return the live presence of that page, if any."""
        return next((p for p in self.present if p.client_id == client_id), None)


@dataclass(frozen=True, slots=True)
class Admission:
    """What letting somebody in does to the room."""

    room: Room
    presence: Presence
    replaces: UUID | None
    """The client of the same person that has to go."""


def check_open(room: Room, now: datetime) -> None:
    """Raise RoomRefused unless the room can be entered at `now`."""
    if room.ended_at is not None or now >= room.closes_at:
        raise RoomRefused("room-ended")
    if now < room.opens_at:
        raise RoomRefused("room-not-open")


def admit(room: Room, ticket: JoinTicket, client_id: UUID, now: datetime) -> Admission:
    """Give the ticket's holder a seat for a new client.

    The same person on another page is replaced; nobody else is ever moved. Raises RoomRefused
    (`room-not-open`, `room-ended`, `room-full`, `wrong-room`).
    """
    if ticket.room_id != room.id:
        raise RoomRefused("wrong-room")
    check_open(room, now)
    former = room.of_participant(ticket.participant_id)
    others = tuple(p for p in room.present if p is not former)
    if any(SEAT_OF[p.role] is SEAT_OF[ticket.role] for p in others):
        raise RoomRefused("room-full")
    presence = Presence(client_id, ticket.participant_id, ticket.role, ticket.jti)
    return Admission(
        room=replace(room, present=(*others, presence)),
        presence=presence,
        replaces=None if former is None else former.client_id,
    )


def may_resume(last: Presence | None, ticket: JoinTicket) -> bool:
    """Tell whether the ticket's holder is the one who was there as this client.

    An expired ticket still names its own client: the ticket's life bounds the first entry only. Raises
    RoomRefused (`replaced`) for a page whose person has since opened another, so that two pages of one person
    do not throw each other out for ever.
    """
    if last is None or (last.participant_id, last.ticket_jti) != (ticket.participant_id, ticket.jti):
        return False
    if last.departure is Departure.REPLACED:
        raise RoomRefused("replaced")
    return last.departure in {None, Departure.VANISHED}


def leave(room: Room, client_id: UUID) -> Room:
    """Return the room without that client."""
    return replace(room, present=tuple(p for p in room.present if p.client_id != client_id))


def end(room: Room, now: datetime) -> Room:
    """Return the room closed for good, with nobody in it; the first end stands."""
    return replace(room, ended_at=room.ended_at or now, present=())


def is_polite(mine: Presence, theirs: Presence) -> bool:
    """Tell which of two gives way when offers collide; the other one starts and restarts the connection.

    The practitioner's side is impolite: it has the better line as a rule and stays in the room longest.
    """
    if mine.role is theirs.role:
        return mine.client_id > theirs.client_id
    if ParticipantRole.PRACTITIONER in {mine.role, theirs.role}:
        return mine.role is not ParticipantRole.PRACTITIONER
    return mine.role > theirs.role
