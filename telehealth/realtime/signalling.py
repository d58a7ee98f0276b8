"""One WebSocket of `/rt/rooms`: handshake, entry, then messages through a table of handlers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from starlette.websockets import WebSocket, WebSocketDisconnect

from telehealth.core import join_ticket
from telehealth.core.ids import new_id
from telehealth.core.join_ticket import JoinTicket, TicketRefused
from telehealth.realtime import protocol, rooms
from telehealth.realtime.ice import ice_servers
from telehealth.realtime.limits import TokenBucket
from telehealth.realtime.peers import Farewell, LiveRooms, Peer, introduction
from telehealth.realtime.protocol import Close, Fault, Hello, Leave, Ping, ProtocolError, Relay, frame
from telehealth.realtime.rooms import Departure, Presence, RoomRefused
from telehealth.realtime.store import RoomTransaction, Store

logger = logging.getLogger(__name__)

HELLO_WITHIN = 5.0
PING_EVERY = timedelta(seconds=2)
SILENT_AFTER = timedelta(seconds=6)
MESSAGES_PER_SECOND = 30
MESSAGES_AT_ONCE = 150
CLOSING_WITHIN = 2.0

_ROOM_REFUSALS: Mapping[str, tuple[Fault, Close]] = {
    "room-full": (Fault.ROOM, Close.FULL),
    "room-ended": (Fault.ROOM, Close.ENDED),
    "room-not-open": (Fault.ROOM, Close.TRY_LATER),
    "replaced": (Fault.CLIENT, Close.REPLACED),
    "wrong-room": (Fault.CLIENT, Close.TICKET),
}


@dataclass(frozen=True, slots=True)
class Signalling:
    """What every socket shares."""

    store: Store
    live: LiveRooms
    ticket_key: bytes
    origins: frozenset[str]
    turn_urls: tuple[str, ...]
    turn_secret: str


async def serve(socket: WebSocket, shared: Signalling) -> None:
    """Serve one socket from its handshake to its end."""
    if socket.headers.get("origin") not in shared.origins:
        await socket.close()  # refused before it is accepted: the browser sees a failed handshake
        return
    await socket.accept()
    try:
        peer = await _enter(socket, shared)
    except ProtocolError as error:
        await _refuse(socket, error)
        return
    except (psycopg.Error, PoolTimeout) as error:
        logger.warning("signalling: nobody can enter (%s)", type(error).__name__)
        await _refuse(socket, ProtocolError("unavailable", Fault.SERVER, Close.TRY_LATER))
        return
    except WebSocketDisconnect:
        return
    await _Session(socket, shared, peer).run()


async def _refuse(socket: WebSocket, error: ProtocolError) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSING_WITHIN):
            await socket.send_text(protocol.error_frame(error))
            await socket.close(error.close or Close.PROTOCOL, error.code)


async def _enter(socket: WebSocket, shared: Signalling) -> Peer:
    """Read the hello, take the seat, and queue the welcome. Raises ProtocolError."""
    hello = await _hello(socket)
    protocol.chosen_version(hello.versions)
    try:
        ticket = join_ticket.decode(hello.ticket, shared.ticket_key)
        async with shared.store.room_for_update(ticket.room_id) as opened:
            if opened is None:
                raise RoomRefused("room-ended")
            entry = await _take_seat(opened, ticket, hello)
    except TicketRefused as error:
        raise ProtocolError(error.code, Fault.CLIENT, Close.TICKET) from error
    except RoomRefused as error:
        fault, close = _ROOM_REFUSALS[error.code]
        raise ProtocolError(error.code, fault, close) from error
    shared.live.attach(entry.peer)
    entry.peer.say(_welcome(entry, shared))
    return entry.peer


async def _hello(socket: WebSocket) -> Hello:
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            message = protocol.parse(await _receive(socket))
    except TimeoutError as error:
        raise ProtocolError("hello-expected", close=Close.SILENT) from error
    except ProtocolError as error:
        raise ProtocolError(error.code, error.fault, Close.PROTOCOL) from error
    if not isinstance(message, Hello):
        raise ProtocolError("hello-expected", close=Close.PROTOCOL)
    return message


async def _receive(socket: WebSocket) -> str | bytes:
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code") or 1005)
    text: str | None = event.get("text")
    return text if text is not None else bytes(event.get("bytes") or b"")


@dataclass(frozen=True, slots=True)
class _Entry:
    peer: Peer
    opened: RoomTransaction
    heard: int
    resumed: bool


async def _take_seat(opened: RoomTransaction, ticket: JoinTicket, hello: Hello) -> _Entry:
    """Resume where this page was, or join anew. Raises RoomRefused, TicketRefused."""
    rooms.check_open(opened.room, opened.now)
    if hello.resume is not None:
        last = await opened.last_presence(hello.resume.client)
        if rooms.may_resume(None if last is None else last[0], ticket) and last is not None:
            return await _resume(opened, ticket, last[0], last[1], seen=hello.resume.seen)
    join_ticket.check_time(ticket, opened.now)
    return await _join(opened, ticket, new_id(), heard=0, seen=None)


async def _resume(
    opened: RoomTransaction, ticket: JoinTicket, last: Presence, heard: int, *, seen: int
) -> _Entry:
    if last.departure is not None:
        return await _join(opened, ticket, last.client_id, heard=heard, seen=seen)
    connection_id = new_id()
    await opened.reconnect(last.client_id, connection_id)
    head = await opened.head()
    peer = _peer(opened, last, connection_id, position=min(seen, head), welcomed_at=head)
    return _Entry(peer, opened, heard, resumed=True)


async def _join(
    opened: RoomTransaction, ticket: JoinTicket, client_id: UUID, *, heard: int, seen: int | None
) -> _Entry:
    admission = rooms.admit(opened.room, ticket, client_id, opened.now)
    if admission.replaces is not None:
        await opened.depart(admission.replaces, Departure.REPLACED)
    connection_id = new_id()
    seq = await opened.join(admission.presence, connection_id, ticket.display_name, heard=heard)
    position = seq if seen is None else min(seen, seq)
    peer = _peer(opened, admission.presence, connection_id, position=position, welcomed_at=seq)
    return _Entry(peer, opened, heard, resumed=seen is not None)


def _peer(
    opened: RoomTransaction, presence: Presence, connection_id: UUID, *, position: int, welcomed_at: int
) -> Peer:
    return Peer(
        room_id=opened.room.id,
        presence=presence,
        connection_id=connection_id,
        position=position,
        welcomed_at=welcomed_at,
        heard_at=asyncio.get_running_loop().time(),
    )


def _welcome(entry: _Entry, shared: Signalling) -> str:
    peer, room = entry.peer, entry.opened.room
    others = [
        occupant
        for occupant in entry.opened.occupants
        if occupant.presence.participant_id != peer.presence.participant_id
    ]
    return frame(
        "welcome",
        version=protocol.VERSION,
        client=str(peer.client_id),
        participant=str(peer.presence.participant_id),
        role=peer.presence.role.value,
        resumed=entry.resumed,
        seq=peer.welcomed_at,
        heard=entry.heard,
        now=entry.opened.now.isoformat(),
        closes_at=room.closes_at.isoformat(),
        ping_ms=int(PING_EVERY.total_seconds() * 1000),
        silent_ms=int(SILENT_AFTER.total_seconds() * 1000),
        ice_servers=ice_servers(
            shared.turn_urls, shared.turn_secret, client=peer.client_id, until=room.closes_at
        ),
        peers=[introduction(occupant, peer.presence) for occupant in others],
    )


class _Session:
    """A socket that has entered: one task reads, one writes; the first to stop ends both."""

    def __init__(self, socket: WebSocket, shared: Signalling, peer: Peer) -> None:
        self.socket = socket
        self.store = shared.store
        self.peer = peer
        self._live = shared.live
        self._clock = asyncio.get_running_loop().time
        self._bucket = TokenBucket.full(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE, self._clock())

    async def run(self) -> None:
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._write())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._live.detach(self.peer)
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect | OSError):
                    logger.error("signalling: a socket failed", exc_info=outcome)

    async def _read(self) -> None:
        while not self.peer.parted:
            text = await _receive(self.socket)
            self.peer.heard_at = self._clock()
            try:
                await self._handle(text)
            except ProtocolError as error:
                self._complain(error)
        await asyncio.Event().wait()  # the writer has the last word

    async def _handle(self, text: str | bytes) -> None:
        if not self._bucket.take(self._clock()):
            raise ProtocolError("too-fast", close=Close.RATE)
        message = protocol.parse(text)
        await HANDLERS[type(message)](self, message)

    def _complain(self, error: ProtocolError) -> None:
        told = protocol.error_frame(error)
        if error.close is None:
            self.peer.say(told)
        else:
            self.peer.part(error.close, error.code, told)

    async def _write(self) -> None:
        while True:
            item = await self.peer.outbox.get()
            if isinstance(item, Farewell):
                async with asyncio.timeout(CLOSING_WITHIN):
                    await self.socket.close(item.code, item.reason)
                return
            await self.socket.send_text(item)


async def _again(session: _Session, message: Hello) -> None:
    raise ProtocolError("hello-twice", close=Close.PROTOCOL)


async def _pong(session: _Session, message: Ping) -> None:
    session.peer.say(frame("pong", t=message.t))


async def _relay(session: _Session, message: Relay) -> None:
    """Log the message, then acknowledge it: what was acknowledged survives this worker."""
    try:
        relayed = await session.store.relay(
            session.peer.room_id,
            sender=session.peer.client_id,
            connection_id=session.peer.connection_id,
            n=message.n,
            to=message.to,
            body={"kind": message.kind, **message.payload},
        )
    except (psycopg.Error, PoolTimeout) as error:
        raise ProtocolError("unavailable", Fault.SERVER, Close.TRY_LATER, message.n) from error
    if relayed.room_open and relayed.present and not relayed.known:
        raise ProtocolError("unknown-peer", Fault.CLIENT, n=message.n)
    if relayed.room_open and relayed.present:
        session.peer.say(frame("ack", n=message.n))


async def _leave(session: _Session, message: Leave) -> None:
    try:
        async with session.store.room_for_update(session.peer.room_id) as opened:
            if opened is not None:
                await opened.depart(session.peer.client_id, Departure.LEFT)
    except (psycopg.Error, PoolTimeout) as error:
        raise ProtocolError("unavailable", Fault.SERVER, Close.TRY_LATER) from error
    session.peer.part(Close.NORMAL, "left")


HANDLERS: Mapping[type[Any], Callable[[_Session, Any], Awaitable[None]]] = {
    Hello: _again,
    Ping: _pong,
    Relay: _relay,
    Leave: _leave,
}
