"""A worker dies between Zalo's answer with new tokens and the commit that would have kept them.

No hook in the product: the token's row is locked as soon as the worker has marked it, so that the worker has
the answer and waits to write it down; there it is killed.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from bench.messages import worker
from bench.messages.posting import message
from bench.messages.scene import Scene, scene
from bench.messages.worker import Orders
from bench.surroundings import BenchDatabase
from telehealth.core.clock import system_clock
from telehealth.embedded.postgres import until

MESSAGES = 200
LONGEST_SECONDS = 180.0
STATE = "SELECT state FROM notifications.provider_token WHERE provider = 'zalo'"
WAITING = """SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    AND query LIKE '%UPDATE notifications.provider_token%'"""


def run(database: BenchDatabase, port: int, policy: Mapping[str, Any]) -> dict[str, object]:
    """Return the token's state, the alarms, and by which provider everything went."""
    orders = Orders(("zalo", "esms"), {**policy, "config_pause": 2.0})
    with scene(database, port, latency_ms=300) as here:
        here.post(message("appointment-booked", number, system_clock()) for number in range(MESSAGES))
        _die_with_the_answer(here, database, orders)
        began = time.monotonic()
        with here.working(orders):
            asked = here.flow(
                "appointment-booked", first=MESSAGES, step=1.0, going=lambda: _unnoticed(database, began)
            )
            drained = until(
                lambda: here.count("SELECT count(*) FROM notifications.outbox") == 0, LONGEST_SECONDS
            )
        messages = MESSAGES + len(asked)
        accepted = here.provider.accepted()
        times = Counter(item.number for item in accepted)
        return {
            "messages": messages,
            "kills": 1,
            "token": _value(database, STATE),
            "alarms": here.log.read_text().count("authorise again"),
            "drained": drained,
            "seconds": round(time.monotonic() - began, 1),
            "lost": messages - len(times),
            "duplicates": len(accepted) - len(times),
            "by_provider": dict(Counter(item.provider for item in accepted)),
        }


def _die_with_the_answer(here: Scene, database: BenchDatabase, orders: Orders) -> None:
    process = worker.start(here.env, orders, here.log)
    _expect(lambda: _value(database, STATE) == "refreshing")
    with psycopg.connect(database.admin_url) as holding:
        holding.execute(STATE + " FOR UPDATE")
        _expect(lambda: _value(database, WAITING) == 1)
        process.kill()
        process.wait()


def _unnoticed(database: BenchDatabase, began: float) -> bool:
    """Whether nobody has taken up the answer yet, nor knows that a person has to authorise again."""
    return _value(database, STATE) == "refreshing" and time.monotonic() - began < LONGEST_SECONDS


def _expect(condition: Callable[[], bool]) -> None:
    if not until(condition, 30):
        msg = "the worker did not come to the point where it was to die"
        raise AssertionError(msg)


def _value(database: BenchDatabase, query: str) -> object:
    with psycopg.connect(database.admin_url) as admin:
        row = admin.execute(query.encode()).fetchone()
    return row[0] if row else None
