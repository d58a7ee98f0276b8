"""What became of every number of a day, and which blocks of numbers are lent."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.core.clock import at_local
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.directory.codes import Modality, ServicePointKind
from telehealth.directory.models import ServicePoint
from telehealth.queueing.codes import (
    HandedInReason,
    LeaseEnd,
    LeaseholderKind,
    NumberFate,
    PriorityClass,
    Purpose,
)
from telehealth.queueing.models import HandedInNumber
from telehealth.queueing.queries import QueueView
from telehealth.queueing.rules import number_text
from telehealth.scheduling.models import ClinicSession

_DAY_ENDS = 24 * 60

# Every number that the counter passed, each with its ticket and its lease, where it has them.
_NUMBERS = text(
    """
    SELECT c.queue_id, n.number, t.id IS NOT NULL AS issued, t.lease_id IS NOT NULL AS settled,
           l.id AS lease_id,
           l.holder_kind, l.used_to, l.ended_at, l.expires_at, n.number = ANY (l.spoilt) AS spoilt,
           h.id IS NOT NULL AS handed_in,
           EXISTS (SELECT FROM this_node) AND NOT EXISTS (
               SELECT FROM held_block b
                WHERE b.queue_id = c.queue_id AND b.business_date = c.business_date
                  AND n.number BETWEEN b.first AND b.last) AS elsewhere,
           coalesce(d.name, a.display_name, CASE WHEN t.web_until IS NOT NULL THEN 'web' END, e.name) AS by
      FROM queue_counter c
      CROSS JOIN LATERAL generate_series(c.first, c.last) AS n (number)
      LEFT JOIN ticket t
             ON t.queue_id = c.queue_id AND t.business_date = c.business_date AND t.number = n.number
      LEFT JOIN number_lease l
             ON l.queue_id = c.queue_id AND l.business_date = c.business_date
            AND n.number BETWEEN l.first AND l.last
      LEFT JOIN handed_in_number h
             ON h.lease_id = l.id AND h.number = n.number AND h.settled_at IS NULL
      LEFT JOIN device d ON d.id = coalesce(t.issued_by, l.holder_id)
      LEFT JOIN account a ON a.id = coalesce(t.issued_by, l.holder_id) AND t.web_until IS NULL
      LEFT JOIN edge_node e ON e.id = l.holder_id
     WHERE c.queue_id = ANY(cast(:queues AS uuid[])) AND c.business_date = :day
     ORDER BY c.queue_id, n.number
    """
)
_LEASES = text(
    """
    SELECT l.*, q.name AS queue_name, q.prefix, coalesce(d.name, a.display_name, e.name) AS holder_name,
           d.revoked_at IS NOT NULL AS revoked,
           (SELECT count(*) FROM ticket t WHERE t.lease_id = l.id) AS settled,
           (SELECT count(*) FROM handed_in_number h
             WHERE h.lease_id = l.id AND h.settled_at IS NULL) AS pending
      FROM number_lease l
      JOIN queue q ON q.id = l.queue_id
      LEFT JOIN device d ON d.id = l.holder_id
      LEFT JOIN account a ON a.id = l.holder_id
      LEFT JOIN edge_node e ON e.id = l.holder_id
     WHERE l.facility_id = :facility AND (l.business_date = :day OR l.ended_at IS NULL)
     ORDER BY l.business_date DESC, q.code, l.first
    """
)
_HANDED_IN = text(
    """
    SELECT h.*, q.name AS queue_name, q.prefix, l.business_date,
           coalesce(d.name, a.display_name) AS holder_name
      FROM handed_in_number h
      JOIN number_lease l ON l.id = h.lease_id
      JOIN queue q ON q.id = l.queue_id
      LEFT JOIN device d ON d.id = l.holder_id
      LEFT JOIN account a ON a.id = l.holder_id
     WHERE h.facility_id = :facility AND h.settled_at IS NULL
     ORDER BY h.received_at, h.number
    """
)


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """Consecutive numbers with one fate; `by` names who gave them out or holds them, `lease_id` the lease."""

    first: int
    last: int
    fate: NumberFate
    by: str | None
    lease_id: UUID | None
    holder_kind: LeaseholderKind | None

    @property
    def count(self) -> int:
        """Return how many numbers it is."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """Every number of a queue's day, first to last, without a hole between the spans."""

    spans: tuple[NumberSpan, ...]

    @property
    def unexplained(self) -> tuple[NumberSpan, ...]:
        """Return the numbers of which nobody has said what became of them."""
        return tuple(span for span in self.spans if span.fate in (NumberFate.MISSING, NumberFate.OWED))

    def count(self, fate: NumberFate) -> int:
        """Return how many numbers have a fate."""
        return sum(span.count for span in self.spans if span.fate is fate)


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as staff see it; `revoked`: its machine may no longer hand in by itself."""

    id: UUID
    queue_id: UUID
    queue_name: str
    prefix: str
    business_date: date
    holder_kind: LeaseholderKind
    holder_name: str | None
    revoked: bool
    first: int
    last: int
    granted_at: datetime
    expires_at: datetime
    used_to: int
    spoilt: tuple[int, ...]
    ended_at: datetime | None
    end_reason: LeaseEnd | None
    settled: int
    pending: int

    @property
    def first_text(self) -> str:
        """Return the first number as people read it."""
        return number_text(self.prefix, self.first)

    @property
    def last_text(self) -> str:
        """Return the last number as people read it."""
        return number_text(self.prefix, self.last)

    def owes(self, now: datetime) -> bool:
        """Tell whether the desk has to say what became of it: it ran out, or its machine is out of use."""
        return self.ended_at is None and (self.revoked or self.expires_at <= now)


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A number that was given out and waits for the desk; `given` is what was said of an appointment."""

    id: UUID
    lease_id: UUID
    queue_name: str
    business_date: date
    number: int
    number_text: str
    holder_name: str | None
    issued_at: datetime
    priority: PriorityClass
    purpose: Purpose
    why: HandedInReason
    given: str | None


