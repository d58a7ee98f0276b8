"""How a facility runs its queues: settings, rooms, pauses, merging. Every change is in the trail.

Locks are taken in the order queue, counter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound, PreconditionFailed, Unprocessable
from telehealth.core.ids import derived_id
from telehealth.core.principal import Principal
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.models import Practitioner, ServicePoint
from telehealth.queueing.codes import PauseReason, TicketStatus
from telehealth.queueing.errors import LastRoom, QueueClosed, QueueMerged
from telehealth.queueing.models import Queue, QueueCounter, Ticket
from telehealth.queueing.queries import QueueView, calling_queue, points_of, queue_by_id, queue_day
from telehealth.queueing.rules import QueueSettings, contradictions
from telehealth.queueing.services.boards import tell_followers
from telehealth.queueing.services.turns import take_turn

_SAY = text(
    """
    INSERT INTO queue_point (queue_id, service_point_id, business_date, open)
    VALUES (:queue, :point, :day, :open)
    ON CONFLICT (queue_id, service_point_id, business_date) DO UPDATE SET open = excluded.open
    """
)
_FORGET_TODAY = text(
    "DELETE FROM queue_point WHERE queue_id = :queue AND service_point_id = :point AND business_date = :day"
)
# Who came back stands after so many calls of their line (`resume_after`); while two lines are called as one,
# the calls of both count.
_COUNT_CALLS_OF = text(
    """
    UPDATE ticket SET resume_after = resume_after + :sign * (
               SELECT count(*) FROM ticket c
                WHERE c.queue_id = ANY(:others) AND c.business_date = :day AND c.called_at IS NOT NULL)
     WHERE queue_id = ANY(:queues) AND business_date = :day AND resume_after IS NOT NULL
    """
)
_UNFINISHED = (TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING, TicketStatus.PARKED)


def configure(
    session: Session,
    principal: Principal,
    queue_id: UUID,
    settings: QueueSettings,
    *,
    version: int,
    now: datetime,
) -> QueueView:
    """Set how a queue is run. A new first number counts from the next day on which nobody has one yet.

    Raises NotFound, Unprocessable (by field), PreconditionFailed.
    """
    queue = _queue(session, queue_id)
    wrong = contradictions(settings)
    if wrong:
        raise Unprocessable(wrong)
    values = asdict(settings)
    changed = session.execute(
        update(Queue)
        .where(Queue.id == queue_id, Queue.version == version)
        .values(**values, version=Queue.version + 1)
        .returning(Queue.id)
    ).one_or_none()
    if changed is None:
        raise PreconditionFailed
    before = asdict(queue.settings)
    details = {name: [before[name], value] for name, value in values.items() if before[name] != value}
    _note(session, principal, queue, "queue.configure", details, now)
    return _queue(session, queue_id)


def set_room(
    session: Session,
    principal: Principal,
    queue_id: UUID,
    point_id: UUID,
    *,
    is_open: bool,
    now: datetime,
    always: bool = False,
) -> None:
    """Let a desk or room call from a queue, or no longer: today, or always. Several may, and from several.

    Raises NotFound, and LastRoom where people wait whom no other room would call.
    """
    queue, day = _queue(session, queue_id), business_date(now)
    _point(session, queue, point_id)
    take_turn(session, queue.id)
    if always:
        session.execute(_FORGET_TODAY, {"queue": queue.id, "point": point_id, "day": day})
    _say(session, queue, point_id, None if always else day, is_open)
    _close_if_empty(session, queue, day)
    details = {"point": str(point_id), "open": is_open, "always": always}
    _note(session, principal, queue, "queue.room", details, now)
    tell_followers(session, queue.id)


def move(session: Session, principal: Principal, queue_id: UUID, point_id: UUID, *, now: datetime) -> None:
    """Move a queue to another room for today, with everybody in it. Raises NotFound."""
    queue, day = _queue(session, queue_id), business_date(now)
    _point(session, queue, point_id)
    take_turn(session, queue.id)
    before = [point for point, _name in points_of(session, queue, day)]
    for each in before:
        _say(session, queue, each, day, is_open=False)
    _say(session, queue, point_id, day, is_open=True)
    _set_day(session, queue, day, closed=False)
    details = {"from": [str(each) for each in before], "to": str(point_id)}
    _note(session, principal, queue, "queue.move", details, now)
    tell_followers(session, queue.id)


def pause(
    session: Session,
    principal: Principal,
    queue_id: UUID,
    reason: PauseReason,
    until: datetime | None,
    *,
    now: datetime,
) -> None:
    """Call nobody for a while, at most for the day; numbers are still given.

    Raises NotFound, Unprocessable.
    """
    queue = _queue(session, queue_id)
    if until is not None and (until <= now or business_date(until) != business_date(now)):
        raise Unprocessable({"until": ["field-queue-until"]})
    take_turn(session, queue.id)
    values = {"paused_at": now, "paused_until": until, "paused_reason": reason.value}
    _set_day(session, queue, business_date(now), **values)
    details = {"reason": reason.value, "until": None if until is None else until.isoformat()}
    _note(session, principal, queue, "queue.pause", details, now)
    tell_followers(session, queue.id)


def resume(session: Session, principal: Principal, queue_id: UUID, *, now: datetime) -> None:
    """End a pause. Raises NotFound."""
    queue = _queue(session, queue_id)
    take_turn(session, queue.id)
    _set_day(session, queue, business_date(now), paused_at=None, paused_until=None, paused_reason=None)
    _note(session, principal, queue, "queue.resume", {}, now)
    tell_followers(session, queue.id)


def merge(session: Session, principal: Principal, queue_id: UUID, into_id: UUID, *, now: datetime) -> None:
    """Let another queue's rooms call the people of this one today.

    Everybody keeps number, waiting time and place by it; new numbers are the other queue's. Raises
    NotFound, QueueClosed, and QueueMerged where one of the two is merged already.
    """
    queue, into, day = _queue(session, queue_id), _queue(session, into_id), business_date(now)
    if into.facility_id != queue.facility_id or into.id == queue.id:
        raise NotFound
    take_turn(session, queue.id, into.id)
    _set_day(session, into, day, closed=False)
    target, source = (queue_day(session, each.id, day, now) for each in (into, queue))
    if not into.active or not target.points:
        raise QueueClosed
    if target.merged_into is not None or source.merged_here or source.merged_into is not None:
        raise QueueMerged(queue=into.name)
    _set_day(session, queue, day, merged_into=into.id)
    _count_together(session, queue.id, [into.id, *target.merged_here], day, together=True)
    _note(session, principal, queue, "queue.merge", {"into": str(into.id)}, now)
    for each in (queue, into):
        tell_followers(session, each.id)


def unmerge(session: Session, principal: Principal, queue_id: UUID, *, now: datetime) -> None:
    """Let a queue's own rooms call its people again. Raises NotFound."""
    queue, day = _queue(session, queue_id), business_date(now)
    into = queue_day(session, queue.id, day, now).merged_into
    if into is None:
        return
    take_turn(session, queue.id, into)
    _set_day(session, queue, day, merged_into=None)
    left = [into, *queue_day(session, into, day, now).merged_here]
    _count_together(session, queue.id, left, day, together=False)
    _note(session, principal, queue, "queue.unmerge", {"into": str(into)}, now)
    for each in (queue.id, into):
        tell_followers(session, each)


