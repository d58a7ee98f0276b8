"""What video appointments are about: kept when booked, read by those who treat."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.booking.models import AppointmentCondition
from telehealth.booking.remote import StatedCondition, condition_context
from telehealth.core.crypto import FieldCipher
from telehealth.directory.codes import Modality
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots, slot_by_id


@dataclass(frozen=True, slots=True)
class ConditionView:
    """The code (None: not said), and whether only advice was asked for."""

    icd10: str | None
    consultation_only: bool


def keep_condition(
    session: Session, appointment_id: UUID, stated: StatedCondition, *, now: datetime, cipher: FieldCipher
) -> None:
    """Keep what an appointment is about; a later statement replaces the earlier."""
    values = {
        "code_sealed": cipher.seal_text(stated.icd10, condition_context(appointment_id)),
        "consultation_only": stated.consultation_only,
        "list_version": stated.list_version,
        "stated_at": now,
    }
    session.execute(
        insert(AppointmentCondition)
        .values(appointment_id=appointment_id, **values)
        .on_conflict_do_update(index_elements=["appointment_id"], set_=values)
    )


def conditions_of(
    session: Session, appointment_ids: Collection[UUID], cipher: FieldCipher
) -> dict[UUID, ConditionView]:
    """Return what appointments are about, of those that said so."""
    rows = session.scalars(
        select(AppointmentCondition).where(AppointmentCondition.appointment_id.in_(appointment_ids))
    )
    return {
        row.appointment_id: ConditionView(
            cipher.open_text(row.code_sealed, condition_context(row.appointment_id)), row.consultation_only
        )
        for row in rows
    }


def in_person_instead(session: Session, slot_id: str, *, now: datetime, count: int = 3) -> list[SlotView]:
    """Return times in person of a video slot's service: at the same facility, then anywhere."""
    asked = slot_by_id(session, slot_id, now)
    if asked is None:
        return []
    found: dict[str, SlotView] = {}
    for place in (asked.facility.id, None):
        query = SlotQuery(
            service_code=asked.service.code,
            facility_id=place,
            modality=Modality.IN_PERSON,
            limit=count,
        )
        found |= {slot.id: slot for slot in earliest_slots(session, query, now=now) if slot.id not in found}
    return list(found.values())[:count]
