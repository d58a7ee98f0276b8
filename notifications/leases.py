"""Taking messages out of the outbox and recording what became of them: the SQL of the dispatcher.

A lease belongs to one dispatcher until its time is over. Whatever is leased a second time is in doubt: the
first holder may have sent it before it died.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from notifications.kinds import CODES
from notifications.states import State, before

_SENDABLE = ", ".join(
    f"'{state}'" for state in (*before(State.SENDING), State.SENDING) if state != State.ACCEPTED
)
_LOCAL_DAY = "({clock} AT TIME ZONE 'Asia/Ho_Chi_Minh')::date"

# Leases run on the database's own clock; what is due or expired is judged by the host's (`clock`). Reminders
# of months ahead wait in the same table, so each urgency of each channel is looked up by its own index range.
# Who carries a message is written down before it leaves: after a crash it must be known whom to ask.
_CLAIM = f"""
WITH moment AS MATERIALIZED (
  SELECT {{clock}} AS now
), door AS (
  SELECT * FROM unnest(%(channel)s::text[], %(room)s::int[]) AS d (channel, room) WHERE room > 0
), due AS (
  SELECT found.notification_id, found.due_at, door.channel, door.room, urgency.priority
  FROM door CROSS JOIN generate_series(0, 9) AS urgency (priority) CROSS JOIN LATERAL (
    SELECT notification_id, due_at FROM notifications.outbox
    WHERE lease_owner IS NULL AND channel = door.channel AND priority = urgency.priority
      AND due_at <= (SELECT now FROM moment)
    ORDER BY due_at LIMIT door.room FOR UPDATE SKIP LOCKED
  ) AS found
), ready AS (
  SELECT notification_id, place FROM (
    SELECT *, row_number() OVER (PARTITION BY channel ORDER BY priority, due_at) AS place FROM due
  ) AS ranked
  WHERE place <= room ORDER BY priority, due_at LIMIT %(limit)s
), orphaned AS (
  SELECT notification_id FROM notifications.outbox
  WHERE lease_owner IS NOT NULL AND lease_until < statement_timestamp()
  ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), picked AS (
  SELECT notification_id, place FROM ready UNION ALL SELECT notification_id, NULL FROM orphaned
), leased AS (
  UPDATE notifications.outbox o
  SET in_doubt = o.in_doubt OR o.lease_owner IS NOT NULL, lease_owner = %(owner)s,
      lease_until = clock_timestamp() + %(lease)s * interval '1 second', attempt = o.attempt + 1,
      provider = CASE WHEN o.in_doubt OR o.lease_owner IS NOT NULL THEN o.provider
                      ELSE %(picks)s::jsonb -> o.channel ->> (picked.place::int - 1) END
  FROM picked WHERE o.notification_id = picked.notification_id
  RETURNING o.*, picked.place IS NULL AS orphaned
)
UPDATE notifications.notification n
SET state = CASE WHEN n.state IN ({_SENDABLE}) OR n.state = '{State.ACCEPTED}' AND l.fallback
                 THEN '{State.SENDING}' ELSE n.state END,
    updated_at = moment.now
FROM leased l, moment WHERE n.id = l.notification_id
RETURNING n.id, n.kind, n.language, n.template_version, n.recipient, n.params, n.state, n.recipient_index,
  n.owner, n.copy_of, greatest(n.created_at, n.not_before) AS since, n.expires_at, moment.now,
  l.channel, l.provider, l.attempt, l.tries, l.in_doubt, l.orphaned, l.fallback, l.cancelled, l.idem_key,
  l.priority,
  ARRAY(SELECT u.channel FROM notifications.unreachable u
        WHERE u.recipient_index = n.recipient_index AND u.until > moment.now) AS unreachable,
  ARRAY(SELECT p.kind || ' ' || p.channel FROM notifications.preference p
        WHERE p.recipient_index = n.recipient_index AND NOT p.wanted) AS muted,
  coalesce((SELECT c.accented FROM notifications.contact c
            WHERE c.recipient_index = n.recipient_index), false) AS accented,
  EXISTS (SELECT FROM notifications.push_subscription s WHERE s.owner = n.owner) AS subscribed,
  (SELECT ARRAY[z.uid_index, z.uid] FROM notifications.zalo_contact z
   WHERE z.phone_index = n.recipient_index AND z.following
   ORDER BY z.linked_at DESC LIMIT 1) AS zalo_person,
  coalesce((SELECT t.messages FROM notifications.daily_tally t
            WHERE t.recipient_index = n.recipient_index AND t.day = {_LOCAL_DAY}), 0) AS sent_today
