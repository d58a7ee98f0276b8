"""The clients of a room that are connected to this worker, and the room's log as it reaches them.

Rows are the truth: a hint makes the worker read what is new, hand each message to the clients it is for, and
let go of sockets whose presence has ended or moved to another socket.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from telehealth.core.join_ticket import ParticipantRole
from telehealth.realtime.bus import Bus, Refresher
from telehealth.realtime.protocol import Close, frame
from telehealth.realtime.rooms import Departure, Presence, is_polite
from telehealth.realtime.store import Message, News, Occupant, Standing, Store

OUTBOX = 512


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last thing in an outbox: close the socket with this code."""

    code: Close
    reason: str


@dataclass(eq=False, slots=True)
class Peer:
    """One socket of one client. Messages are put into `outbox`; its socket's task writes them.

    `position` is the number of the room's log up to which it has been told, `welcomed_at` the number its
    welcome speaks of; a page that resumes stands before it.
    """

    room_id: UUID
    presence: Presence
    connection_id: UUID
    position: int
    welcomed_at: int
    heard_at: float
    outbox: asyncio.Queue[str | Farewell] = field(default_factory=lambda: asyncio.Queue(OUTBOX))
    parted: bool = False

    @property
    def client_id(self) -> UUID:
        """Return the page this socket belongs to."""
        return self.presence.client_id

    def say(self, text: str) -> None:
        """Queue one message; a client that does not read is let go and may resume."""
        if self.parted:
            return
        if self.outbox.qsize() >= OUTBOX - 1:
            self.part(Close.TRY_LATER, "slow")
            return
        self.outbox.put_nowait(text)

    def part(self, code: Close, reason: str, last_words: str | None = None) -> None:
        """Say the last words and close; nothing more is sent after that."""
        if self.parted:
            return
        self.parted = True
        while self.outbox.qsize() > OUTBOX - 2:
            self.outbox.get_nowait()
        if last_words is not None:
            self.outbox.put_nowait(last_words)
        self.outbox.put_nowait(Farewell(code, reason))


class LiveRoom:
    """A room as this worker serves it."""

    def __init__(self, room_id: UUID, store: Store) -> None:
        self.id = room_id
        self.closes_at: datetime | None = None
        self.warned = False
        self.peers: dict[UUID, Peer] = {}
        self._store = store
        self._seen: int | None = None
        self._lock = asyncio.Lock()

    def attach(self, peer: Peer) -> None:
        """Begin to serve a client from its position in the log on."""
        former = self.peers.get(peer.client_id)
        if former is not None:
            former.part(Close.REPLACED, "superseded")
        self.peers[peer.client_id] = peer
        self._seen = peer.position if self._seen is None else min(self._seen, peer.position)

    def detach(self, peer: Peer) -> None:
        """Stop serving that socket."""
        if self.peers.get(peer.client_id) is peer:
            del self.peers[peer.client_id]

    async def refresh(self) -> None:
        """Read what is new and pass it on."""
        async with self._lock:
            if self._seen is None or not self.peers:
                return
            connections = [peer.connection_id for peer in self.peers.values()]
            news = await self._store.news(self.id, after=self._seen, connections=connections)
            if news is not None:
                self._pass_on(news)

    def _pass_on(self, news: News) -> None:
        for message in news.messages:
            for peer in self.peers.values():
                self._deliver(message, peer)
        self._seen = max([self._seen or 0, *(message.seq for message in news.messages)])
        if news.ended is not None:
            self._end(news.ended)
            return
        self._note_closing_time(news.closes_at)
        for standing in news.standings:
            self._settle(standing)

    def _deliver(self, message: Message, peer: Peer) -> None:
        if message.seq <= peer.position:
            return
        peer.position = message.seq
        if message.kind != "relay" and message.seq <= peer.welcomed_at:
            return  # the roster in its welcome says so already
        if message.sender != peer.client_id and message.addressee in {None, peer.client_id}:
            peer.say(_told(message, peer.presence))

    def _end(self, reason: str) -> None:
        for peer in self.peers.values():
            peer.part(Close.ENDED, "ended", frame("ended", reason=reason))

    def _note_closing_time(self, closes_at: datetime) -> None:
        if self.closes_at is not None and self.closes_at != closes_at:
            self.warned = False
            self.tell(frame("closing", closes_at=closes_at.isoformat()))
        self.closes_at = closes_at

    def _settle(self, standing: Standing) -> None:
        peer = self.peers.get(standing.client_id)
        if peer is None:
            return
        if standing.departure is Departure.REPLACED:
            peer.part(Close.REPLACED, "replaced", frame("replaced"))
        elif standing.departure is not None:
            peer.part(Close.TRY_LATER, standing.departure.value)
        elif standing.connection_id != peer.connection_id:
            peer.part(Close.REPLACED, "superseded")

    def tell(self, text: str) -> None:
        """Say the same to every client here."""
        for peer in self.peers.values():
            peer.say(text)


