"""Forgetting: what was said to whom goes after some weeks, that it was said stays.

Each call is one small step in the caller's transaction; call again until it returns 0.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

BATCH = 500
MINUTES_KEPT = timedelta(days=2)
TALLIES_KEPT = timedelta(days=2)
CHANGES_KEPT = timedelta(days=400)

_MESSAGES = """
WITH old AS (
  SELECT n.id FROM notifications.notification n
  WHERE n.purged_at IS NULL AND n.expires_at < %(before)s
    AND NOT EXISTS (SELECT FROM notifications.outbox o WHERE o.notification_id = n.id)
  ORDER BY n.expires_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE notifications.notification n SET recipient = '', params = '', purged_at = %(now)s
FROM old WHERE n.id = old.id
"""
_RECEIPTS = "SELECT notifications.empty_receipts(%(before)s, %(most)s)"
_CLAIMS = """
UPDATE notifications.zalo_contact SET claim = NULL, claim_until = NULL, claim_tries = 0
WHERE ctid = ANY(ARRAY(SELECT ctid FROM notifications.zalo_contact WHERE claim_until < %(before)s
                       LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
_CONTACTS = """
DELETE FROM notifications.zalo_contact
WHERE ctid = ANY(ARRAY(SELECT ctid FROM notifications.zalo_contact
                       WHERE NOT following AND greatest(following_at, linked_at, last_wrote_at) < %(before)s
                       LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
# One row a day stays of the old minutes, so that totals never go back.
_MINUTES = """
WITH old AS (
  SELECT provider, minute FROM notifications.provider_minute
  WHERE minute < %(before)s AND minute <> date_trunc('day', minute, 'UTC')
  ORDER BY minute LIMIT %(most)s FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM notifications.provider_minute m USING old
  WHERE m.provider = old.provider AND m.minute = old.minute RETURNING m.*
), kept AS (
  INSERT INTO notifications.provider_minute AS day
    (provider, minute, channel, accepted, rejected, failed, slow, latency_ms)
  SELECT provider, date_trunc('day', minute, 'UTC'), min(channel), sum(accepted), sum(rejected), sum(failed),
         sum(slow), sum(latency_ms)
  FROM gone GROUP BY 1, 2
  ON CONFLICT (provider, minute) DO UPDATE SET accepted = day.accepted + excluded.accepted,
    rejected = day.rejected + excluded.rejected, failed = day.failed + excluded.failed,
    slow = day.slow + excluded.slow, latency_ms = day.latency_ms + excluded.latency_ms
)
SELECT count(*) FROM gone
"""
_TALLIES = """
DELETE FROM notifications.daily_tally WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM notifications.daily_tally WHERE day < %(before)s LIMIT %(most)s))
"""
_UNREACHABLE = """
DELETE FROM notifications.unreachable WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM notifications.unreachable WHERE until < %(before)s LIMIT %(most)s))
"""
_CHANGES = "SELECT notifications.forget_provider_changes(%(before)s, %(most)s)"


def purge_messages(session: Session, *, keep_days: int, now: datetime, most: int = BATCH) -> int:
    """Empty recipient and params of messages that ended `keep_days` ago; returns how many.

    The phone's blind index and the attempts stay: they tell the way, and name nobody.
    """
    values = {"before": now - timedelta(days=keep_days), "most": most, "now": now}
    return session.connection().exec_driver_sql(_MESSAGES, values).rowcount


def empty_receipts(session: Session, *, keep_days: int, now: datetime, most: int = BATCH) -> int:
    """Empty what providers told `keep_days` ago, but for what it came to; returns how many."""
    values = {"before": now - timedelta(days=keep_days), "most": most}
    return int(session.connection().exec_driver_sql(_RECEIPTS, values).scalar_one())


def forget_contacts(session: Session, *, keep_days: int, now: datetime, most: int = BATCH) -> int:
    """Forget people in Zalo of whom nothing was heard since `keep_days`, unless they follow; and numbers that
    were claimed and not proven in time. Returns how many rows that touched."""
    connection = session.connection()
    left = {"before": now - timedelta(days=keep_days), "most": most}
    gone = connection.exec_driver_sql(_CONTACTS, left).rowcount
    return gone + connection.exec_driver_sql(_CLAIMS, {"before": now, "most": most}).rowcount


def trim_counts(session: Session, *, now: datetime, most: int = 10 * BATCH) -> int:
    """Forget counts and old changes that nothing reads any more; returns how many rows went."""
    connection = session.connection()
    minutes = connection.exec_driver_sql(_MINUTES, {"before": now - MINUTES_KEPT, "most": most}).scalar_one()
    changes = connection.exec_driver_sql(_CHANGES, {"before": now - CHANGES_KEPT, "most": most}).scalar_one()
    deleted = [
        connection.exec_driver_sql(sql, {"before": before, "most": most}).rowcount
        for sql, before in ((_TALLIES, (now - TALLIES_KEPT).date()), (_UNREACHABLE, now))
    ]
    return int(minutes) + int(changes) + sum(deleted)