@dataclass(frozen=True, slots=True)
class ListedAppointment:
    """An appointment on a printed list: when, under which code, in which room; never who."""

    start: datetime
    code: str
    room: str | None


def appointments_of(session: Session, queue: QueueView, day: date) -> list[ListedAppointment]:
    """Return the appointments whose holders come to a queue on a day; at reception everybody's."""
    room = select(ServicePoint.code).where(ServicePoint.id == queue.service_point_id).scalar_subquery()
    wanted = (
        select(Appointment.start_at, Appointment.code, ServicePoint.name)
        .join(ClinicSession, ClinicSession.id == Appointment.clinic_session_id)
        .outerjoin(
            ServicePoint,
            (ServicePoint.code == ClinicSession.room) & (ServicePoint.facility_id == Appointment.facility_id),
        )
        .where(
            Appointment.facility_id == queue.facility_id,
            Appointment.status.in_((AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)),
            Appointment.modality == Modality.IN_PERSON,
            Appointment.start_at >= at_local(day, 0),
            Appointment.start_at < at_local(day, _DAY_ENDS),
        )
        .order_by(Appointment.start_at, Appointment.code)
    )
    if queue.practitioner_id is not None:
        wanted = wanted.where(Appointment.practitioner_id == queue.practitioner_id)
    elif queue.kind is ServicePointKind.CLINIC:
        wanted = wanted.where(ClinicSession.room == room)
    elif queue.kind is not ServicePointKind.REGISTRATION:
        return []
    return [ListedAppointment(row.start_at, row.code, row.name) for row in session.execute(wanted)]


def facility_of_handed_in(session: Session, entry_id: UUID) -> UUID:
    """Return whose worklist an entry stands in. Raises NotFound."""
    found = session.scalar(select(HandedInNumber.facility_id).where(HandedInNumber.id == entry_id))
    if found is None:
        raise NotFound
    return found


