"""When somebody must look: a pure rule over the figures, and a row for each alarm from when until when."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from notifications.figures import ProviderFigures, Vitals
from notifications.kinds import Priority
from notifications.states import PausedBy
from notifications.template_versions import Approval


class AlarmName(StrEnum):
    OLDEST_READY = "oldest-ready"
    PROVIDER_PAUSED = "provider-paused"
    TOKEN_NEEDS_AUTHORISATION = "token-needs-authorisation"  # noqa: S105
    TOKEN_CHAIN_OLD = "token-chain-old"  # noqa: S105
    BUDGET_NEAR = "budget-near"
    BUDGET_USED = "budget-used"
    TEXT_REFUSED = "text-refused"
    TEXT_CHANGED = "text-changed"
    DEAD_LETTERS = "dead-letters"
    UNKNOWN_CODE = "unknown-code"
    OLD_TRANSACTION = "old-transaction"


@dataclass(frozen=True, order=True)
class Raised:
    """`subject` is what the alarm is about: a provider, a text, "urgent"; never a person."""

    name: AlarmName
    subject: str


@dataclass(frozen=True)
class Thresholds:
    """A refresh token of Zalo's lives for three months, so 76 days leave two weeks to authorise anew.

    `breaker_rest`: a breaker's rest is its own cure, and news only when it goes on.
    """

    urgent_wait: timedelta = timedelta(seconds=60)
    other_wait: timedelta = timedelta(minutes=5)
    breaker_rest: timedelta = timedelta(minutes=15)
    token_age: timedelta = timedelta(days=76)
    budget_near: float = 0.8
    dead_today: int = 5
    transaction: timedelta = timedelta(minutes=10)


USUAL = Thresholds()
# An alarm that comes back so soon is the same alarm, and is not told again.
COMES_BACK = timedelta(minutes=30)


def alarms(vitals: Vitals, now: datetime, thresholds: Thresholds = USUAL) -> frozenset[Raised]:
    """What is wrong at `now`; pure."""
    return frozenset(
        (
            *_waits(vitals, thresholds),
            *(raised for each in vitals.providers for raised in _provider(each, now, thresholds)),
            *_budget(vitals, thresholds),
            *_texts(vitals),
            *(Raised(AlarmName.UNKNOWN_CODE, f"{name} {code}") for name, code in vitals.unknown_codes),
            *([Raised(AlarmName.DEAD_LETTERS, "today")] if vitals.dead_today > thresholds.dead_today else ()),
            *(
                [Raised(AlarmName.OLD_TRANSACTION, "database")]
                if vitals.oldest_transaction > thresholds.transaction.total_seconds()
                else ()
            ),
        )
    )


def _waits(vitals: Vitals, thresholds: Thresholds) -> Iterator[Raised]:
    urgent = [queue for queue in vitals.queues if queue.priority <= Priority.URGENT]
    others = [queue for queue in vitals.queues if queue.priority > Priority.URGENT]
    for subject, queues, most in (
        ("urgent", urgent, thresholds.urgent_wait),
        ("others", others, thresholds.other_wait),
    ):
        if vitals.oldest_ready(queues) > most.total_seconds():
            yield Raised(AlarmName.OLDEST_READY, subject)


def _provider(provider: ProviderFigures, now: datetime, thresholds: Thresholds) -> Iterator[Raised]:
    if provider.rests(now) and not _short(provider, now, thresholds):
        yield Raised(AlarmName.PROVIDER_PAUSED, provider.name)
    token = provider.token
    if token is None:
        return
    if token.state == "needs_reauth":
        yield Raised(AlarmName.TOKEN_NEEDS_AUTHORISATION, provider.name)
    elif now - token.renewed_at > thresholds.token_age:
        yield Raised(AlarmName.TOKEN_CHAIN_OLD, provider.name)


def _short(provider: ProviderFigures, now: datetime, thresholds: Thresholds) -> bool:
    until = provider.paused_until
    return (
        provider.paused_by == PausedBy.BREAKER
        and until is not None
        and until - now <= thresholds.breaker_rest
    )


def _budget(vitals: Vitals, thresholds: Thresholds) -> Iterator[Raised]:
    if vitals.budget is None:
        return
    if vitals.spent_this_month >= vitals.budget:
        yield Raised(AlarmName.BUDGET_USED, "month")
    elif vitals.spent_this_month >= vitals.budget * thresholds.budget_near:
        yield Raised(AlarmName.BUDGET_NEAR, "month")


def _texts(vitals: Vitals) -> Iterator[Raised]:
    for text in vitals.texts:
        if text.approval in {Approval.REFUSED, Approval.UNLISTED, Approval.OTHER}:
            yield Raised(AlarmName.TEXT_REFUSED, f"{text.kind}.{text.language}.{text.channel}")
    for key in vitals.changed_texts:
        yield Raised(AlarmName.TEXT_CHANGED, f"{key.kind}.{key.language}.{key.channel}")


@dataclass(frozen=True)
class OpenAlarm:
    raised: Raised
    since: datetime


_NAMES = frozenset(AlarmName)
_OPEN = """
SELECT name, subject, raised_at FROM notifications.alarm WHERE cleared_at IS NULL
ORDER BY raised_at, name, subject
"""
_CLEAR = """
UPDATE notifications.alarm a SET cleared_at = %(now)s
WHERE cleared_at IS NULL AND NOT EXISTS (
  SELECT FROM unnest(%(names)s::text[], %(subjects)s::text[]) AS still (name, subject)
  WHERE still.name = a.name AND still.subject = a.subject)
"""
_REOPEN = """
UPDATE notifications.alarm a SET cleared_at = NULL
FROM unnest(%(names)s::text[], %(subjects)s::text[]) AS back (name, subject)
WHERE a.name = back.name AND a.subject = back.subject AND a.cleared_at > %(recent)s
  AND a.raised_at = (SELECT max(l.raised_at) FROM notifications.alarm l
                     WHERE l.name = a.name AND l.subject = a.subject)
"""
_RAISE = """
INSERT INTO notifications.alarm (name, subject, raised_at)
SELECT name, subject, %(now)s FROM unnest(%(names)s::text[], %(subjects)s::text[]) AS fresh (name, subject)
ON CONFLICT DO NOTHING RETURNING name, subject
"""
# Two clocks that overlap settle one after the other.
_LOCK = "LOCK TABLE notifications.alarm IN SHARE ROW EXCLUSIVE MODE"


def settle_alarms(session: Session, raised: Collection[Raised], now: datetime) -> list[Raised]:
    """Open and close rows so that the open ones are `raised`; returns those to be told, newly opened now."""
    values = {
        "names": [each.name for each in raised],
        "subjects": [each.subject for each in raised],
        "now": now,
        "recent": now - COMES_BACK,
    }
    connection = session.connection()
    connection.exec_driver_sql(_LOCK)
    for sql in (_CLEAR, _REOPEN):
        connection.exec_driver_sql(sql, values)
    rows = connection.exec_driver_sql(_RAISE, values)
    return sorted(Raised(AlarmName(row.name), row.subject) for row in rows)


def open_alarms(session: Session) -> tuple[OpenAlarm, ...]:
    """The oldest first. An alarm of a later release that this one does not know is left out."""
    rows = session.connection().exec_driver_sql(_OPEN)
    return tuple(
        OpenAlarm(Raised(AlarmName(row.name), row.subject), row.raised_at)
        for row in rows
        if row.name in _NAMES
    )
