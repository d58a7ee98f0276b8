"""Taking messages out of the outbox and recording what became of them: the SQL of the dispatcher.

A lease belongs to one dispatcher until its time is over. Whatever is leased a second time is in doubt: the
first holder may have sent it before it died.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from notifications.states import State, before

_SENDABLE = ", ".join(f"'{state}'" for state in (*before(State.SENDING), State.SENDING))

# Leases run on the database's own clock; what is due or expired is judged by the host's (`clock`). Reminders
# of months ahead wait in the same table, so every urgency is looked up by its own index range.
_CLAIM = f"""
WITH moment AS MATERIALIZED (
  SELECT {{clock}} AS now
), ready AS (
  SELECT due.notification_id FROM generate_series(0, 9) AS urgency (priority) CROSS JOIN LATERAL (
    SELECT notification_id FROM notifications.outbox
    WHERE lease_owner IS NULL AND priority = urgency.priority AND due_at <= (SELECT now FROM moment)
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ) AS due LIMIT %(limit)s
), orphaned AS (
  SELECT notification_id FROM notifications.outbox
  WHERE lease_owner IS NOT NULL AND lease_until < statement_timestamp()
  ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), picked AS (
  SELECT notification_id FROM ready UNION ALL SELECT notification_id FROM orphaned
), leased AS (
  UPDATE notifications.outbox o
  SET in_doubt = o.in_doubt OR o.lease_owner IS NOT NULL, lease_owner = %(owner)s,
      lease_until = clock_timestamp() + %(lease)s * interval '1 second', attempt = o.attempt + 1
  FROM picked WHERE o.notification_id = picked.notification_id
  RETURNING o.*
)
UPDATE notifications.notification n
SET state = CASE WHEN n.state IN ({_SENDABLE}) THEN '{State.SENDING}' ELSE n.state END,
    updated_at = moment.now
FROM leased l, moment WHERE n.id = l.notification_id
RETURNING n.id, n.kind, n.language, n.recipient, n.params, n.state, n.recipient_index,
  greatest(n.created_at, n.not_before) AS since, n.expires_at, n.expires_at <= moment.now AS expired,
  moment.now, l.channel, l.attempt, l.in_doubt, l.cancelled, l.idem_key, l.priority,
  ARRAY(SELECT u.channel FROM notifications.unreachable u
        WHERE u.recipient_index = n.recipient_index AND u.until > moment.now) AS unreachable
"""

# An attempt whose provider reference already belongs to another one finishes nothing: its lease runs out and
# it is looked up anew. That keeps two messages to one phone from both claiming one found send.
_FINISH = f"""
WITH result AS (
  SELECT * FROM unnest(
    %(id)s::uuid[], %(state)s::text[], %(channel)s::text[], %(provider)s::text[], %(outcome)s::text[],
    %(code)s::text[], %(ref)s::text[], %(segments)s::smallint[], %(latency_ms)s::int[],
    %(next_channel)s::text[], %(delay)s::float8[], %(in_doubt)s::bool[], %(next_key)s::uuid[]
  ) AS r (id, state, channel, provider, outcome, code, ref, segments, latency_ms, next_channel, delay,
          in_doubt, next_key)
), mine AS (
  SELECT o.notification_id, o.idem_key, o.attempt, o.cancelled FROM notifications.outbox o
  JOIN result ON result.id = o.notification_id
  WHERE o.lease_owner = %(owner)s ORDER BY o.notification_id FOR UPDATE OF o
), logged AS (
  INSERT INTO notifications.delivery_attempt
    (notification_id, idem_key, attempt, channel, provider, outcome, code, provider_ref, segments, latency_ms,
     at)
  SELECT r.id, mine.idem_key, mine.attempt, r.channel, r.provider, r.outcome, r.code, r.ref, r.segments,
         r.latency_ms, {{clock}}
  FROM result r JOIN mine ON mine.notification_id = r.id
  ON CONFLICT (provider, provider_ref) WHERE provider_ref IS NOT NULL DO NOTHING
  RETURNING notification_id
), over AS (
  DELETE FROM notifications.outbox o USING result r, mine, logged
  WHERE o.notification_id = r.id AND mine.notification_id = r.id AND logged.notification_id = r.id
    AND (r.next_channel IS NULL OR mine.cancelled)
), onward AS (
  UPDATE notifications.outbox o
  SET lease_owner = NULL, lease_until = NULL, channel = r.next_channel, in_doubt = r.in_doubt,
      due_at = {{clock}} + r.delay * interval '1 second', idem_key = coalesce(r.next_key, o.idem_key)
  FROM result r, mine, logged
  WHERE o.notification_id = r.id AND mine.notification_id = r.id AND logged.notification_id = r.id
    AND r.next_channel IS NOT NULL AND NOT mine.cancelled
)
UPDATE notifications.notification n
SET state = CASE WHEN n.state <> '{State.SENDING}' THEN n.state
                 WHEN r.next_channel IS NOT NULL AND mine.cancelled THEN '{State.CANCELLED}'
                 ELSE r.state END,
    channel = CASE WHEN r.provider = '' THEN n.channel ELSE r.channel END,
    provider = coalesce(nullif(r.provider, ''), n.provider), provider_ref = coalesce(r.ref, n.provider_ref),
    updated_at = {{clock}}
