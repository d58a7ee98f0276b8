"""Boards that follow one facility: how soon a call reaches all of them, what it costs, what a restart loses.

Every board is an open stream to one realtime process, as nginx passes it on. A call is the product's own
transaction; its time counts from its commit until the last board has it. Then the process is stopped and
started while calls go on: each board comes back with its Last-Event-ID, and its sequence numbers are held
against those of the database. In the control the boards come back without it.
"""

import argparse
import asyncio
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from bench import province
from bench.surroundings import BenchDatabase, Surroundings, percentiles, wait_for
from notifications import Outbox
from telehealth.core.clock import system_clock
from telehealth.core.ids import new_id
from telehealth.core.principal import Grant, Principal, PrincipalKind, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.embedded.place import ROOT
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services import call_next, take_number
from telehealth.settings import Settings

CONNECT_AT_ONCE = 50
SETTLE_SECONDS = 5.0
PATIENCE = 60.0
RETRY_SECONDS = (0.5, 3.0)
_EVENT = re.compile(rb"id: (\d+)\nevent: (\w+)\n")
_EVENTS = "SELECT seq FROM board_event WHERE facility_id = %s AND kind = 'called' ORDER BY seq"


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18600)
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--restart-calls", type=int, default=12)
    parser.add_argument("--control-boards", type=int, default=50)


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return the latencies, the cost, and how many calls a restart lost."""
    _allow_open_files(options.boards + 200)
    with surroundings.database() as database:
        province.load(database.env, database.admin_url)
        hall = _Hall(database, options.calls + options.restart_calls)
        try:
            return asyncio.run(_measure(options, database, hall))
        finally:
            hall.engine.dispose()


class _Hall:
    """A registration queue in which enough people wait, and somebody who calls them."""

    def __init__(self, database: BenchDatabase, people: int) -> None:
        settings = Settings.from_environ(database.env)
        self.cipher = settings.cipher
        self.engine: Engine = create_engine(settings.database_url)
        with system_unit_of_work(self.engine) as session:
            self.queue_id, self.facility_id, self.code, self.point = session.execute(
                text(
                    """SELECT q.id, q.facility_id, f.code, p.id FROM queue q
                         JOIN facility f ON f.id = q.facility_id
                         JOIN service_point p ON p.facility_id = f.id AND p.kind = 'registration'
                        WHERE q.code = 'registration' ORDER BY f.code, p.code LIMIT 1"""
                )
            ).one()
        self.clerk = Principal(
            PrincipalKind.STAFF, id=new_id(), grants=frozenset({Grant(Role.DESK, self.facility_id)})
        )
        for _ in range(people):
            with system_unit_of_work(self.engine) as session:
                take_number(
                    session,
                    self.clerk,
                    self.queue_id,
                    priority=PriorityClass.NONE,
                    press_key=str(uuid4()),
                    now=system_clock(),
                    cipher=self.cipher,
                )

    def call(self) -> float:
        """Call whoever is next; returns the moment before the commit."""
        with system_unit_of_work(self.engine) as session:
            call_next(
                session,
                self.clerk,
                self.queue_id,
                now=system_clock(),
                cipher=self.cipher,
                outbox=Outbox(self.cipher),
                service_point_id=self.point,
            )
            return time.monotonic()


@dataclass
class _Screen:
    """One board: which calls it got, in their order, and when."""

    seqs: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    last_id: str = ""
    connected: bool = False

    def hear(self, chunk: bytes, rest: bytes) -> bytes:
        """Take in what came; returns what is not a whole event yet."""
        whole, separator, left = (rest + chunk).rpartition(b"\n\n")
        if separator:
            now = time.monotonic()
            for number, kind in _EVENT.findall(whole + separator):
                self.last_id = number.decode()
                if kind == b"called":
                    self.seqs.append(int(number))
                    self.at.append(now)
        return left


async def _follow(screen: _Screen, port: int, code: str, pause: float, *, resumes: bool) -> None:
    """Follow the board's stream for ever, coming back whenever it ends."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            await _read(screen, port, code, resumes=resumes)
        screen.connected = False
        await asyncio.sleep(pause)


