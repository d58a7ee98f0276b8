"""The bus between processes: PostgreSQL NOTIFY.

A notification is a hint that rows changed, never the data. One connection per process listens; whoever
cares about a topic (a room, a board, a queue) registers one callback. When the connection was lost every
callback is called once after it is back, because hints sent meanwhile are gone and only the rows know.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable

import psycopg
from psycopg_pool import PoolTimeout

logger = logging.getLogger(__name__)

CHANNELS = ("room", "board", "queue")
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0

Hint = Callable[[], None]


class Bus:
    """Fans hints out inside this process. Callbacks must not block and must not raise."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._hints: defaultdict[tuple[str, str], set[Hint]] = defaultdict(set)
        self.connected = asyncio.Event()

    def subscribe(self, channel: str, topic: str, hint: Hint) -> None:
        """Call `hint` for each notification of `topic`, and after every gap in listening."""
        self._hints[channel, topic].add(hint)

    def unsubscribe(self, channel: str, topic: str, hint: Hint) -> None:
        """Undo `subscribe`."""
        hints = self._hints.get((channel, topic), set())
        hints.discard(hint)
        if not hints:
            self._hints.pop((channel, topic), None)

    async def run(self) -> None:
        """Listen until cancelled, reconnecting for ever."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                logger.warning("bus: connection lost (%s), next try in %.1f s", type(error).__name__, pause)
            if self.connected.is_set():
                pause = FIRST_PAUSE
            self.connected.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            for channel in CHANNELS:
                await connection.execute(f"LISTEN {channel}")
            self.connected.set()
            self._hint_all()
            async for notify in connection.notifies():
                self._hint(notify.channel, notify.payload)

    def _hint(self, channel: str, topic: str) -> None:
        for hint in tuple(self._hints.get((channel, topic), ())):
            hint()

    def _hint_all(self) -> None:
        for channel, topic in tuple(self._hints):
            self._hint(channel, topic)


class Refresher:
    """Turns hints into calls of `refresh`: one at a time, none missed, many hints in one call.

    A refresh that fails on the database is tried again until it succeeds.
    """

    def __init__(self, refresh: Callable[[], Awaitable[None]]) -> None:
        self._refresh = refresh
        self._due = asyncio.Event()
        self._stopped = False

    def hint(self) -> None:
        """Ask for a refresh soon."""
        self._due.set()

    def stop(self) -> None:
        """End after the refresh that is under way; cancelling it would cost its database connection."""
        self._stopped = True
        self._due.set()

    async def run(self) -> None:
        """Refresh after hints, until stopped."""
        while True:
            await self._due.wait()
            if self._stopped:
                return
            self._due.clear()
            try:
                await self._refresh()
            except (psycopg.Error, PoolTimeout) as error:
                logger.warning("refresh failed (%s), trying again", type(error).__name__)
                self._due.set()
                await asyncio.sleep(FIRST_PAUSE * 5)
            except Exception:  # one bad row must not silence its room until the process ends
                logger.exception("refresh failed")
