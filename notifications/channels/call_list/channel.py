"""One CSV file a day and facility, which somebody opens, prints and telephones from.

A line is there once: its last cell is our key, and a key that is there already is not written again.
"""

import logging
import re
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from notifications.channels.base import Accepted, Ambiguous, Capabilities, Outcome, Outgoing, Retry
from notifications.channels.call_list.file import AppendFailed, append_once
from notifications.channels.call_list.sheet import HEADING, line
from notifications.channels.provider import Clock
from notifications.channels.transport import TIMEOUT
from notifications.policy import LOCAL
from notifications.templates.segments import unaccented

_log = logging.getLogger(__name__)

# The lists hold telephone numbers in clear: they go when nobody needs them for a question any more.
KEPT = timedelta(days=30)
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})[a-z0-9-]*\.csv")


class CallList:
    provider = "call-list"
    capabilities = Capabilities(idempotent=True)

    def __init__(self, folder: Path, *, clock: Clock, timeout: float = TIMEOUT) -> None:
        self._folder = folder
        self._clock = clock
        self._timeout = timeout

    def send(self, message: Outgoing, key: UUID) -> Outcome:
        now = message.now.astimezone(LOCAL)
        facility = message.params.get("facility", "")
        today, yesterday = (self._folder / list_name(day, facility) for day in (now, now - timedelta(days=1)))
        written = line(message, key)
        try:
            fresh = append_once(today, HEADING, written, str(key), also_in=yesterday, timeout=self._timeout)
        except AppendFailed as error:
            _log.error("the call list cannot be written: %s", error)
            return Retry(code="file", down=True)
        return Accepted(ref=f"call:{key}", reconciled=not fresh)

    def lookup(
        self, message: Outgoing, key: UUID, since: datetime, taken: AbstractSet[str], rivals: int
    ) -> Outcome | None:
        return Ambiguous(reason="a list is asked by writing again")

    def upkeep(self) -> None:
        """Remove old lists."""
        oldest = f"{self._clock().astimezone(LOCAL) - KEPT:%Y-%m-%d}"
        for path in self._folder.glob("*.csv"):
            named = _NAME.fullmatch(path.name)
            if named is not None and named[1] < oldest:
                path.unlink(missing_ok=True)


def list_name(day: datetime, facility: str) -> str:
    """ "2026-11-30-bv-ba-ria.csv"."""
    slug = re.sub(r"[^a-z0-9]+", "-", unaccented(facility).lower()).strip("-")
    return "-".join(filter(None, (f"{day:%Y-%m-%d}", slug))) + ".csv"
