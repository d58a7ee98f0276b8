"""`python -m telehealth.jobs`: the worker. Many may run and share out the messages; one holds the clock."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from notifications.dispatcher import Dispatcher
from notifications.policy import Policy
from notifications.settings import BadNotificationSettings
from telehealth.jobs.clock import JobClock
from telehealth.jobs.table import AT_A_NODE, JOBS
from telehealth.jobs.work import Work, work
from telehealth.settings import BadSettings, Settings, psycopg_url

_log = logging.getLogger("telehealth.jobs")


def main() -> int:
    """Run until SIGTERM or Ctrl-C: 0 after a clean stop, 1 when a part broke, 2 for bad settings."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    try:
        mine = work(Settings.from_environ(os.environ))
        dispatcher = None if mine.settings.node else _dispatcher(mine)
    except (BadSettings, BadNotificationSettings) as error:
        _log.critical("%s", error)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    parts = [_Part("clock", JobClock(mine, AT_A_NODE if mine.settings.node else JOBS).run, stop)]
    if dispatcher is not None:
        parts.append(_Part("dispatcher", dispatcher.run, stop))
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    mine.engine.dispose()
    return 1 if any(part.broke for part in parts) else 0


def _dispatcher(mine: Work) -> Dispatcher:
    if not mine.carriers:
        msg = "no message provider is configured: set TWILIO_ACCOUNT_SID and the like (docs/notifications.md)"
        raise BadNotificationSettings(msg)
    return Dispatcher(
        mine.engine,
        mine.carriers,
        mine.settings.cipher,
        policy=Policy(monthly_budget=mine.notification_settings.monthly_budget),
        listen_url=psycopg_url(mine.settings.database_direct_url),
        clock="app_clock()",
    )


class _Part(threading.Thread):
    """A part of the worker; when it breaks, the whole worker stops, for the supervisor to start anew."""

    def __init__(self, name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> None:
        super().__init__(name=name)
        self._run_part = run
        self._stop_event = stop
        self.broke = True

    def run(self) -> None:
        try:
            self._run_part(self._stop_event)
            self.broke = False
        finally:
            self._stop_event.set()


if __name__ == "__main__":
    sys.exit(main())
