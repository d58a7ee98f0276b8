"""Recording what providers tell us afterwards. The adapters' folders read it; `apply` moves messages on.

Receipts come late, twice and out of order; none of that moves a notification backwards.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from notifications.channels.receipt import Receipt, Told
from notifications.ids import new_id
from notifications.kinds import KINDS
from notifications.policy import Policy
from notifications.states import State, may

_TARGET = """
SELECT n.id, n.kind, n.state, n.channel AS last_channel, sent.channel, sent.attempt, sent.idem_key,
       n.expires_at > %(now)s AS alive
FROM (
  SELECT notification_id, channel, attempt, idem_key FROM notifications.outbox WHERE idem_key = %(key)s
  UNION ALL
  SELECT notification_id, channel, attempt, idem_key FROM notifications.delivery_attempt
  WHERE idem_key = %(key)s AND provider = %(provider)s
  UNION ALL
  SELECT notification_id, channel, attempt, idem_key FROM notifications.delivery_attempt
  WHERE provider = %(provider)s AND provider_ref = %(ref)s
) sent JOIN notifications.notification n ON n.id = sent.notification_id
LIMIT 1
"""
_LOCK_ITEM = """
SELECT lease_owner IS NOT NULL AS leased, idem_key, fallback FROM notifications.outbox
WHERE notification_id = %(id)s FOR UPDATE
"""
_LOCK_STATE = "SELECT state FROM notifications.notification WHERE id = %(id)s FOR UPDATE"
_KEEP = """
INSERT INTO notifications.receipt
  (provider, event_key, idem_key, provider_ref, status, code, raw, notification_id, received_at)
VALUES (%(provider)s, %(event_key)s, %(key)s, %(ref)s, %(told)s, %(code)s, %(raw)s::jsonb, %(id)s, %(now)s)
ON CONFLICT (provider, event_key) DO NOTHING RETURNING id
"""
_MOVE = """
UPDATE notifications.notification
SET state = %(state)s, provider_ref = coalesce(%(ref)s, provider_ref), updated_at = %(now)s WHERE id = %(id)s
"""
_DROP = "DELETE FROM notifications.outbox WHERE notification_id = %(id)s AND lease_owner IS NULL"
_LOG = """
INSERT INTO notifications.delivery_attempt
  (notification_id, idem_key, attempt, channel, provider, outcome, provider_ref, at)
VALUES (%(id)s, %(idem_key)s, %(attempt)s, %(channel)s, %(provider)s, 'receipt', %(ref)s, %(now)s)
ON CONFLICT (provider, provider_ref) WHERE provider_ref IS NOT NULL DO NOTHING
"""
_FALL_BACK = """
INSERT INTO notifications.outbox (notification_id, channel, priority, due_at, idem_key, fallback)
VALUES (%(id)s, %(following)s, %(priority)s, %(now)s::timestamptz + %(patience)s * interval '1 second',
        %(new_key)s, %(patience)s > 0)
ON CONFLICT (notification_id) DO NOTHING
"""
# This send is over, whoever holds the row: a sender that has not recorded it yet finds its lease gone.
_TAKE_OVER = """
UPDATE notifications.outbox
SET channel = %(following)s, provider = NULL, in_doubt = false, fallback = false, idem_key = %(new_key)s,
    due_at = %(now)s, lease_owner = NULL, lease_until = NULL
WHERE notification_id = %(id)s
"""
# What waited for a receipt need not wait any longer: it did not arrive.
_HASTEN = """
UPDATE notifications.outbox SET due_at = least(due_at, %(now)s), fallback = false
WHERE notification_id = %(id)s AND lease_owner IS NULL
"""


def apply(
    session: Session, receipts: Iterable[Receipt], *, now: datetime, policy: Policy | None = None
) -> int:
    """Record receipts in the caller's transaction and move their messages on; returns how many were new."""
    return sum(_apply(session, receipt, policy or Policy(), now) for receipt in receipts)


def _apply(session: Session, receipt: Receipt, policy: Policy, now: datetime) -> bool:
    connection = session.connection()
    about = {"key": receipt.key, "provider": receipt.provider, "ref": receipt.ref, "now": now}
    target: Any = connection.exec_driver_sql(_TARGET, about).one_or_none()
    kept = about | {
        "event_key": receipt.event_key,
        "told": receipt.told,
        "code": receipt.code,
        "raw": json.dumps(dict(receipt.raw), ensure_ascii=False),
        "id": target.id if target else None,
    }
    if connection.exec_driver_sql(_KEEP, kept).one_or_none() is None:
        return False
    if target is not None:
        _move(session, receipt, target, policy, now)
    return True


def _move(session: Session, receipt: Receipt, target: Any, policy: Policy, now: datetime) -> None:
    """Lock as the dispatcher does, first the outbox, then the notification."""
    connection = session.connection()
    item: Any = connection.exec_driver_sql(_LOCK_ITEM, {"id": target.id}).one_or_none()
    state = State(connection.exec_driver_sql(_LOCK_STATE, {"id": target.id}).scalar_one())
    after = _after(receipt.told, state, target, item)
    if after is None:
        return
    values = {
        "id": target.id,
        "state": after,
        "ref": receipt.ref,
        "now": now,
        "provider": receipt.provider,
        "channel": target.channel,
        "attempt": target.attempt,
        "idem_key": target.idem_key,
    }
    connection.exec_driver_sql(_MOVE, values)
    connection.exec_driver_sql(_LOG, values)
    if _awaited(target, item):
        if receipt.told is Told.UNDELIVERED:
            connection.exec_driver_sql(_HASTEN, values)
        if receipt.told is not Told.DELIVERED:
            return
    kind, following = KINDS[target.kind], _following(target)
    onward = values | {"following": following, "priority": kind.priority, "new_key": new_id(now)}
    if after is State.FALLING_BACK and item is not None:
        connection.exec_driver_sql(_TAKE_OVER, onward)
        return
    connection.exec_driver_sql(_DROP, values)
    if after is State.FALLING_BACK:
        connection.exec_driver_sql(_FALL_BACK, onward | {"patience": 0.0})
    elif after is State.ACCEPTED and kind.urgent and following not in {None, "call-list"}:
        connection.exec_driver_sql(_FALL_BACK, onward | {"patience": policy.patience})


def _awaited(target: Any, item: Any) -> bool:
    """Whether the message waits, already on its next channel, for a receipt of this very send."""
    return item is not None and item.fallback and item.idem_key != target.idem_key


def _following(target: Any) -> str | None:
    """The channel after the one of this send; whether the recipient has it the dispatcher sees."""
    channels = KINDS[target.kind].channels
    if target.channel not in channels or target.channel == channels[-1]:
        return None
    return channels[channels.index(target.channel) + 1]


def _after(told: Told, state: State, target: Any, item: Any) -> State | None:
    """The state that a receipt leads to, or None when it changes nothing any more."""
    if told is Told.CLAIMED:
        return None
    if told is Told.DELIVERED:
        return State.DELIVERED if may(state, State.DELIVERED) else None
    overtaken = item is not None and item.idem_key != target.idem_key and not item.fallback
    if overtaken or target.last_channel not in {None, target.channel}:
        return None
    if told is Told.ACCEPTED:
        return State.ACCEPTED if state in {State.IN_DOUBT, State.SENDING} else None
    if not may(state, State.UNDELIVERED):
        return None
    if _awaited(target, item):
        # The next channel has it in hand already.
        return None if item.leased else State.FALLING_BACK
    return State.UNDELIVERED if _following(target) is None or not target.alive else State.FALLING_BACK