def numbers_of_the_day(session: Session, queue_id: UUID, day: date, now: datetime) -> DayNumbers:
    """Account for every number of a queue's day: who gave it or holds it, which lease it came back from."""
    return numbers_by_queue(session, [queue_id], day, now)[queue_id]


def numbers_by_queue(
    session: Session, queues: Sequence[UUID], day: date, now: datetime
) -> dict[UUID, DayNumbers]:
    """Account for every number of the day of each of these queues."""
    found: dict[UUID, list[NumberSpan]] = {each: [] for each in queues}
    for row in session.execute(_NUMBERS, {"queues": list(queues), "day": day}):
        found[row.queue_id].append(_span(row, now))
    return {queue: DayNumbers(tuple(_spans(single))) for queue, single in found.items()}


def leases_of(session: Session, facility_id: UUID, day: date) -> list[LeaseRow]:
    """Return a facility's leases of a day, and older ones of which nobody said what became of them."""
    rows = session.execute(_LEASES, {"facility": facility_id, "day": day})
    return [
        LeaseRow(
            id=row.id,
            queue_id=row.queue_id,
            queue_name=row.queue_name,
            prefix=row.prefix,
            business_date=row.business_date,
            holder_kind=LeaseholderKind(row.holder_kind),
            holder_name=row.holder_name,
            revoked=row.revoked,
            first=row.first,
            last=row.last,
            granted_at=row.granted_at,
            expires_at=row.expires_at,
            used_to=row.used_to,
            spoilt=tuple(row.spoilt),
            ended_at=row.ended_at,
            end_reason=None if row.end_reason is None else LeaseEnd(row.end_reason),
            settled=row.settled,
            pending=row.pending,
        )
        for row in rows
    ]


def given_context(entry_id: UUID) -> str:
    """Return what the words of an entry are sealed for."""
    return f"handed_in_number.given:{entry_id}"


def handed_in(session: Session, facility_id: UUID, cipher: FieldCipher) -> list[HandedIn]:
    """Return the worklist: numbers that were given out and could not be written by themselves.

    And those that count, whose holder named an appointment that was not found.
    """
    return [
        HandedIn(
            id=row.id,
            lease_id=row.lease_id,
            queue_name=row.queue_name,
            business_date=row.business_date,
            number=row.number,
            number_text=number_text(row.prefix, row.number),
            holder_name=row.holder_name,
            issued_at=row.issued_at,
            priority=PriorityClass(row.priority_class),
            purpose=Purpose(row.purpose),
            why=HandedInReason(row.why),
            given=cipher.open_text(row.given_sealed, given_context(row.id)),
        )
        for row in session.execute(_HANDED_IN, {"facility": facility_id})
    ]


def _fate(row: Row[Any], now: datetime) -> NumberFate:
    if row.issued:
        return NumberFate.ISSUED
    if row.lease_id is None:
        return NumberFate.ELSEWHERE if row.elsewhere else NumberFate.MISSING
    if row.handed_in:
        return NumberFate.HANDED_IN
    if row.spoilt:
        return NumberFate.SPOILT
    if row.ended_at is None:
        return NumberFate.LEASED if now < row.expires_at else NumberFate.OWED
    return NumberFate.OWED if row.number <= row.used_to else NumberFate.UNUSED


def _span(row: Row[Any], now: datetime) -> NumberSpan:
    kind = None if row.holder_kind is None else LeaseholderKind(row.holder_kind)
    return NumberSpan(row.number, row.number, _fate(row, now), row.by, row.lease_id, kind)


def _spans(single: Iterable[NumberSpan]) -> Iterator[NumberSpan]:
    def alike(span: NumberSpan) -> tuple[object, ...]:
        return span.fate, span.by, span.lease_id

    for _, together in groupby(single, alike):
        numbers = list(together)
        yield replace(numbers[0], last=numbers[-1].last)
