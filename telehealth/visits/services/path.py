"""Handing people on: what is done at a station, and the next number in the same transaction.

The visit is locked first, before any of its numbers: whatever moves it, moves it one after another.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, text, update
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.directory.codes import ServicePointKind
from telehealth.encounters import services as encounters
from telehealth.encounters.models import Encounter, EncounterStatus
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass, Purpose, TicketStatus
from telehealth.queueing.errors import NoNumbersAtTheNode, QueueClosed, QueueFull
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import QueueView, queue_by_id
from telehealth.queueing.services.boards import tell_followers
from telehealth.queueing.services.numbers import Holder, issue
from telehealth.visits.codes import Category, EndReason
from telehealth.visits.errors import VisitUnknown
from telehealth.visits.models import Visit, VisitOrder
from telehealth.visits.queries import (
    OPEN,
    LineLength,
    by_kind,
    facts_of,
    lengths,
    orders_of,
    path_with,
    standing,
    tickets_of,
)
from telehealth.visits.rules import STATION, Facts, Path, Stop, Why, next_stop, useful

_HOLD = text(
    "SELECT FROM visit WHERE id = (SELECT visit_id FROM ticket WHERE id = :ticket) FOR NO KEY UPDATE"
)
_BY_PATH = "path"


class OutpatientPath:
    """What numbers go by (queueing.services.onward.Onward)."""

    def hold(self, session: Session, ticket_id: UUID) -> None:
        """Let nobody else move a number's visit until this transaction ends."""
        session.execute(_HOLD, {"ticket": ticket_id})

    def comes_back(self, session: Session, visit_id: UUID, queue_id: UUID) -> bool:
        """Tell whether the room waits for results of this person."""
        unread = select(VisitOrder.id).where(
            exists().where(Visit.id == visit_id, Visit.discharged_at.is_(None)),
            VisitOrder.visit_id == visit_id,
            VisitOrder.room_id == queue_id,
            VisitOrder.revoked_at.is_(None),
            VisitOrder.read_at.is_(None),
            ~_read_now(visit_id, queue_id),
        )
        return session.scalar(unread.limit(1)) is not None

    def hand_on(
        self,
        session: Session,
        principal: Principal,
        visit_id: UUID,
        queue: QueueView,
        *,
        now: datetime,
        cipher: FieldCipher,
    ) -> None:
        """Note what was done at the queue and give the next number."""
        visit = session.get_one(Visit, visit_id, populate_existing=True)
        note_done(session, visit, queue, now=now)
        go_on(session, principal, visit, now=now, cipher=cipher)


def locked(session: Session, visit_id: UUID) -> Visit:
    """Return a visit that nobody else moves until the transaction ends. Raises VisitUnknown."""
    visit = session.get(Visit, visit_id, populate_existing=True, with_for_update={"key_share": True})
    if visit is None:
        raise VisitUnknown
    return visit


def note_done(session: Session, visit: Visit, queue: QueueView, *, now: datetime) -> None:
    """Record what being through at a station means: paid at the cashier, performed at sampling, and so on."""
    performed = next((category for category, kind in STATION.items() if kind is queue.kind), None)
    if performed is not None:
        _perform(session, visit, performed, now)
    elif queue.kind is ServicePointKind.REGISTRATION:
        visit.registered_at = visit.registered_at or now
    elif queue.kind is ServicePointKind.CLINIC:
        visit.seen_at = visit.seen_at or now
        visit.room_id = visit.room_id or queue.id
        _mark(session, visit.id, "read_at", now, _read_now(visit.id, queue.id))
    elif queue.kind is ServicePointKind.CASHIER:
        pay_everything(session, visit, now)
    elif queue.kind is ServicePointKind.RESULTS:
        _mark(session, visit.id, "collected_at", now, VisitOrder.ready_at.is_not(None))
    elif queue.kind is ServicePointKind.PHARMACY:
        visit.dispensed_at = visit.dispensed_at or now
    session.flush()


def _read_now(visit_id: UUID, queue_id: UUID) -> ColumnElement[bool]:
    """Which results a room reads in a sitting: of what it had asked for before the person came in."""
    came_in = (
        select(func.max(func.coalesce(Ticket.served_at, Ticket.called_at)))
        .where(Ticket.visit_id == visit_id, Ticket.queue_id == queue_id)
        .scalar_subquery()
    )
    return and_(
        VisitOrder.room_id == queue_id,
        VisitOrder.ready_at.is_not(None),
        VisitOrder.ordered_at < came_in,
    )


