"""Setting a visit right by hand: to another station, to its end; and the facility's rule."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.errors import QueueClosed
from telehealth.queueing.models import Queue, Ticket, TicketEvent
from telehealth.queueing.queries import queue_by_id
from telehealth.visits.codes import EndReason
from telehealth.visits.errors import VisitOver
from telehealth.visits.models import Visit, VisitPath
from telehealth.visits.queries import path_of, tickets_of
from telehealth.visits.rules import Path
from telehealth.visits.services.path import end, give_number, locked, withdraw_open


def move(
    session: Session,
    principal: Principal,
    visit_id: UUID,
    queue_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    version: int | None = None,
) -> UUID:
    """Send a person to another station and return the number there. From there the path goes on by itself.

    Raises VisitUnknown, VisitOver, PreconditionFailed, NotFound, QueueClosed, QueueFull.
    """
    visit = _open(session, visit_id, now=now, version=version)
    queue = queue_by_id(session, queue_id)
    if queue is None or queue.facility_id != visit.facility_id:
        raise NotFound
    if not queue.active:
        raise QueueClosed
    tickets = tickets_of(session, visit.id)
    withdraw_open(session, principal, tickets, now=now)
    was_there = visit.seen_at is not None and _was_in(tickets, queue_id)
    given = give_number(session, principal, visit, tickets, queue, now=now, cipher=cipher)
    visit.sent_by_hand_id = given
    visit.registered_at = visit.registered_at or now
    if queue.kind is ServicePointKind.CLINIC and visit.seen_at is None:
        visit.room_id = queue.id
    visit.version += 1
    session.flush()
    if queue.kind is ServicePointKind.CLINIC and was_there:
        places = path_of(session, visit.facility_id).places_ahead
        queueing.let_in_soon(session, principal, given, places, now=now)
    _record(session, principal, "visit.move", visit, now=now)
    return given


def name_the_person(session: Session, principal: Principal, facility_id: UUID, patient_id: UUID) -> None:
    """Let the nameless visit whose reception number this clerk is serving be this person's.

    What the clerk then gives the person, a number or a check-in, belongs to the same visit. Nothing happens
    where the clerk serves nobody, or several.
    """
    mine = session.scalars(
        select(Visit)
        .join(Ticket, Ticket.visit_id == Visit.id)
        .join(Queue, Queue.id == Ticket.queue_id)
        .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
        .where(
            Visit.facility_id == facility_id,
            Visit.patient_id.is_(None),
            Visit.ended_at.is_(None),
            Ticket.status == TicketStatus.SERVING,
            Queue.kind == ServicePointKind.REGISTRATION,
            TicketEvent.kind == "start",
            TicketEvent.actor_id == principal.id,
        )
        .distinct()
    ).all()
    if len(mine) == 1:
        locked(session, mine[0].id).patient_id = patient_id
        session.flush()


def finish(
    session: Session, principal: Principal, visit_id: UUID, *, now: datetime, version: int | None = None
) -> None:
    """End a visit whatever was still to come. Raises VisitUnknown, VisitOver, PreconditionFailed."""
    visit = _open(session, visit_id, now=now, version=version)
    end(session, principal, visit, EndReason.DESK, now=now)


def set_path(
    session: Session, principal: Principal, facility_id: UUID, path: Path, *, version: int, now: datetime
) -> None:
    """Set a facility's rule. `version`: the one that was seen, 0 at first. Raises PreconditionFailed."""
    seen = session.scalar(
        select(VisitPath.version).where(VisitPath.facility_id == facility_id).with_for_update()
    )
    if version != (seen or 0):
        raise PreconditionFailed
    values = {
        "pays_before_tests": sorted(each.value for each in path.pays_before_tests),
        "settles_at_end": sorted(each.value for each in path.settles_at_end),
        "tests": path.tests.value,
        "results": path.results.value,
        "places_ahead": path.places_ahead,
        "version": version + 1,
        "updated_at": now,
    }
    statement = insert(VisitPath).values(facility_id=facility_id, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=["facility_id"], set_=values),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()
    audit.record(
        session, principal, Entry("visit-path.change", "VisitPath", facility_id, None, facility_id), now=now
    )


def _open(session: Session, visit_id: UUID, *, now: datetime, version: int | None) -> Visit:
    visit = locked(session, visit_id)
    if version is not None and version != visit.version:
        raise PreconditionFailed
    if visit.ended_at is not None:
        raise VisitOver
    return visit


def _was_in(tickets: Sequence[Ticket], queue_id: UUID) -> bool:
    return any(ticket.queue_id == queue_id and ticket.served_at is not None for ticket in tickets)


def _record(session: Session, principal: Principal, action: str, visit: Visit, *, now: datetime) -> None:
    entry = Entry(action, "Visit", visit.id, visit.patient_id, visit.facility_id)
    audit.record(session, principal, entry, now=now)
