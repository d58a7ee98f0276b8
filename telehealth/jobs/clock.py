"""Time for the jobs: APScheduler as a clock and nothing else, in one worker at a time.

What is due stands in tables, never in the scheduler, which forgets all at a crash. The right to tick is an
advisory lock on a direct connection; who loses the connection has lost the right, and stops.
"""

import logging
import threading
from collections.abc import Sequence

import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from telehealth.jobs.table import Job
from telehealth.jobs.work import Work
from telehealth.settings import psycopg_url

_log = logging.getLogger(__name__)

CLOCK_LOCK = 7_702_603
_LOOK_SECONDS = 1.0
_JOB_THREADS = 4


class JobClock:
    """Ticks while this process holds the lock, and waits for its turn otherwise."""

    def __init__(self, work: Work, jobs: Sequence[Job]) -> None:
        self._work = work
        self._jobs = jobs

    def run(self, stop: threading.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            try:
                self._run_on_one_connection(stop)
            except psycopg.Error as error:
                _log.warning("the clock lost its connection: %s", type(error).__name__)
                stop.wait(_LOOK_SECONDS)

    def _run_on_one_connection(self, stop: threading.Event) -> None:
        url = psycopg_url(self._work.settings.database_direct_url)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            while not stop.is_set() and not _taken(connection):
                stop.wait(_LOOK_SECONDS)
            if not stop.is_set():
                self._tick(connection, stop)

    def _tick(self, connection: psycopg.Connection, stop: threading.Event) -> None:
        scheduler = self._scheduler(connection)
        scheduler.start()
        try:
            while not stop.wait(_LOOK_SECONDS):
                connection.execute("SELECT 1")
        finally:
            scheduler.shutdown(wait=True)

    def _scheduler(self, connection: psycopg.Connection) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(_JOB_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in self._jobs:
            scheduler.add_job(
                self._run_job,
                "interval",
                seconds=job.seconds,
                args=(job, connection),
                id=job.name,
                next_run_time=self._work.clock(),
            )
        return scheduler

    def _run_job(self, job: Job, connection: psycopg.Connection) -> None:
        connection.execute("SELECT 1")  # raises when the lock is gone, so that nothing runs without it
        job.run(self._work, self._work.clock())


def _taken(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (CLOCK_LOCK,)).fetchone()
    return bool(row and row[0])
