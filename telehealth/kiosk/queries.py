"""Who a number belongs to, what they have here today, and which rooms take people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select, text
from sqlalchemy.orm import Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.directory.codes import Modality
from telehealth.directory.models import HealthcareService, Practitioner, ServicePoint
from telehealth.identification.numbers import compact, masked_name
from telehealth.kiosk.codes import FeedbackKind
from telehealth.kiosk.models import Feedback
from telehealth.kiosk.rules import Number
from telehealth.patients.models import Patient
from telehealth.patients.queries import PHONE_INDEX
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.models import Queue, Ticket
from telehealth.scheduling.codes import SessionStatus
from telehealth.scheduling.models import ClinicSession

MOST_SHOWN = 6
_BY_NUMBER = text("SELECT * FROM kiosk_people(:system, :value_index)")
_COMING = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED, AppointmentStatus.NOSHOW)


@dataclass(frozen=True, slots=True)
class PersonAtKiosk:
    """Somebody as the one in front may recognise themselves, and those behind may not."""

    id: UUID
    name: str
    birth_year: str | None
    birth_date: str | None


@dataclass(frozen=True, slots=True)
class DueView:
    """An appointment as the kiosk shows it. `service_vi`, `service_en`: its names."""

    id: UUID
    person: PersonAtKiosk
    start: datetime
    service_vi: str
    service_en: str
    title: str
    practitioner: str
    room: str
    modality: str

    def service(self, locale: str) -> str:
        """Return what it is for."""
        return self.service_en if locale == "en" else self.service_vi


@dataclass(frozen=True, slots=True)
class RoomToday:
    """A room that takes people now: who sits there, for what, until when, how many wait."""

    queue_id: UUID
    room: str
    service_id: UUID
    service_vi: str
    service_en: str
    title: str
    practitioner: str
    until: datetime
    price_insured_vnd: int | None
    price_self_vnd: int | None
    waiting: int

    def service(self, locale: str) -> str:
        """Return what the room is for."""
        return self.service_en if locale == "en" else self.service_vi


@dataclass(frozen=True, slots=True)
class ServiceToday:
    """What somebody may be seen for today, and the rooms that do it."""

    rooms: tuple[RoomToday, ...]

    @property
    def id(self) -> UUID:
        """Return which service it is."""
        return self.rooms[0].service_id

    @property
    def quickest(self) -> RoomToday:
        """Return the room where the fewest wait."""
        return min(self.rooms, key=lambda room: room.waiting)

    def name(self, locale: str) -> str:
        """Return what it is called."""
        return self.rooms[0].service(locale)


def by_service(rooms: Sequence[RoomToday]) -> list[ServiceToday]:
    """Tell rooms apart by what is done there, in the order they come in."""
    services: dict[UUID, list[RoomToday]] = {}
    for room in rooms:
        services.setdefault(room.service_id, []).append(room)
    return [ServiceToday(tuple(each)) for each in services.values()]


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """An opinion as staff read it; `phone` only where an answer is wanted."""

    id: UUID
    kind: FeedbackKind
    rating: int
    topics: tuple[str, ...]
    phone: str | None
    given_at: datetime
    handled_at: datetime | None


def people_by_number(session: Session, numbers: Iterable[Number], cipher: FieldCipher) -> list[PersonAtKiosk]:
    """Return whom the first of these numbers that is known belongs to; no page but the kiosk's asks this."""
    for system, value in numbers:
        index = cipher.index_text(compact(value), f"patient_identifier.{system.value}")
        rows = session.execute(_BY_NUMBER, {"system": system.value, "value_index": index}).all()
        if rows:
            return [_person(row.id, row.full_name, row.birth_date) for row in rows[:MOST_SHOWN]]
    return []


def person(session: Session, patient_id: UUID) -> PersonAtKiosk | None:
    """Return a person the facility knows."""
    row = session.get(Patient, patient_id)
    return None if row is None else _person(row.id, row.full_name, row.birth_date)


def due_by_phone(
    session: Session, facility_id: UUID, phone: str, now: datetime, cipher: FieldCipher
) -> list[DueView]:
    """Return what people with this telephone have here today."""
    index = cipher.index_text(phone, PHONE_INDEX)
    found = _due(facility_id, now).where(
        Patient.phone_index == index,
        ClinicSession.business_date == business_date(now),
        Appointment.modality == Modality.IN_PERSON,
    )
    return [_due_view(row) for row in session.execute(found.limit(MOST_SHOWN))]


def due_today(
    session: Session, facility_id: UUID, patient_ids: Iterable[UUID], now: datetime
) -> list[DueView]:
    """Return what these people have here today, in person."""
    found = _due(facility_id, now).where(
        Appointment.patient_id.in_(list(patient_ids)),
        ClinicSession.business_date == business_date(now),
        Appointment.modality == Modality.IN_PERSON,
    )
    return [_due_view(row) for row in session.execute(found.limit(MOST_SHOWN))]


def coming(session: Session, facility_id: UUID, patient_ids: Iterable[UUID], now: datetime) -> list[DueView]:
    """Return what these people have here from today on."""
    found = _due(facility_id, now).where(Appointment.patient_id.in_(list(patient_ids)))
    return [_due_view(row) for row in session.execute(found.limit(MOST_SHOWN))]


def due_by_id(session: Session, facility_id: UUID, appointment_id: UUID) -> DueView | None:
    """Return an appointment of the facility, whatever its day."""
    row = session.execute(_appointments(facility_id).where(Appointment.id == appointment_id)).one_or_none()
    return None if row is None else _due_view(row)