async def _read(screen: _Screen, port: int, code: str, *, resumes: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        since = f"Last-Event-ID: {screen.last_id}\r\n" if screen.last_id and resumes else ""
        writer.write(f"GET /rt/boards/{code} HTTP/1.1\r\nHost: 127.0.0.1\r\n{since}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            return
        rest = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            chunk = await reader.readexactly(size + 2)
            screen.connected = True
            rest = screen.hear(chunk[:-2], rest)
    finally:
        writer.close()


class _Realtime:
    """The one realtime process, which can be stopped and started again."""

    def __init__(self, database: BenchDatabase, port: int) -> None:
        self._env = {**database.env, "PORT": str(port)}
        self._port = port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["gunicorn", "-w", "1", "-k", "asgi", "--no-control-socket", "--log-level", "warning"]
        command += ["--graceful-timeout", "5", "-b", f"127.0.0.1:{self._port}", "telehealth.realtime.app:app"]
        self.process = subprocess.Popen([sys.executable, "-m", *command], env=self._env, cwd=ROOT)
        wait_for(f"http://127.0.0.1:{self._port}/rt/healthz", seconds=60)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def cpu(self) -> float:
        """Return the seconds of processor time it used."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(sum(map(int, stat[11:13])) for stat in self._stats()) / ticks

    def megabytes(self) -> float:
        """Return its memory, what it shares with others divided among them (PSS)."""
        total = 0
        for pid in self._pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total / 1024

    def _stats(self) -> Iterator[list[str]]:
        for pid in self._pids():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
                yield file.read().rsplit(")", 1)[1].split()

    def _pids(self) -> list[int]:
        if self.process is None:
            return []
        own = self.process.pid
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as file:  # noqa: PTH123
            return [own, *map(int, file.read().split())]


@contextmanager
def _serving(database: BenchDatabase, port: int) -> Iterator[_Realtime]:
    realtime = _Realtime(database, port)
    realtime.start()
    try:
        yield realtime
    finally:
        realtime.stop()


async def _measure(options: argparse.Namespace, database: BenchDatabase, hall: _Hall) -> dict[str, object]:
    with _serving(database, options.port) as realtime:
        alone = realtime.megabytes()
        screens = [_Screen() for _ in range(options.boards)]
        began, spent = time.monotonic(), realtime.cpu()
        tasks = await _connect(screens, options.port, hall.code)
        connecting, connect_cpu = time.monotonic() - began, realtime.cpu() - spent
        idle = await _idle_cpu(realtime)
        latencies, last, cpu = await _broadcasts(hall, screens, realtime, options.calls, idle)
        full = realtime.megabytes()
        control = [_Screen() for _ in range(options.control_boards)]
        tasks += await _connect(control, options.port, hall.code, resumes=False)
        await _through_a_restart(hall, screens, realtime, options.restart_calls)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told = _told(database, hall)
    return {
        "boards": len(screens),
        "connect_seconds": round(connecting, 2),
        "connect_cpu_ms_each": round(connect_cpu * 1000 / len(screens), 2),
        "calls": options.calls,
        "delivered": len(latencies),
        "milliseconds": percentiles(latencies),
        "last_board_milliseconds": percentiles(last),
        "cpu_ms_per_broadcast": round(cpu * 1000, 1),
        "idle_cpu_percent": round(idle * 100, 2),
        "memory_mb_alone": round(alone, 1),
        "memory_mb_with_boards": round(full, 1),
        "kb_per_board": round((full - alone) * 1024 / len(screens), 1),
        "restart_calls": options.restart_calls,
        "calls_lost": sum(len(set(told) - set(screen.seqs)) for screen in screens),
        "calls_twice": sum(len(screen.seqs) - len(set(screen.seqs)) for screen in screens),
        "boards_out_of_order": sum(screen.seqs != sorted(screen.seqs) for screen in screens),
        "control_boards": len(control),
        "control_calls_lost": sum(len(set(told[options.calls :]) - set(screen.seqs)) for screen in control),
    }


async def _connect(
    screens: Sequence[_Screen], port: int, code: str, *, resumes: bool = True
) -> list[asyncio.Task[None]]:
    shortest, longest = RETRY_SECONDS
    tasks = []
    for number, screen in enumerate(screens):
        pause = shortest + (longest - shortest) * number / len(screens)
        tasks.append(asyncio.create_task(_follow(screen, port, code, pause, resumes=resumes)))
        if number % CONNECT_AT_ONCE == CONNECT_AT_ONCE - 1:
            await asyncio.sleep(0.02)
    await _until(lambda: all(screen.last_id for screen in screens))
    return tasks


async def _idle_cpu(realtime: _Realtime) -> float:
    began, spent = time.monotonic(), realtime.cpu()
    await asyncio.sleep(SETTLE_SECONDS)
    return (realtime.cpu() - spent) / (time.monotonic() - began)


async def _broadcasts(
    hall: _Hall, screens: Sequence[_Screen], realtime: _Realtime, calls: int, idle: float
) -> tuple[list[float], list[float], float]:
    """Call again and again; returns every delivery's and each call's last milliseconds, and CPU s a call."""
    latencies: list[float] = []
    last: list[float] = []
    began, spent = time.monotonic(), realtime.cpu()
    for number in range(1, calls + 1):
        committed = await asyncio.to_thread(hall.call)
        await _until(_all_have(screens, number))
        took = [(screen.at[-1] - committed) * 1000 for screen in screens]
        latencies += took
        last.append(max(took))
        await asyncio.sleep(0.3)
    used = realtime.cpu() - spent - idle * (time.monotonic() - began)
    return latencies, last, used / calls


async def _through_a_restart(
    hall: _Hall, screens: Sequence[_Screen], realtime: _Realtime, calls: int
) -> None:
    """Stop the process after a third of the calls, and start it before the last third."""
    before = len(screens[0].seqs)
    for number in range(calls):
        if number == calls // 3:
            await asyncio.to_thread(realtime.stop)
        if number == 2 * calls // 3:
            await asyncio.to_thread(realtime.start)
        await asyncio.to_thread(hall.call)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not all(screen.connected for screen in screens):
        await asyncio.sleep(0.1)
    with suppress(TimeoutError):
        await _until(_all_have(screens, before + calls))
    await asyncio.sleep(1)


def _all_have(screens: Sequence[_Screen], calls: int) -> Callable[[], bool]:
    return lambda: all(len(screen.seqs) >= calls for screen in screens)


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():
            await asyncio.sleep(0.002)


def _told(database: BenchDatabase, hall: _Hall) -> list[int]:
    with psycopg.connect(database.admin_url) as admin:
        return [row[0] for row in admin.execute(_EVENTS, (hall.facility_id,)).fetchall()]


def _allow_open_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted * 2, hard), hard))
