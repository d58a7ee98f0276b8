"""What becomes of a number after it was called: each step a compare-and-swap, noted and audited.

Locks are taken in the order visit, appointment, queue, counter, ticket, board.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.booking import services as booking
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.directory.codes import Modality, ServicePointKind
from telehealth.encounters import services as encounters
from telehealth.encounters.models import Encounter
from telehealth.encounters.services import Visit
from telehealth.queueing.codes import BoardEventKind, PriorityBasis, PriorityClass, TicketStatus
from telehealth.queueing.errors import QueueClosed, ReturnTooLate, TicketMovedOn, UndoTooLate, WebNumberLapsed
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import QueueView, calling_queue, line, queue_by_id, room_name
from telehealth.queueing.rules import TRANSITIONS, lapsed, may_return, number_text
from telehealth.queueing.services.boards import announce, tell_followers
from telehealth.queueing.services.numbers import Holder, TicketView, issue, set_by
from telehealth.queueing.services.onward import Ways
from telehealth.queueing.services.turns import take_turn

# One statement: the ticket's history, the trail where a patient is concerned, the hint to those who follow.
_NOTE = text(
    """
    WITH noted AS (
        INSERT INTO ticket_event (ticket_id, kind, at, actor_kind, actor_id, service_point_id)
        VALUES (:ticket, :kind, :at, :actor_kind, :staff, :point)
    ), trailed AS (
        INSERT INTO audit_event (at, actor_kind, actor_id, session_id, action, entity, entity_id, patient_id,
                                 facility_id, details)
        SELECT :at, :actor_kind, :actor_id, :session_id, :action, :entity, :entity_id, :patient_id,
               :facility_id, '{}'
         WHERE cast(:patient_id AS uuid) IS NOT NULL
    )
    SELECT pg_notify('queue', cast(:queue AS text))
    """
)
_CALLED_SINCE = text(
    """
    SELECT EXISTS (
        SELECT FROM ticket t JOIN ticket mine ON mine.id = :ticket
         WHERE t.facility_id = mine.facility_id AND t.business_date = mine.business_date
           AND t.service_point_id IS NOT DISTINCT FROM mine.service_point_id AND t.called_at > mine.called_at
           AND (t.service_point_id IS NOT NULL OR t.queue_id = mine.queue_id))
    """
)
_CALLED_BEFORE = text(
    "SELECT max(at) FROM ticket_event WHERE ticket_id = :ticket AND kind = 'call' AND at < :called_at"
)


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as the staff who work it see it."""

    id: UUID
    queue_id: UUID
    number_text: str
    room: str
    status: TicketStatus
    version: int
    call_count: int
    encounter_id: UUID | None
    appointment_id: UUID | None


