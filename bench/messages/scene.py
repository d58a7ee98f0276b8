"""An outbox, a provider and workers, each a process of its own, and what a benchmark does with them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import create_engine

from bench.messages import worker
from bench.messages.posting import message, post
from bench.messages.provider import Provider, sandbox
from bench.messages.worker import Orders
from bench.surroundings import BenchDatabase, empty_folder
from notifications import Message, Outbox
from notifications.models import Base
from telehealth.core.clock import system_clock
from telehealth.settings import Settings


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds on a clock that only goes on, messages accepted so far, CPU seconds of each part so far."""

    at: float
    accepted: int
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Receipts:
    """Where the provider calls the product back, and how many seconds after a message on average."""

    port: int
    after: float


class Scene:
    """Use `scene()` to have one."""

    def __init__(
        self, database: BenchDatabase, env: Mapping[str, str], provider: Provider, log: Path
    ) -> None:
        self.provider = provider
        self.env = env
        self.log = log
        self._admin_url = database.admin_url
        settings = Settings.from_environ(env)
        self.engine = create_engine(settings.database_url)
        self._outbox = Outbox(settings.cipher)
        self._workers: list[psutil.Process] = []

    def post(self, messages: Iterable[Message]) -> None:
        """Enqueue, in transactions of a few hundred."""
        post(self.engine, self._outbox, list(messages))

    def flow(
        self, kind: str, *, first: int, step: float, going: Callable[[], bool], each: int = 1
    ) -> dict[int, float]:
        """Enqueue `each` messages every `step` seconds; returns when each fell due (seconds since 1970)."""
        asked: dict[int, float] = {}
        following = time.monotonic()
        while going():
            now = system_clock()
            numbers = range(first + len(asked), first + len(asked) + each)
            self.post(message(kind, number, now) for number in numbers)
            asked.update(dict.fromkeys(numbers, now.timestamp()))
            following += step
            time.sleep(max(0.0, following - time.monotonic()))
        return asked

    @contextmanager
    def working(self, orders: Orders) -> Iterator[None]:
        """Have a worker; it finishes what it has begun before this returns."""
        process = worker.start(self.env, orders, self.log)
        self._workers.append(psutil.Process(process.pid))
        try:
            yield
        finally:
            self._workers.pop()
            process.terminate()
            process.wait(worker.STOP_SECONDS)

    def read(self) -> Reading:
        """Look at the clock, the ledger and the processors."""
        return Reading(time.monotonic(), len(self.provider.accepted()), self._cpu_seconds())

    def _cpu_seconds(self) -> dict[str, float]:
        parts = {
            "worker": self._workers,
            "postgresql": self._database_processes(),
            "provider": [self.provider.process],
        }
        return {name: sum(map(_seconds_of, processes)) for name, processes in parts.items()}

    def _database_processes(self) -> list[psutil.Process]:
        """Every process of the server, with those that write its log and its files."""
        with psycopg.connect(self._admin_url) as admin:
            row = admin.execute("SELECT pg_backend_pid()").fetchone()
        backend = psutil.Process(row[0] if row else 0)
        return [process for process in backend.parent().children() if process.pid != backend.pid]

    def count(self, query: str) -> int:
        """Return the one number that a query gives the superuser."""
        with psycopg.connect(self._admin_url) as admin:
            row = admin.execute(query).fetchone()
        return int(row[0]) if row else 0

    def counts(self, query: str) -> dict[str, int]:
        """Return the numbers that a query of two columns gives the superuser, by name."""
        with psycopg.connect(self._admin_url) as admin:
            return {str(name): int(number) for name, number in admin.execute(query).fetchall()}


@contextmanager
def scene(
    database: BenchDatabase, port: int, *, latency_ms: float, receipts: Receipts | None = None
) -> Iterator[Scene]:
    """Have an empty outbox and an empty provider on that port."""
    tables = ", ".join(f"{table.schema}.{table.name}" for table in Base.metadata.sorted_tables)
    with psycopg.connect(database.admin_url) as admin:
        admin.execute(f"TRUNCATE {tables}".encode())
    env = {**database.env, "SANDBOX_PORT": str(port)}
    if receipts is not None:
        env["PUBLIC_BASE_URL"] = f"http://127.0.0.1:{receipts.port}"
    with (
        empty_folder() as folder,
        sandbox(
            env, port, latency_ms=latency_ms, receipts_after=receipts.after if receipts else None
        ) as provider,
    ):
        found = Scene(database, env, provider, folder / "workers.log")
        try:
            yield found
        finally:
            found.engine.dispose()


def _seconds_of(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:  # a vacuum worker, for instance
        return 0.0
    return float(spent.user + spent.system)
