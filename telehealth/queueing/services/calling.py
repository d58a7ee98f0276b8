"""Calling the next person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.principal import Principal
from telehealth.queueing.codes import BoardEventKind
from telehealth.queueing.errors import QueueEmpty, QueueMerged, QueuePaused
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import (
    Line,
    LineTicket,
    QueueView,
    line,
    line_again,
    queue_by_id,
)
from telehealth.queueing.rules import Reason
from telehealth.queueing.services.boards import announce, tell_followers
from telehealth.queueing.services.near import tell_those_near
from telehealth.queueing.services.steps import TicketState, note_step, skip, state_of
from telehealth.queueing.services.turns import take_turn

FOLLOWING = 3
"""So many of those who are next stand on the board beside a call."""

# Somebody whom another step is just moving is passed over and stays first in line; so is who is called or
# served elsewhere at this moment.
_CALL_FIRST = text(
    """
    UPDATE ticket SET status = 'called', version = version + 1, called_at = :now, call_count = 1,
           service_point_id = :service_point,
           called_lane = (cast(:lanes AS text[]))[array_position(cast(:ids AS uuid[]), id)]
    WHERE id = (
        SELECT t.id FROM unnest(cast(:ids AS uuid[])) WITH ORDINALITY AS listed (id, place)
        JOIN ticket t ON t.id = listed.id
        WHERE t.status = 'waiting' AND NOT EXISTS (
            SELECT FROM ticket other
            WHERE other.visit_id = t.visit_id AND other.status IN ('called', 'serving'))
        ORDER BY listed.place LIMIT 1
        FOR UPDATE OF t SKIP LOCKED)
    RETURNING *
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

    `service_point_id` may be left out where one room calls from the queue. Raises NotFound, QueueEmpty,
    QueuePaused, QueueMerged, Unprocessable for a point of another queue.
    """
    queue = queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    day = business_date(now)
    take_turn(session, queue.id)
    state = line(session, queue, day, now)
    point = _point(state, service_point_id)
    _refuse(session, state)
    if queue.settings.skips_by_itself:
        _skip_absent(session, principal, state, point, now)
    called_at = _in_turn(state, now)
    ticket = _first(session, state.waiting, point, called_at)
    note_step(session, principal, ticket, "call", now=called_at)
    tell_those_near(session, line_again(session, state, now), now=now, cipher=cipher, outbox=outbox)
    following = [each.number_text for each in state.waiting if each.id != ticket.id][:FOLLOWING]
    giver = _given_by(session, ticket, queue)
    announce(session, giver, ticket, BoardEventKind.CALLED, now=now, following=following)
    if state.day.merged_here:
        tell_followers(session, queue.id, *state.day.merged_here)
    return state_of(session, ticket, giver)


def _in_turn(state: Line, now: datetime) -> datetime:
    """Return the instant of the next call, after all before it: whose turn it is goes by the last calls, and
    those who press at once have read the clock before they wait for the line.
    """
    last = max((each.called_at for each in state.last_calls if each.called_at is not None), default=None)
    return now if last is None or last < now else last + timedelta(microseconds=1)


def _given_by(session: Session, ticket: Ticket, queue: QueueView) -> QueueView:
    """The queue whose number it is: another than the one that calls where they are merged."""
    return queue if ticket.queue_id == queue.id else queue_by_id(session, ticket.queue_id) or queue


def _refuse(session: Session, state: Line) -> None:
    if state.day.merged_into is not None:
        target = queue_by_id(session, state.day.merged_into)
        raise QueueMerged(queue=target.name if target else "")
    if state.day.pause is not None:
        raise QueuePaused


def _skip_absent(
    session: Session, principal: Principal, state: Line, point: UUID | None, now: datetime
) -> None:
    """Go on without whom this point called often enough and who did not come."""
    for each in state.called:
        if each.service_point_id == point and each.call_count >= state.queue.settings.calls_before_missed:
            skip(session, principal, each.id, now=now)


def _first(session: Session, waiting: Sequence[LineTicket], point: UUID | None, now: datetime) -> Ticket:
    parameters = {
        "ids": [ticket.id for ticket in waiting],
        "lanes": [_lane(ticket) for ticket in waiting],
        "service_point": point,
        "now": now,
    }
    for _ in waiting:
        try:
            with session.begin_nested():
                called: Ticket | None = session.scalars(
                    select(Ticket).from_statement(_CALL_FIRST),
                    parameters,
                    execution_options={"populate_existing": True},
                ).one_or_none()
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


def _lane(ticket: LineTicket) -> str | None:
    """Whose turn a call takes; somebody who came back takes nobody's."""
    return None if ticket.lane is None or ticket.reason is Reason.CAME_BACK else ticket.lane.value


def _point(state: Line, asked: UUID | None) -> UUID | None:
    open_today = [point for point, _name in state.day.calling]
    if asked is None:
        return open_today[0] if len(open_today) == 1 else state.queue.service_point_id
    if asked not in open_today:
        raise Unprocessable({"service_point_id": ["field-service-point-other"]})
    return asked
