"""Every SQL statement of the realtime process, and nothing else.

`app_clock()` is the database's clock; room windows and presences are measured by it alone, so that workers
on several machines agree. A room's log is numbered by `room.last_seq`, whose row lock is held until commit:
numbers become visible in their order, and a reader that saw one has missed none before it.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.ids import new_id
from telehealth.core.join_ticket import ParticipantRole
from telehealth.realtime.rooms import Departure, Presence, Room

BOARD_REPLAY = 50
BOARD_RECENT = 400

_PRESENT = """
    SELECT p.client_id, p.participant_id, p.role, p.ticket_jti, m.seq, m.body
    FROM room_presence p JOIN room_message m ON (m.room_id, m.seq) = (p.room_id, p.joined_seq)
    WHERE p.room_id = %(room)s AND p.left_at IS NULL
    ORDER BY p.joined_seq
"""

_APPEND = """
    WITH next AS (
        UPDATE room SET last_seq = last_seq + 1 WHERE id = %(room)s RETURNING last_seq
    ), row AS (
        INSERT INTO room_message (room_id, seq, kind, sender, addressee, body, created_at)
        SELECT %(room)s, last_seq, %(kind)s, %(sender)s, %(to)s, %(body)s, app_clock() FROM next
        RETURNING seq
    )
    SELECT seq, pg_notify('room', %(room)s::text) FROM row
"""

# Everything that locks both takes the room's row before a presence's.
_RELAY = """
    WITH fit AS (
        SELECT r.id,
               EXISTS (SELECT FROM room_presence
                       WHERE client_id = %(sender)s AND room_id = r.id AND left_at IS NULL
                         AND connection_id = %(connection)s) AS present,
               %(to)s::uuid IS NULL OR EXISTS (SELECT FROM room_presence
                       WHERE client_id = %(to)s AND room_id = r.id) AS known
        FROM room r WHERE r.id = %(room)s AND r.ended_at IS NULL
    ), next AS (
        UPDATE room SET last_seq = last_seq + 1 FROM fit
        WHERE room.id = fit.id AND room.ended_at IS NULL AND fit.present AND fit.known
        RETURNING room.last_seq
    ), fresh AS (
        UPDATE room_presence SET heard = %(n)s, last_seen_at = app_clock()
        FROM next
        WHERE client_id = %(sender)s AND left_at IS NULL AND heard < %(n)s
        RETURNING next.last_seq
    ), row AS (
        INSERT INTO room_message (room_id, seq, kind, sender, addressee, body, created_at)
        SELECT %(room)s, last_seq, 'relay', %(sender)s, %(to)s, %(body)s, app_clock() FROM fresh
        RETURNING seq
    )
    SELECT fit.present, fit.known, (SELECT pg_notify('room', %(room)s::text)::text FROM row)
    FROM fit
"""

_TOUCH = """
    UPDATE room_presence p
    SET last_seen_at = greatest(p.last_seen_at, app_clock() - heard.age)
    FROM unnest(%(connections)s::uuid[], %(ages)s::interval[]) AS heard (connection_id, age)
    WHERE p.connection_id = heard.connection_id AND p.left_at IS NULL
"""

_VANISHED = """
    SELECT room_id, client_id FROM room_presence
    WHERE left_at IS NULL AND last_seen_at < app_clock() - %(silence)s
    ORDER BY room_id LIMIT 200
"""

_END_OVERDUE = """
    WITH overdue AS (
        SELECT id FROM room WHERE ended_at IS NULL AND closes_at <= app_clock()
        FOR UPDATE SKIP LOCKED LIMIT 200
    ), ended AS (
        UPDATE room SET ended_at = closes_at, end_reason = 'time'
        FROM overdue WHERE room.id = overdue.id RETURNING room.id
    )
    SELECT count(pg_notify('room', id::text)::text) FROM ended
"""

_EMPTY_ENDED = """
    UPDATE room_presence p
    SET left_at = greatest(p.joined_at, least(app_clock(), r.ended_at)), departure = 'ended'
    FROM room r
    WHERE r.id = p.room_id AND r.ended_at IS NOT NULL AND p.left_at IS NULL