def open_own_queue(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    practitioner_id: UUID,
    point_id: UUID,
    *,
    now: datetime,
) -> UUID:
    """Give a doctor a queue beside the room's own, called to the room where they sit; opened twice it is one.

    Their appointments check in to it. Raises NotFound.
    """
    doctor = session.get(Practitioner, practitioner_id)
    room = session.get(ServicePoint, point_id)
    if doctor is None or room is None or room.facility_id != facility_id or not room.active:
        raise NotFound
    queue_id = derived_id("queue", facility_id, f"practitioner:{practitioner_id}")
    queue = session.get(Queue, queue_id)
    if queue is None:
        own = select(func.count()).where(Queue.facility_id == facility_id, Queue.practitioner_id.is_not(None))
        number = (session.scalar(own) or 0) + 1
        queue = Queue(
            id=queue_id,
            facility_id=facility_id,
            code=f"doctor-{number}",
            name=f"{doctor.title}. {doctor.name}" if doctor.title else doctor.name,
            kind=ServicePointKind.CLINIC.value,
            prefix=f"B{number}-",
            practitioner_id=practitioner_id,
        )
        session.add(queue)
    queue.service_point_id, queue.active = point_id, True
    session.flush()
    view = _queue(session, queue_id)
    _note(session, principal, view, "queue.open-own", {"point": str(point_id)}, now)
    return queue_id


