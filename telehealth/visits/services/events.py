"""What moves a visit on: kept as it came, applied once, in any order; what does not fit waits to be seen.

Locks are taken in the order visit, event, and then as the numbers take theirs.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.models import Queue, Ticket
from telehealth.visits.codes import Category, EndReason, EventKind, EventState, Unfit
from telehealth.visits.errors import EventReused, EventSettled
from telehealth.visits.models import Visit, VisitEvent, VisitOrder
from telehealth.visits.services.path import go_on, locked, pay_everything, revoke_unperformed

CONSOLE = "console"
"""The source of what is said by a button."""
CONSOLE_ORDERS = "urn:telehealth:visit-order"
"""The system of identifiers of orders that a button made."""


@dataclass(frozen=True, slots=True)
class OrderRef:
    """An order as the hospital's system names it (FHIR Identifier), and what it asks for when it is new."""

    system: str
    value: str
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What was said. The visit is named by its code and day, or by the code of its appointment."""

    source: str
    event_id: str
    kind: EventKind
    occurred_at: datetime
    code: str | None = None
    day: date | None = None
    appointment: str | None = None
    orders: tuple[OrderRef, ...] = ()
    medicines: bool = False
    insured: bool | None = None
    room: str | None = None

    def body(self) -> dict[str, Any]:
        """Return what is kept of it."""
        day = self.day or business_date(self.occurred_at)
        return {
            "visit": {"code": self.code, "date": day.isoformat(), "appointment": self.appointment},
            "orders": [{"system": o.system, "value": o.value, "category": o.category} for o in self.orders],
            "medicines": self.medicines,
            "insured": self.insured,
            "room": self.room,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told, and told again: applied, or kept with why it does not fit yet."""

    id: UUID
    state: EventState
    why: str | None


