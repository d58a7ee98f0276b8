"""Telling boards and those who follow a queue."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date

# The board's row stays locked until commit, so numbers become visible in their order: a reconnect that
# asks for what came after one number cannot skip another.
_ANNOUNCE = text(
    """
    WITH turn AS (
        INSERT INTO board (facility_id, last_seq) VALUES (:facility, 1)
        ON CONFLICT (facility_id) DO UPDATE SET last_seq = board.last_seq + 1
        RETURNING last_seq
    ), shown AS (
        INSERT INTO board_event (facility_id, seq, kind, body, business_date, created_at)
        SELECT :facility, last_seq, :event, cast(:body AS jsonb), :day, :now FROM turn
        RETURNING seq
    )
    SELECT seq, pg_notify('board', cast(:facility AS text)) FROM shown
    """
)
_CHANGED = text("SELECT pg_notify('queue', cast(:queue AS text))")


def announce(session: Session, facility_id: UUID, *, number: str, room: str, kind: str, now: datetime) -> int:
    """Show a call on the facility's board and return its sequence number.

    `kind` is `call` or `recall`. Take it last: the board stays locked until the transaction ends.
    """
    return _show(session, facility_id, "called", {"number": number, "room": room, "kind": kind}, now)


def withdraw(session: Session, facility_id: UUID, *, number: str, now: datetime) -> int:
    """Take a call off the facility's board and return the sequence number of that; take it last, too."""
    return _show(session, facility_id, "withdrawn", {"number": number}, now)


def _show(session: Session, facility_id: UUID, event: str, body: Mapping[str, str], now: datetime) -> int:
    parameters = {
        "facility": facility_id,
        "event": event,
        "body": json.dumps(body, ensure_ascii=False),
        "day": business_date(now),
        "now": now,
    }
    return int(session.execute(_ANNOUNCE, parameters).one().seq)


def tell_followers(session: Session, queue_id: UUID) -> None:
    """Hint that a queue changed; once a transaction, however often it is called."""
    session.execute(_CHANGED, {"queue": queue_id})