"""

# An attempt whose provider reference already belongs to another message finishes nothing: its lease runs out
# and it is looked up anew. That keeps two messages to one phone from both claiming one found send. A receipt
# may have overtaken us and have logged the reference already.
# Codes are not tallied: a family that signs in often is still to hear of its appointments.
# Counters are written in a fixed order, so that two workers never wait for each other in a ring.
_FINISH = f"""
WITH result AS (
  SELECT * FROM unnest(
    %(id)s::uuid[], %(attempt)s::int[], %(state)s::text[], %(channel)s::text[], %(provider)s::text[],
    %(outcome)s::text[], %(code)s::text[], %(ref)s::text[], %(segments)s::smallint[], %(vnd)s::int[],
    %(latency_ms)s::int[], %(slow)s::bool[], %(next_channel)s::text[], %(delay)s::float8[],
    %(in_doubt)s::bool[], %(next_key)s::uuid[], %(fallback)s::bool[]
  ) AS r (id, attempt, state, channel, provider, outcome, code, ref, segments, vnd, latency_ms, slow,
          next_channel, delay, in_doubt, next_key, fallback)
), mine AS (
  SELECT o.notification_id, o.idem_key, o.attempt, o.cancelled FROM notifications.outbox o
  JOIN result ON result.id = o.notification_id AND result.attempt = o.attempt
  WHERE o.lease_owner = %(owner)s ORDER BY o.notification_id FOR UPDATE OF o
), logged AS (
  INSERT INTO notifications.delivery_attempt
    (notification_id, idem_key, attempt, channel, provider, outcome, code, provider_ref, segments, latency_ms,
     vnd, at)
  SELECT r.id, mine.idem_key, mine.attempt, r.channel, r.provider, r.outcome, r.code, r.ref, r.segments,
         r.latency_ms, r.vnd, {{clock}}
  FROM result r JOIN mine ON mine.notification_id = r.id
  ON CONFLICT (provider, provider_ref) WHERE provider_ref IS NOT NULL DO NOTHING
  RETURNING notification_id
), known AS (
  SELECT notification_id FROM logged
  UNION
  SELECT a.notification_id FROM notifications.delivery_attempt a
  JOIN result r ON a.notification_id = r.id AND a.provider = r.provider AND a.provider_ref = r.ref
), done AS (
  SELECT r.*, mine.cancelled, r.outcome IN ('accepted', 'reconciled') AS taken
  FROM result r JOIN mine ON mine.notification_id = r.id JOIN known ON known.notification_id = r.id
), over AS (
  DELETE FROM notifications.outbox o USING done
  WHERE o.notification_id = done.id AND (done.next_channel IS NULL OR done.cancelled)
), onward AS (
  UPDATE notifications.outbox o
  SET lease_owner = NULL, lease_until = NULL, channel = done.next_channel, in_doubt = done.in_doubt,
      due_at = {{clock}} + done.delay * interval '1 second', idem_key = coalesce(done.next_key, o.idem_key),
      fallback = done.fallback, tries = o.tries + (done.provider <> '')::int
  FROM done
  WHERE o.notification_id = done.id AND done.next_channel IS NOT NULL AND NOT done.cancelled
), counted AS (
  INSERT INTO notifications.provider_minute AS m
    (provider, minute, channel, accepted, rejected, failed, slow, latency_ms)
  SELECT provider, date_trunc('minute', {{clock}}), min(channel), count(*) FILTER (WHERE taken),
         count(*) FILTER (WHERE outcome LIKE 'rejected%%'),
         count(*) FILTER (WHERE outcome IN ('retry', 'ambiguous')), count(*) FILTER (WHERE slow),
         coalesce(sum(latency_ms), 0)
  FROM done WHERE provider <> '' GROUP BY provider ORDER BY provider
  ON CONFLICT (provider, minute) DO UPDATE
  SET accepted = m.accepted + excluded.accepted, rejected = m.rejected + excluded.rejected,
      failed = m.failed + excluded.failed, slow = m.slow + excluded.slow,
      latency_ms = m.latency_ms + excluded.latency_ms
), spent AS (
  INSERT INTO notifications.spending AS s (day, provider, messages, segments, vnd)
  SELECT {_LOCAL_DAY}, provider, count(*), coalesce(sum(segments), 0), coalesce(sum(vnd), 0)
  FROM done WHERE taken GROUP BY provider ORDER BY provider
  ON CONFLICT (day, provider) DO UPDATE
  SET messages = s.messages + excluded.messages, segments = s.segments + excluded.segments,
      vnd = s.vnd + excluded.vnd
), tallied AS (
  INSERT INTO notifications.daily_tally AS t (recipient_index, day, messages)
  SELECT n.recipient_index, {_LOCAL_DAY}, count(*)
  FROM done JOIN notifications.notification n ON n.id = done.id
  WHERE done.taken AND n.recipient_index IS NOT NULL AND n.copy_of IS NULL
    AND n.kind <> ALL(%(codes)s::text[])
  GROUP BY n.recipient_index ORDER BY n.recipient_index
  ON CONFLICT (recipient_index, day) DO UPDATE SET messages = t.messages + excluded.messages
)
UPDATE notifications.notification n
SET state = CASE WHEN n.state <> '{State.SENDING}' THEN n.state
                 WHEN done.next_channel IS NOT NULL AND done.cancelled AND done.state <> '{State.ACCEPTED}'
                 THEN '{State.CANCELLED}'
                 ELSE done.state END,
    channel = CASE WHEN done.provider = '' THEN n.channel ELSE done.channel END,
    provider = coalesce(nullif(done.provider, ''), n.provider),
    provider_ref = coalesce(done.ref, n.provider_ref), updated_at = {{clock}}
