"""Checking in: from an appointment to a number."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date, local
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.directory.codes import Modality, ServicePointKind
from telehealth.directory.models import Facility, ServicePoint
from telehealth.encounters import services as encounters
from telehealth.encounters.services import Visit
from telehealth.identification.reading import read_code
from telehealth.patients.models import Patient
from telehealth.queueing.codes import PriorityClass, Purpose, TicketStatus
from telehealth.queueing.errors import (
    AlreadyCheckedIn,
    CheckInByVideo,
    CheckInElsewhere,
    CheckInNotBooked,
    CheckInOtherDay,
    NoClinicQueue,
    ReturnTooLate,
    UnknownCode,
)
from telehealth.queueing.models import Queue, Ticket
from telehealth.queueing.queries import QueueView, queue_by_id
from telehealth.queueing.rules import statutory_class
from telehealth.queueing.services.numbers import Holder, TicketView, issue, set_by, view
from telehealth.queueing.services.steps import come_back
from telehealth.scheduling.models import ClinicSession

_WHEREABOUTS = text("SELECT * FROM appointment_whereabouts(:code)")
_MAY_ARRIVE = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED, AppointmentStatus.NOSHOW)


def find_by_code(session: Session, code: str, facility_id: UUID) -> UUID:
    """Return the appointment whose booking code or QR is shown at a facility.

    Raises UnknownCode, and CheckInElsewhere with where and when to go instead.
    """
    wanted = read_code(code)
    if wanted is None:
        raise UnknownCode
    found = session.scalar(
        select(Appointment.id).where(Appointment.code == wanted, Appointment.facility_id == facility_id)
    )
    if found is None:
        raise _elsewhere(session, wanted)
    return found


def check_in(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    *,
    press_key: str,
    now: datetime,
    cipher: FieldCipher,
    priority: PriorityClass = PriorityClass.NONE,
    version: int | None = None,
) -> TicketView:
    """Mark the patient arrived, open the visit and give a number, in one transaction.

    Whoever checks in again gets the same number again, and is back in line if it was missed; after
    too many other calls it is a new one, without the appointment's time. Between 30 minutes before
    and 15 after that time a number goes by the appointment, otherwise by arrival (rules.order).
    `version`: of the appointment, where the caller has seen it. Raises NotFound, PreconditionFailed,
    CheckInOtherDay, CheckInByVideo, CheckInNotBooked, NoClinicQueue, QueueFull.
    """
    appointment = session.scalars(
        select(Appointment).where(Appointment.id == appointment_id).with_for_update()
    ).one_or_none()
    if appointment is None:
        raise NotFound
    earlier = _earlier_ticket(session, appointment_id, now)
    if earlier is not None and _still_counts(session, principal, earlier, now):
        queue = _clinic_queue(session, earlier.queue_id)
        return view(session, earlier, queue, now=now, cipher=cipher)
    if version not in (None, appointment.version):
        raise PreconditionFailed
    _refuse(session, appointment, now)
    queue = _queue_of(session, appointment)
    if appointment.status != AppointmentStatus.ARRIVED:
        booking.mark_arrived(session, principal, appointment_id, now=now)
    holder = _arrived(session, principal, appointment, priority, by_time=earlier is None, now=now)
    return issue(session, principal, queue, holder, press_key=press_key, now=now, cipher=cipher)


def arrive_with_number(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    queue_id: UUID,
    *,
    now: datetime,
    priority: PriorityClass = PriorityClass.NONE,
) -> Holder:
    """Mark the patient arrived who holds a number already, given where nobody could look the appointment up.

    Returns what the number becomes: the appointment's own. It goes by the appointment's time where it is of
    the queue that a check-in leads to; elsewhere, as at reception, by arrival. Raises AlreadyCheckedIn, and
    what check_in raises.
    """
    appointment = session.scalars(
        select(Appointment).where(Appointment.id == appointment_id).with_for_update()
    ).one_or_none()
    if appointment is None:
        raise NotFound
    if _earlier_ticket(session, appointment_id, now) is not None:
        raise AlreadyCheckedIn
    _refuse(session, appointment, now)
    by_time = _queue_of(session, appointment).id == queue_id
    if appointment.status != AppointmentStatus.ARRIVED:
        booking.mark_arrived(session, principal, appointment_id, now=now)
    return _arrived(session, principal, appointment, priority, by_time=by_time, now=now)


def _arrived(
    session: Session,
    principal: Principal,
    appointment: Appointment,
    declared: PriorityClass,
    *,
    by_time: bool,
    now: datetime,
) -> Holder:
    granted = _priority(session, principal, appointment.patient_id, declared, now)
    return Holder(
        priority=granted.priority,
        priority_set_by=granted.set_by,
        purpose=Purpose.APPOINTMENT,
        patient_id=appointment.patient_id,
        encounter_id=encounters.open_visit(session, principal, _visit(appointment), now=now),
        appointment_id=appointment.id,
        appointment_start=appointment.start_at if by_time else None,
    )


@dataclass(frozen=True, slots=True)
class _Granted:
    priority: PriorityClass
    set_by: str | None


def _priority(
    session: Session, principal: Principal, patient_id: UUID | None, declared: PriorityClass, now: datetime
) -> _Granted:
    if declared is not PriorityClass.NONE:
        return _Granted(declared, set_by(principal))
    born = session.scalar(select(Patient.birth_date).where(Patient.id == patient_id))
    computed = statutory_class(born, business_date(now))
    return _Granted(computed, None if computed is PriorityClass.NONE else "birth-date")


def _elsewhere(session: Session, code: str) -> UnknownCode | CheckInElsewhere:
    found = session.execute(_WHEREABOUTS, {"code": code}).one_or_none()
    if found is None or found.status in (AppointmentStatus.HELD, AppointmentStatus.EXPIRED):
        return UnknownCode()
    place, day, time = _where_and_when(session, found.facility_id, found.start_at)
    return CheckInElsewhere(facility=place, date=day, time=time)


def _refuse(session: Session, appointment: Appointment, now: datetime) -> None:
    if appointment.status not in _MAY_ARRIVE:
        raise CheckInNotBooked
    if business_date(appointment.start_at) != business_date(now):
        place, day, time = _where_and_when(session, appointment.facility_id, appointment.start_at)
        raise CheckInOtherDay(facility=place, date=day, time=time)
    if appointment.modality == Modality.VIDEO:
        raise CheckInByVideo


def _where_and_when(session: Session, facility_id: UUID, start: datetime) -> tuple[str, str, str]:
    name = session.scalar(select(Facility.name).where(Facility.id == facility_id)) or ""
    wall = local(start)
    return name, wall.strftime("%d/%m/%Y"), wall.strftime("%H:%M")


def _still_counts(session: Session, principal: Principal, ticket: Ticket, now: datetime) -> bool:
    """Let a missed number back in; tell whether the number still leads to a turn."""
    if ticket.status == TicketStatus.MISSED:
        try:
            come_back(session, principal, ticket.id, now=now)
        except ReturnTooLate:
            return False
    return ticket.status != TicketStatus.DONE


def _earlier_ticket(session: Session, appointment_id: UUID, now: datetime) -> Ticket | None:
    return session.scalars(
        select(Ticket)
        .where(
            Ticket.appointment_id == appointment_id,
            Ticket.business_date == business_date(now),
            Ticket.status != TicketStatus.CANCELLED,
        )
        .order_by(Ticket.issued_at.desc())
        .limit(1)
    ).one_or_none()


def _queue_of(session: Session, appointment: Appointment) -> QueueView:
    """The doctor's own queue, else the room's; a session without a room is announced at registration."""
    room = select(ClinicSession.room).where(ClinicSession.id == appointment.clinic_session_id)
    queue_id = session.scalar(
        select(Queue.id)
        .outerjoin(ServicePoint, ServicePoint.id == Queue.service_point_id)
        .where(
            Queue.facility_id == appointment.facility_id,
            Queue.active,
            or_(
                Queue.practitioner_id == appointment.practitioner_id,
                (ServicePoint.code == room.scalar_subquery()) & Queue.practitioner_id.is_(None),
                Queue.kind == ServicePointKind.REGISTRATION,
            ),
        )
        .order_by(Queue.practitioner_id.is_(None), Queue.kind != ServicePointKind.CLINIC)
        .limit(1)
    )
    if queue_id is None:
        raise NoClinicQueue
    return _clinic_queue(session, queue_id)


def _clinic_queue(session: Session, queue_id: UUID) -> QueueView:
    queue = queue_by_id(session, queue_id)
    if queue is None:
        raise NoClinicQueue
    return queue


def _visit(appointment: Appointment) -> Visit:
    return Visit(
        facility_id=appointment.facility_id,
        modality=Modality(appointment.modality),
        patient_id=appointment.patient_id,
        practitioner_id=appointment.practitioner_id,
        service_id=appointment.service_id,
        appointment_id=appointment.id,
    )