def recall(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Call the same person again. Raises NotFound, TicketMovedOn, PreconditionFailed."""
    ticket, queue = _take(session, ticket_id, "recall", version)
    ticket = _swap(session, principal, ticket, "recall", {"call_count": Ticket.call_count + 1}, now=now)
    announce(session, queue, ticket, BoardEventKind.CALLED, now=now, again=True)
    return state_of(session, ticket, queue)


def skip(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Go on without a person who did not come.

    The appointment of somebody who never came in becomes a no-show, once its time has come, until they
    return.
    """
    ticket, queue = _take(session, ticket_id, "skip", version)
    due = queue.kind is ServicePointKind.CLINIC and (ticket.appointment_start or now) <= now
    if ticket.appointment_id is not None and due and not _was_seen(session, ticket):
        booking.mark_no_show(session, principal, ticket.appointment_id, now=now)
    ticket = _swap(session, principal, ticket, "skip", {"status": TicketStatus.MISSED}, now=now)
    announce(session, queue, ticket, BoardEventKind.MISSED, now=now)
    return state_of(session, ticket, queue)


def park(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Put a number aside, for example during tests; on return it is next."""
    ticket, queue = _take(session, ticket_id, "park", version)
    ticket = _swap(session, principal, ticket, "park", {"status": TicketStatus.PARKED}, now=now)
    return state_of(session, ticket, queue)


def come_back(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Let a parked number in next, and a missed one after the next few (`return_places`).

    Raises ReturnTooLate when more than `max_passed` people were called since a missed one.
    """
    ticket, queue = _take(session, ticket_id, "return", version)
    state = line(session, calling_queue(session, queue, ticket.business_date), ticket.business_date, now)
    rules = state.queue.settings
    places, missed = 0, ticket.status == TicketStatus.MISSED
    if missed:
        if not may_return(_called_since(session, ticket), rules.max_passed):
            raise ReturnTooLate(passed=rules.max_passed)
        places = rules.return_places
        if ticket.appointment_id is not None:
            booking.mark_arrived(session, principal, ticket.appointment_id, now=now)
    values = {"status": TicketStatus.WAITING, "resume_after": state.called_total + places}
    ticket = _swap(session, principal, ticket, "return", values, now=now)
    if missed:
        announce(session, queue, ticket, BoardEventKind.RETURNED, now=now)
    return state_of(session, ticket, queue)


def undo_call(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Take back the last call of a desk or room: the person stands where they stood, the board forgets it.

    Raises NotFound, TicketMovedOn, PreconditionFailed, and UndoTooLate when the point called somebody since.
    """
    ticket, queue = _take(session, ticket_id, "undo-call", version)
    take_turn(session, calling_queue(session, queue, ticket.business_date).id)
    if session.scalar(_CALLED_SINCE, {"ticket": ticket.id}):
        raise UndoTooLate
    earlier = session.scalar(_CALLED_BEFORE, {"ticket": ticket.id, "called_at": ticket.called_at})
    values = {
        "status": TicketStatus.WAITING,
        "called_at": earlier,
        "called_lane": None,
        "call_count": 0,
        "service_point_id": None,
    }
    called_to = ticket.service_point_id
    ticket = _swap(session, principal, ticket, "undo-call", values, now=now)
    announce(session, queue, ticket, BoardEventKind.WITHDRAWN, now=now, point=called_to)
    return state_of(session, ticket, queue)


def start(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Begin with the person who came in. In a clinic room that begins the visit."""
    ticket, queue = _take(session, ticket_id, "start", version)
    values: dict[str, Any] = {
        "status": TicketStatus.SERVING,
        "served_at": func.coalesce(Ticket.served_at, now),
    }
    if queue.kind is ServicePointKind.CLINIC:
        values["encounter_id"] = _begin_visit(session, principal, ticket, now)
    ticket = _swap(session, principal, ticket, "start", values, now=now)
    return state_of(session, ticket, queue)


def done(
    session: Session,
    principal: Principal,
    ticket_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    version: int | None = None,
) -> TicketState:
    """Finish with a person and hand them on: the next number is given in the same transaction.

    In a clinic room the encounter ends and the appointment is fulfilled, unless the person comes back with
    results.
    """
    ticket, queue = _hold(session, ticket_id, "done", version)
    values: dict[str, Any] = {"status": TicketStatus.DONE, "done_at": now}
    if queue.kind is ServicePointKind.CLINIC:
        values["encounter_id"] = _leave_room(session, principal, ticket, now)
    ticket = _swap(session, principal, ticket, "done", values, now=now)
    if ticket.visit_id is not None:
        Ways.path.hand_on(session, principal, ticket.visit_id, queue, now=now, cipher=cipher)
    return state_of(session, ticket, queue)


def take(
    session: Session,
    principal: Principal,
    ticket_id: UUID,
    step: str,
    *,
    now: datetime,
    cipher: FieldCipher,
    version: int | None = None,
) -> TicketState:
    """Take a step by its name in the API and on the buttons."""
    if step == "done":
        return done(session, principal, ticket_id, now=now, cipher=cipher, version=version)
    return _STEPS[step](session, principal, ticket_id, now=now, version=version)


def withdraw(session: Session, principal: Principal, ticket_id: UUID, *, now: datetime) -> None:
    """Take a number out of its line because nothing is left to do there; nobody is handed on."""
    ticket, _queue = _take(session, ticket_id, "withdraw", None)
    standing = ticket.status in (TicketStatus.WAITING, TicketStatus.PARKED)
    values = {"status": TicketStatus.CANCELLED if standing else TicketStatus.DONE, "done_at": now}
    _swap(session, principal, ticket, "withdraw", values, now=now)


def cancel(session: Session, principal: Principal, ticket_id: UUID, *, now: datetime) -> None:
    """Take a number back whose holder waits and does not want it any more. Raises NotFound, TicketMovedOn."""
    ticket, _queue = _take(session, ticket_id, "cancel", None)
    _swap(session, principal, ticket, "cancel", {"status": TicketStatus.CANCELLED, "done_at": now}, now=now)


def let_in_soon(
    session: Session, principal: Principal, ticket_id: UUID, places: int, *, now: datetime
) -> None:
    """Put somebody who comes back with results near the front: after so many others, not at the end."""
    ticket, queue = _take(session, ticket_id, "let-in-soon", None)
    if ticket.resume_after is None:
        state = line(session, calling_queue(session, queue, ticket.business_date), ticket.business_date, now)
        _swap(session, principal, ticket, "return", {"resume_after": state.called_total + places}, now=now)


def transfer(
    session: Session,
    principal: Principal,
    ticket_id: UUID,
    to_queue_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    version: int | None = None,
) -> TicketView:
    """Move a person to another queue of the facility: a new number there, the old waiting time kept."""
    ticket, queue = _hold(session, ticket_id, "transfer", version)
    target = queue_by_id(session, to_queue_id)
    if target is None or target.facility_id != queue.facility_id:
        raise NotFound
    if not target.active:
        raise QueueClosed
    holder = Holder(
        priority=PriorityClass(ticket.priority_class),
        priority_set_by=ticket.priority_set_by,
        priority_basis=PriorityBasis(ticket.priority_basis) if ticket.priority_basis else None,
        patient_id=ticket.patient_id,
        encounter_id=ticket.encounter_id,
        appointment_id=ticket.appointment_id,
        appointment_start=ticket.appointment_start,
        waiting_since=ticket.waiting_since,
        transferred_from_id=ticket.id,
    )
    key = f"transfer:{ticket.id}"
    moved = issue(session, principal, target, holder, press_key=key, now=now, cipher=cipher)
    _swap(session, principal, ticket, "transfer", {"status": TicketStatus.DONE, "done_at": now}, now=now)
    tell_followers(session, target.id)
    return moved


def here(
    session: Session, principal: Principal, ticket_id: UUID, *, now: datetime, version: int | None = None
) -> TicketState:
    """Let somebody with a number from the web into the line: they have come.

    Their place is that of their number; whose turn passed meanwhile stands after the next few, like those
    who missed a call. Raises NotFound, TicketMovedOn, WebNumberLapsed, PreconditionFailed.
    """
    ticket, queue = _take(session, ticket_id, "here", version)
    if lapsed(ticket.web_until, ticket.here_at, now):
        raise WebNumberLapsed
    if ticket.web_until is None or ticket.here_at is not None:
        return state_of(session, ticket, queue)
    state = line(session, calling_queue(session, queue, ticket.business_date), ticket.business_date, now)
    values: dict[str, Any] = {"here_at": now}
    if any(each.waiting_since > ticket.waiting_since for each in state.last_calls):
        values["resume_after"] = state.called_total + state.queue.settings.return_places
    ticket = _swap(session, principal, ticket, "here", values, now=now)
    return state_of(session, ticket, queue)


def grant_priority(
    session: Session,
    principal: Principal,
    ticket_id: UUID,
    priority: PriorityClass,
    *,
    now: datetime,
    basis: PriorityBasis = PriorityBasis.SEEN,
    version: int | None = None,
) -> TicketState:
    """Confirm, set or take away a statutory class; the ticket and the trail keep who did and why."""
    ticket, queue = _take(session, ticket_id, "priority", version)
    values = {
        "priority_class": priority.value,
        "priority_set_by": set_by(principal),
        "priority_basis": None if priority is PriorityClass.NONE else basis.value,
    }
    confirms = priority is not PriorityClass.NONE and priority == ticket.priority_class
    step = "confirm-priority" if confirms else "grant-priority"
    ticket = _swap(session, principal, ticket, step, values, now=now)
    return state_of(session, ticket, queue)


def state_of(session: Session, ticket: Ticket, queue: QueueView) -> TicketState:
    """Return a ticket of a queue as staff see it."""
    return TicketState(
        id=ticket.id,
        queue_id=ticket.queue_id,
        number_text=number_text(queue.prefix, ticket.number),
        room=room_name(session, queue, ticket.service_point_id),
        status=TicketStatus(ticket.status),
        version=ticket.version,
        call_count=ticket.call_count,
        encounter_id=ticket.encounter_id,
        appointment_id=ticket.appointment_id,
    )


def note_step(session: Session, principal: Principal, ticket: Ticket, kind: str, *, now: datetime) -> None:
    """Write the history of a ticket and the trail, and hint to followers of its queue that it changed."""
    entry = Entry(f"ticket.{kind}", "Ticket", ticket.id, ticket.patient_id, ticket.facility_id)
    step = {
        "ticket": ticket.id,
        "kind": kind,
        "staff": principal.id,
        "point": ticket.service_point_id,
        "queue": ticket.queue_id,
    }
    session.execute(_NOTE, audit.row(principal, entry, now) | step)


def _take(session: Session, ticket_id: UUID, action: str, version: int | None) -> tuple[Ticket, QueueView]:
    ticket = session.get(Ticket, ticket_id, populate_existing=True)
    queue = queue_by_id(session, ticket.queue_id) if ticket else None
    if ticket is None or queue is None:
        raise NotFound
    if version is not None and version != ticket.version:
        raise PreconditionFailed
    if ticket.status not in TRANSITIONS[action]:
        raise TicketMovedOn(extra={"ticket_status": ticket.status})
    return ticket, queue


def _hold(session: Session, ticket_id: UUID, action: str, version: int | None) -> tuple[Ticket, QueueView]:
    """Take a ticket whose visit nobody else moves meanwhile."""
    Ways.path.hold(session, ticket_id)
    return _take(session, ticket_id, action, version)


def _swap(
    session: Session,
    principal: Principal,
    ticket: Ticket,
    kind: str,
    values: dict[str, Any],
    *,
    now: datetime,
) -> Ticket:
    swapped = session.scalars(
        update(Ticket)
        .where(Ticket.id == ticket.id, Ticket.status == ticket.status, Ticket.version == ticket.version)
        .values(**values, version=Ticket.version + 1)
        .returning(Ticket),
        execution_options={"populate_existing": True, "synchronize_session": False},
    ).one_or_none()
    if swapped is None:
        raise TicketMovedOn
    note_step(session, principal, swapped, kind, now=now)
    return swapped


def _begin_visit(session: Session, principal: Principal, ticket: Ticket, now: datetime) -> UUID:
    encounter_id = ticket.encounter_id
    if encounter_id is None:
        visit = Visit(ticket.facility_id, Modality.IN_PERSON, patient_id=ticket.patient_id)
        encounter_id = encounters.open_visit(session, principal, visit, now=now)
    encounters.start(session, principal, encounter_id, now=now, practitioner_id=principal.practitioner_id)
    return encounter_id


def _was_seen(session: Session, ticket: Ticket) -> bool:
    began = select(Encounter.started_at).where(Encounter.id == ticket.encounter_id)
    return session.scalar(began) is not None


def _leave_room(session: Session, principal: Principal, ticket: Ticket, now: datetime) -> UUID:
    away = ticket.visit_id is not None and Ways.path.comes_back(session, ticket.visit_id, ticket.queue_id)
    if not away and ticket.appointment_id is not None:
        booking.mark_fulfilled(session, principal, ticket.appointment_id, now=now)
    encounter_id = _begin_visit(session, principal, ticket, now)
    if not away:
        encounters.finish(session, principal, encounter_id, now=now)
    return encounter_id


def _called_since(session: Session, ticket: Ticket) -> int:
    """How many tickets of the queue were called that day after this one."""
    after = select(func.count()).where(
        Ticket.queue_id == ticket.queue_id,
        Ticket.business_date == ticket.business_date,
        Ticket.called_at > (ticket.called_at or ticket.issued_at),
    )
    return session.scalar(after) or 0


Step = Callable[..., TicketState]
_STEPS: dict[str, Step] = {
    "recall": recall,
    "skip": skip,
    "park": park,
    "return": come_back,
    "start": start,
    "here": here,
    "undo-call": undo_call,
}
"""The steps that need nothing but the ticket, by the names of the API and of the buttons."""
