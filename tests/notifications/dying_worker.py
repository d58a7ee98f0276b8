"""A dispatcher in a process of its own that kills itself, as by kill -9, at one point of its work.

The points are found from outside, at the channel and at the database's driver: the product has no hooks.
Settings and the point come as one JSON argument.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, create_engine, event

from notifications.channels.base import Channel, Outcome, Outgoing
from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.settings import NotificationSettings
from tests.notifications.hosting import QUICK, OwnSealer

# What the statement at a point, and no other, says.
CLAIM = "orphaned AS"
FINISH = "INSERT INTO notifications.delivery_attempt"
KEEP_TOKENS = "refresh_token = %(refresh)s, access_token = %(access)s"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A channel around which its process dies."""

    def __init__(self, channel: Channel, point: str) -> None:
        self._channel = channel
        self._point = point
        self.provider = channel.provider
        self.capabilities = channel.capabilities

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        if self._point == "before_send":
            die()
        outcome = self._channel.send(message, key)
        if self._point == "after_send":
            die()
        return outcome

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return self._channel.lookup(message, key, since, taken, rivals)


def die_at_statement(engine: Engine, words: str) -> None:
    """Before it is executed."""

    def look(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if words in statement:
            die()

    event.listen(engine, "before_cursor_execute", look)


def die_once_committed(engine: Engine, words: str) -> None:
    """When a statement that found rows is committed and its connection is given back."""
    found = threading.Event()

    def look(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if words in statement and cursor.rowcount > 0:
            found.set()

    def given_back(*_connection: Any) -> None:
        if found.is_set():
            die()

    event.listen(engine, "after_cursor_execute", look)
    event.listen(engine, "checkin", given_back)


AT_THE_DATABASE: Mapping[str, Callable[[Engine], None]] = {
    "after_claim": lambda engine: die_once_committed(engine, CLAIM),
    "before_finish": lambda engine: die_at_statement(engine, FINISH),
    "after_refresh_post": lambda engine: die_at_statement(engine, KEEP_TOKENS),
}


def die_at_journal(path: str) -> None:
    """With the answer in hand, before anything of it is written."""

    def look(happened: str, details: tuple[Any, ...]) -> None:
        if happened == "open" and str(details[0]).startswith(f"{path}."):
            die()

    sys.addaudithook(look)


def main() -> None:
    given = json.loads(sys.argv[1])
    point = given["point"]
    settings = NotificationSettings.from_environ(given["environ"], sandbox_url=given["sandbox"])
    engine = create_engine(given["database"])
    if point in AT_THE_DATABASE:
        AT_THE_DATABASE[point](engine)
    if point == "before_journal":
        die_at_journal(given["environ"]["ZALO_TOKEN_JOURNAL"])
    sealer = OwnSealer()
    carriers = settings.carriers(Host(engine, sealer, settings.public_base_url, QUICK.timeout))
    mortal = [replace(carrier, adapter=Mortal(carrier.adapter, point)) for carrier in carriers]
    Dispatcher(engine, mortal, sealer, policy=QUICK).run(threading.Event())


if __name__ == "__main__":
    main()
