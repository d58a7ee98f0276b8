"""What operators do by hand: dead letters sent again or laid to rest, providers paused and weighted.

All in the caller's transaction; who did it is the host's to write down where no row of ours names them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from notifications.ids import new_id
from notifications.kinds import CODES, KINDS, Priority
from notifications.provider_states import ProviderStates
from notifications.states import PausedBy, State

MOST_AT_ONCE = 500
LONGEST_NEW_LIFE = timedelta(hours=48)
LONGEST_PAUSE = timedelta(days=7)

# The change of state is the lock: of two clicks one finds it dead. It goes by the channel that it was first
# meant for, under a new key because the provider knows the old one, and what refused the phone may try again.
_REPLAY = f"""
WITH chosen AS (
  SELECT * FROM unnest(%(ids)s::uuid[], %(keys)s::uuid[]) AS c (id, idem_key)
), alive AS (
  UPDATE notifications.notification n
  SET state = '{State.QUEUED}', updated_at = %(now)s, expires_at = greatest(n.expires_at, life.until)
  FROM chosen CROSS JOIN (SELECT %(until)s::timestamptz AS until) AS life
  WHERE n.id = chosen.id AND n.state = '{State.DEAD}' AND n.purged_at IS NULL
    AND greatest(n.expires_at, life.until) > %(now)s
    AND (life.until IS NULL OR n.kind <> ALL(%(codes)s::text[]))
  RETURNING n.id, n.kind, n.recipient_index, chosen.idem_key
), forgiven AS (
  DELETE FROM notifications.unreachable u USING alive WHERE u.recipient_index = alive.recipient_index
), first AS (
  SELECT alive.id, alive.kind, alive.idem_key, coalesce(
    (SELECT a.channel FROM notifications.delivery_attempt a WHERE a.notification_id = alive.id
     ORDER BY a.id LIMIT 1), '') AS channel
  FROM alive
), logged AS (
  INSERT INTO notifications.delivery_attempt
    (notification_id, idem_key, attempt, channel, provider, outcome, at)
  SELECT id, idem_key, 0, channel, '', 'replayed', %(now)s FROM first
)
SELECT id, kind, idem_key, channel FROM first
"""
_ENQUEUE = """
INSERT INTO notifications.outbox (notification_id, channel, priority, due_at, idem_key)
SELECT * FROM unnest(%(ids)s::uuid[], %(channels)s::text[], %(priorities)s::smallint[],
                     %(due)s::timestamptz[], %(keys)s::uuid[])
ON CONFLICT (notification_id) DO NOTHING
"""
_RING = "SELECT pg_notify('outbox', '')"
_DISMISS = f"""
WITH resting AS (
  UPDATE notifications.notification n SET state = '{State.CANCELLED}', updated_at = %(now)s
  WHERE n.id = ANY(%(ids)s::uuid[]) AND n.state = '{State.DEAD}'
  RETURNING n.id, n.channel
)
INSERT INTO notifications.delivery_attempt
  (notification_id, idem_key, attempt, channel, provider, outcome, at)
SELECT id, id, 0, coalesce(channel, ''), '', 'dismissed', %(now)s FROM resting
RETURNING notification_id
"""


def replay(
    session: Session, ids: Sequence[UUID], *, now: datetime, until: datetime | None = None
) -> list[UUID]:
    """Send dead letters again; returns those that this call revived.

    What is dead no longer (another click was first), is purged or has expired is left alone; `until` gives
    a longer life, at most LONGEST_NEW_LIFE from now, to anything but a code. Raises ValueError for more, or
    for too many at once.
    """
    if until is not None and not now < until <= now + LONGEST_NEW_LIFE:
        raise ValueError("a new life ends within 48 hours")
    _refuse_too_many(ids)
    chosen = sorted(set(ids))
    keys = [new_id(now) for _ in chosen]
    connection = session.connection()
    rows: Any = connection.exec_driver_sql(
        _REPLAY, {"ids": chosen, "keys": keys, "until": until, "codes": sorted(CODES), "now": now}
    ).all()
    if rows:
        connection.exec_driver_sql(_ENQUEUE, _items(rows, now))
        connection.exec_driver_sql(_RING)
    return [row.id for row in rows]


def _items(rows: Any, now: datetime) -> dict[str, list[Any]]:
    kinds = [KINDS.get(row.kind) for row in rows]
    return {
        "ids": [row.id for row in rows],
        "channels": [
            row.channel or (kind.channels[0] if kind else "") for row, kind in zip(rows, kinds, strict=True)
        ],
        "priorities": [kind.priority if kind else Priority.NORMAL for kind in kinds],
        "due": [now for _ in rows],
        "keys": [row.idem_key for row in rows],
    }


def dismiss(session: Session, ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Lay dead letters to rest; returns those that were still dead."""
    _refuse_too_many(ids)
    found = session.connection().exec_driver_sql(_DISMISS, {"ids": sorted(set(ids)), "now": now})
    return list(found.scalars())


def _refuse_too_many(ids: Sequence[UUID]) -> None:
    if len(ids) > MOST_AT_ONCE:
        raise ValueError(f"at most {MOST_AT_ONCE} at once")


def pause(session: Session, provider: str, until: datetime, *, reason: str, by: UUID, now: datetime) -> None:
    """Let a provider rest; what it would carry goes by others, or waits. Raises ValueError."""
    if not now < until <= now + LONGEST_PAUSE:
        raise ValueError("a pause ends within 7 days")
    states = _states(now)
    states.pause(session.connection(), provider, until, PausedBy.OPERATOR, reason, changed_by=by)


def resume(session: Session, provider: str, *, reason: str, by: UUID, now: datetime) -> bool:
    """End a provider's rest, whoever began it; says whether it rested."""
    return _states(now).resume(session.connection(), provider, reason, changed_by=by)


def weigh(session: Session, provider: str, weight: int, *, reason: str, by: UUID, now: datetime) -> None:
    """Set a provider's share of its channel, 0 to 100. Raises ValueError."""
    if not 0 <= weight <= 100:
        raise ValueError("a weight is 0 to 100")
    _states(now).weigh(session.connection(), [(provider, weight)], reason, changed_by=by)


def _states(now: datetime) -> ProviderStates:
    """As of the host's clock, which may not be the database's."""
    return ProviderStates(clock=f"timestamptz '{now.isoformat()}'")