def rooms_today(session: Session, facility_id: UUID, now: datetime) -> list[RoomToday]:
    """Return the rooms where somebody can still be seen today without an appointment, by service."""
    waiting = (
        select(Ticket.queue_id, func.count().label("waiting"))
        .where(
            Ticket.facility_id == facility_id,
            Ticket.business_date == business_date(now),
            Ticket.status == TicketStatus.WAITING,
        )
        .group_by(Ticket.queue_id)
        .subquery()
    )
    rows: Iterable[Row[Any]] = session.execute(
        select(
            Queue.id,
            ServicePoint.name.label("room"),
            HealthcareService.id.label("service_id"),
            HealthcareService.name_vi,
            HealthcareService.name_en,
            HealthcareService.price_insured_vnd,
            HealthcareService.price_self_vnd,
            Practitioner.title,
            Practitioner.name,
            ClinicSession.end_at,
            func.coalesce(waiting.c.waiting, 0).label("waiting"),
        )
        .join(ServicePoint, ServicePoint.id == Queue.service_point_id)
        .join(
            ClinicSession,
            (ClinicSession.room == ServicePoint.code) & (ClinicSession.facility_id == Queue.facility_id),
        )
        .join(HealthcareService, HealthcareService.id == ClinicSession.service_id)
        .join(Practitioner, Practitioner.id == ClinicSession.practitioner_id)
        .outerjoin(waiting, waiting.c.queue_id == Queue.id)
        .where(
            Queue.facility_id == facility_id,
            Queue.active,
            ClinicSession.business_date == business_date(now),
            ClinicSession.modality == Modality.IN_PERSON,
            ClinicSession.status == SessionStatus.OPEN,
            ClinicSession.end_at > now,
        )
        .order_by(HealthcareService.name_vi, ClinicSession.start_at, ServicePoint.code)
    )
    rooms: dict[UUID, RoomToday] = {}
    for row in rows:
        rooms.setdefault(row.id, _room(row))
    return list(rooms.values())


def waiting_ticket(session: Session, queue_id: UUID, patient_id: UUID, now: datetime) -> UUID | None:
    """Return the number that a person holds in a queue today and that still leads to a turn."""
    return session.scalar(
        select(Ticket.id)
        .where(
            Ticket.queue_id == queue_id,
            Ticket.patient_id == patient_id,
            Ticket.business_date == business_date(now),
            Ticket.status.in_((TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.PARKED)),
        )
        .order_by(Ticket.issued_at.desc())
        .limit(1)
    )


def open_feedback(session: Session, facility_id: UUID, cipher: FieldCipher) -> list[FeedbackView]:
    """Return what nobody has dealt with, complaints first."""
    rows = session.scalars(
        select(Feedback)
        .where(Feedback.facility_id == facility_id, Feedback.handled_at.is_(None))
        .order_by(Feedback.kind, Feedback.given_at.desc())
        .limit(200)
    )
    return [
        FeedbackView(
            row.id,
            FeedbackKind(row.kind),
            row.rating,
            tuple(row.topics),
            cipher.open_text(row.phone_sealed, f"feedback.phone:{row.id}"),
            row.given_at,
            row.handled_at,
        )
        for row in rows
    ]


def facility_of_feedback(session: Session, feedback_id: UUID) -> UUID:
    """Return where something was said, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(Feedback.facility_id).where(Feedback.id == feedback_id))
    if found is None:
        raise NotFound
    return found


def _appointments(facility_id: UUID) -> Select[Appointment, Patient, str, str, str, str, str]:
    room = func.coalesce(ServicePoint.name, ClinicSession.room)
    return (
        select(
            Appointment,
            Patient,
            HealthcareService.name_vi,
            HealthcareService.name_en,
            Practitioner.title,
            Practitioner.name,
            room.label("room"),
        )
        .join(Patient, Patient.id == Appointment.patient_id)
        .join(HealthcareService, HealthcareService.id == Appointment.service_id)
        .join(Practitioner, Practitioner.id == Appointment.practitioner_id)
        .join(ClinicSession, ClinicSession.id == Appointment.clinic_session_id)
        .outerjoin(
            ServicePoint,
            (ServicePoint.code == ClinicSession.room) & (ServicePoint.facility_id == Appointment.facility_id),
        )
        .where(Appointment.facility_id == facility_id)
        .order_by(Appointment.start_at)
    )


def _due(facility_id: UUID, now: datetime) -> Select[Appointment, Patient, str, str, str, str, str]:
    return _appointments(facility_id).where(
        ClinicSession.business_date >= business_date(now), Appointment.status.in_(_COMING)
    )


def _person(patient_id: UUID, full_name: str, birth_date: str | None) -> PersonAtKiosk:
    return PersonAtKiosk(
        patient_id, masked_name(full_name), None if birth_date is None else birth_date[:4], birth_date
    )


def _due_view(row: Row[Appointment, Patient, str, str, str, str, str]) -> DueView:
    appointment, patient, service_vi, service_en, title, name, room = row
    return DueView(
        appointment.id,
        _person(patient.id, patient.full_name, patient.birth_date),
        appointment.start_at,
        service_vi,
        service_en,
        title,
        name,
        room or "",
        appointment.modality,
    )


def _room(row: Row[Any]) -> RoomToday:
    return RoomToday(
        row.id,
        row.room,
        row.service_id,
        row.name_vi,
        row.name_en,
        row.title,
        row.name,
        row.end_at,
        row.price_insured_vnd,
        row.price_self_vnd,
        row.waiting,
    )
