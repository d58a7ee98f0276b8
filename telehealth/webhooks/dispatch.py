"""The worker's part: number what happened, send what is due, note what became of it, forget what is old."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.webhooks.rules import KEPT_DEAD, KEPT_DELIVERED, LEASE, Reach, body_of, headers, wait_after
from telehealth.webhooks.sending import DEADLINE_SECONDS, Sent, send
from telehealth.webhooks.services import secret_context

FAN_OUT = 500
PER_SUBSCRIPTION = 20
THREADS = 8
TURN_SECONDS = 2.0
_GONE = 410


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is this worker's for the length of a lease."""

    id: UUID
    subscription_id: UUID
    subject: UUID
    url: str
    secrets: tuple[str, ...]
    body: bytes
    attempts: int
    give_up_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery, or (`tried` is False) of one before it, behind which it waits."""

    due: Due
    sent: Sent
    wait: timedelta
    tried: bool = True


_LATER = Sent(None, "later")
_BEHIND = Sent(None, "behind-an-earlier-one")

# One worker claims at a time, and reads what the one before has claimed.
_TURN = "SELECT pg_advisory_xact_lock(7702626)"
# Behind an earlier event of the same record that waits for its next try, or is being sent, nothing goes.
_CLAIM = """
UPDATE webhook_delivery d SET next_at = %(lease)s, attempts = d.attempts + 1
  FROM webhook_subscription s
 WHERE s.id = d.subscription_id AND d.id IN (
       SELECT w.id FROM webhook_subscription x CROSS JOIN LATERAL (
              SELECT y.id FROM webhook_delivery y
               WHERE y.subscription_id = x.id AND y.state = 'waiting' AND y.next_at <= %(now)s
                 AND NOT EXISTS (SELECT FROM webhook_delivery e
                                  WHERE e.subscription_id = x.id AND e.subject = y.subject
                                    AND e.state = 'waiting' AND e.sequence < y.sequence
                                    AND e.next_at > %(now)s)
               ORDER BY y.sequence LIMIT %(most)s FOR UPDATE SKIP LOCKED) w
        WHERE x.state = 'active')