def pay_everything(session: Session, visit: Visit, now: datetime) -> None:
    """Record that all that was asked for until now is paid."""
    _mark(session, visit.id, "paid_at", now)
    if visit.prescribed_at is not None:
        visit.settled_at = visit.settled_at or now


def _perform(session: Session, visit: Visit, category: Category, now: datetime) -> None:
    _mark(session, visit.id, "performed_at", now, VisitOrder.category == category)


def _mark(session: Session, visit_id: UUID, column: str, now: datetime, *which: ColumnElement[bool]) -> None:
    """Set a time that is not yet set; each order's is set once."""
    session.execute(
        update(VisitOrder)
        .where(
            VisitOrder.visit_id == visit_id,
            VisitOrder.revoked_at.is_(None),
            getattr(VisitOrder, column).is_(None),
            *which,
        )
        .values({column: now})
        .execution_options(synchronize_session=False)
    )


def go_on(
    session: Session, principal: Principal, visit: Visit, *, now: datetime, cipher: FieldCipher
) -> None:
    """Bring a visit to where its facts say it is: leave lines that are for nothing, join the next, or end.

    Wants the visit locked and as it is since. Whoever is in a line that is still for something stays there.
    """
    lines = lengths(session, visit.facility_id, visit.business_date)
    kinds = {line.id: line.kind for line in lines}
    facts, path = facts_of(session, visit), path_with(session, visit.facility_id, kinds.values())
    coming = next_stop(facts, path, by_kind(lines))
    tickets = tickets_of(session, visit.id)
    kept = _leave_useless(session, principal, visit, standing(tickets), kinds, facts, path, now=now)
    if kept:
        if isinstance(coming, Stop) and coming.why is Why.COME_BACK:
            _let_in_soon(session, principal, kept, coming, path, now=now)
        return
    if coming is None:
        _end(session, principal, visit, tickets, EndReason.COMPLETE, now=now)
    elif isinstance(coming, Stop):
        _reopen(visit)
        queue = _queue_for(session, coming, lines)
        if queue is not None:
            _send(session, principal, visit, tickets, queue, coming.why, path, now=now, cipher=cipher)
    session.flush()


def _leave_useless(
    session: Session,
    principal: Principal,
    visit: Visit,
    tickets: Sequence[Ticket],
    kinds: Mapping[UUID, ServicePointKind],
    facts: Facts,
    path: Path,
    *,
    now: datetime,
) -> list[Ticket]:
    """Leave the lines that are for nothing any more; return the numbers that are for something."""
    kept = []
    for ticket in tickets:
        kind = kinds.get(ticket.queue_id)
        by_hand = ticket.id == visit.sent_by_hand_id and not facts.discharged
        if by_hand or (kind is not None and useful(kind, facts, path)):
            kept.append(ticket)
        elif ticket.status != TicketStatus.MISSED:
            queueing.withdraw(session, principal, ticket.id, now=now)
    return kept


def _let_in_soon(
    session: Session,
    principal: Principal,
    kept: Sequence[Ticket],
    coming: Stop,
    path: Path,
    *,
    now: datetime,
) -> None:
    """Somebody whose results are all in waits at the room already."""
    for ticket in kept:
        if ticket.queue_id == coming.room and ticket.status == TicketStatus.WAITING:
            queueing.let_in_soon(session, principal, ticket.id, path.places_ahead, now=now)


def _queue_for(session: Session, coming: Stop, lines: Sequence[LineLength]) -> QueueView | None:
    """The room that was named; of several lines of a kind the shortest."""
    fitting = [
        line for line in lines if line.kind is coming.kind and (coming.room is None or line.id == coming.room)
    ]
    shortest = min(fitting, key=lambda line: line.minutes, default=None)
    return None if shortest is None else queue_by_id(session, shortest.id)


