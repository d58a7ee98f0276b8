"""How the messages are doing, read from the tables.

`vitals` is cheap enough for every half minute. `history` reads a day of attempts by their time, never the
whole table, and is for a page that a person opens.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import template_versions
from notifications.channels import codes
from notifications.channels.codes import CodeTable
from notifications.channels.provider import Provider
from notifications.policy import LOCAL
from notifications.reading import rows
from notifications.settings import Configured
from notifications.states import State
from notifications.template_versions import Standing, TextKey
from notifications.templates import Source

DAY = timedelta(days=1)
ALARM_KIND = "operator-alarm"
# Receipts of the latest sends say how it goes now; older sends have had time for theirs to come.
_SAMPLE = 2000
# So many tries are enough to see where messages wander; a province sends fewer in a day.
_LATELY = 50_000
_RECEIPT_TIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Queue:
    """What waits on one channel with one priority. `ready`: due, and nobody has it yet."""

    channel: str
    priority: int
    waiting: int
    ready: int
    leased: int
    in_doubt: int
    oldest_ready: datetime | None


@dataclass(frozen=True)
class Traffic:
    """What a provider answered in a span of time. `latency_ms` is the mean of one answer."""

    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    slow: int = 0
    latency_ms: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.rejected + self.failed

    @property
    def failing(self) -> float:
        """The share that failed through no fault of the message, 0 to 1."""
        return self.failed / self.total if self.total else 0.0


NOTHING = Traffic()


@dataclass(frozen=True)
class Token:
    """`renewed_at`: since when the refresh token has not been changed for a new one."""

    state: str
    access_expires_at: datetime | None
    renewed_at: datetime


@dataclass(frozen=True)
class ProviderFigures:
    """`weight` is the share now, `usual_weight` the configured one. `rate`: sends a second that it allows.

    `remaining`: messages that it still took today when it was asked at `remaining_at`.
    """

    name: str
    channel: str
    configured: bool
    weight: int
    usual_weight: int
    rate: float | None
    paused_until: datetime | None
    paused_by: str | None
    reason: str | None
    remaining: int | None
    remaining_at: datetime | None
    token: Token | None
    five_minutes: Traffic
    hour: Traffic
    day: Traffic

    def rests(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now


@dataclass(frozen=True)
class Spent:
    """What one provider's messages cost, in VND by the tariff."""

    provider: str
    messages_today: int
    vnd_today: int
    messages_month: int
    segments_month: int
    vnd_month: int


@dataclass(frozen=True)
class Vitals:
    """`budget` is VND a month. `dead_today` counts since local midnight, without our own alarms.
    `oldest_transaction`: seconds that the oldest open transaction of the application holds rows back."""

    at: datetime
    queues: tuple[Queue, ...]
    providers: tuple[ProviderFigures, ...]
    spending: tuple[Spent, ...]
    budget: int | None
    texts: tuple[Standing, ...]
    changed_texts: tuple[TextKey, ...]
    dead: int
    dead_today: int
    unknown_codes: tuple[tuple[str, str], ...]
    oldest_transaction: float

    @property
    def spent_this_month(self) -> int:
        return sum(spent.vnd_month for spent in self.spending)

    @property
    def in_doubt(self) -> int:
        return sum(queue.in_doubt for queue in self.queues)

    def oldest_ready(self, queues: Iterable[Queue] | None = None) -> float:
        """Seconds that the oldest due message has waited, of all queues or of these; 0 when none does."""
        waits = [
            (self.at - queue.oldest_ready).total_seconds()
            for queue in (self.queues if queues is None else queues)
            if queue.oldest_ready is not None
        ]
        return max(waits, default=0.0)


def vitals(
    session: Session,
    configured: Mapping[str, Configured],
    *,
    budget: int | None,
    sources: Iterable[Source],
    now: datetime,
) -> Vitals:
    dead, dead_today = _dead_counts(session, now)
    return Vitals(
        at=now,
        queues=queues(session, now=now),
        providers=providers(session, configured, now=now),
        spending=spending(session, now=now),
        budget=budget,
        texts=template_versions.standings(session),
        changed_texts=template_versions.changed(session, sources),
        dead=dead,
        dead_today=dead_today,
        unknown_codes=_unknown_codes(session, configured, now),
        oldest_transaction=_oldest_transaction(session),
    )


