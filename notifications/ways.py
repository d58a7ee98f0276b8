"""The way of one message: every try, every receipt, in the order in which they happened."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications.reading import rows
from notifications.states import State


@dataclass(frozen=True)
class Step:
    """One thing that happened to a message: a try of ours, or (`receipt`) what the provider told."""

    at: datetime
    receipt: bool
    channel: str
    provider: str
    outcome: str
    code: str | None
    segments: int | None
    latency_ms: int | None
    vnd: int | None


@dataclass(frozen=True)
class Way:
    """A message's way. Neither its words nor its address: whoever looks needs neither."""

    id: UUID
    subject: UUID | None
    kind: str
    language: str
    template_version: int
    state: str
    channel: str | None
    provider: str | None
    created_at: datetime
    not_before: datetime
    expires_at: datetime
    due_at: datetime | None
    steps: tuple[Step, ...]


_WAYS = """
SELECT n.id, n.subject, n.kind, n.language, n.template_version, n.state, n.provider,
       coalesce(o.channel, n.channel) AS channel, n.created_at, n.not_before, n.expires_at, o.due_at
FROM notifications.notification n LEFT JOIN notifications.outbox o ON o.notification_id = n.id
WHERE {where} ORDER BY n.created_at DESC, n.id DESC LIMIT %(most)s
"""
_STEPS = """
SELECT * FROM (
  SELECT notification_id, at, false AS receipt, channel, provider, outcome, code, segments, latency_ms, vnd
  FROM notifications.delivery_attempt WHERE notification_id = ANY(%(ids)s::uuid[]) AND outcome <> 'receipt'
  UNION ALL
  SELECT notification_id, received_at, true, '', provider, status, code, NULL, NULL, NULL
  FROM notifications.receipt WHERE notification_id = ANY(%(ids)s::uuid[])
) AS step ORDER BY at, receipt
"""


# A refusal has told nobody anything.
_ELSEWHERE = f"""
SELECT EXISTS (
  SELECT FROM notifications.notification n WHERE n.subject = %(subject)s AND n.recipient_index <> %(index)s
    AND (n.state IN ('{State.SENDING}', '{State.IN_DOUBT}') OR EXISTS (
      SELECT FROM notifications.delivery_attempt a WHERE a.notification_id = n.id AND a.provider <> ''
        AND a.outcome <> 'retry' AND a.outcome NOT LIKE 'rejected%%'))
)
"""


def told_elsewhere(session: Session, subject: UUID, recipient_index: bytes) -> bool:
    """Whether something about `subject` has left, or may have, for another address than this one."""
    asked = {"subject": subject, "index": recipient_index}
    return bool(session.connection().exec_driver_sql(_ELSEWHERE, asked).scalar_one())


def ways_about(session: Session, subject: UUID, *, most: int = 30) -> tuple[Way, ...]:
    """The messages about one subject, the newest first."""
    return _ways(session, "n.subject = %(key)s::uuid", subject, most)


def ways_to(session: Session, recipient_index: bytes, *, most: int = 30) -> tuple[Way, ...]:
    """The messages to one phone, by its blind index (`Outbox.recipient_index`), the newest first."""
    return _ways(session, "n.recipient_index = %(key)s::bytea", recipient_index, most)


def way_of(session: Session, identifier: UUID) -> Way | None:
    return next(iter(_ways(session, "n.id = %(key)s::uuid", identifier, 1)), None)


def _ways(session: Session, where: str, key: UUID | bytes, most: int) -> tuple[Way, ...]:
    found = rows(session, _WAYS.format(where=where), key=key, most=most)
    steps: dict[UUID, list[Step]] = {row["id"]: [] for row in found}
    for step in rows(session, _STEPS, ids=list(steps)) if steps else ():
        steps[step.pop("notification_id")].append(Step(**step))
    return tuple(Way(**row, steps=tuple(steps[row["id"]])) for row in found)
