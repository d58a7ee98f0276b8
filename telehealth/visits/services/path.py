"""Handing people on: what is done at a station, and the next number in the same transaction.

The visit is locked first, before any of its numbers: whatever moves it, moves it one after another.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, text, update
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
from telehealth.queueing.errors import QueueClosed, QueueFull
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import QueueView, queues_of
from telehealth.queueing.services.boards import tell_followers
from telehealth.queueing.services.numbers import Holder, issue
from telehealth.visits.codes import Category, EndReason
from telehealth.visits.errors import VisitUnknown
from telehealth.visits.models import Visit, VisitOrder
from telehealth.visits.queries import by_kind, facts_of, lengths, orders_of, path_of, standing_tickets
from telehealth.visits.rules import STATION, Facts, Path, Stop, Why, next_stop, useful

_HOLD = text("SELECT FROM visit WHERE id = :visit FOR NO KEY UPDATE")
_BY_PATH = "path"


class OutpatientPath:
    """What numbers go by (queueing.services.onward.Onward)."""

    def hold(self, session: Session, visit_id: UUID) -> None:
        """Let nobody else move the visit until this transaction ends."""
        session.execute(_HOLD, {"visit": visit_id})

    def comes_back(self, session: Session, visit_id: UUID, queue_id: UUID) -> bool:
        """Tell whether the room waits for results of this person."""
        visit = session.get_one(Visit, visit_id, populate_existing=True)
        unread = select(VisitOrder.id).where(
            VisitOrder.visit_id == visit_id,
            VisitOrder.room_id == queue_id,
            VisitOrder.revoked_at.is_(None),
            VisitOrder.read_at.is_(None),
            ~_read_now(visit_id, queue_id),
        )
        return visit.discharged_at is None and session.scalar(unread.limit(1)) is not None

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
        note_done(session, visit_id, queue, now=now)
        go_on(session, principal, visit_id, now=now, cipher=cipher)


def locked(session: Session, visit_id: UUID) -> Visit:
    """Return a visit that nobody else moves until the transaction ends. Raises VisitUnknown."""
    session.execute(_HOLD, {"visit": visit_id})
    visit = session.get(Visit, visit_id, populate_existing=True)
    if visit is None:
        raise VisitUnknown
    return visit


def note_done(session: Session, visit_id: UUID, queue: QueueView, *, now: datetime) -> None:
    """Record what being through at a station means: paid at the cashier, performed at sampling, and so on."""
    visit = session.get_one(Visit, visit_id, populate_existing=True)
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
    session: Session, principal: Principal, visit_id: UUID, *, now: datetime, cipher: FieldCipher
) -> None:
    """Bring a visit to where its facts say it is: leave lines that are for nothing, join the next, or end.

    Wants the visit locked. Whoever is in a line that is still for something stays there.
    """
    visit = session.get_one(Visit, visit_id, populate_existing=True)
    facts, path = facts_of(session, visit), path_of(session, visit.facility_id)
    queues = queues_of(session, visit.facility_id)
    minutes = lengths(session, queues, visit.business_date)
    coming = next_stop(facts, path, by_kind(queues, minutes))
    if _stays(session, principal, visit, facts, path, coming, now=now):
        return
    if coming is None:
        end(session, principal, visit, EndReason.COMPLETE, now=now)
    elif isinstance(coming, Stop):
        _reopen(visit)
        queue = _queue_for(coming, queues, minutes)
        if queue is not None:
            _send(session, principal, visit, queue, coming.why, path, now=now, cipher=cipher)
    session.flush()


def _stays(
    session: Session,
    principal: Principal,
    visit: Visit,
    facts: Facts,
    path: Path,
    coming: object,
    *,
    now: datetime,
) -> bool:
    """Leave the lines that are for nothing any more; tell whether one is left that is for something."""
    kinds = {queue.id: queue.kind for queue in queues_of(session, visit.facility_id)}
    kept = []
    for ticket in standing_tickets(session, visit.id):
        kind = kinds.get(ticket.queue_id)
        by_hand = ticket.id == visit.sent_by_hand_id and not facts.discharged
        if by_hand or (kind is not None and useful(kind, facts, path)):
            kept.append(ticket)
        elif ticket.status != TicketStatus.MISSED:
            queueing.withdraw(session, principal, ticket.id, now=now)
    if isinstance(coming, Stop) and coming.why is Why.COME_BACK:
        for ticket in kept:
            if ticket.queue_id == coming.room and ticket.status == TicketStatus.WAITING:
                queueing.let_in_soon(session, principal, ticket.id, path.places_ahead, now=now)
    return bool(kept)


def _queue_for(coming: Stop, queues: Sequence[QueueView], minutes: dict[UUID, float]) -> QueueView | None:
    """The room that was named; of several lines of a kind the shortest."""
    fitting = [
        queue
        for queue in queues
        if queue.kind is coming.kind and (coming.room is None or queue.id == coming.room)
    ]
    return min(fitting, key=lambda queue: minutes[queue.id], default=None)


def _send(
    session: Session,
    principal: Principal,
    visit: Visit,
    queue: QueueView,
    why: Why,
    path: Path,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Give the next number. A full or closed line gives none: the desk sees who stands nowhere."""
    try:
        with session.begin_nested():
            given = give_number(session, principal, visit, queue, now=now, cipher=cipher)
    except (QueueFull, QueueClosed):
        return
    if why is Why.COME_BACK:
        queueing.let_in_soon(session, principal, given, path.places_ahead, now=now)


def give_number(
    session: Session,
    principal: Principal,
    visit: Visit,
    queue: QueueView,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> UUID:
    """Give a number of the visit in a line, with the person's priority. Raises QueueFull, QueueClosed."""
    before = session.scalars(
        select(Ticket)
        .where(Ticket.visit_id == visit.id)
        .order_by(Ticket.issued_at.desc(), Ticket.number.desc())
    ).all()
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
    for changed in {queue.id, last.queue_id}:
        tell_followers(session, changed)
    return given.id


def _encounter(session: Session, tickets: Sequence[Ticket]) -> UUID | None:
    """The encounter that goes on; a room that is entered after its end begins another."""
    open_ones = session.scalars(
        select(Encounter.id).where(
            Encounter.id.in_([ticket.encounter_id for ticket in tickets if ticket.encounter_id]),
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
    for ticket in standing_tickets(session, visit.id):
        if ticket.status != TicketStatus.MISSED:
            queueing.withdraw(session, principal, ticket.id, now=now)
    _close_encounters(session, principal, visit, now=now)
    if visit.ended_at is None:
        visit.ended_at, visit.end_reason = now, reason.value
        visit.version += 1
        entry = Entry("visit.end", "Visit", visit.id, visit.patient_id, visit.facility_id)
        audit.record(session, principal, entry, now=now)
    session.flush()


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