# The queue.

_QUEUES = """
SELECT channel, priority, count(*) AS waiting,
       count(*) FILTER (WHERE lease_owner IS NULL AND due_at <= %(now)s) AS ready,
       count(*) FILTER (WHERE lease_owner IS NOT NULL) AS leased,
       count(*) FILTER (WHERE in_doubt) AS in_doubt,
       min(due_at) FILTER (WHERE lease_owner IS NULL AND due_at <= %(now)s) AS oldest_ready
FROM notifications.outbox GROUP BY channel, priority ORDER BY priority, channel
"""


def queues(session: Session, *, now: datetime) -> tuple[Queue, ...]:
    return tuple(Queue(**row) for row in rows(session, _QUEUES, now=now))


# Providers.

_TRAFFIC = """
SELECT m.provider, span.seconds, min(m.channel) AS channel, sum(m.accepted)::int AS accepted,
       sum(m.rejected)::int AS rejected, sum(m.failed)::int AS failed, sum(m.slow)::int AS slow,
       (sum(m.latency_ms) / greatest(sum(m.accepted + m.rejected + m.failed), 1))::int AS latency_ms
FROM unnest(ARRAY[300, 3600, 86400]) AS span (seconds)
JOIN notifications.provider_minute m
  ON m.minute > %(now)s::timestamptz - span.seconds * interval '1 second'
WHERE m.minute > %(now)s::timestamptz - interval '1 day'
GROUP BY m.provider, span.seconds
"""
_STATES = """
SELECT provider, paused_until, paused_by, reason, weight, remaining, remaining_at
FROM notifications.provider_state
"""
_TOKENS = """
SELECT provider, state, access_expires_at, least(updated_at, access_expires_at) AS renewed_at
FROM notifications.provider_token
"""


def providers(
    session: Session, configured: Mapping[str, Configured], *, now: datetime
) -> tuple[ProviderFigures, ...]:
    """The configured ones, and those that have carried anything within a day."""
    traffic: dict[str, dict[int, Traffic]] = {}
    channels: dict[str, str] = {name: each.provider.channel for name, each in configured.items()}
    for row in rows(session, _TRAFFIC, now=now):
        name, seconds = row.pop("provider"), row.pop("seconds")
        channels.setdefault(name, row.pop("channel"))
        row.pop("channel", None)
        traffic.setdefault(name, {})[seconds] = Traffic(**row)
    states = {row.pop("provider"): row for row in rows(session, _STATES)}
    tokens = {row.pop("provider"): Token(**row) for row in rows(session, _TOKENS)}
    return tuple(
        _provider(name, channel, configured.get(name), states.get(name, {}), tokens.get(name), traffic)
        for name, channel in channels.items()
    )


def _provider(
    name: str,
    channel: str,
    configured: Configured | None,
    state: Mapping[str, Any],
    token: Token | None,
    traffic: Mapping[str, Mapping[int, Traffic]],
) -> ProviderFigures:
    usual = configured.weight if configured else 0
    weight = state.get("weight")
    spans = traffic.get(name, {})
    return ProviderFigures(
        name=name,
        channel=channel,
        configured=configured is not None,
        weight=usual if weight is None else weight,
        usual_weight=usual,
        rate=configured.rate if configured else None,
        paused_until=state.get("paused_until"),
        paused_by=state.get("paused_by"),
        reason=state.get("reason"),
        remaining=state.get("remaining"),
        remaining_at=state.get("remaining_at"),
        token=token,
        five_minutes=spans.get(300, NOTHING),
        hour=spans.get(3600, NOTHING),
        day=spans.get(86400, NOTHING),
    )


