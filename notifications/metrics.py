"""The figures as Prometheus reads them, made anew from the tables at every scrape."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.orm import Session

from notifications import template_versions
from notifications.alarms import open_alarms
from notifications.figures import queues
from notifications.reading import rows

# Old minutes are merged into days, never dropped: these totals only grow.
_ANSWERS = """
SELECT provider, sum(accepted)::bigint AS accepted, sum(rejected)::bigint AS rejected,
       sum(failed)::bigint AS failed, sum(slow)::bigint AS slow, sum(latency_ms)::bigint AS latency_ms
FROM notifications.provider_minute GROUP BY provider
"""
_COSTS = """
SELECT provider, sum(messages)::bigint AS messages, sum(segments)::bigint AS segments, sum(vnd)::bigint AS vnd
FROM notifications.spending GROUP BY provider
"""
_PROVIDERS = """
SELECT provider, coalesce(paused_until > %(now)s, false)::int AS paused, weight, remaining
FROM notifications.provider_state
"""
_TOKENS = """
SELECT provider, (state = 'ok')::int AS good,
       extract(epoch FROM access_expires_at - %(now)s)::float8 AS expires,
       extract(epoch FROM %(now)s - least(updated_at, access_expires_at))::float8 AS age
FROM notifications.provider_token
"""
_DEAD = "SELECT count(*) AS dead FROM notifications.notification WHERE state = 'dead'"


class MessageMetrics:
    """A collector for one scrape: `registry.register(MessageMetrics(session, now=now))`."""

    def __init__(self, session: Session, *, now: datetime) -> None:
        self._session = session
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield from self._outbox()
        yield from self._answers()
        yield from self._costs()
        yield from self._providers()
        yield from self._tokens()
        yield from self._troubles()

    def _outbox(self) -> Iterator[Metric]:
        found = queues(self._session, now=self._now)
        depth = _gauge("outbox_depth", "Messages that still have to leave", "channel")
        oldest = _gauge(
            "outbox_oldest_ready_seconds", "How long the oldest due message has waited", "priority"
        )
        for channel in sorted({queue.channel for queue in found}):
            depth.add_metric([channel], sum(queue.waiting for queue in found if queue.channel == channel))
        for priority in sorted({queue.priority for queue in found}):
            ready = [q.oldest_ready for q in found if q.priority == priority and q.oldest_ready is not None]
            waited = (self._now - min(ready)).total_seconds() if ready else 0.0
            oldest.add_metric([str(priority)], waited)
        yield from (depth, oldest)
        yield _single("outbox_ready", "Messages that are due", sum(queue.ready for queue in found))
        yield _single("in_doubt_open", "Sends whose answer was lost", sum(queue.in_doubt for queue in found))

    def _answers(self) -> Iterator[Metric]:
        attempts = _counter("attempts", "Answers of providers", "provider", "outcome")
        slow = _counter("attempts_slow", "Answers that were slow", "provider")
        seconds = _counter("send_seconds", "Time that providers took to answer", "provider")
        for row in rows(self._session, _ANSWERS):
            for outcome in ("accepted", "rejected", "failed"):
                attempts.add_metric([row["provider"], outcome], row[outcome])
            slow.add_metric([row["provider"]], row["slow"])
            seconds.add_metric([row["provider"]], row["latency_ms"] / 1000)
        yield from (attempts, slow, seconds)

    def _costs(self) -> Iterator[Metric]:
        found = rows(self._session, _COSTS)
        for name, about, column in (
            ("messages_billed", "Messages that a provider has accepted", "messages"),
            ("segments", "Segments of short messages", "segments"),
            ("cost_vnd", "What they cost by the tariff, in VND", "vnd"),
        ):
            metric = _counter(name, about, "provider")
            for row in found:
                metric.add_metric([row["provider"]], row[column])
            yield metric

    def _providers(self) -> Iterator[Metric]:
        found = rows(self._session, _PROVIDERS, now=self._now)
        for name, about, column in (
            ("provider_paused", "1 while a provider rests", "paused"),
            ("provider_weight", "Its share of its channel, where it is not the configured one", "weight"),
            ("provider_quota_remaining", "Messages that it takes today", "remaining"),
        ):
            yield _by_provider(name, about, found, column)

    def _tokens(self) -> Iterator[Metric]:
        found = rows(self._session, _TOKENS, now=self._now)
        for name, about, column in (
            ("provider_token_good", "0 when somebody must authorise again", "good"),
            ("provider_token_expires_seconds", "Until the access token runs out", "expires"),
            ("provider_token_age_seconds", "Since the refresh token was last renewed", "age"),
        ):
            yield _by_provider(name, about, found, column)

    def _troubles(self) -> Iterator[Metric]:
        yield _single("dead_letters", "Messages nobody could take", rows(self._session, _DEAD)[0]["dead"])
        refused = template_versions.unsendable(self._session)
        yield _single("texts_unsendable", "Texts that their provider would refuse", len(refused))
        alarm = _gauge("message_alarm", "1 for each open alarm", "name", "subject")
        for each in open_alarms(self._session):
            alarm.add_metric([each.raised.name, each.raised.subject], 1)
        yield alarm


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=labels)


def _counter(name: str, about: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, about, labels=labels)


def _single(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _by_provider(name: str, about: str, found: list[dict[str, Any]], column: str) -> Metric:
    metric = _gauge(name, about, "provider")
    for row in found:
        if row[column] is not None:
            metric.add_metric([row["provider"]], row[column])
    return metric
