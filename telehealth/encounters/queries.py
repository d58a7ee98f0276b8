"""Reading visits."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.encounters.models import Encounter
from telehealth.encounters.rules import note_context


@dataclass(frozen=True, slots=True)
class EncounterView:
    """A visit as other features see it."""

    id: UUID
    facility_id: UUID
    patient_id: UUID | None
    practitioner_id: UUID | None
    service_id: UUID | None
    appointment_id: UUID | None
    modality: str
    status: str
    version: int
    started_at: datetime | None
    ended_at: datetime | None


def encounter(session: Session, encounter_id: UUID) -> EncounterView | None:
    """Return a visit, if the entered principal may see it."""
    return _view(session.scalars(select(Encounter).where(Encounter.id == encounter_id)).one_or_none())


def encounter_of_appointment(session: Session, appointment_id: UUID) -> EncounterView | None:
    """Return the visit of an appointment, if there is one."""
    rows = select(Encounter).where(
        Encounter.appointment_id == appointment_id, Encounter.status != "cancelled"
    )
    return _view(session.scalars(rows).one_or_none())


def note(
    session: Session, principal: Principal, encounter_id: UUID, *, now: datetime, cipher: FieldCipher
) -> str | None:
    """Return the practitioner's note, and leave an audit row."""
    found = session.scalars(select(Encounter).where(Encounter.id == encounter_id)).one_or_none()
    if found is None or found.note_sealed is None:
        return None
    entry = Entry("encounter.read-note", "Encounter", found.id, found.patient_id, found.facility_id)
    audit.record(session, principal, entry, now=now)
    return cipher.open_text(found.note_sealed, note_context(found.id))


def _view(row: Encounter | None) -> EncounterView | None:
    if row is None:
        return None
    return EncounterView(
        id=row.id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        practitioner_id=row.practitioner_id,
        service_id=row.service_id,
        appointment_id=row.appointment_id,
        modality=row.modality,
        status=row.status,
        version=row.version,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