@dataclass(frozen=True)
class Change:
    """One change of a provider's share or rest. `changed_by` None: by itself."""

    provider: str
    at: datetime
    change: str
    weight: int | None
    reason: str
    changed_by: UUID | None


_CHANGES = """
SELECT provider, at, change, weight, reason, changed_by FROM notifications.provider_change
ORDER BY id DESC LIMIT %(most)s
"""


def changes(session: Session, *, most: int = 20) -> tuple[Change, ...]:
    return tuple(Change(**row) for row in rows(session, _CHANGES, most=most))


# Costs.

_SPENDING = """
SELECT provider,
       coalesce(sum(messages) FILTER (WHERE day = %(today)s), 0)::int AS messages_today,
       coalesce(sum(vnd) FILTER (WHERE day = %(today)s), 0)::bigint AS vnd_today,
       sum(messages)::int AS messages_month, sum(segments)::int AS segments_month,
       sum(vnd)::bigint AS vnd_month
FROM notifications.spending WHERE day BETWEEN %(first)s AND %(today)s GROUP BY provider ORDER BY provider
"""


def spending(session: Session, *, now: datetime) -> tuple[Spent, ...]:
    """Of the local month that `now` falls into."""
    today = _local_day(now)
    found = rows(session, _SPENDING, today=today, first=today.replace(day=1))
    return tuple(Spent(**row) for row in found)


# What has gone wrong.

_DEAD_COUNTS = f"""
SELECT count(*) AS dead, count(*) FILTER (WHERE updated_at >= %(midnight)s AND kind <> '{ALARM_KIND}')
         AS today
FROM notifications.notification WHERE state = '{State.DEAD}'
"""
_REFUSED_CODES = """
SELECT DISTINCT provider, code FROM notifications.delivery_attempt
WHERE at > %(since)s AND outcome LIKE 'rejected%%' AND code IS NOT NULL
"""
_TRANSACTION = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_A_PROVIDERS_CODE = re.compile(r"-?\d+")


def _dead_counts(session: Session, now: datetime) -> tuple[int, int]:
    midnight = datetime.combine(_local_day(now), time(), LOCAL)
    row = rows(session, _DEAD_COUNTS, midnight=midnight)[0]
    return row["dead"], row["today"]


def _unknown_codes(
    session: Session, configured: Mapping[str, Configured], now: datetime
) -> tuple[tuple[str, str], ...]:
    """What providers refused with in the last hour and our tables do not name. Words are our own codes."""
    known = {name: _code_table(each.provider) for name, each in configured.items()}
    found = [(row["provider"], row["code"]) for row in rows(session, _REFUSED_CODES, since=now - DAY / 24)]
    return tuple(
        (provider, code)
        for provider, code in sorted(found)
        if _A_PROVIDERS_CODE.fullmatch(code)
        and (table := known.get(provider)) is not None
        and code not in table.classes
    )


def _code_table(provider: Provider) -> CodeTable | None:
    """The table in the folder of the provider's account, where there is one."""
    module = sys.modules.get(getattr(provider.account, "__module__", ""))
    if module is None or module.__file__ is None:
        return None
    path = Path(module.__file__).parent / "codes.yaml"
    return codes.load(path) if path.exists() else None


def _oldest_transaction(session: Session) -> float:
    return float(rows(session, _TRANSACTION)[0]["seconds"])


@dataclass(frozen=True)
class Failure:
    """Tries of the last day that came to nothing. `code` is the provider's, or a word of ours."""

    provider: str
    channel: str
    outcome: str
    code: str | None
    count: int
    last_at: datetime


@dataclass(frozen=True)
class Delivery:
    """Of a provider's latest accepted sends: how many have a receipt, and after how many seconds it came
    (the median; None where nothing has come)."""

    provider: str
    channel: str
    accepted: int
    delivered: int
    lag: float | None

    @property
    def share(self) -> float:
        return self.delivered / self.accepted if self.accepted else 0.0


@dataclass(frozen=True)
class FallBack:
    """Messages of the last day that went on from one channel to another."""

    before: str
    after: str
    count: int


