"""What goes wrong, by a script: presses without an answer, killed connections, dead lines and printers.

Each facility has its own script, by its seed; the database is taken away from outside (`Absence`).
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import psycopg


class Fate(StrEnum):
    """What becomes of one transaction or its answer."""

    WELL = "well"
    KILLED = "killed"
    """The backend is ended (pg_terminate_backend) after the work and before the commit."""
    UNANSWERED = "unanswered"
    """It is committed and the answer gets lost."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a minute of the day to another."""

    start: float
    end: float

    def holds(self, minute: float) -> bool:
        """Tell whether a minute lies in it."""
        return self.start <= minute < self.end


@dataclass(frozen=True, slots=True)
class Script:
    """A facility's troubles: when its line and its printer are dead, how often a press fails."""

    line: Span | None
    printer: Span | None
    killed: float = 0.004
    unanswered: float = 0.012

    @classmethod
    def of(cls, code: str, seed: int, *, every: bool = False) -> "Script":
        """Return a facility's script. `every`: no kind of trouble is left out."""
        dice = random.Random(f"{seed}:{code}:outages")
        line = printer = None
        if every or dice.random() < 0.3:
            start = dice.uniform(380, 560)
            line = Span(start, start + dice.uniform(6, 25))
        if every or dice.random() < 0.4:
            start = dice.uniform(330, 600)
            printer = Span(start, start + dice.uniform(15, 90))
        return cls(line, printer, *((0.01, 0.03) if every else ()))

    def fate(self, dice: random.Random) -> Fate:
        """Return what becomes of the next transaction."""
        drawn = dice.random()
        if drawn < self.killed:
            return Fate.KILLED
        return Fate.UNANSWERED if drawn < self.killed + self.unanswered else Fate.WELL


class Saboteur(threading.Thread):
    """Ends connections of the application at moments nobody chose, and takes the whole database away."""

    def __init__(
        self, admin_url: str, seed: int, *, every: float, absent_after: float, absence: Callable[[], None]
    ) -> None:
        super().__init__(daemon=True)
        self.ended = 0
        self.absences = 0
        self.failure: Exception | None = None
        self._admin_url, self._every = admin_url, every
        self._absent_after, self._absence = absent_after, absence
        self._dice = random.Random(f"{seed}:saboteur")
        self._over, self._rests = threading.Event(), threading.Event()

    def run(self) -> None:
        """Work until `close`."""
        began = time.monotonic()
        try:
            while not self._over.wait(self._dice.expovariate(1 / self._every)):
                if not self.absences and time.monotonic() - began > self._absent_after:
                    self._absence()
                    self.absences += 1
                else:
                    self._end_one()
        except Exception as error:  # noqa: BLE001  the day goes on without this trouble, and says so
            self.failure = error
        finally:
            self._rests.set()
        # The system ends a server together with the thread that started it: stay as long as the program.
        threading.Event().wait()

    def close(self) -> None:
        """Do nothing more."""
        self._over.set()
        self._rests.wait()

    def _end_one(self) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            ended = admin.execute(
                """SELECT pg_terminate_backend(pid) FROM (
                    SELECT pid FROM pg_stat_activity
                     WHERE datname = current_database() AND usename = 'telehealth_app' AND state <> 'idle'
                     ORDER BY random() LIMIT 1) x"""
            ).fetchone()
        self.ended += bool(ended)


def shut_out(admin_url: str, seconds: float = 1.0) -> None:
    """End every connection and let nobody in for a while: a restart, as clients see it."""
    info = psycopg.conninfo.conninfo_to_dict(admin_url)
    name = str(info["dbname"])
    with psycopg.connect(
        psycopg.conninfo.make_conninfo(admin_url, dbname="postgres"), autocommit=True
    ) as admin:
        quoted = psycopg.sql.Identifier(name)
        admin.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(quoted))
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            time.sleep(seconds)
        finally:
            admin.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(quoted))
