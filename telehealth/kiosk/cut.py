"""A kiosk that is cut off from its server: what it holds for that time, and what it hands in afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import DomainError, NotFound
from telehealth.identification.reading import Unrecognised, read
from telehealth.kiosk.passes import Pass
from telehealth.kiosk.queries import people_by_number, rooms_today
from telehealth.kiosk.rules import lease_size, numbers_of
from telehealth.kiosk.services import Kiosk, Wish, new_person, patient_of, priority_of
from telehealth.queueing import queries as queues
from telehealth.queueing.codes import LeaseholderKind, PrintStatus, PriorityClass, Purpose
from telehealth.queueing.models import NumberLease, Ticket
from telehealth.queueing.queries import QueueView
from telehealth.queueing.services import leases
from telehealth.queueing.services.leases import IssuedNumber, Leaseholder, LeaseView, Settled
from telehealth.queueing.services.numbers import Holder

_PACE_OVER = timedelta(hours=1)
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
    """A number that a kiosk gave out in a cut; `scan` is the card that was shown, as the scanner read it."""

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
    now: datetime,
    cipher: FieldCipher,
) -> list[Settled]:
    """Write what this kiosk gave out; a card that was shown says who it is, as at the counter.

    Raises NotFound for another machine's lease.
    """
    _own(session, kiosk, lease_id)
    keys = [press.press_key for press in presses]
    before = set(
        session.scalars(
            select(Ticket.press_key).where(Ticket.issued_by == kiosk.device_id, Ticket.press_key.in_(keys))
        )
    )
    issued = [
        IssuedNumber(
            number=press.number,
            press_key=press.press_key,
            issued_at=press.issued_at,
            holder=Holder() if press.press_key in before else _holder(session, kiosk, press, now, cipher),
            print_status=press.print_status,
            instead_of=press.instead_of,
        )
        for press in presses
    ]
    return leases.settle_issued(session, kiosk.principal, lease_id, issued, now=now, cipher=cipher)


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


def _own(session: Session, kiosk: Kiosk, lease_id: UUID) -> None:
    owner = session.scalar(select(NumberLease.holder_id).where(NumberLease.id == lease_id))
    if owner != kiosk.device_id:
        raise NotFound