@dataclass(frozen=True)
class History:
    """The last 24 hours. `duplicates`: messages that one channel accepted twice, or that arrived twice."""

    failures: tuple[Failure, ...]
    deliveries: tuple[Delivery, ...]
    fall_backs: tuple[FallBack, ...]
    reconciled: int
    duplicates: int


_FAILURES = """
SELECT provider, channel, outcome, code, count(*)::int AS count, max(at) AS last_at
FROM notifications.delivery_attempt
WHERE at > %(since)s AND (outcome LIKE 'rejected%%'
  OR outcome IN ('retry', 'ambiguous', 'undecided', 'no_channel', 'expired'))
GROUP BY provider, channel, outcome, code ORDER BY count DESC, provider, code LIMIT 50
"""
_DELIVERIES = """
WITH sent AS (
  SELECT provider, channel, notification_id, idem_key, at FROM notifications.delivery_attempt
  WHERE at > %(since)s AND at < %(settled)s AND outcome IN ('accepted', 'reconciled')
  ORDER BY at DESC LIMIT %(most)s
)
SELECT sent.provider, sent.channel, count(*)::int AS accepted, count(told.received_at)::int AS delivered,
       percentile_cont(0.5) WITHIN GROUP (
         ORDER BY extract(epoch FROM told.received_at - sent.at)::float8) AS lag
FROM sent LEFT JOIN LATERAL (
  SELECT min(r.received_at) AS received_at FROM notifications.receipt r
  WHERE r.notification_id = sent.notification_id AND r.provider = sent.provider AND r.status = 'delivered'
) AS told ON true
GROUP BY sent.provider, sent.channel ORDER BY sent.channel, sent.provider
"""
_FALL_BACKS = """
SELECT before, channel AS after, count(*)::int AS count FROM (
  SELECT channel, lag(channel) OVER (PARTITION BY notification_id ORDER BY id) AS before FROM (
    SELECT id, notification_id, channel FROM notifications.delivery_attempt
    WHERE at > %(since)s AND provider <> '' AND outcome <> 'receipt' ORDER BY at DESC LIMIT %(most)s
  ) AS lately
) AS step
WHERE before <> channel GROUP BY before, channel ORDER BY count DESC
"""
_RECONCILED = """
SELECT count(*)::int AS count FROM notifications.delivery_attempt
WHERE at > %(since)s AND outcome = 'reconciled'
"""
_DUPLICATES = """
SELECT count(*)::int AS count FROM (
  SELECT notification_id FROM (
    SELECT notification_id FROM notifications.delivery_attempt
    WHERE at > %(since)s AND provider_ref IS NOT NULL ORDER BY at DESC LIMIT %(most)s
  ) AS lately GROUP BY notification_id HAVING count(*) > 1
) AS twice
WHERE EXISTS (
  SELECT FROM notifications.delivery_attempt a
  WHERE a.notification_id = twice.notification_id AND a.provider_ref IS NOT NULL
  GROUP BY a.channel HAVING count(*) > 1
) OR (
  SELECT count(DISTINCT (r.provider, r.provider_ref)) FROM notifications.receipt r
  WHERE r.notification_id = twice.notification_id AND r.status = 'delivered'
) > 1
"""


def history(session: Session, *, now: datetime) -> History:
    since = now - DAY
    lately = {"since": since, "most": _LATELY}
    sample = {"since": since, "settled": now - _RECEIPT_TIME, "most": _SAMPLE}
    return History(
        failures=tuple(Failure(**row) for row in rows(session, _FAILURES, since=since)),
        deliveries=tuple(Delivery(**row) for row in rows(session, _DELIVERIES, **sample)),
        fall_backs=tuple(FallBack(**row) for row in rows(session, _FALL_BACKS, **lately)),
        reconciled=rows(session, _RECONCILED, since=since)[0]["count"],
        duplicates=rows(session, _DUPLICATES, **lately)[0]["count"],
    )


def _local_day(now: datetime) -> date:
    return now.astimezone(LOCAL).date()