def close_own_queue(session: Session, principal: Principal, queue_id: UUID, *, now: datetime) -> None:
    """Give no more numbers of a doctor's own queue. Raises NotFound, LastRoom while people wait."""
    queue, day = _queue(session, queue_id), business_date(now)
    if queue.practitioner_id is None:
        raise NotFound
    take_turn(session, queue.id)
    _set_day(session, queue, day, closed=True)
    _refuse_while_waiting(session, queue, day)
    session.execute(update(Queue).where(Queue.id == queue.id).values(active=False))
    _note(session, principal, queue, "queue.close-own", {}, now)


def _count_together(
    session: Session, queue_id: UUID, others: Sequence[UUID], day: date, *, together: bool
) -> None:
    """Let everybody who came back keep as many places before them as they had."""
    for queues, counted in (([queue_id], others), (others, [queue_id])):
        asked = {"queues": list(queues), "others": list(counted), "day": day, "sign": 1 if together else -1}
        session.execute(_COUNT_CALLS_OF, asked)


def _queue(session: Session, queue_id: UUID) -> QueueView:
    queue = queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    return queue


def _point(session: Session, queue: QueueView, point_id: UUID) -> None:
    point = session.get(ServicePoint, point_id)
    if point is None or point.facility_id != queue.facility_id or not point.active:
        raise NotFound


def _say(session: Session, queue: QueueView, point_id: UUID, day: date | None, is_open: bool) -> None:
    session.execute(_SAY, {"queue": queue.id, "point": point_id, "day": day, "open": is_open})


def _close_if_empty(session: Session, queue: QueueView, day: date) -> None:
    """Give no numbers that nobody would call; the row stays locked, so none is being given meanwhile."""
    closed = not points_of(session, queue, day)
    _set_day(session, queue, day, closed=closed)
    if closed and calling_queue(session, queue, day).id == queue.id:
        _refuse_while_waiting(session, queue, day)


def _refuse_while_waiting(session: Session, queue: QueueView, day: date) -> None:
    waiting = select(func.count()).where(
        Ticket.queue_id == queue.id, Ticket.business_date == day, Ticket.status.in_(_UNFINISHED)
    )
    count = session.scalar(waiting) or 0
    if count:
        raise LastRoom(count=count)


def _set_day(session: Session, queue: QueueView, day: date, **values: Any) -> None:
    """Write the queue's day, before its first number too; its row stays locked until the transaction ends."""
    first = queue.settings.first_number
    row = {"queue_id": queue.id, "business_date": day, "first": first, "last": first - 1, **values}
    statement = insert(QueueCounter).values(row)
    session.execute(
        statement.on_conflict_do_update(index_elements=["queue_id", "business_date"], set_=values)
    )


def _note(
    session: Session,
    principal: Principal,
    queue: QueueView,
    action: str,
    details: Mapping[str, Any],
    now: datetime,
) -> None:
    entry = Entry(action, "Queue", queue.id, facility_id=queue.facility_id, details=details)
    audit.record(session, principal, entry, now=now)
