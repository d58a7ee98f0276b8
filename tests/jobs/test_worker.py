"""The worker: one clock among many, a sign of life, a clean stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from telehealth.jobs import heartbeat
from telehealth.jobs.clock import CLOCK_LOCK, JobClock
from telehealth.jobs.table import JOBS, Job
from telehealth.jobs.work import Work, work
from telehealth.settings import Settings, psycopg_url, random_base64

CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock"


@pytest.fixture
def own_work(settings: Settings, owner_engine: Engine) -> Iterator[Work]:
    mine = work(settings)
    yield mine
    mine.engine.dispose()
    with owner_engine.begin() as connection:
        connection.execute(text("TRUNCATE worker_heartbeat, notifications.provider_token"))


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "did not happen in time"
        time.sleep(0.02)


def ticking(mine: Work, stop: threading.Event, ticks: list[str], name: str) -> threading.Thread:
    def tick(_work: Work, _now: datetime) -> None:
        ticks.append(name)

    thread = threading.Thread(target=JobClock(mine, (Job("tick", 1, tick),)).run, args=(stop,))
    thread.start()
    return thread


def test_of_two_clocks_one_ticks_and_the_other_takes_over_when_it_is_cut_off(
    own_work: Work, owner_engine: Engine
) -> None:
    ticks: list[str] = []
    stop = threading.Event()
    threads = [ticking(own_work, stop, ticks, "first")]
    try:
        until(lambda: "first" in ticks)
        threads.append(ticking(own_work, stop, ticks, "second"))
        until(lambda: ticks.count("first") >= 2)
        assert "second" not in ticks
        with owner_engine.begin() as connection:
            connection.execute(
                text(CUT_OFF),
                {"lock": CLOCK_LOCK},
            )
        until(lambda: len(set(ticks[-2:])) == 1 and len(ticks) >= 4)
        # Whoever holds it now, nobody else does.
        last = ticks[-1]
        count = len(ticks)
        until(lambda: len(ticks) >= count + 1)
        assert set(ticks[count:]) == {last}
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_job_that_fails_does_not_stop_the_others(own_work: Work) -> None:
    ticks: list[str] = []

    def fail(_work: Work, _now: datetime) -> None:
        raise LookupError

    def tick(_work: Work, _now: datetime) -> None:
        ticks.append("tick")

    stop = threading.Event()
    clock = JobClock(own_work, (Job("fail", 1, fail), Job("tick", 1, tick)))
    thread = threading.Thread(target=clock.run, args=(stop,))
    thread.start()
    until(lambda: len(ticks) >= 2)
    stop.set()
    thread.join()


def test_every_job_may_run_twice(own_work: Work, owner_engine: Engine) -> None:
    at = own_work.clock()
    nobody_at_zalo = replace(own_work, carriers=())
    for job in (*JOBS, *JOBS):
        job.run(nobody_at_zalo, at)
    with owner_engine.begin() as connection:
        assert connection.execute(text("SELECT name, beat_at FROM worker_heartbeat")).all() == [("clock", at)]


def test_the_heartbeat_moves_on(own_work: Work, owner_engine: Engine) -> None:
    first = own_work.clock()
    heartbeat.run(own_work, first)
    heartbeat.run(own_work, own_work.clock())
    with owner_engine.begin() as connection:
        assert connection.execute(text("SELECT beat_at FROM worker_heartbeat")).scalar_one() > first


def test_the_process_beats_and_stops_cleanly_when_told(
    own_work: Work, owner_engine: Engine, tmp_path: Path
) -> None:
    settings = own_work.settings
    environ = {
        **os.environ,
        "DATABASE_URL": psycopg_url(settings.database_url),
        "DATABASE_OWNER_URL": psycopg_url(settings.database_owner_url),
        "SECRET_KEY": "demo-worker",
        "FIELD_KEYS": f"1:{random_base64(bytes(32))}",
        "INDEX_KEY": random_base64(bytes(32)),
        "DEMO": "1",
        "SANDBOX_PORT": "9",
        "VAR_DIR": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "telehealth.jobs"], env=environ, stderr=subprocess.PIPE, text=True
    )

    def beaten() -> bool:
        with owner_engine.begin() as connection:
            return bool(connection.execute(text("SELECT count(*) FROM worker_heartbeat")).scalar_one())

    try:
        until(beaten)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said


def test_bad_settings_are_one_sentence() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
    found = subprocess.run(
        [sys.executable, "-m", "telehealth.jobs"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert found.returncode == 2
    assert "DATABASE_URL is not set" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_lock_is_free_after_a_stop(own_work: Work) -> None:
    ticks: list[str] = []
    stop = threading.Event()
    thread = ticking(own_work, stop, ticks, "only")
    until(lambda: bool(ticks))
    stop.set()
    thread.join()
    with psycopg.connect(psycopg_url(own_work.settings.database_url)) as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (CLOCK_LOCK,)).fetchone()
        assert row == (True,)
