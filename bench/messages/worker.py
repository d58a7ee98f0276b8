"""A worker in a process of its own, as a benchmark orders it: `python -m bench.messages.worker ORDERS`."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from notifications.dispatcher import Dispatcher
from notifications.policy import Policy
from notifications.settings import NotificationSettings
from notifications.wiring import channels, zalo_tokens
from telehealth.settings import Settings, psycopg_url

STOP_SECONDS = 90
_WRONG_CLOCK = "BENCH_WRONG_CLOCK"


@dataclass(frozen=True)
class Orders:
    """`channels`: the ones this worker has, "sms" or "zalo". `policy`: what differs from the usual Policy.

    `clock` is the SQL expression that tells this worker the time.
    """

    channels: tuple[str, ...]
    policy: Mapping[str, Any] = field(default_factory=dict)
    clock: str = "clock_timestamp()"


def start(
    env: Mapping[str, str], orders: Orders, log: Path, *, wall_clock_off: int = 0
) -> "subprocess.Popen[bytes]":
    """Start a worker on the database and the sandbox of an environment, `wall_clock_off` seconds wrong."""
    command = [sys.executable, "-m", "bench.messages.worker", json.dumps(asdict(orders))]
    with log.open("ab") as output:
        return subprocess.Popen(command, env={**env, _WRONG_CLOCK: str(wall_clock_off)}, stderr=output)


def _with_clock(seconds: float) -> None:
    """Let this process see another wall clock than the machine's."""
    right = time.time
    time.time = lambda: right() + seconds


def dispatcher(environ: Mapping[str, str], orders: Orders) -> Dispatcher:
    """Build what the product's worker builds, with these orders."""
    settings = Settings.from_environ(environ)
    notifications = NotificationSettings.from_environ(settings.environ, sandbox_url=settings.sandbox_url)
    engine = create_engine(settings.database_url, pool_size=8, max_overflow=8)
    policy = Policy(**orders.policy)
    tokens = zalo_tokens(notifications, engine, settings.cipher)
    configured = channels(notifications, tokens, timeout=policy.timeout)
    return Dispatcher(
        engine,
        {name: configured[name] for name in orders.channels},
        settings.cipher,
        policy=policy,
        listen_url=psycopg_url(settings.database_direct_url),
        clock=orders.clock,
    )


def main() -> None:
    """Send until SIGTERM."""
    logging.basicConfig(level=logging.WARNING)
    _with_clock(float(os.environ[_WRONG_CLOCK]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    dispatcher(os.environ, Orders(**json.loads(sys.argv[1]))).run(stop)


if __name__ == "__main__":
    main()
