"""Messages that nobody could take: what they were and what of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications.reading import rows
from notifications.states import State

MOST_DEAD = 5000


@dataclass(frozen=True)
class Cause:
    """Why letters are dead: the last try's provider, outcome and code (empty where there is none)."""

    provider: str
    outcome: str
    code: str


@dataclass(frozen=True)
class DeadLetter:
    """`purged`: its words are gone, so that it cannot be sent again."""

    id: UUID
    kind: str
    language: str
    channel: str
    cause: Cause
    subject: UUID | None
    died_at: datetime
    expires_at: datetime
    dedupe_key: str
    purged: bool


@dataclass(frozen=True)
class DeadPage:
    """`after`: where the next page begins, None at the end."""

    items: tuple[DeadLetter, ...]
    after: tuple[datetime, UUID] | None


_DEAD = f"""
SELECT n.id, n.kind, n.language, n.subject, n.updated_at AS died_at, n.expires_at, n.dedupe_key,
       n.purged_at IS NOT NULL AS purged, coalesce(last.channel, n.channel, '') AS channel,
       coalesce(last.provider, '') AS provider, coalesce(last.outcome, '') AS outcome,
       coalesce(last.code, '') AS code
FROM notifications.notification n LEFT JOIN LATERAL (
  SELECT a.channel, a.provider, a.outcome, a.code FROM notifications.delivery_attempt a
  WHERE a.notification_id = n.id ORDER BY a.id DESC LIMIT 1
) AS last ON true
WHERE n.state = '{State.DEAD}'
"""
_DEAD_PAGE = (
    _DEAD
    + """  AND (%(at)s::timestamptz IS NULL OR (n.updated_at, n.id) < (%(at)s::timestamptz, %(id)s::uuid))
ORDER BY n.updated_at DESC, n.id DESC LIMIT %(most)s
"""
)
_DEAD_BY_IDS = _DEAD + " AND n.id = ANY(%(ids)s::uuid[])"
_DEAD_CAUSES = f"""
SELECT provider, outcome, code, count(*)::int AS count FROM (
  {_DEAD} ORDER BY n.updated_at DESC LIMIT %(most)s
) AS dead GROUP BY provider, outcome, code ORDER BY count DESC, provider, outcome, code
"""
_DEAD_OF = f"""
SELECT * FROM (
  {_DEAD} ORDER BY n.updated_at DESC LIMIT %(most)s
) AS dead WHERE (provider, outcome, code) = (%(provider)s, %(outcome)s, %(code)s) LIMIT %(wanted)s
"""


def dead_letters(session: Session, *, after: tuple[datetime, UUID] | None = None, most: int = 25) -> DeadPage:
    """A page of them, the newest first."""
    at, identifier = after or (None, None)
    found = rows(session, _DEAD_PAGE, at=at, id=identifier, most=most + 1)
    items = tuple(_dead_letter(row) for row in found[:most])
    return DeadPage(items, (items[-1].died_at, items[-1].id) if len(found) > most else None)


def dead_letters_by_id(session: Session, ids: Sequence[UUID]) -> tuple[DeadLetter, ...]:
    """Those of `ids` that are still dead."""
    return tuple(_dead_letter(row) for row in rows(session, _DEAD_BY_IDS, ids=list(ids)))


def dead_letters_of(session: Session, cause: Cause, *, most: int) -> tuple[DeadLetter, ...]:
    """The newest dead letters of one cause."""
    values = {"provider": cause.provider, "outcome": cause.outcome, "code": cause.code}
    found = rows(session, _DEAD_OF, **values, most=MOST_DEAD, wanted=most)
    return tuple(_dead_letter(row) for row in found)


def dead_causes(session: Session) -> tuple[tuple[Cause, int], ...]:
    """How many of the newest MOST_DEAD died of what."""
    found = rows(session, _DEAD_CAUSES, most=MOST_DEAD)
    return tuple((Cause(row["provider"], row["outcome"], row["code"]), row["count"]) for row in found)


def _dead_letter(row: dict[str, Any]) -> DeadLetter:
    cause = Cause(row.pop("provider"), row.pop("outcome"), row.pop("code"))
    return DeadLetter(cause=cause, **row)