RETURNING d.id, d.subscription_id, s.url, s.secret_sealed,
          CASE WHEN s.previous_until > %(now)s THEN s.previous_sealed END AS previous_sealed,
          d.event, d.sequence, d.subject, d.data, d.occurred_at, d.attempts, d.give_up_at"""
_DELIVERED = """UPDATE webhook_delivery SET state = 'delivered', settled_at = %(now)s,
       last_status = %(status)s, last_error = NULL WHERE id = %(id)s AND state = 'waiting'"""
_FAILED = """UPDATE webhook_delivery SET last_status = %(status)s, last_error = %(error)s,
       attempts = attempts - %(untried)s,
       state = CASE WHEN %(next)s::timestamptz > give_up_at THEN 'dead' ELSE 'waiting' END,
       settled_at = CASE WHEN %(next)s::timestamptz > give_up_at THEN %(now)s::timestamptz END,
       next_at = %(next)s WHERE id = %(id)s AND state = 'waiting'"""
_PAUSE = """UPDATE webhook_subscription SET state = 'paused', version = version + 1, updated_at = %(now)s
 WHERE id = %(id)s AND state = 'active'"""
_EXPIRE = """UPDATE webhook_delivery SET state = 'dead', settled_at = %(now)s
 WHERE state = 'waiting' AND give_up_at < %(now)s AND next_at < %(now)s
   AND subscription_id IN (SELECT id FROM webhook_subscription WHERE state <> 'active')"""
_FORGET = """DELETE FROM webhook_delivery
 WHERE (state = 'delivered' AND settled_at < %(delivered)s) OR (state = 'dead' AND settled_at < %(dead)s)"""


def fan_out(session: Session, now: datetime) -> bool:
    """Make a delivery of each thing that happened for each who listens; tell whether there may be more."""
    done = session.connection().exec_driver_sql("SELECT fan_out_webhooks(%s, %s)", (FAN_OUT, now)).scalar()
    return done == FAN_OUT


def claim(session: Session, now: datetime, cipher: FieldCipher) -> list[Due]:
    """Take what is due, some of each subscription in its order, for the length of a lease."""
    session.connection().exec_driver_sql(_TURN)
    parameters = {"now": now, "lease": now + LEASE, "most": PER_SUBSCRIPTION}
    rows = session.connection().exec_driver_sql(_CLAIM, parameters).all()
    found = [(row.sequence, _due(row, cipher)) for row in rows]
    return [due for _number, due in sorted(found, key=lambda pair: (pair[1].subscription_id, pair[0]))]


def sent(
    due: Sequence[Due], reach: Reach, timestamp: int, deadline: float = DEADLINE_SECONDS
) -> Iterator[list[Outcome]]:
    """Send everything, each subscription in its order beside the others; give each one's outcomes as it ends.

    One that is away ends its turn, and so does one that takes long: what it leaves is due again at once.
    Behind an event that was refused nothing more of the same record is sent.
    """
    turns = [list(turn) for _key, turn in groupby(due, key=lambda item: item.subscription_id)]
    with ThreadPoolExecutor(max(1, min(len(turns), THREADS))) as threads:
        for turn in as_completed(threads.submit(_turn, turn, reach, timestamp, deadline) for turn in turns):
            yield turn.result()


def settle(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Note what became of each. A receiver that says it is gone for good is asked no more."""
    connection = session.connection()
    for outcome in outcomes:
        due, answer = outcome.due, outcome.sent
        told = {
            "id": due.id,
            "now": now,
            "next": now + outcome.wait,
            "status": answer.status,
            "error": answer.error,
            "untried": int(not outcome.tried),
        }
        connection.exec_driver_sql(_DELIVERED if answer.arrived else _FAILED, told)
        if answer.status == _GONE:
            connection.exec_driver_sql(_PAUSE, {"id": due.subscription_id, "now": now})


def forget(session: Session, now: datetime) -> None:
    """Give up what nobody has taken in time, also where sending is paused; delete what nobody asks about."""
    session.connection().exec_driver_sql(_EXPIRE, {"now": now})
    parameters: Mapping[str, Any] = {"delivered": now - KEPT_DELIVERED, "dead": now - KEPT_DEAD}
    session.connection().exec_driver_sql(_FORGET, dict(parameters))


def _turn(turn: Sequence[Due], reach: Reach, timestamp: int, deadline: float) -> list[Outcome]:
    over = time.monotonic() + TURN_SECONDS
    done: list[Outcome] = []
    ended: Outcome | None = None
    refused: set[UUID] = set()
    for due in turn:
        if ended is None and done and time.monotonic() > over:
            ended = Outcome(due, _LATER, timedelta(0))
        if ended is not None:
            # What fails over one record comes back late; the others are not to wait as long.
            wait = min(ended.wait, wait_after(due.attempts))
            done.append(replace(ended, due=due, tried=False, wait=wait))
            continue
        if due.subject in refused:
            done.append(Outcome(due, _BEHIND, timedelta(0), tried=False))
            continue
        signed = headers(due.secrets, str(due.id), timestamp, due.body)
        answer = send(due.url, due.body, signed, reach, deadline)
        done.append(Outcome(due, answer, wait_after(due.attempts)))
        if answer.away:
            ended = done[-1]
        elif not answer.arrived:
            refused.add(due.subject)
    return done


def _due(row: Any, cipher: FieldCipher) -> Due:
    context = secret_context(row.subscription_id).encode()
    sealed = [row.secret_sealed] + ([row.previous_sealed] if row.previous_sealed else [])
    return Due(
        id=row.id,
        subscription_id=row.subscription_id,
        subject=row.subject,
        url=row.url,
        secrets=tuple(cipher.open(bytes(value), context).decode() for value in sealed),
        body=body_of(row.event, row.sequence, row.subject, row.data, row.occurred_at),
        attempts=row.attempts,
        give_up_at=row.give_up_at,
    )
