"""What the owner of a phone wishes to be told, and how: asked of them by link, at the desk, in Zalo.

What must be told (a changed appointment, a code) cannot be muted; there only the channel can be chosen.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from notifications import sealing
from notifications.kinds import Kind
from notifications.sealing import Sealer

EVERY = "*"


class Source(StrEnum):
    """By which door a wish came."""

    LINK = "link"
    DESK = "desk"
    ZALO = "zalo"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Wishes:
    """`muted` holds pairs of kind and channel, "*" for every one; `accented`: SMS with diacritics."""

    muted: frozenset[tuple[str, str]] = frozenset()
    accented: bool = False

    def allow(self, kind: Kind, channel: str) -> bool:
        """Whether a message of this kind may go by this channel; pure."""
        pairs = {(kind.name, channel), (EVERY, channel)}
        if kind.mutable:
            pairs |= {(kind.name, EVERY), (EVERY, EVERY)}
        return not pairs & self.muted


_OF = """
SELECT ARRAY(SELECT kind || ' ' || channel FROM notifications.preference
             WHERE recipient_index = %(index)s AND NOT wanted) AS muted,
       coalesce((SELECT accented FROM notifications.contact WHERE recipient_index = %(index)s), false)
         AS accented
"""
_SET = """
INSERT INTO notifications.preference (recipient_index, kind, channel, wanted, source, changed_at)
VALUES (%(index)s, %(kind)s, %(channel)s, %(wanted)s, %(source)s, %(now)s)
ON CONFLICT (recipient_index, kind, channel) DO UPDATE
SET wanted = excluded.wanted, source = excluded.source, changed_at = excluded.changed_at
"""
_ACCENTS = """
INSERT INTO notifications.contact (recipient_index, accented, changed_at)
VALUES (%(index)s, %(wanted)s, %(now)s)
ON CONFLICT (recipient_index) DO UPDATE SET accented = excluded.accented, changed_at = excluded.changed_at
"""


def wishes(muted: Collection[str], accented: bool) -> Wishes:
    """From the pairs as the tables give them ("kind channel")."""
    return Wishes(frozenset((pair.split(" ")[0], pair.split(" ")[1]) for pair in muted), accented)


class Preferences:
    """`address` is a phone in E.164; what is stored is only its blind index."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def of(self, session: Session, address: str) -> Wishes:
        row = session.connection().exec_driver_sql(_OF, {"index": self._index(address)}).one()
        return wishes(row.muted, row.accented)

    def stop(
        self,
        session: Session,
        address: str,
        *,
        kind: str | None = None,
        channel: str | None = None,
        source: Source,
        now: datetime,
    ) -> None:
        """Mute a kind (None: all that can be muted) on a channel (None: on every one)."""
        self._set(session, address, kind, channel, wanted=False, source=source, now=now)

    def resume(
        self,
        session: Session,
        address: str,
        *,
        kind: str | None = None,
        channel: str | None = None,
        source: Source,
        now: datetime,
    ) -> None:
        """Take back the same `stop`; a wider one stands."""
        self._set(session, address, kind, channel, wanted=True, source=source, now=now)

    def write_accents(self, session: Session, address: str, wanted: bool, *, now: datetime) -> None:
        """Write SMS to this phone with diacritics, or (the default) without."""
        given = {"index": self._index(address), "wanted": wanted, "now": now}
        session.connection().exec_driver_sql(_ACCENTS, given)

    def _set(
        self,
        session: Session,
        address: str,
        kind: str | None,
        channel: str | None,
        *,
        wanted: bool,
        source: Source,
        now: datetime,
    ) -> None:
        given = {"index": self._index(address), "kind": kind or EVERY, "channel": channel or EVERY}
        session.connection().exec_driver_sql(_SET, given | {"wanted": wanted, "source": source, "now": now})

    def _index(self, address: str) -> bytes:
        return self._sealer.index(address.encode(), sealing.ADDRESS)
