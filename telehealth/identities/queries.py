"""Likely doubles among the people a facility knows; of all others, only that there is one with the number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.orm import Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import AppointmentView, coming_of
from telehealth.core.crypto import FieldCipher
from telehealth.core.phone import normalise_phone
from telehealth.core.text import search_form
from telehealth.identification.numbers import clean_name, compact, insurance_number
from telehealth.patients.models import IdentifierSystem, Patient, PatientFacility, PatientIdentifier
from telehealth.patients.queries import PHONE_INDEX, PatientView, patients_by_ids
from telehealth.patients.services import NewPatient

MOST = 5
_MOST_COMING = 50
_ELSEWHERE = text("SELECT number_known_elsewhere(:system, :index, :facility)")


@dataclass(frozen=True, slots=True)
class Described:
    """What a person is compared by: the name as it is searched, the birth date, blind indexes of numbers."""

    name_search: str
    birth_date: str | None
    phone_index: bytes | None
    numbers: tuple[tuple[str, bytes], ...]
    but: UUID | None = None

    @classmethod
    def of(cls, new: NewPatient, cipher: FieldCipher) -> Self:
        """Return what is known of a person who is about to be registered."""
        phone = normalise_phone(new.phone) if new.phone else None
        given = (
            (IdentifierSystem.NATIONAL_ID, compact(new.national_id) if new.national_id else None),
            (IdentifierSystem.INSURANCE, insurance_number(new.insurance_no) if new.insurance_no else None),
        )
        return cls(
            name_search=search_form(clean_name(new.full_name)),
            birth_date=new.birth_date or (f"{new.birth_year:04d}" if new.birth_year else None),
            phone_index=None if phone is None else cipher.index_text(phone, PHONE_INDEX),
            numbers=tuple(
                (system.value, cipher.index_text(value, f"patient_identifier.{system.value}"))
                for system, value in given
                if value
            ),
        )

    @classmethod
    def of_record(cls, session: Session, patient_id: UUID) -> Self | None:
        """Return what a record says of its person, or None for one that the principal may not see."""
        row = session.get(Patient, patient_id)
        if row is None:
            return None
        numbers = session.execute(
            select(PatientIdentifier.system, PatientIdentifier.value_index).where(
                PatientIdentifier.patient_id == patient_id, PatientIdentifier.active
            )
        )
        return cls(
            name_search=row.name_search,
            birth_date=row.birth_date,
            phone_index=row.phone_index,
            numbers=tuple((system, bytes(index)) for system, index in numbers),
            but=patient_id,
        )


@dataclass(frozen=True, slots=True)
class Doubles:
    """`candidates` are known to the facility; `known_elsewhere`: another record has one of the numbers."""

    candidates: tuple[PatientView, ...]
    known_elsewhere: bool

    @property
    def any(self) -> bool:
        """Tell whether there is anything to look at."""
        return bool(self.candidates) or self.known_elsewhere


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two appointments at one time, one of each record."""

    of_kept: AppointmentView
    of_merged: AppointmentView


def possible_doubles(
    session: Session, facility_id: UUID, described: Described, cipher: FieldCipher
) -> Doubles:
    """Return who of the facility's people may be the one described, by number, phone or name and birth."""
    same = _same(described)
    ids = session.scalars(
        select(Patient.id)
        .join(PatientFacility, PatientFacility.patient_id == Patient.id)
        .where(
            PatientFacility.facility_id == facility_id,
            Patient.merged_into.is_(None),
            Patient.id != described.but if described.but else Patient.id.is_not(None),
            or_(*same),
        )
        .order_by(Patient.name_sort, Patient.id)
        .limit(MOST)
    ).all()
    views = patients_by_ids(session, ids, cipher)
    elsewhere = any(
        session.execute(_ELSEWHERE, {"system": system, "index": index, "facility": facility_id}).scalar_one()
        for system, index in described.numbers
    )
    return Doubles(tuple(views[patient_id] for patient_id in ids), elsewhere)


def overlaps(session: Session, kept_id: UUID, merged_id: UUID, now: datetime) -> list[Overlap]:
    """Return the coming appointments of two records at one time, as far as the principal sees them."""
    kept, merged = (
        [
            view
            for view in coming_of(session, patient_id, since=now, limit=_MOST_COMING)
            if view.status == AppointmentStatus.BOOKED
        ]
        for patient_id in (kept_id, merged_id)
    )
    return [
        Overlap(one, other)
        for one in kept
        for other in merged
        if one.start < other.end and other.start < one.end
    ]


def _same(described: Described) -> list[ColumnElement[bool]]:
    """Return what makes two records likely of one person. Years alone agree with whole dates of that year."""
    year = (described.birth_date or "")[:4]
    born = Patient.birth_date.startswith(year) if year else Patient.birth_date.is_(None)
    alike: list[ColumnElement[bool]] = [and_(Patient.name_search == described.name_search, born)]
    if described.phone_index is not None:
        alike.append(and_(Patient.phone_index == described.phone_index, born))
    if described.numbers:
        alike.append(
            Patient.id.in_(
                select(PatientIdentifier.patient_id).where(
                    PatientIdentifier.active,
                    or_(
                        *(
                            and_(PatientIdentifier.system == system, PatientIdentifier.value_index == index)
                            for system, index in described.numbers
                        )
                    ),
                )
            )
        )
    return alike