@dataclass(slots=True)
class _Served:
    room: LiveRoom
    refresher: Refresher
    task: asyncio.Task[None]


class LiveRooms:
    """The rooms this worker has clients in. A room is listened for while it has one."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._served: dict[UUID, _Served] = {}

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter([served.room for served in self._served.values()])

    def peers(self) -> list[Peer]:
        """Return every socket of this worker."""
        return [peer for served in self._served.values() for peer in served.room.peers.values()]

    def attach(self, peer: Peer) -> None:
        """Begin to serve a client."""
        served = self._served.get(peer.room_id) or self._serve(peer.room_id)
        served.room.attach(peer)
        served.refresher.hint()

    def detach(self, peer: Peer) -> None:
        """Stop serving a client, and its room with the last one."""
        served = self._served.get(peer.room_id)
        if served is None:
            return
        served.room.detach(peer)
        if not served.room.peers:
            self._bus.unsubscribe("room", str(peer.room_id), served.refresher.hint)
            served.refresher.stop()
            del self._served[peer.room_id]

    def _serve(self, room_id: UUID) -> _Served:
        room = LiveRoom(room_id, self._store)
        refresher = Refresher(room.refresh)
        self._bus.subscribe("room", str(room_id), refresher.hint)
        served = _Served(room, refresher, asyncio.create_task(refresher.run(), name=f"room {room_id}"))
        self._served[room_id] = served
        return served

    def close(self) -> None:
        """Ask every client to come back elsewhere, and stop."""
        for peer in self.peers():
            peer.part(Close.RESTART, "restart")


def introduction(occupant: Occupant, to: Presence) -> dict[str, Any]:
    """Return how one client is described to another; `polite` speaks of the reader."""
    return _introduced(
        {
            "client": str(occupant.presence.client_id),
            "participant": str(occupant.presence.participant_id),
            "role": occupant.presence.role.value,
            "name": occupant.name,
        },
        to,
    )


def _introduced(body: dict[str, Any], to: Presence) -> dict[str, Any]:
    theirs = Presence(
        UUID(body["client"]), UUID(body["participant"]), ParticipantRole(body["role"]), to.ticket_jti
    )
    return {**body, "polite": is_polite(to, theirs)}


def _joined(message: Message, to: Presence) -> str:
    return frame("joined", seq=message.seq, peer=_introduced(dict(message.body), to))


def _left(message: Message, to: Presence) -> str:
    return frame("left", seq=message.seq, **message.body)


def _relayed(message: Message, to: Presence) -> str:
    body = dict(message.body)
    return frame(body.pop("kind"), seq=message.seq, **{"from": str(message.sender)}, **body)


_TELL: dict[str, Callable[[Message, Presence], str]] = {"joined": _joined, "left": _left, "relay": _relayed}


def _told(message: Message, to: Presence) -> str:
    return _TELL[message.kind](message, to)
