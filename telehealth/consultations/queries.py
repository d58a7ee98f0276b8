"""Reading consultations: an appointment by video, its people, and its room."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from telehealth.accounts.models import Account
from telehealth.booking.models import Appointment
from telehealth.consultations.models import Room, RoomPresence
from telehealth.consultations.rules import practitioner_name
from telehealth.core.crypto import token_hash
from telehealth.core.join_ticket import ParticipantRole
from telehealth.delegations.models import Delegation
from telehealth.directory.models import Facility, Practitioner
from telehealth.patients.models import AccountPatient, Patient, Relation

_BY_LINK = text("SELECT * FROM consultation_by_link(:token_hash, :now)")


@dataclass(frozen=True, slots=True)
class Consultation:
    """What both sides of a video appointment may know of it."""

    appointment_id: UUID
    facility_id: UUID
    facility_name: str
    facility_hotline: str
    practitioner_id: UUID
    practitioner_name: str
    licence_no: str
    patient_id: UUID
    patient_name: str
    service_id: UUID
    modality: str
    status: str
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room's window and end."""

    id: UUID
    appointment_id: UUID
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Participant:
    """Who somebody is in a room; the name is shown there and nowhere else."""

    id: UUID
    role: ParticipantRole
    name: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A stretch of time somebody was in the room."""

    participant_id: UUID
    role: str
    joined_at: datetime
    left_at: datetime | None


def consultation(session: Session, appointment_id: UUID) -> Consultation | None:
    """Return a consultation that the entered principal may see."""
    row = session.execute(
        select(Appointment, Practitioner, Facility, Patient)
        .join(Practitioner, Practitioner.id == Appointment.practitioner_id)
        .join(Facility, Facility.id == Appointment.facility_id)
        .join(Patient, Patient.id == Appointment.patient_id)
        .where(Appointment.id == appointment_id)
    ).one_or_none()
    if row is None:
        return None
    appointment, practitioner, facility, patient = row
    return Consultation(
        appointment_id=appointment.id,
        facility_id=facility.id,
        facility_name=facility.name,
        facility_hotline=facility.hotline,
        practitioner_id=practitioner.id,
        practitioner_name=practitioner_name(practitioner.title, practitioner.name),
        licence_no=practitioner.licence_no,
        patient_id=patient.id,
        patient_name=patient.full_name,
        service_id=appointment.service_id,
        modality=appointment.modality,
        status=appointment.status,
        start_at=appointment.start_at,
        end_at=appointment.end_at,
    )


def consultation_by_link(
    session: Session, token: str, *, now: datetime
) -> tuple[Consultation, Participant] | None:
    """Return what a join link opens and as whom; None when it opens nothing any more.

    The link itself is the right to see it: the database looks past row-level security for just this row.
    """
    row = session.execute(_BY_LINK, {"token_hash": token_hash(token), "now": now}).one_or_none()
    if row is None:
        return None
    found = Consultation(
        appointment_id=row.appointment_id,
        facility_id=row.facility_id,
        facility_name=row.facility_name,
        facility_hotline=row.facility_hotline,
        practitioner_id=row.practitioner_id,
        practitioner_name=practitioner_name(row.practitioner_title, row.practitioner_name),
        licence_no=row.licence_no,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        service_id=row.service_id,
        modality=row.modality,
        status=row.status,
        start_at=row.start_at,
        end_at=row.end_at,
    )
    return found, Participant(row.participant_id, ParticipantRole(row.role), row.patient_name)


def room(session: Session, room_id: UUID) -> RoomView | None:
    """Return the room of a consultation."""
    return _maybe_view(session.scalars(select(Room).where(Room.id == room_id)).one_or_none())


def room_of(session: Session, appointment_id: UUID) -> RoomView | None:
    """Return the room of an appointment, if it was opened."""
    found = select(Room).where(Room.appointment_id == appointment_id)
    return _maybe_view(session.scalars(found).one_or_none())


def _maybe_view(row: Room | None) -> RoomView | None:
    return None if row is None or row.appointment_id is None else room_view(row)


def room_view(row: Room) -> RoomView:
    """Return the view of a consultation's room. Raises ValueError for a room without an appointment."""
    if row.appointment_id is None:
        msg = f"room {row.id} is no consultation's"
        raise ValueError(msg)
    return RoomView(row.id, row.appointment_id, row.opens_at, row.closes_at, row.ended_at)


def family_member(session: Session, account_id: UUID, found: Consultation) -> Participant:
    """Return whom an account is in the room: the patient, or somebody who acts for the patient."""
    relation = session.scalar(
        select(AccountPatient.relation).where(
            AccountPatient.account_id == account_id,
            AccountPatient.patient_id == found.patient_id,
            or_(AccountPatient.valid_to.is_(None), AccountPatient.valid_to > func.app_clock()),
        )
    )
    if relation == Relation.SELF:
        return Participant(found.patient_id, ParticipantRole.PATIENT, found.patient_name)
    name = session.scalar(select(Account.display_name).where(Account.id == account_id))
    if relation is None:  # somebody whom the patient lets come along
        name = session.scalar(
            select(Delegation.delegate_name).where(
                Delegation.account_id == account_id,
                Delegation.patient_id == found.patient_id,
                Delegation.revoked_at.is_(None),
            )
        )
    return Participant(account_id, ParticipantRole.GUARDIAN, name or found.patient_name)


def presences(session: Session, room_id: UUID) -> list[Presence]:
    """Return who was in the room and when, in the order of coming."""
    rows = session.scalars(
        select(RoomPresence).where(RoomPresence.room_id == room_id).order_by(RoomPresence.joined_seq)
    )
    return [Presence(row.participant_id, row.role, row.joined_at, row.left_at) for row in rows]