"""

_FORGET = """
    DELETE FROM room_message m USING room r
    WHERE r.id = m.room_id
      AND (r.ended_at < app_clock() - interval '1 minute'
           OR (m.kind = 'relay' AND m.created_at < app_clock() - interval '3 minutes')
           OR (m.created_at < app_clock() - interval '3 minutes'
               AND NOT EXISTS (SELECT FROM room_presence p
                               WHERE p.room_id = m.room_id AND p.joined_seq = m.seq AND p.left_at IS NULL)))
"""


_TODAY = "business_date = (app_clock() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"

# A board of an area sees the calls of its queues and rooms; `area` null is the whole facility.
_SHOWN = """(%(queues)s::uuid[] IS NULL OR queue_id = ANY (%(queues)s::uuid[])
             OR service_point_id = ANY (%(rooms)s::uuid[])
             OR (kind = 'area' AND body->>'area' = %(code)s::text))"""

_BOARD_AFTER = f"""
    SELECT seq, kind, body, created_at, queue_id, service_point_id FROM board_event
    WHERE facility_id = %(facility)s AND seq > %(after)s AND {_TODAY} AND {_SHOWN}
    ORDER BY seq LIMIT %(limit)s
"""

# The last rows by their number first: the day alone has no index, and a board's history is long.
_BOARD_LAST = f"""
    SELECT seq, kind, body, created_at, queue_id, service_point_id FROM (
        SELECT seq, kind, body, created_at, queue_id, service_point_id, business_date FROM board_event
        WHERE facility_id = %(facility)s ORDER BY seq DESC LIMIT %(limit)s
    ) last
    WHERE kind <> 'area' AND {_TODAY} AND {_SHOWN}
    ORDER BY seq
"""

_AREA = """
    SELECT a.code, coalesce(array_agg(q.queue_id) FILTER (WHERE q.queue_id IS NOT NULL), '{}') AS queues,
           (SELECT coalesce(array_agg(r.service_point_id), '{}')
              FROM board_area_room r WHERE r.area_id = a.id) AS rooms
    FROM board_area a LEFT JOIN board_area_queue q ON q.area_id = a.id
    WHERE a.facility_id = %(facility)s AND a.code = %(code)s
    GROUP BY a.id
"""


@dataclass(frozen=True, slots=True)
class Occupant:
    """A live presence and how the person was introduced."""

    presence: Presence
    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """One row of a room's log; `addressee` None means everybody."""

    seq: int
    kind: str
    sender: UUID
    addressee: UUID | None
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of one socket's presence, as the rows say."""

    client_id: UUID
    connection_id: UUID
    departure: Departure | None


@dataclass(frozen=True, slots=True)
class News:
    """What happened in a room after a number."""

    messages: tuple[Message, ...]
    standings: tuple[Standing, ...]
    ended: str | None
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Relayed:
    """Why a relay was or was not taken; a number heard before is neither an error nor sent twice."""

    room_open: bool
    present: bool
    known: bool


@dataclass(frozen=True, slots=True)
class BoardArea:
    """The queues and rooms that a board of an area shows."""

    code: str
    queues: Collection[UUID]
    rooms: Collection[UUID]


@dataclass(frozen=True, slots=True)
class BoardEvent:
    """One event of a facility's board."""

    seq: int
    kind: str
    body: Mapping[str, Any]
    created_at: datetime
    queue_id: UUID | None
    service_point_id: UUID | None


@dataclass(frozen=True, slots=True)
class TicketPlace:
    """A queue ticket as its follower may hear of it."""

    id: UUID
    queue_id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class _PresenceRow:
    client_id: UUID
    participant_id: UUID
    role: str
    ticket_jti: UUID
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _MessageRow:
    seq: int
    kind: str
    sender: UUID
    addressee: UUID | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _StandingRow:
    client_id: UUID
    connection_id: UUID
    departure: str | None