FROM done WHERE n.id = done.id
"""

_RELEASE = f"""
WITH back AS (
  UPDATE notifications.outbox
  SET lease_owner = NULL, lease_until = NULL, attempt = attempt - 1, in_doubt = doubt
  FROM unnest(%(id)s::uuid[], %(attempt)s::int[], %(in_doubt)s::bool[]) AS r (id, held, doubt)
  WHERE notification_id = r.id AND attempt = r.held AND lease_owner = %(owner)s
  RETURNING notification_id, fallback
)
UPDATE notifications.notification n
SET state = CASE WHEN back.fallback THEN '{State.ACCEPTED}' ELSE '{State.QUEUED}' END, updated_at = {{clock}}
FROM back WHERE n.id = back.notification_id AND n.state = '{State.SENDING}'
"""

# A rival may have been sent without a reference that we know, whether it still waits or was given up.
_OTHERS = """
WITH other AS (
  SELECT id FROM notifications.notification WHERE recipient_index = %(recipient_index)s AND id <> %(id)s
), referred AS (
  SELECT a.notification_id, a.provider_ref FROM notifications.delivery_attempt a
  JOIN other ON other.id = a.notification_id
  WHERE a.provider = %(provider)s AND a.provider_ref IS NOT NULL
), unclear AS (
  SELECT o.notification_id FROM notifications.outbox o JOIN other ON other.id = o.notification_id
  WHERE o.provider = %(provider)s AND (o.in_doubt OR o.lease_owner IS NOT NULL)
  UNION
  SELECT a.notification_id FROM notifications.delivery_attempt a JOIN other ON other.id = a.notification_id
  WHERE a.provider = %(provider)s AND a.outcome = 'ambiguous' AND a.at > %(since)s - interval '2 minutes'
    AND a.notification_id NOT IN (SELECT notification_id FROM referred)
)
SELECT ARRAY(SELECT provider_ref FROM referred) AS taken, (SELECT count(*) FROM unclear)::int AS rivals
"""

_UNREACHABLE = """
INSERT INTO notifications.unreachable (channel, recipient_index, code, until)
VALUES (%(channel)s, %(recipient_index)s, %(code)s, {clock} + %(seconds)s * interval '1 second')
ON CONFLICT (channel, recipient_index) DO UPDATE SET code = excluded.code, until = excluded.until
"""


@dataclass(frozen=True)
class Leased:
    """A message in our hands. `now` is the host's clock at the claim; `since`: no send of it can be older.

    `provider` is who shall carry it, or may have it already when `in_doubt`; None: nobody serves its channel.
    `orphaned`: its last holder never said what became of it, and may have sent it only just before.
    `muted` holds the recipient's "kind channel" pairs; `sent_today` counts what the recipient had today;
    `subscribed`: the owner has turned push messages on somewhere.
    """

    id: UUID
    kind: str
    language: str
    template_version: int
    recipient: bytes
    params: bytes
    state: str
    recipient_index: bytes | None
    owner: UUID | None
    copy_of: UUID | None
    since: datetime
    expires_at: datetime
    now: datetime
    channel: str
    provider: str | None
    attempt: int
    tries: int
    in_doubt: bool
    orphaned: bool
    fallback: bool
    cancelled: bool
    idem_key: UUID
    priority: int
    unreachable: list[str]
    muted: list[str]
    accented: bool
    subscribed: bool
    sent_today: int
    zalo_person: list[bytes] | None = None


@dataclass(frozen=True)
class Result:
    """One finished attempt. It counts for the lease it began on, and for no later one, not even of our own.

    `next_channel` None: the message leaves the outbox. `provider` is empty when nothing was sent. `fallback`:
    accepted, and sent by the next channel if no receipt comes meanwhile.
    """

    id: UUID
    attempt: int
    state: State
    channel: str
    provider: str
    outcome: str
    code: str | None = None
    ref: str | None = None
    segments: int | None = None
    vnd: int | None = None
    latency_ms: int | None = None
    slow: bool = False
    next_channel: str | None = None
    delay: float = 0.0
    in_doubt: bool = False
    next_key: UUID | None = None
    fallback: bool = False


@dataclass(frozen=True)
class Others:
    """`taken`: the provider's references of them; `rivals`: how many it may have without one that we know."""

    taken: frozenset[str]
    rivals: int


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
                ("unreachable", _UNREACHABLE),
            )
        }

    def claim(self, limit: int, rooms: Mapping[str, int], picks: Mapping[str, Sequence[str]]) -> list[Leased]:
        """Up to `limit` due messages and as many whose holder is gone, the urgent ones first.

        `rooms` says how many may go by each channel; `picks` names, for each of them, who carries it.
        """
        parameters = {
            "limit": limit,
            "owner": self._owner,
            "lease": self._seconds,
            "channel": list(rooms),
            "room": list(rooms.values()),
            "picks": json.dumps({channel: list(names) for channel, names in picks.items()}),
        }
        rows = self._run("claim", parameters)
        return sorted((Leased(**row) for row in rows), key=lambda item: item.priority)

    def finish(self, results: Sequence[Result]) -> None:
        columns: dict[str, Any] = {
            name: [getattr(result, name) for result in results] for name in _RESULT_COLUMNS
        }
        self._run("finish", columns | {"owner": self._owner, "codes": sorted(CODES)})

    def release(self, items: Iterable[Leased]) -> None:
        """Give back what was never tried."""
        held = list(items)
        columns = {name: [getattr(item, name) for item in held] for name in ("id", "attempt", "in_doubt")}
        if held:
            self._run("release", columns | {"owner": self._owner})

    def others(self, item: Leased, provider: str) -> Others:
        """The other messages to the same phone, as far as this provider has them."""
        parameters = {"recipient_index": item.recipient_index, "provider": provider, "id": item.id}
        with self._engine.begin() as connection:
            row: Any = connection.exec_driver_sql(_OTHERS, parameters | {"since": item.since}).one()
        return Others(frozenset(row.taken), row.rivals)

    def mark_unreachable(self, item: Leased, channel: str, code: str, seconds: float) -> None:
        if item.recipient_index is not None:
            key = {"channel": channel, "recipient_index": item.recipient_index}
            self._run("unreachable", {**key, "code": code, "seconds": seconds})

    def _run(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        with self._engine.begin() as connection:
            result = connection.exec_driver_sql(self._sql[name], parameters)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []
