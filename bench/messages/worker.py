"""A worker in a process of its own, as a benchmark orders it: `python -m bench.messages.worker ORDERS`."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import create_engine

from notifications.dispatcher import Dispatcher
from notifications.policy import Policy
from notifications.settings import NotificationSettings
from notifications.wiring import channels, zalo_tokens
from telehealth.settings import Settings, psycopg_url


@dataclass(frozen=True)
class Orders:
    """`channels`: the ones this worker has, "sms" or "zalo". `policy`: what differs from the usual Policy.

    `clock` is the SQL expression that tells this worker the time.
    """

    channels: tuple[str, ...]
    policy: Mapping[str, Any] = field(default_factory=dict)
    clock: str = "clock_timestamp()"


def start(env: Mapping[str, str], orders: Orders) -> "subprocess.Popen[bytes]":
    """Start a worker on the database and the sandbox of an environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench.messages.worker", json.dumps(asdict(orders))], env=env
    )


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
    logging.basicConfig(level=logging.ERROR)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    dispatcher(os.environ, Orders(**json.loads(sys.argv[1]))).run(stop)


if __name__ == "__main__":
    main()