def receive(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    event: NewEvent,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> Answer:
    """Keep an event and apply it if it fits. The same one again changes nothing and is answered the same.

    Raises EventReused when its id came with other content.
    """
    body = event.body()
    digest = _digest(event, body)
    row = session.scalar(
        insert(VisitEvent)
        .values(
            id=new_id(),
            facility_id=facility_id,
            sender_id=principal.id,
            source=event.source,
            event_id=event.event_id,
            kind=event.kind,
            occurred_at=event.occurred_at,
            received_at=now,
            body=body,
            digest=digest,
            state=EventState.PENDING,
        )
        .on_conflict_do_nothing(constraint="uq_visit_event_facility_id_sender_id_source_event_id")
        .returning(VisitEvent)
    )
    if row is None:
        return _answered_before(session, principal, facility_id, event, digest)
    visit = _try(session, principal, row, now=now)
    _move_on(session, principal, row, visit, now=now, cipher=cipher)
    return Answer(row.id, EventState(row.first_state or row.state), row.first_why)


def retry(
    session: Session, principal: Principal, event_id: UUID, *, now: datetime, cipher: FieldCipher
) -> EventState:
    """Apply a kept event if it fits by now. Raises NotFound, EventSettled."""
    visit_id = session.scalar(select(VisitEvent.visit_id).where(VisitEvent.id == event_id))
    if visit_id is not None:
        locked(session, visit_id)
    row = _unsettled(session, event_id)
    visit = _try(session, principal, row, now=now)
    _record(session, principal, "visit-event.retry", row, now=now)
    _move_on(session, principal, row, visit, now=now, cipher=cipher)
    return EventState(row.state)


def dismiss(session: Session, principal: Principal, event_id: UUID, reason: str, *, now: datetime) -> None:
    """Take an event off the worklist; it stays kept with who and why. Raises NotFound, EventSettled."""
    row = _unsettled(session, event_id)
    row.state, row.reason = EventState.DISMISSED, reason
    row.settled_at, row.settled_by = now, principal.id
    session.flush()
    _record(session, principal, "visit-event.dismiss", row, now=now)


def _digest(event: NewEvent, body: Mapping[str, Any]) -> bytes:
    said = {"kind": event.kind, "at": event.occurred_at.isoformat(), "body": body}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _answered_before(
    session: Session, principal: Principal, facility_id: UUID, event: NewEvent, digest: bytes
) -> Answer:
    row = session.scalars(
        select(VisitEvent).where(
            VisitEvent.facility_id == facility_id,
            VisitEvent.sender_id == principal.id,
            VisitEvent.source == event.source,
            VisitEvent.event_id == event.event_id,
        )
    ).one()
    if row.digest != digest:
        raise EventReused
    return Answer(row.id, EventState(row.first_state or row.state), row.first_why)


def _unsettled(session: Session, event_id: UUID) -> VisitEvent:
    row = session.scalars(
        select(VisitEvent).where(VisitEvent.id == event_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).one_or_none()
    if row is None:
        raise NotFound
    if row.state != EventState.PENDING:
        raise EventSettled
    return row


def _move_on(
    session: Session,
    principal: Principal,
    row: VisitEvent,
    visit: Visit | None,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Bring the visit of an applied event to where it belongs now; once for all that fits by this event."""
    if visit is None or row.state != EventState.APPLIED:
        return
    kinds = {row.kind, *_try_those_waiting(session, principal, visit, now=now)}
    room_ticket = _in_a_room(session, visit.id)
    if room_ticket is not None and kinds & {EventKind.TESTS_ORDERED, EventKind.DISCHARGED}:
        queueing.done(session, principal, room_ticket.id, now=now, cipher=cipher)
    else:
        go_on(session, principal, visit, now=now, cipher=cipher)


def _try_those_waiting(session: Session, principal: Principal, visit: Visit, *, now: datetime) -> set[str]:
    """Apply what was said of a visit before it could be understood, until nothing more fits; return what."""
    applied: set[str] = set()
    fits = True
    while fits:
        fits = False
        waiting = session.scalars(
            select(VisitEvent)
            .where(
                VisitEvent.state == EventState.PENDING,
                VisitEvent.facility_id == visit.facility_id,
                or_(
                    VisitEvent.visit_id == visit.id,
                    VisitEvent.visit_id.is_(None) & (VisitEvent.body["visit"]["code"].astext == visit.code),
                ),
            )
            .order_by(VisitEvent.received_at, VisitEvent.id)
            .with_for_update(skip_locked=True),
            execution_options={"populate_existing": True},
        ).all()
        for row in waiting:
            _try(session, principal, row, now=now)
            if row.state == EventState.APPLIED:
                fits = True
                applied.add(row.kind)
    return applied


def _try(session: Session, principal: Principal, row: VisitEvent, *, now: datetime) -> Visit | None:
    """Apply an event all or not at all, note which, and return the visit it names, locked."""
    visit = _visit_named(session, row)
    if visit is None:
        why: Unfit | None = Unfit.UNKNOWN_VISIT
    else:
        why = _apply(session, principal, row, visit, now=now)
        row.visit_id = visit.id
    row.tries += 1
    row.why = why
    if why is None:
        row.state, row.settled_at, row.settled_by = EventState.APPLIED, now, principal.id
    if row.first_state is None:
        row.first_state, row.first_why = row.state, row.why
    session.flush()
    return visit


def _visit_named(session: Session, row: VisitEvent) -> Visit | None:
    named = row.body["visit"]
    if named["appointment"]:
        wanted = (
            select(Ticket.visit_id)
            .join(Appointment, Appointment.id == Ticket.appointment_id)
            .where(Appointment.facility_id == row.facility_id, Appointment.code == named["appointment"])
            .order_by(Ticket.issued_at.desc())
            .limit(1)
        )
        visit_id = session.scalar(wanted)
        return None if visit_id is None else locked(session, visit_id)
    return session.scalars(
        select(Visit)
        .where(
            Visit.facility_id == row.facility_id,
            Visit.business_date == date.fromisoformat(named["date"]),
            Visit.code == (named["code"] or ""),
        )
        .with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    ).one_or_none()


def _apply(
    session: Session, principal: Principal, row: VisitEvent, visit: Visit, *, now: datetime
) -> Unfit | None:
    over = visit.end_reason not in (None, EndReason.COMPLETE) or visit.business_date != business_date(now)
    if over or (visit.discharged_at is not None and row.kind == EventKind.TESTS_ORDERED):
        return Unfit.VISIT_OVER
    why = _EFFECTS[EventKind(row.kind)](session, row, visit, now)
    if why is not None:
        return why
    if row.body["insured"] is not None:
        visit.insured = row.body["insured"]
    visit.version += 1
    session.flush()
    entry = Entry(f"visit.{row.kind}", "Visit", visit.id, visit.patient_id, visit.facility_id)
    audit.record(session, principal, entry, now=now)
    return None


def _in_a_room(session: Session, visit_id: UUID) -> Ticket | None:
    """The number of somebody whom a doctor has with them."""
    return session.scalars(
        select(Ticket)
        .join(Queue, Queue.id == Ticket.queue_id)
        .where(
            Ticket.visit_id == visit_id,
            Ticket.status == TicketStatus.SERVING,
            Queue.kind == ServicePointKind.CLINIC,
        )
    ).one_or_none()


def _ordered(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    named = _named(session, row)
    if any(order is not None and order.visit_id != visit.id for order in named):
        return Unfit.ORDER_OF_ANOTHER
    room_id = _asking_room(session, row, visit)
    for ref, known in zip(row.body["orders"], named, strict=True):
        if known is None:
            session.add(
                VisitOrder(
                    visit_id=visit.id,
                    facility_id=visit.facility_id,
                    identifier_system=ref["system"],
                    identifier_value=ref["value"],
                    category=ref["category"] or Category.LABORATORY,
                    room_id=room_id,
                    ordered_at=now,
                )
            )
            session.flush()
    return None


def _asking_room(session: Session, row: VisitEvent, visit: Visit) -> UUID | None:
    """The room that was named, else the one that has the person now, else the one that had them."""
    if row.body["room"]:
        named = session.scalar(
            select(Queue.id).where(
                Queue.facility_id == visit.facility_id,
                Queue.code == row.body["room"],
                Queue.kind == ServicePointKind.CLINIC,
            )
        )
        if named is not None:
            return named
    there = _in_a_room(session, visit.id)
    return visit.room_id if there is None else there.queue_id


def _paid(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    if row.body["orders"]:
        why = _each(session, row, visit, lambda order: _set(order, now, "paid_at"))
        if why is not None:
            return why
    elif not row.body["medicines"]:
        owing = any(order.paid_at is None for order in _orders(session, visit))
        if not owing and (visit.prescribed_at is None or visit.settled_at is not None):
            return Unfit.NOTHING_TO_PAY
        pay_everything(session, visit, now)
    if row.body["medicines"]:
        if visit.prescribed_at is None:
            return Unfit.NOTHING_TO_PAY
        visit.settled_at = visit.settled_at or now
    return None


def _performed(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    return _each(session, row, visit, lambda order: _set(order, now, "performed_at"))


def _ready(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    return _each(session, row, visit, lambda order: _set(order, now, "performed_at", "ready_at"))


def _prescribed(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    visit.prescribed_at = visit.prescribed_at or now
    return None


def _discharged(session: Session, row: VisitEvent, visit: Visit, now: datetime) -> Unfit | None:
    visit.discharged_at = visit.discharged_at or now
    revoke_unperformed(session, visit, now)
    return None


_Effect = Callable[[Session, VisitEvent, Visit, datetime], Unfit | None]
_EFFECTS: Mapping[EventKind, _Effect] = {
    EventKind.TESTS_ORDERED: _ordered,
    EventKind.PAID: _paid,
    EventKind.PERFORMED: _performed,
    EventKind.RESULT_READY: _ready,
    EventKind.PRESCRIBED: _prescribed,
    EventKind.DISCHARGED: _discharged,
}


def _each(
    session: Session, row: VisitEvent, visit: Visit, effect: Callable[[VisitOrder], None]
) -> Unfit | None:
    """Do something to each order that an event names, if all of them are the visit's."""
    named = _named(session, row)
    if any(order is None for order in named):
        return Unfit.UNKNOWN_ORDER
    orders = [order for order in named if order is not None]
    if any(order.visit_id != visit.id for order in orders):
        return Unfit.ORDER_OF_ANOTHER
    for order in orders:
        effect(order)
    session.flush()
    return None


def _set(order: VisitOrder, now: datetime, *columns: str) -> None:
    """Set times that are not yet set. What was performed after all is taken back no more."""
    for column in columns:
        if getattr(order, column) is None:
            setattr(order, column, now)
    if order.performed_at is not None:
        order.revoked_at = None


def _named(session: Session, row: VisitEvent) -> list[VisitOrder | None]:
    return [
        session.scalars(
            select(VisitOrder).where(
                VisitOrder.facility_id == row.facility_id,
                VisitOrder.identifier_system == ref["system"],
                VisitOrder.identifier_value == ref["value"],
            ),
            execution_options={"populate_existing": True},
        ).one_or_none()
        for ref in row.body["orders"]
    ]


def _orders(session: Session, visit: Visit) -> list[VisitOrder]:
    return list(
        session.scalars(
            select(VisitOrder).where(VisitOrder.visit_id == visit.id, VisitOrder.revoked_at.is_(None)),
            execution_options={"populate_existing": True},
        )
    )


def _record(session: Session, principal: Principal, action: str, row: VisitEvent, *, now: datetime) -> None:
    entry = Entry(action, "VisitEvent", row.id, None, row.facility_id)
    audit.record(session, principal, entry, now=now)
