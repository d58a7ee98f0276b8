"""Calling the next person."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.principal import Principal
from telehealth.queueing.errors import QueueEmpty
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import LineTicket, QueueView, line, points_of, queue_by_id
from telehealth.queueing.services.boards import announce, tell_followers
from telehealth.queueing.services.near import tell_those_near
from telehealth.queueing.services.steps import TicketState, note_step, state_of

# One call of a queue at a time: the second reads the line as the first left it. Otherwise it would pass
# over those whom the first is just telling that their turn is near, and call somebody behind them.
_TAKE_TURN = text("SELECT FROM queue WHERE id = :queue FOR NO KEY UPDATE")

# Somebody whom another step is just moving is passed over and stays first in line; so is who is called or
# served elsewhere at this moment.
_CALL_FIRST = text(
    """
    UPDATE ticket SET status = 'called', version = version + 1, called_at = :now, call_count = call_count + 1,
           service_point_id = :service_point, resume_after = NULL,
           called_lane = (cast(:lanes AS text[]))[array_position(cast(:ids AS uuid[]), id)]
    WHERE id = (
        SELECT t.id FROM unnest(cast(:ids AS uuid[])) WITH ORDINALITY AS listed (id, place)
        JOIN ticket t ON t.id = listed.id
        WHERE t.status = 'waiting' AND NOT EXISTS (
            SELECT FROM ticket other
            WHERE other.visit_id = t.visit_id AND other.status IN ('called', 'serving'))
        ORDER BY listed.place LIMIT 1
        FOR UPDATE OF t SKIP LOCKED)
    RETURNING id
    """
)

_CALLED_ELSEWHERE = "23505"
"""unique_violation: another line called the same visit at the same moment, and was first."""


def call_next(
    session: Session,
    principal: Principal,
    queue_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    service_point_id: UUID | None = None,
) -> TicketState:
    """Call whoever is next to a desk or room, show it on the board, warn those who are near.

    `service_point_id` may be left out where the queue leads to one room. Raises NotFound, QueueEmpty,
    Unprocessable for a point of another queue.
    """
    queue = queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    point = _point(session, queue, service_point_id)
    session.execute(_TAKE_TURN, {"queue": queue.id})
    waiting = line(session, queue, business_date(now), now).waiting
    called = _first(session, waiting, point, now)
    ticket = session.get_one(Ticket, called, populate_existing=True)
    note_step(session, principal, ticket, "call", now=now)
    tell_those_near(session, queue, now=now, cipher=cipher, outbox=outbox)
    state = state_of(session, ticket, queue)
    announce(session, queue.facility_id, number=state.number_text, room=state.room, kind="call", now=now)
    tell_followers(session, queue.id)
    return state


def _first(session: Session, waiting: Sequence[LineTicket], point: UUID | None, now: datetime) -> UUID:
    parameters = {
        "ids": [ticket.id for ticket in waiting],
        "lanes": [ticket.lane.value if ticket.lane else None for ticket in waiting],
        "service_point": point,
        "now": now,
    }
    for _ in waiting:
        try:
            with session.begin_nested():
                called: UUID | None = session.execute(_CALL_FIRST, parameters).scalar_one_or_none()
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _CALLED_ELSEWHERE:
                raise
        else:
            break
    else:
        called = None
    if called is None:
        raise QueueEmpty
    return called


def _point(session: Session, queue: QueueView, asked: UUID | None) -> UUID | None:
    if asked is None:
        return queue.service_point_id
    if asked not in {point for point, _name in points_of(session, queue)}:
        raise Unprocessable({"service_point_id": ["field-service-point-other"]})
    return asked
