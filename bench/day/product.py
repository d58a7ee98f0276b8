"""The product's services, one transaction each, over a database that fails now and then."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bench.day.outages import Fate, Script
from notifications import Outbox
from telehealth.core.uow import CONNECT_ARGS, system_unit_of_work
from telehealth.settings import Settings

Done = TypeVar("Done")
Work = Callable[[Session], Done]

_AGAIN = frozenset({"40P01", "40001"})  # the product begins such a unit again
_PATIENCE_SECONDS = 60.0


class Unanswered(Exception):
    """Nobody knows whether it was done."""


class Product:
    """Does one thing after another, or two at once; counts what was done, refused and lost."""

    def __init__(self, settings: Settings, admin_url: str, script: Script, seed: str) -> None:
        self.cipher = settings.cipher
        self.outbox = Outbox(settings.cipher)
        self.done: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self._engine = create_engine(
            settings.database_url, pool_size=2, max_overflow=0, connect_args=CONNECT_ARGS
        )
        self._admin_url = admin_url
        self._admin: psycopg.Connection[Any] | None = None
        self._script, self._dice = script, random.Random(f"{seed}:fate")
        self._pool = ThreadPoolExecutor(2)

    def close(self) -> None:
        """Let go of every connection."""
        self._pool.shutdown()
        self._engine.dispose()
        if self._admin is not None:
            self._admin.close()

    def once(self, name: str, work: Work[Done]) -> Done:
        """Do it once. Raises Unanswered, and what the product raises."""
        return self._transaction(name, work, self._script.fate(self._dice))

    def until_answered(self, name: str, work: Work[Done]) -> Done:
        """Do it again, the same press, until there is an answer."""
        while True:
            try:
                return self.once(name, work)
            except Unanswered:
                self.troubles["repeated"] += 1

    def both(self, name: str, works: Sequence[Work[Done]]) -> list[Done | Exception]:
        """Do two things at the same moment, by two connections."""
        waiting = [self._pool.submit(self._transaction, name, work, Fate.WELL) for work in works]
        self.troubles["pressed together"] += 1
        return [each.exception() or each.result() for each in waiting]  # type: ignore[misc]

    def read(self, sql: str, *parameters: object) -> list[Any]:
        """Look at the database beside the product."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                if self._admin is None or self._admin.closed:
                    self._admin = psycopg.connect(self._admin_url, autocommit=True)
                return self._admin.execute(sql, parameters or None).fetchall()
            except psycopg.OperationalError:
                if self._admin is not None:
                    self._admin.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _transaction(self, name: str, work: Work[Done], fate: Fate) -> Done:
        began = time.perf_counter()
        deadline = began + _PATIENCE_SECONDS
        while True:
            try:
                with system_unit_of_work(self._engine) as session:
                    result = work(session)
                    if fate is Fate.KILLED:
                        self._kill(session)
                break
            except DBAPIError as error:
                self._weigh(error, deadline)
        self.done[name] += 1
        self.seconds[name] += time.perf_counter() - began
        if fate is Fate.UNANSWERED:
            self.troubles["answers lost"] += 1
            raise Unanswered
        return result

    def _weigh(self, error: DBAPIError, deadline: float) -> None:
        """Return where the same may simply be begun again; raise Unanswered where the line was cut."""
        state = getattr(error.orig, "sqlstate", None)
        if state in _AGAIN:
            self.troubles["deadlocks"] += 1
        elif state == "55P03":
            self.troubles["lock not had in time"] += 1
        elif isinstance(error.orig, psycopg.OperationalError):
            self.troubles["connections lost"] += 1
            if time.perf_counter() > deadline:
                raise error
            if "refused" in str(error) or "not currently accepting" in str(error) or state is None:
                time.sleep(0.05)
            raise Unanswered from error
        else:
            raise error

    def _kill(self, session: Session) -> None:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        self.read("SELECT pg_terminate_backend(%s)", pid)
        self.troubles["killed before commit"] += 1
