"""A kiosk that is cut off from its server: what it holds for that time, and what it hands in afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError, NotFound
from telehealth.identification.reading import BookingCode, PhoneNumber, Reading, Unrecognised, read
from telehealth.kiosk.errors import NoAppointmentToday
from telehealth.kiosk.passes import Pass
from telehealth.kiosk.queries import (
    DueView,
    due_by_id,
    due_by_phone,
    due_today,
    people_by_number,
    rooms_today,
)
from telehealth.kiosk.rules import lease_size, numbers_of
from telehealth.kiosk.services import Kiosk, Wish, new_person, patient_of, priority_of, tell_of_lost_slip
from telehealth.patients import services as patients
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import LeaseholderKind, PrintStatus, PriorityClass, Purpose
from telehealth.queueing.models import NumberLease, Ticket
from telehealth.queueing.queries import QueueView
from telehealth.queueing.services import leases
from telehealth.queueing.services.leases import IssuedNumber, Leaseholder, LeaseView, Settled
from telehealth.queueing.services.numbers import Holder

_PACE_OVER = timedelta(hours=1)
_SHOWN_AT_MOST = 40
_LEFT = text(
    """
    SELECT q.daily_limit - coalesce(c.last - c.first + 1, 0)
      FROM queue q LEFT JOIN queue_counter c ON c.queue_id = q.id AND c.business_date = :day
     WHERE q.id = :queue
    """
)


@dataclass(frozen=True, slots=True)
class Stock:
    """A queue that the kiosk offers in a cut, and how many numbers it shall hold for it."""

    queue: QueueView
    wanted: int


@dataclass(frozen=True, slots=True, repr=False)
class Press:
    """A number that a kiosk gave out in a cut; `scan` was shown or typed: a card, a code, a telephone."""

    number: int
    press_key: str
    issued_at: datetime
    purpose: Purpose
    priority: PriorityClass
    print_status: PrintStatus
    scan: str | None = None
    instead_of: str | None = None


def stock(session: Session, kiosk: Kiosk, now: datetime) -> list[Stock]:
    """Return the queues that take people now, reception first, each with what a cut may need of it."""
    rooms = {room.queue_id for room in rooms_today(session, kiosk.facility_id, now)}
    offered = [
        queue
        for queue in queues.queues_of(session, kiosk.facility_id)
        if queue.kind == "registration" or queue.id in rooms
    ]
    return [Stock(queue, _wanted(session, kiosk, queue, now)) for queue in offered]


def epoch(session: Session, kiosk: Kiosk) -> int:
    """Return the newest beginning of this kiosk that has ever leased; 0 before the first."""
    newest = select(func.max(NumberLease.epoch)).where(NumberLease.holder_id == kiosk.device_id)
    return session.scalar(newest) or 0


def take_lease(
    session: Session,
    kiosk: Kiosk,
    queue_id: UUID,
    size: int,
    begun: int,
    *,
    request_id: str,
    now: datetime,
    cipher: FieldCipher,
) -> LeaseView:
    """Lend this kiosk numbers of a queue of its facility. Raises NotFound, and what lease_block raises."""
    queue = queues.queue_by_id(session, queue_id)
    if queue is None or queue.facility_id != kiosk.facility_id:
        raise NotFound
    holder = Leaseholder(LeaseholderKind.KIOSK, kiosk.device_id, begun)
    return leases.lease_block(
        session, kiosk.principal, queue, holder, size, request_id=request_id, now=now, cipher=cipher
    )


def settle(
    session: Session,
    kiosk: Kiosk,
    lease_id: UUID,
    presses: Sequence[Press],
    *,
    slip_url: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> list[Settled]:
    """Write what this kiosk gave out; a card that was shown says who it is, as at the counter.

    Whoever named their appointment is checked in to it with this number; where it is not found, the number
    stands on the desk's worklist with what they named. Staff are called to a printer that gave no slip.
    Raises NotFound for another machine's lease.
    """
    queue_id = _own(session, kiosk, lease_id)
    keys = [press.press_key for press in presses]
    before = set(
        session.scalars(
            select(Ticket.press_key).where(Ticket.issued_by == kiosk.device_id, Ticket.press_key.in_(keys))
        )
    )
    whose = {
        press.press_key: _whose(session, kiosk, press, queue_id, now, cipher)
        for press in presses
        if press.press_key not in before
    }
    issued = [
        IssuedNumber(
            number=press.number,
            press_key=press.press_key,
            issued_at=press.issued_at,
            print_status=press.print_status,
            instead_of=press.instead_of,
            **whose.get(press.press_key, {}),
        )
        for press in presses
    ]
    settled = leases.settle_issued(session, kiosk.principal, lease_id, issued, now=now, cipher=cipher)
    failed = {
        press.press_key: press.issued_at
        for press in presses
        if press.press_key in whose and press.print_status is PrintStatus.FAILED
    }
    for each in settled:
        if each.ticket_id is not None and each.press_key in failed:
            tell_of_lost_slip(
                session,
                kiosk.principal,
                each.ticket_id,
                slip_url=slip_url,
                now=now,
                cipher=cipher,
                outbox=outbox,
                pressed_at=failed[each.press_key],
            )
    return settled


def return_rest(session: Session, kiosk: Kiosk, lease_id: UUID, used_to: int, *, now: datetime) -> None:
    """End a lease of this kiosk. Raises NotFound, LeaseEnded, NumbersStillOpen, Unprocessable."""
    _own(session, kiosk, lease_id)
    leases.return_rest(session, kiosk.principal, lease_id, used_to=used_to, now=now)


def _wanted(session: Session, kiosk: Kiosk, queue: QueueView, now: datetime) -> int:
    day = business_date(now)
    lately = session.scalar(
        select(func.count()).where(
            Ticket.queue_id == queue.id,
            Ticket.business_date == day,
            Ticket.issued_by == kiosk.device_id,
            Ticket.issued_at > now - _PACE_OVER,
        )
    )
    left = session.scalar(_LEFT, {"queue": queue.id, "day": day})
    return lease_size(lately or 0, queue.minutes_per_visit, queue.points, left)


def _whose(
    session: Session, kiosk: Kiosk, press: Press, queue_id: UUID, now: datetime, cipher: FieldCipher
) -> dict[str, Any]:
    """Return for whom a number was given, and what they named where no appointment is found by it."""
    reading = read(press.scan) if press.scan else None
    typed = isinstance(reading, BookingCode | PhoneNumber | Unrecognised)
    booked = press.purpose is Purpose.APPOINTMENT and reading is not None
    if not booked and not isinstance(reading, BookingCode | PhoneNumber):
        return {"holder": _holder(session, kiosk, press, now, cipher)}
    try:
        with session.begin_nested():
            return {"holder": _checked_in(session, kiosk, press, reading, queue_id, now, cipher)}
    except _CheckedInByLostPress:
        return {"holder": Holder(purpose=press.purpose)}
    except DomainError:
        given = (press.scan or "")[:_SHOWN_AT_MOST] if typed else ""
        return {"holder": _holder(session, kiosk, press, now, cipher), "unclear": given}


class _CheckedInByLostPress(Exception):
    """The press whose answer was lost did check them in: the number takes over what that one was."""


def _checked_in(
    session: Session,
    kiosk: Kiosk,
    press: Press,
    reading: Reading | Unrecognised | None,
    queue_id: UUID,
    now: datetime,
    cipher: FieldCipher,
) -> Holder:
    """Check in the only person who is meant, to their first appointment. Raises DomainError."""
    due = _due(session, kiosk, reading, now, cipher)
    if len({each.person.id for each in due}) != 1:
        raise NoAppointmentToday
    first = min(due, key=lambda each: each.start)
    lost = select(Ticket.id).where(
        Ticket.issued_by == kiosk.device_id,
        Ticket.press_key == press.instead_of,
        Ticket.appointment_id == first.id,
    )
    if press.instead_of is not None and session.scalar(lost) is not None:
        raise _CheckedInByLostPress
    patients.link_facility(session, first.person.id, kiosk.facility_id, now)
    return queueing.arrive_with_number(
        session, kiosk.principal, first.id, queue_id, now=now, priority=press.priority
    )


def _due(
    session: Session,
    kiosk: Kiosk,
    reading: Reading | Unrecognised | None,
    now: datetime,
    cipher: FieldCipher,
) -> Sequence[DueView]:
    match reading:
        case None | Unrecognised():
            return ()
        case BookingCode(value=code):
            appointment_id = queueing.find_by_code(session, code, kiosk.facility_id)
            due = due_by_id(session, kiosk.facility_id, appointment_id)
            return () if due is None else (due,)
        case PhoneNumber(value=phone):
            by_phone = due_by_phone(session, kiosk.facility_id, phone, now, cipher)
            if by_phone:
                return by_phone
    people = [each.id for each in people_by_number(session, numbers_of(reading), cipher)]
    return due_today(session, kiosk.facility_id, people, now) if people else ()


def _holder(session: Session, kiosk: Kiosk, press: Press, now: datetime, cipher: FieldCipher) -> Holder:
    patient_id = None
    if press.scan:
        try:
            with session.begin_nested():
                patient_id = _patient(session, kiosk, press.scan, now, cipher)
        except DomainError:
            patient_id = None
    wish = Wish(press.purpose, press.priority)
    granted, by = priority_of(session, kiosk, wish, patient_id, now)
    return Holder(priority=granted, priority_set_by=by, purpose=press.purpose, patient_id=patient_id)


def _patient(session: Session, kiosk: Kiosk, scan: str, now: datetime, cipher: FieldCipher) -> UUID | None:
    """Return whose card it is, registered if need be; a number that several people have says nobody."""
    reading = read(scan)
    if isinstance(reading, Unrecognised):
        return None
    found = people_by_number(session, numbers_of(reading), cipher)
    if len(found) > 1:
        return None
    held = Pass(patient_id=found[0].id) if found else Pass(person=new_person(reading))
    wish = Wish(Purpose.OTHER, PriorityClass.NONE)
    return patient_of(session, kiosk, held, wish, now=now, cipher=cipher)


def _own(session: Session, kiosk: Kiosk, lease_id: UUID) -> UUID:
    """Return the queue of a lease of this kiosk. Raises NotFound."""
    queue_id = session.scalar(
        select(NumberLease.queue_id).where(
            NumberLease.id == lease_id, NumberLease.holder_id == kiosk.device_id
        )
    )
    if queue_id is None:
        raise NotFound
    return queue_id
