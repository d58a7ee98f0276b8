"""The ASGI application of the realtime process.

`routes` and `lifespan` are mounted beside Flask by telehealth/asgi.py; `app` is the same alone, for
`gunicorn -k asgi telehealth.realtime.app:app` or uvicorn.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from telehealth.core import join_ticket
from telehealth.media.control import MediaClient
from telehealth.realtime import signalling
from telehealth.realtime.boards import Boards, board
from telehealth.realtime.bus import Bus
from telehealth.realtime.housekeeping import Housekeeper
from telehealth.realtime.line_test import LineTest, line_test
from telehealth.realtime.origins import allowed_origins
from telehealth.realtime.peers import LiveRooms
from telehealth.realtime.signalling import Signalling
from telehealth.realtime.store import Store
from telehealth.realtime.tickets import Tickets, ticket
from telehealth.settings import Settings, psycopg_url

logger = logging.getLogger(__name__)

POOL_SIZE = 6
POOL_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the endpoints reach through `app.state.realtime`."""

    store: Store
    bus: Bus
    live: LiveRooms
    boards: Boards
    tickets: Tickets
    signalling: Signalling
    housekeeper: Housekeeper
    line_test: LineTest

    def let_go(self) -> None:
        """End every stream and socket; their clients come back elsewhere, each after its own pause."""
        self.live.close()
        self.boards.close()
        self.tickets.close()


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Serve between start and end of a worker, with settings from the environment."""
    async with serving(Settings.from_environ(os.environ)) as realtime:
        app.state.realtime = realtime
        with _at_termination(realtime.let_go):
            yield
        realtime.let_go()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Realtime]:
    """Hold the pool, the listener and the housekeeper open."""
    pool = AsyncConnectionPool(
        psycopg_url(settings.database_url),
        min_size=1,
        max_size=POOL_SIZE,
        timeout=POOL_WAIT,
        open=False,
        # A transaction pooler may stand between: no server-side prepared statements.
        kwargs={"autocommit": True, "prepare_threshold": None},
    )
    async with pool:
        realtime = _wire(settings, Store(pool, settings.cipher))
        tasks = [
            asyncio.create_task(realtime.bus.run(), name="bus"),
            asyncio.create_task(realtime.housekeeper.run(), name="housekeeper"),
        ]
        try:
            yield realtime
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _wire(settings: Settings, store: Store) -> Realtime:
    origins = allowed_origins(settings.public_base_url)
    bus = Bus(psycopg_url(settings.database_direct_url))
    live = LiveRooms(store, bus)
    return Realtime(
        store=store,
        bus=bus,
        live=live,
        housekeeper=Housekeeper(store, live),
        line_test=LineTest(MediaClient.of(settings), origins),
        boards=Boards(store, bus),
        tickets=Tickets(store, bus),
        signalling=Signalling(
            store=store,
            live=live,
            ticket_key=join_ticket.signing_key(settings.secret_key),
            origins=origins,
            turn_urls=settings.turn_urls,
            turn_secret=settings.turn_secret or "",
        ),
    )


class _at_termination:  # noqa: N801  used as a function
    """Call `let_go` on SIGTERM and SIGINT, ahead of the server's own handler.

    Servers wait for open connections before they run the lifespan's end, and ours never end by themselves.
    """

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._loop = asyncio.get_running_loop()
        self._former: dict[signal.Signals, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._former[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]

    def _handle(self, number: int, stack: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._let_go)
        former = self._former[signal.Signals(number)]
        if callable(former):
            former(number, stack)


async def rooms_socket(socket: WebSocket) -> None:
    """WS /rt/rooms."""
    await signalling.serve(socket, socket.app.state.realtime.signalling)


async def healthz(request: Request) -> Response:
    """GET /rt/healthz: the database answers and hints arrive.

    `steady` says that this worker has been well for long enough to declare people vanished.
    """
    realtime: Realtime = request.app.state.realtime
    database = False
    with suppress(psycopg.Error, PoolTimeout):
        database = await realtime.store.ready()
    listening = realtime.bus.connected.is_set()
    healthy = database and listening
    body = {
        "status": "ok" if healthy else "down",
        "database": database,
        "listening": listening,
        "steady": realtime.housekeeper.steady,
    }
    return JSONResponse(body, status_code=200 if healthy else 503)


routes = [
    WebSocketRoute("/rt/rooms", rooms_socket),
    Route("/rt/boards/{facility_code}", board),
    Route("/rt/boards/{facility_code}/{area_code}", board),
    Route("/rt/tickets/{public_token}", ticket),
    Route("/rt/media/test", line_test, methods=["POST"]),
    Route("/rt/healthz", healthz),
]

app = Starlette(routes=routes, lifespan=lifespan)