FROM result r, mine, logged
WHERE n.id = r.id AND mine.notification_id = r.id AND logged.notification_id = r.id
"""

_RELEASE = f"""
WITH back AS (
  UPDATE notifications.outbox
  SET lease_owner = NULL, lease_until = NULL, attempt = attempt - 1, in_doubt = doubt
  FROM unnest(%(id)s::uuid[], %(in_doubt)s::bool[]) AS r (id, doubt)
  WHERE notification_id = r.id AND lease_owner = %(owner)s
  RETURNING notification_id
)
UPDATE notifications.notification n SET state = '{State.QUEUED}', updated_at = {{clock}}
FROM back WHERE n.id = back.notification_id AND n.state = '{State.SENDING}'
"""

_TAKEN = """
SELECT a.provider_ref FROM notifications.delivery_attempt a
JOIN notifications.notification n ON n.id = a.notification_id
WHERE n.recipient_index = %(recipient_index)s AND a.provider = %(provider)s AND a.provider_ref IS NOT NULL
  AND n.id <> %(id)s
"""

_PAUSED = "SELECT provider FROM notifications.provider_state WHERE paused_until > {clock}"

_PAUSE = """
INSERT INTO notifications.provider_state (provider, paused_until, reason, updated_at)
VALUES (%(provider)s, %(until)s, %(reason)s, {clock})
ON CONFLICT (provider) DO UPDATE SET paused_until = excluded.paused_until, reason = excluded.reason,
  updated_at = excluded.updated_at
"""

_UNREACHABLE = """
INSERT INTO notifications.unreachable (channel, recipient_index, code, until)
VALUES (%(channel)s, %(recipient_index)s, %(code)s, {clock} + %(seconds)s * interval '1 second')
ON CONFLICT (channel, recipient_index) DO UPDATE SET code = excluded.code, until = excluded.until
"""


@dataclass(frozen=True)
class Leased:
    """A message in our hands. `now` is the host's clock at the claim; `since`: no send of it can be older."""

    id: UUID
    kind: str
    language: str
    recipient: bytes
    params: bytes
    state: str
    recipient_index: bytes | None
    since: datetime
    expires_at: datetime
    expired: bool
    now: datetime
    channel: str
    attempt: int
    in_doubt: bool
    cancelled: bool
    idem_key: UUID
    priority: int
    unreachable: list[str]


@dataclass(frozen=True)
class Result:
    """One finished attempt. `next_channel` None: the message leaves the outbox. `provider` is empty when
    nothing was sent."""

    id: UUID
    state: State
    channel: str
    provider: str
    outcome: str
    code: str | None = None
    ref: str | None = None
    segments: int | None = None
    latency_ms: int | None = None
    next_channel: str | None = None
    delay: float = 0.0
    in_doubt: bool = False
    next_key: UUID | None = None


_RESULT_COLUMNS = tuple(Result.__dataclass_fields__)


class Leases:
    """`clock` is a constant SQL expression for the time that messages are due by."""

    def __init__(
        self, engine: Engine, owner: str, *, seconds: float, clock: str = "clock_timestamp()"
    ) -> None:
        self._engine = engine
        self._owner = owner
        self._seconds = seconds
        self._sql = {
            name: text.format(clock=clock)
            for name, text in (
                ("claim", _CLAIM),
                ("finish", _FINISH),
                ("release", _RELEASE),
                ("paused", _PAUSED),
                ("pause", _PAUSE),
                ("unreachable", _UNREACHABLE),
            )
        }

    def claim(self, limit: int) -> list[Leased]:
        """Up to `limit` due messages and as many whose holder is gone, the urgent ones first."""
        rows = self._run("claim", {"limit": limit, "owner": self._owner, "lease": self._seconds})
        return sorted((Leased(**row) for row in rows), key=lambda item: item.priority)

    def finish(self, results: Sequence[Result]) -> None:
        columns: dict[str, Any] = {
            name: [getattr(result, name) for result in results] for name in _RESULT_COLUMNS
        }
        self._run("finish", columns | {"owner": self._owner})

    def release(self, items: Iterable[Leased]) -> None:
        """Give back what was never tried."""
        pairs = [(item.id, item.in_doubt) for item in items]
        if pairs:
            ids, doubts = zip(*pairs, strict=True)
            self._run("release", {"id": list(ids), "in_doubt": list(doubts), "owner": self._owner})

    def taken_references(self, item: Leased, provider: str) -> frozenset[str]:
        """What the provider has of other messages to the same phone."""
        parameters = {"recipient_index": item.recipient_index, "provider": provider, "id": item.id}
        with self._engine.begin() as connection:
            return frozenset(connection.exec_driver_sql(_TAKEN, parameters).scalars())

    def paused_providers(self) -> frozenset[str]:
        return frozenset(row["provider"] for row in self._run("paused", {}))

    def pause(self, provider: str, until: datetime, reason: str) -> None:
        self._run("pause", {"provider": provider, "until": until, "reason": reason})

    def mark_unreachable(self, item: Leased, channel: str, code: str, seconds: float) -> None:
        if item.recipient_index is not None:
            key = {"channel": channel, "recipient_index": item.recipient_index}
            self._run("unreachable", {**key, "code": code, "seconds": seconds})

    def _run(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        with self._engine.begin() as connection:
            result = connection.exec_driver_sql(self._sql[name], parameters)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []
