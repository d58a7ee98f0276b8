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
from dataclasses import asdict, dataclass, field, replace
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.policy import Policy
from notifications.settings import NotificationSettings
from telehealth.settings import Settings, psycopg_url

STOP_SECONDS = 90
EVEN = 100  # in the demonstration eSMS only stands by
_WRONG_CLOCK = "BENCH_WRONG_CLOCK"


@dataclass(frozen=True)
class Orders:
    """`providers`: those that this worker has. `policy`: what differs from the usual one; there is no night.

    `rates`: sends a second that a provider allows; the others are not limited.
    """

    providers: tuple[str, ...]
    policy: Mapping[str, Any] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)


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
    policy = Policy(**orders.policy, quiet_from=clock_time.max, quiet_to=clock_time.min)
    host = Host(engine, settings.cipher, notifications.public_base_url, policy.timeout)
    return Dispatcher(
        engine,
        [
            replace(carrier, weight=EVEN, rate=orders.rates.get(carrier.provider))
            for carrier in notifications.carriers(host)
            if carrier.provider in orders.providers
        ],
        settings.cipher,
        policy=policy,
        listen_url=psycopg_url(settings.database_direct_url),
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