def _send(
    session: Session,
    principal: Principal,
    visit: Visit,
    tickets: Sequence[Ticket],
    queue: QueueView,
    why: Why,
    path: Path,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Give the next number. A line that is full, closed or out of lent numbers gives none: whoever was with
    the person is done all the same, and the desk sees who stands nowhere.
    """
    try:
        given = give_number(session, principal, visit, tickets, queue, now=now, cipher=cipher)
    except (QueueFull, QueueClosed, NoNumbersAtTheNode):
        return
    if why is Why.COME_BACK:
        queueing.let_in_soon(session, principal, given, path.places_ahead, now=now)


def give_number(
    session: Session,
    principal: Principal,
    visit: Visit,
    before: Sequence[Ticket],
    queue: QueueView,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Give a number of the visit in a line, with the person's priority. Raises QueueFull, QueueClosed.

    `before` are the visit's numbers so far, the latest first. A refusal has written nothing.
    """
    last, encounter_id = before[0], _encounter(session, before)
    seen = visit.seen_at is not None
    holder = Holder(
        priority=PriorityClass(last.priority_class),
        priority_set_by=last.priority_set_by,
        purpose=Purpose(last.purpose),
        patient_id=visit.patient_id,
        encounter_id=encounter_id,
        appointment_id=None if seen and encounter_id is None else _appointment(before),
        waiting_since=now,
        transferred_from_id=last.id,
    )
    key = f"{_BY_PATH}:{visit.id}:{len(before)}"
    given = issue(session, principal, queue, holder, press_key=key, now=now, cipher=cipher)
    tell_followers(session, queue.id, last.queue_id)
    return given.id


def _encounter(session: Session, tickets: Sequence[Ticket]) -> UUID | None:
    """The encounter that goes on; a room that is entered after its end begins another."""
    known = {ticket.encounter_id for ticket in tickets if ticket.encounter_id}
    if not known:
        return None
    open_ones = session.scalars(
        select(Encounter.id).where(
            Encounter.id.in_(known),
            Encounter.status.in_((EncounterStatus.ARRIVED, EncounterStatus.IN_PROGRESS)),
        )
    ).all()
    return next((ticket.encounter_id for ticket in tickets if ticket.encounter_id in open_ones), None)


def _appointment(tickets: Sequence[Ticket]) -> UUID | None:
    return next((ticket.appointment_id for ticket in tickets if ticket.appointment_id), None)


def _reopen(visit: Visit) -> None:
    if visit.ended_at is not None:
        visit.ended_at, visit.end_reason = None, None
        visit.version += 1


def end(session: Session, principal: Principal, visit: Visit, reason: EndReason, *, now: datetime) -> None:
    """End a visit, and with it what is still open of it: its numbers, the encounter, the appointment."""
    _end(session, principal, visit, tickets_of(session, visit.id), reason, now=now)


def _end(
    session: Session,
    principal: Principal,
    visit: Visit,
    tickets: Sequence[Ticket],
    reason: EndReason,
    *,
    now: datetime,
) -> None:
    withdraw_open(session, principal, tickets, now=now)
    if any(ticket.encounter_id for ticket in tickets):
        _close_encounters(session, principal, visit, now=now)
    if visit.ended_at is None:
        visit.ended_at, visit.end_reason = now, reason.value
        visit.version += 1
        entry = Entry("visit.end", "Visit", visit.id, visit.patient_id, visit.facility_id)
        audit.record(session, principal, entry, now=now)
    session.flush()


def withdraw_open(
    session: Session, principal: Principal, tickets: Sequence[Ticket], *, now: datetime
) -> None:
    """Take those of a visit's numbers out of their lines that still stand in one."""
    for ticket in tickets:
        if ticket.status in OPEN:
            queueing.withdraw(session, principal, ticket.id, now=now)


def _close_encounters(session: Session, principal: Principal, visit: Visit, *, now: datetime) -> None:
    """Finish what a room began and did not end: somebody who was sent for tests and needed not come back."""
    begun = session.execute(
        select(Encounter.id, Encounter.appointment_id)
        .join(Ticket, Ticket.encounter_id == Encounter.id)
        .where(Ticket.visit_id == visit.id, Encounter.status == EncounterStatus.IN_PROGRESS)
        .distinct()
    ).all()
    for row in begun:
        status = session.scalar(select(Appointment.status).where(Appointment.id == row.appointment_id))
        if status == AppointmentStatus.ARRIVED:
            booking.mark_fulfilled(session, principal, row.appointment_id, now=now)
        encounters.finish(session, principal, row.id, now=now)


def end_day(session: Session, principal: Principal, *, now: datetime, most: int = 500) -> int:
    """End visits of days that are over, and return how many: nobody waits for yesterday's number."""
    stale = session.scalars(
        select(Visit)
        .where(
            Visit.ended_at.is_(None),
            Visit.business_date < business_date(now),
            func.has_the_day(Visit.facility_id),
        )
        .order_by(Visit.id)
        .limit(most)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    for visit in stale:
        end(session, principal, visit, EndReason.DAY_OVER, now=now)
    return len(stale)


def revoke_unperformed(session: Session, visit: Visit, now: datetime) -> None:
    """Take back the tests that were not performed: the doctor has ended with the person."""
    for order in orders_of(session, visit.id):
        if order.performed_at is None:
            order.revoked_at = now
    session.flush()
