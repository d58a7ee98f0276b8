"""What a worker does every second: heartbeats into rows, vanished clients out, rooms closed on time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
from psycopg_pool import PoolTimeout

from telehealth.realtime.peers import LiveRooms
from telehealth.realtime.protocol import Close, frame
from telehealth.realtime.signalling import SILENT_AFTER
from telehealth.realtime.store import Store

logger = logging.getLogger(__name__)

TICK = 1.0
GONE_AFTER = timedelta(seconds=7)
STEADY_TICKS = 8
WARN_BEFORE = timedelta(minutes=5)
FORGET_EVERY_TICKS = 60


class Housekeeper:
    """One per worker; every worker may do all of it, the rows decide who was first.

    Nobody is declared vanished until this worker has ticked for a while without a gap: after a restart or an
    outage of the database the clients need that time to come back.
    """

    def __init__(self, store: Store, live: LiveRooms) -> None:
        self._store = store
        self._live = live
        self._steady_ticks = 0
        self._ticks = 0
        self._clock = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self._ticks += 1
            self._part_silent()
            done = [await self._attempt(step) for step in self._steps()]
            self._steady_ticks = self._steady_ticks + 1 if all(done) else 0

    @property
    def steady(self) -> bool:
        """Tell whether this worker declares people vanished."""
        return self._steady_ticks >= STEADY_TICKS

    def _steps(self) -> list[Callable[[], Awaitable[object]]]:
        steps: list[Callable[[], Awaitable[object]]] = [self._touch, self._store.end_overdue, self._warn]
        if self.steady:
            steps.append(self._sweep)
        if self._ticks % FORGET_EVERY_TICKS == 0:
            steps.append(self._store.forget_messages)
        return steps

    async def _attempt(self, step: Callable[[], Awaitable[object]]) -> bool:
        try:
            await step()
        except (psycopg.Error, PoolTimeout) as error:
            logger.warning("housekeeping: %s", type(error).__name__)
            return False
        except Exception:  # one bad room must not end everybody's heartbeats
            logger.exception("housekeeping: a step failed")
        return True

    def _part_silent(self) -> None:
        dead = self._clock() - SILENT_AFTER.total_seconds()
        for peer in self._live.peers():
            if peer.heard_at < dead:
                peer.part(Close.SILENT, "silent")

    async def _touch(self) -> None:
        now = self._clock()
        await self._store.touch(
            {peer.connection_id: timedelta(seconds=now - peer.heard_at) for peer in self._live.peers()}
        )

    async def _sweep(self) -> None:
        for room_id, client_id in await self._store.vanished(GONE_AFTER):
            async with self._store.room_for_update(room_id) as opened:
                if opened is not None:
                    await opened.vanish(client_id, GONE_AFTER)

    async def _warn(self) -> None:
        due = [room for room in self._live if room.closes_at is not None and not room.warned]
        if not due:
            return
        now = await self._store.now()
        for room in due:
            if room.closes_at is not None and room.closes_at - now <= WARN_BEFORE:
                room.warned = True
                room.tell(frame("closing", closes_at=room.closes_at.isoformat()))
