"""Opening, starting, noting and finishing visits. The visit of the queue is the Encounter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.directory.codes import Modality
from telehealth.encounters.errors import EncounterOver
from telehealth.encounters.models import Encounter, EncounterParticipant, EncounterStatus
from telehealth.encounters.rules import note_context

_OPEN = (EncounterStatus.ARRIVED, EncounterStatus.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known when somebody arrives. A walk-in has no appointment, and maybe no patient yet."""

    facility_id: UUID
    modality: Modality
    patient_id: UUID | None = None
    practitioner_id: UUID | None = None
    service_id: UUID | None = None
    appointment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attendance:
    """A stretch of time somebody was there."""

    participant_id: UUID
    role: str
    joined_at: datetime
    left_at: datetime


def open_visit(session: Session, principal: Principal, visit: Visit, *, now: datetime) -> UUID:
    """Open the encounter of a visit; an appointment has one, however often it is opened."""
    encounter_id: UUID | None = session.scalar(
        insert(Encounter)
        .values(
            id=new_id(),
            facility_id=visit.facility_id,
            patient_id=visit.patient_id,
            practitioner_id=visit.practitioner_id,
            service_id=visit.service_id,
            appointment_id=visit.appointment_id,
            modality=visit.modality,
            status=EncounterStatus.ARRIVED,
            version=1,
            business_date=business_date(now),
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(
            # In words, not as a parameter: of a statement that is planned once, no index is found by one.
            index_elements=["appointment_id"],
            index_where=text("status <> 'cancelled'"),
        )
        .returning(Encounter.id)
    )
    if encounter_id is None:
        return _of_appointment(session, visit.appointment_id)
    _record(session, principal, "encounter.open", encounter_id, visit.patient_id, visit.facility_id, now=now)
    return encounter_id


def start(
    session: Session,
    principal: Principal,
    encounter_id: UUID,
    *,
    now: datetime,
    practitioner_id: UUID | None = None,
) -> None:
    """Begin the visit, or go on with one that has begun. Raises EncounterOver.

    The practitioner who begins a walk-in's visit becomes its practitioner.
    """
    values = {
        "status": EncounterStatus.IN_PROGRESS,
        "started_at": _first(Encounter.started_at, now),
        "practitioner_id": _first(Encounter.practitioner_id, practitioner_id),
    }
    _change(session, principal, "encounter.start", encounter_id, values, _OPEN, now=now)


def finish(session: Session, principal: Principal, encounter_id: UUID, *, now: datetime) -> None:
    """End the visit; one already finished stays as it is. Raises EncounterOver for a cancelled one."""
    values = {
        "status": EncounterStatus.FINISHED,
        "started_at": _first(Encounter.started_at, now),
        "ended_at": now,
    }
    if session.scalar(select(Encounter.status).where(Encounter.id == encounter_id)) == "finished":
        return
    _change(session, principal, "encounter.finish", encounter_id, values, _OPEN, now=now)
    session.execute(
        update(EncounterParticipant)
        .where(EncounterParticipant.encounter_id == encounter_id, EncounterParticipant.left_at.is_(None))
        .values(left_at=now)
    )


def cancel(session: Session, principal: Principal, encounter_id: UUID, *, now: datetime) -> None:
    """Close a visit that never began. Raises EncounterOver."""
    arrived = (EncounterStatus.ARRIVED,)
    values = {"status": EncounterStatus.CANCELLED}
    _change(session, principal, "encounter.cancel", encounter_id, values, arrived, now=now)


def write_note(
    session: Session,
    principal: Principal,
    encounter_id: UUID,
    note: str,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Store the practitioner's short note, sealed for this row; an empty one removes it.

    Raises EncounterOver. A finished visit may still be noted on its day.
    """
    sealed = cipher.seal_text(note or None, note_context(encounter_id))
    noted = (*_OPEN, EncounterStatus.FINISHED)
    _change(session, principal, "encounter.note", encounter_id, {"note_sealed": sealed}, noted, now=now)


def join(session: Session, encounter_id: UUID, participant_id: UUID, role: str, *, now: datetime) -> None:
    """Note that somebody is there, unless they already are."""
    present = session.scalar(
        select(EncounterParticipant.id).where(
            EncounterParticipant.encounter_id == encounter_id,
            EncounterParticipant.participant_id == participant_id,
            EncounterParticipant.left_at.is_(None),
        )
    )
    if present is None:
        session.add(
            EncounterParticipant(
                encounter_id=encounter_id, participant_id=participant_id, role=role, joined_at=now
            )
        )
        session.flush()


def leave(session: Session, encounter_id: UUID, participant_id: UUID, *, now: datetime) -> None:
    """Note that somebody left."""
    session.execute(
        update(EncounterParticipant)
        .where(
            EncounterParticipant.encounter_id == encounter_id,
            EncounterParticipant.participant_id == participant_id,
            EncounterParticipant.left_at.is_(None),
        )
        .values(left_at=now)
    )


def note_attendance(session: Session, encounter_id: UUID, attendances: Sequence[Attendance]) -> None:
    """Record who was there and when, as a room saw it."""
    session.add_all(
        EncounterParticipant(
            encounter_id=encounter_id,
            participant_id=attendance.participant_id,
            role=attendance.role,
            joined_at=attendance.joined_at,
            left_at=attendance.left_at,
        )
        for attendance in attendances
    )
    session.flush()


def _of_appointment(session: Session, appointment_id: UUID | None) -> UUID:
    found = session.scalar(
        select(Encounter.id).where(
            Encounter.appointment_id == appointment_id, Encounter.status != EncounterStatus.CANCELLED
        )
    )
    if found is None:
        raise NotFound
    return found


def _first(column: object, value: object) -> object:
    return func.coalesce(column, value)


def _change(
    session: Session,
    principal: Principal,
    action: str,
    encounter_id: UUID,
    values: Mapping[str, object],
    from_status: Sequence[EncounterStatus],
    *,
    now: datetime,
) -> None:
    changed = session.execute(
        update(Encounter)
        .where(Encounter.id == encounter_id, Encounter.status.in_(from_status))
        .values(**values, version=Encounter.version + 1, updated_at=now)
        .returning(Encounter.patient_id, Encounter.facility_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if changed is None:
        if session.scalar(select(Encounter.id).where(Encounter.id == encounter_id)) is None:
            raise NotFound
        raise EncounterOver
    _record(session, principal, action, encounter_id, changed.patient_id, changed.facility_id, now=now)


def _record(
    session: Session,
    principal: Principal,
    action: str,
    encounter_id: UUID,
    patient_id: UUID | None,
    facility_id: UUID,
    *,
    now: datetime,
) -> None:
    entry = Entry(action, "Encounter", encounter_id, patient_id, facility_id)
    audit.record(session, principal, entry, now=now)
