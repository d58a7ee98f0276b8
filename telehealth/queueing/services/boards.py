"""Telling boards and those who follow a queue."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.directory.models import ServicePoint
from telehealth.queueing.codes import BoardEventKind
from telehealth.queueing.models import Ticket
from telehealth.queueing.places import Place, place_of
from telehealth.queueing.queries import QueueView
from telehealth.queueing.rules import number_text

# The board's row stays locked until commit, so numbers become visible in their order: a reconnect that
# asks for what came after one number cannot skip another.
_ANNOUNCE = text(
    """
    WITH turn AS (
        INSERT INTO board (facility_id, last_seq) VALUES (:facility, 1)
        ON CONFLICT (facility_id) DO UPDATE SET last_seq = board.last_seq + 1
        RETURNING last_seq
    ), shown AS (
        INSERT INTO board_event (facility_id, seq, kind, body, queue_id, service_point_id, business_date,
                                 created_at)
        SELECT :facility, last_seq, :kind, cast(:body AS jsonb), :queue, :point, :day, :now FROM turn
        RETURNING seq
    )
    SELECT seq, pg_notify('board', cast(:facility AS text)) FROM shown
    """
)
_CHANGED = text("SELECT pg_notify('queue', cast(q AS text)) FROM unnest(cast(:queues AS uuid[])) q")


def announce(
    session: Session,
    queue: QueueView,
    ticket: Ticket,
    kind: BoardEventKind,
    *,
    now: datetime,
    again: bool = False,
    following: Sequence[str] = (),
    point: UUID | None = None,
) -> int:
    """Tell the facility's boards of a number and return the event's sequence number.

    `again`: it was called before. `following`: who is next in that queue. `point`: where it was called to, if
    the ticket says so no longer. Take it last: the board stays locked until the transaction ends.
    """
    point = point or ticket.service_point_id
    place = _place(session, queue, point)
    body: dict[str, object] = {
        "number": number_text(queue.prefix, ticket.number),
        "room": place.vi,
        "room_en": place.en,
        "place": place.kind.value,
        "door": place.door,
    }
    if kind is BoardEventKind.CALLED:
        body |= {"kind": "recall" if again else "call", "next": list(following)}
    return tell_boards(session, queue.facility_id, kind, body, now=now, queue=queue.id, point=point)


def tell_boards(
    session: Session,
    facility_id: UUID,
    kind: BoardEventKind,
    body: dict[str, object],
    *,
    now: datetime,
    queue: UUID | None = None,
    point: UUID | None = None,
) -> int:
    """Append one event to what a facility's boards are told; returns its sequence number."""
    parameters = {
        "facility": facility_id,
        "kind": kind.value,
        "body": json.dumps(body, ensure_ascii=False),
        "queue": queue,
        "point": point,
        "day": business_date(now),
        "now": now,
    }
    return int(session.execute(_ANNOUNCE, parameters).one().seq)


def tell_followers(session: Session, *queue_ids: UUID) -> None:
    """Hint that queues changed; each once a transaction, however often it is called."""
    session.execute(_CHANGED, {"queues": list(queue_ids)})


def _place(session: Session, queue: QueueView, point_id: UUID | None) -> Place:
    """The desk that called, else the queue's own room or hall."""
    wanted = point_id or queue.service_point_id
    if wanted is None:
        return place_of(queue.kind)
    found = session.execute(
        select(ServicePoint.code, ServicePoint.name, ServicePoint.kind).where(ServicePoint.id == wanted)
    ).one()
    return place_of(queue.kind, found.code, found.name)