class RoomTransaction:
    """One room, locked: what is decided about it is true until the block ends."""

    def __init__(
        self,
        connection: AsyncConnection,
        cipher: FieldCipher,
        room: Room,
        occupants: Sequence[Occupant],
        now: datetime,
    ) -> None:
        self._connection = connection
        self._cipher = cipher
        self.room = room
        self.occupants = tuple(occupants)
        self.now = now

    async def last_presence(self, client_id: UUID) -> tuple[Presence, int] | None:
        """Return the client's latest presence in this room and the last number heard from it."""
        cursor = await self._connection.execute(
            """
            SELECT participant_id, role, ticket_jti, departure, heard FROM room_presence
            WHERE client_id = %s AND room_id = %s ORDER BY joined_at DESC LIMIT 1
            """,
            (client_id, self.room.id),
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        participant_id, role, jti, departure, heard = row
        departed = None if departure is None else Departure(departure)
        return Presence(client_id, participant_id, ParticipantRole(role), jti, departed), heard

    async def join(self, presence: Presence, connection_id: UUID, name: str, *, heard: int = 0) -> int:
        """Write a new presence and its introduction; return the introduction's number."""
        introduction = {
            "client": str(presence.client_id),
            "participant": str(presence.participant_id),
            "role": presence.role.value,
            "name": name,
        }
        seq = await _append(
            self._connection,
            self._cipher,
            self.room.id,
            kind="joined",
            sender=presence.client_id,
            body=introduction,
        )
        await self._connection.execute(
            """
            INSERT INTO room_presence (id, room_id, participant_id, role, client_id, connection_id,
                                       ticket_jti, joined_seq, heard, joined_at, last_seen_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, app_clock(), app_clock())
            """,
            (
                new_id(),
                self.room.id,
                presence.participant_id,
                presence.role.value,
                presence.client_id,
                connection_id,
                presence.ticket_jti,
                seq,
                heard,
            ),
        )
        return seq

    async def reconnect(self, client_id: UUID, connection_id: UUID) -> None:
        """Give a live presence a new socket; the old one, wherever it is, learns it from the row."""
        await self._connection.execute(
            """
            UPDATE room_presence SET connection_id = %s, last_seen_at = app_clock()
            WHERE client_id = %s AND left_at IS NULL
            """,
            (connection_id, client_id),
        )
        await self._connection.execute("SELECT pg_notify('room', %s)", (str(self.room.id),))

    async def head(self) -> int:
        """Return the number of the log's last message."""
        cursor = await self._connection.execute("SELECT last_seq FROM room WHERE id = %s", (self.room.id,))
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def depart(self, client_id: UUID, departure: Departure) -> None:
        """End the client's live presence and tell the room."""
        cursor = await self._connection.execute(
            """
            UPDATE room_presence SET left_at = app_clock(), departure = %s
            WHERE client_id = %s AND left_at IS NULL
            """,
            (departure.value, client_id),
        )
        if cursor.rowcount:
            await self._tell_left(client_id, departure)

    async def vanish(self, client_id: UUID, silence: timedelta) -> bool:
        """End the presence of a client unheard of for `silence`, as of when it was last heard."""
        cursor = await self._connection.execute(
            """
            UPDATE room_presence SET left_at = last_seen_at, departure = 'vanished'
            WHERE client_id = %s AND left_at IS NULL AND last_seen_at < app_clock() - %s
            """,
            (client_id, silence),
        )
        if cursor.rowcount:
            await self._tell_left(client_id, Departure.VANISHED)
        return bool(cursor.rowcount)

    async def _tell_left(self, client_id: UUID, departure: Departure) -> None:
        body = {"client": str(client_id), "reason": departure.value}
        await _append(self._connection, self._cipher, self.room.id, kind="left", sender=client_id, body=body)


class Store:
    """The rooms, boards and queue tickets in PostgreSQL."""

    def __init__(self, pool: AsyncConnectionPool, cipher: FieldCipher) -> None:
        self._pool = pool
        self._cipher = cipher

    @asynccontextmanager
    async def room_for_update(self, room_id: UUID) -> AsyncIterator[RoomTransaction | None]:
        """Lock a room for one transaction; None when there is no such room."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "SELECT opens_at, closes_at, ended_at, app_clock() FROM room WHERE id = %s FOR UPDATE",
                (room_id,),
            )
            row = await cursor.fetchone()
            if row is None:
                yield None
                return
            opens_at, closes_at, ended_at, now = row
            occupants = await self._occupants(connection, room_id)
            present = tuple(occupant.presence for occupant in occupants)
            room = Room(room_id, opens_at, closes_at, ended_at, present)
            yield RoomTransaction(connection, self._cipher, room, occupants, now)

    async def _occupants(self, connection: AsyncConnection, room_id: UUID) -> list[Occupant]:
        async with connection.cursor(row_factory=class_row(_PresenceRow)) as cursor:
            await cursor.execute(_PRESENT, {"room": room_id})
            rows = await cursor.fetchall()
        return [
            Occupant(
                Presence(row.client_id, row.participant_id, ParticipantRole(row.role), row.ticket_jti),
                str(_unseal(self._cipher, row.body, room_id)["name"]),
            )
            for row in rows
        ]

    async def relay(
        self,
        room_id: UUID,
        *,
        sender: UUID,
        connection_id: UUID,
        n: int,
        to: UUID | None,
        body: Mapping[str, Any],
    ) -> Relayed:
        """Put one client's message into the room's log, once."""
        parameters = {
            "room": room_id,
            "sender": sender,
            "connection": connection_id,
            "n": n,
            "to": to,
            "body": _seal(self._cipher, body, room_id),
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_RELAY, parameters)
            row = await cursor.fetchone()
        if row is None:
            return Relayed(room_open=False, present=False, known=False)
        return Relayed(room_open=True, present=row[0], known=row[1])

    async def news(self, room_id: UUID, *, after: int, connections: Sequence[UUID]) -> News | None:
        """Return what a worker with these sockets has to know of a room; None when the room is gone."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT end_reason, closes_at FROM room WHERE id = %s", (room_id,)
            )
            room = await cursor.fetchone()
            if room is None:
                return None
            messages = await self._messages(connection, room_id, after)
            async with connection.cursor(row_factory=class_row(_StandingRow)) as standing_cursor:
                await standing_cursor.execute(
                    """
                    SELECT DISTINCT ON (client_id) client_id, connection_id, departure FROM room_presence
                    WHERE room_id = %s
                      AND client_id IN (SELECT client_id FROM room_presence WHERE connection_id = ANY(%s))
                    ORDER BY client_id, joined_at DESC
                    """,
                    (room_id, list(connections)),
                )
                rows = await standing_cursor.fetchall()
        standings = tuple(
            Standing(
                row.client_id, row.connection_id, None if row.departure is None else Departure(row.departure)
            )
            for row in rows
        )
        return News(messages, standings, room[0], room[1])

    async def _messages(self, connection: AsyncConnection, room_id: UUID, after: int) -> tuple[Message, ...]:
        async with connection.cursor(row_factory=class_row(_MessageRow)) as cursor:
            await cursor.execute(
                """
                SELECT seq, kind, sender, addressee, body FROM room_message
                WHERE room_id = %s AND seq > %s ORDER BY seq
                """,
                (room_id, after),
            )
            rows = await cursor.fetchall()
        return tuple(
            Message(row.seq, row.kind, row.sender, row.addressee, _unseal(self._cipher, row.body, room_id))
            for row in rows
        )

    async def touch(self, ages: Mapping[UUID, timedelta]) -> None:
        """Record how long ago each socket was last heard."""
        if not ages:
            return
        async with self._pool.connection() as connection:
            await connection.execute(_TOUCH, {"connections": list(ages), "ages": list(ages.values())})

    async def vanished(self, silence: timedelta) -> list[tuple[UUID, UUID]]:
        """Return (room, client) of presences that nobody heard of for `silence`."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_VANISHED, {"silence": silence})
            return [(row[0], row[1]) for row in await cursor.fetchall()]

    async def end_overdue(self) -> int:
        """End rooms whose time is over and the presences of ended rooms; return how many rooms ended."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(_END_OVERDUE)
            row = await cursor.fetchone()
            await connection.execute(_EMPTY_ENDED)
        return int(row[0]) if row else 0

    async def forget_messages(self) -> None:
        """Delete what no page can ask for any more; names and addresses do not outlive the room."""
        async with self._pool.connection() as connection:
            await connection.execute(_FORGET)

    async def facility_id(self, code: str) -> UUID | None:
        """Return the facility a board belongs to."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT id FROM facility WHERE code = %s", (code,))
            row = await cursor.fetchone()
        return None if row is None else row[0]

    async def board_area(self, facility_id: UUID, code: str) -> BoardArea | None:
        """Return an area of a facility by its address."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_AREA, {"facility": facility_id, "code": code})
            row = await cursor.fetchone()
        return None if row is None else BoardArea(row[0], frozenset(row[1]), frozenset(row[2]))

    async def board_events(
        self, facility_id: UUID, *, after: int, area: BoardArea | None = None
    ) -> list[BoardEvent]:
        """Return today's events of a board after a number, oldest first, at most `BOARD_REPLAY` + 1."""
        return await self._board(_BOARD_AFTER, facility_id, area, {"after": after, "limit": BOARD_REPLAY + 1})

    async def board_last(self, facility_id: UUID, area: BoardArea | None = None) -> list[BoardEvent]:
        """Return what of a facility's last events a board shows today, oldest first."""
        return await self._board(_BOARD_LAST, facility_id, area, {"limit": BOARD_RECENT})

    async def board_head(self, facility_id: UUID) -> int:
        """Return the number of the board's last event, 0 when it never had one."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT coalesce(max(seq), 0) FROM board_event WHERE facility_id = %s", (facility_id,)
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def _board(
        self,
        statement: LiteralString,
        facility_id: UUID,
        area: BoardArea | None,
        parameters: Mapping[str, Any],
    ) -> list[BoardEvent]:
        shown = {
            "facility": facility_id,
            "code": area.code if area else None,
            "queues": list(area.queues) if area else None,
            "rooms": list(area.rooms) if area else None,
        }
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(BoardEvent)) as cursor,
        ):
            await cursor.execute(statement, {**shown, **parameters})
            return await cursor.fetchall()

    async def ticket(self, public_token: str) -> TicketPlace | None:
        """Return the queue ticket that a public token follows."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT id, queue_id, status FROM ticket_by_token(ticket_now(%s))",
                (token_hash(public_token),),
            )
            row = await cursor.fetchone()
        return None if row is None else TicketPlace(*row)

    async def ticket_statuses(self, ticket_ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the status of each of these tickets."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT id, status FROM ticket_statuses(%s)", (list(ticket_ids),)
            )
            return {row[0]: row[1] for row in await cursor.fetchall()}

    async def now(self) -> datetime:
        """Return the database's clock."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT app_clock()")
            row = await cursor.fetchone()
        if row is None:
            raise LookupError
        instant: datetime = row[0]
        return instant

    async def ready(self) -> bool:
        """Tell whether the database answers."""
        async with self._pool.connection(timeout=2) as connection:
            await connection.execute("SELECT 1")
        return True


async def _append(
    connection: AsyncConnection,
    cipher: FieldCipher,
    room_id: UUID,
    *,
    kind: str,
    sender: UUID,
    body: Mapping[str, Any],
) -> int:
    cursor = await connection.execute(
        _APPEND,
        {"room": room_id, "kind": kind, "sender": sender, "to": None, "body": _seal(cipher, body, room_id)},
    )
    row = await cursor.fetchone()
    if row is None:
        msg = f"room {room_id} is gone"
        raise LookupError(msg)
    return int(row[0])


def _seal(cipher: FieldCipher, body: Mapping[str, Any], room_id: UUID) -> bytes:
    """Session descriptions hold home addresses and introductions hold names: rows keep ciphertext only."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return cipher.seal(text.encode(), _context(room_id))


def _unseal(cipher: FieldCipher, sealed: bytes, room_id: UUID) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(cipher.open(bytes(sealed), _context(room_id)))
    return body


def _context(room_id: UUID) -> bytes:
    return b"room_message.body:" + room_id.bytes
