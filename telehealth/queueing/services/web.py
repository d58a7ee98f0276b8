"""Numbers from the web: taken at home on the day, good once their holder has come in time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.errors import NotFound
from telehealth.core.principal import SYSTEM, Principal
from telehealth.core.uow import violated_constraint
from telehealth.patients.models import Patient
from telehealth.queueing.codes import PriorityBasis, PriorityClass, Purpose, TicketStatus
from telehealth.queueing.errors import (
    PressReused,
    QueueClosed,
    TicketMovedOn,
    WebNumbersGone,
    WebNumberTaken,
)
from telehealth.queueing.models import Ticket, TicketEvent
from telehealth.queueing.queries import queue_by_id
from telehealth.queueing.rules import lapsed, read_slip, statutory_class
from telehealth.queueing.services.numbers import Holder, TicketView, issue, view
from telehealth.queueing.services.steps import cancel, here

_KNOW = text("SELECT know_for_web_number(:patient, :facility, :now)")
_LEAVES_NOW = update(Ticket).where(Ticket.leave_notified_at.is_(None))


def take_web_number(
    session: Session,
    principal: Principal,
    queue_id: UUID,
    patient_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> TicketView:
    """Give a person a number of today's contingent; asked again for the same queue it is the same number.

    One for each person, facility and day. The priority that the birth date gives is theirs. Raises NotFound,
    QueueClosed, QueueFull, WebNumbersGone, and WebNumberTaken, also after one was given back: the web
    gives nobody a second one.
    """
    queue, day = queue_by_id(session, queue_id), business_date(now)
    if queue is None:
        raise NotFound
    if not queue.active:
        raise QueueClosed
    web_until = at_local(day, queue.settings.web_until_minute)
    if web_until <= now:
        raise WebNumbersGone
    session.execute(_KNOW, {"patient": patient_id, "facility": queue.facility_id, "now": now})
    try:
        ticket = issue(
            session,
            principal,
            queue,
            _holder(session, patient_id, web_until, now),
            press_key=f"web:{patient_id}:{queue.facility_id}:{day}",
            now=now,
            cipher=cipher,
        )
    except IntegrityError as error:
        if violated_constraint(error) == "uq_ticket_web":
            raise WebNumberTaken from error
        raise
    except PressReused as error:
        raise WebNumberTaken from error
    if ticket.status is TicketStatus.CANCELLED:
        raise WebNumberTaken
    if leaves_now(ticket):
        session.execute(_LEAVES_NOW.where(Ticket.id == ticket.id).values(leave_notified_at=now))
    return ticket


def leaves_now(ticket: TicketView) -> bool:
    """Tell whether the wait is no longer than the way: the page says so, no message need follow."""
    return ticket.wait_range is not None and ticket.wait_range.low <= ticket.queue.settings.travel_minutes


def arrive_by_slip(
    session: Session,
    principal: Principal,
    scanned: str,
    facility_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> TicketView | None:
    """Let in who shows the QR of a number from the web; None where it is no such code.

    Raises NotFound for one of another facility, TicketMovedOn, WebNumberLapsed.
    """
    token = read_slip(scanned)
    if token is None:
        return None
    ticket = session.scalars(
        select(Ticket).where(Ticket.public_token_hash == token_hash(token), Ticket.facility_id == facility_id)
    ).one_or_none()
    queue = queue_by_id(session, ticket.queue_id) if ticket else None
    if ticket is None or queue is None:
        raise NotFound
    if ticket.web_until is not None and ticket.here_at is None:
        here(session, principal, ticket.id, now=now)
    return view(session, ticket, queue, now=now, cipher=cipher)


def give_back(session: Session, principal: Principal, ticket_id: UUID, *, now: datetime) -> None:
    """Let a number go whose holder will not come; nobody waited for it, and it is not given again.

    Raises NotFound, and TicketMovedOn once its holder has come or the number is over.
    """
    ticket = session.get(Ticket, ticket_id, populate_existing=True)
    if ticket is None or ticket.web_until is None:
        raise NotFound
    if ticket.here_at is not None or lapsed(ticket.web_until, None, now):
        raise TicketMovedOn
    cancel(session, principal, ticket_id, now=now)


def tidy_web_numbers(session: Session, *, now: datetime) -> int:
    """Cancel the numbers whose holders did not come in time, and return how many.

    They count for nothing without this: whoever reads or calls judges by the time.
    """
    gone = session.scalars(
        update(Ticket)
        .where(
            Ticket.web_until < now,
            Ticket.here_at.is_(None),
            Ticket.status == TicketStatus.WAITING,
            func.has_the_day(Ticket.facility_id),
        )
        .values(status=TicketStatus.CANCELLED, version=Ticket.version + 1)
        .returning(Ticket.id)
        .execution_options(synchronize_session=False)
    ).all()
    if gone:
        events = [{"ticket_id": each, "kind": "lapse", "at": now, "actor_kind": SYSTEM.kind} for each in gone]
        session.execute(insert(TicketEvent), events)
    return len(gone)


def _holder(session: Session, patient_id: UUID, web_until: datetime, now: datetime) -> Holder:
    born = session.scalar(select(Patient.birth_date).where(Patient.id == patient_id))
    priority = statutory_class(born, business_date(now))
    computed = priority is not PriorityClass.NONE
    return Holder(
        priority=priority,
        priority_set_by="birth-date" if computed else None,
        priority_basis=PriorityBasis.BIRTH_DATE if computed else None,
        purpose=Purpose.OTHER,
        patient_id=patient_id,
        web_until=web_until,
    )
