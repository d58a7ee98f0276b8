"""Writing the directory: the province's records become rows, and only what differs is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.core.crypto import FieldCipher
from telehealth.core.merge import Difference, difference
from telehealth.core.text import person_sort_key, search_form, sort_key
from telehealth.directory.calendar import OverrideKind
from telehealth.directory.errors import NoSuchFacility, OddCalendarDay
from telehealth.directory.keys import (
    calendar_day_key,
    facility_key,
    practitioner_key,
    service_key,
    service_point_key,
)
from telehealth.directory.models import (
    CalendarDay,
    Facility,
    HealthcareService,
    OnCall,
    Practitioner,
    ServicePoint,
)
from telehealth.directory.naming import short_name
from telehealth.directory.records import (
    FacilityRecord,
    OnCallRecord,
    PractitionerRecord,
    ServicePointRecord,
    ServiceRecord,
)

PHONE_CONTEXT = "practitioner.phone_sealed:{}"


@dataclass(frozen=True, slots=True)
class DirectoryRecords:
    """The directory's part of the province's files."""

    facilities: Sequence[FacilityRecord]
    services: Sequence[ServiceRecord]
    practitioners: Sequence[PractitionerRecord]
    service_points: Sequence[ServicePointRecord]
    on_call: Sequence[OnCallRecord]


@dataclass(frozen=True, slots=True)
class DirectoryDifferences:
    """What the files would change, table by table."""

    facilities: Difference
    services: Difference
    practitioners: Difference
    service_points: Difference
    on_call: Difference


def compare_directory(
    session: Session, records: DirectoryRecords, *, today: date, cipher: FieldCipher
) -> DirectoryDifferences:
    """Say what would change. On-call days before today are history and stay."""
    facilities = [_facility(record) for record in _parents_first(records.facilities)]
    phones = _stored_phones(session)
    return DirectoryDifferences(
        facilities=difference(session, Facility, facilities),
        services=difference(session, HealthcareService, [_service(record) for record in records.services]),
        practitioners=difference(
            session, Practitioner, [_practitioner(record, phones, cipher) for record in records.practitioners]
        ),
        service_points=difference(
            session, ServicePoint, [_point(record) for record in records.service_points]
        ),
        on_call=difference(
            session, OnCall, [_on_call(record) for record in records.on_call], removable=OnCall.day >= today
        ),
    )


def set_calendar_day(
    session: Session,
    day: date,
    kind: OverrideKind,
    *,
    facility_code: str = "",
    like_weekday: int | None = None,
    note: str = "",
) -> None:
    """Override the national calendar of a day. Raises NoSuchFacility, OddCalendarDay."""
    if (kind is OverrideKind.WORKS_LIKE) != (like_weekday is not None):
        raise OddCalendarDay
    values = {
        "day": day,
        "facility_id": _facility_id(session, facility_code),
        "kind": kind.value,
        "like_weekday": like_weekday,
        "note": note,
    }
    row = insert(CalendarDay).values(id=calendar_day_key(day, facility_code), **values)
    session.execute(row.on_conflict_do_update(index_elements=["id"], set_=values))


def clear_calendar_day(session: Session, day: date, *, facility_code: str = "") -> bool:
    """Take an override back; tell whether there was one."""
    found = session.get(CalendarDay, calendar_day_key(day, facility_code))
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True


def _facility_id(session: Session, code: str) -> UUID | None:
    if not code:
        return None
    found = session.scalar(select(Facility.id).where(Facility.code == code, Facility.active))
    if found is None:
        raise NoSuchFacility(code=code)
    return found


def _parents_first(records: Sequence[FacilityRecord]) -> list[FacilityRecord]:
    parents = {record.code: record.parent_code for record in records}

    def depth(code: str) -> int:
        return 1 + depth(parents[code]) if code in parents else 0

    return sorted(records, key=lambda record: depth(record.code))


def _facility(record: FacilityRecord) -> dict[str, Any]:
    return {
        "id": facility_key(record.code),
        "code": record.code,
        "national_code": record.national_code,
        "name": record.name,
        "name_search": search_form(f"{record.name} {short_name(record.name)} {record.area}"),
        "name_sort": sort_key(record.name),
        "kind": record.kind,
        "care_level": record.care_level,
        "parent_id": facility_key(record.parent_code) if record.parent_code else None,
        "address": record.address,
        "area": record.area,
        "province": record.province,
        "latitude": record.latitude,
        "longitude": record.longitude,
        "hotline": record.hotline,
        "hours": [period.as_json() for period in record.hours],
        "after_hours": [period.as_json() for period in record.after_hours],
    }


def _service(record: ServiceRecord) -> dict[str, Any]:
    return {
        "id": service_key(record.facility_code, record.code),
        "facility_id": facility_key(record.facility_code),
        "code": record.code,
        "name_vi": record.name_vi,
        "name_en": record.name_en,
        "name_search": search_form(f"{record.name_vi} {record.name_en}"),
        "duration_minutes": record.duration_minutes,
        "price_insured_vnd": record.price_insured_vnd,
        "price_self_vnd": record.price_self_vnd,
        "price_on_request_vnd": record.price_on_request_vnd,
        "price_after_hours_vnd": record.price_after_hours_vnd,
        "modalities": list(record.modalities),
        "online_booking": record.online_booking,
        "online_share_percent": record.online_share_percent,
    }


def _practitioner(
    record: PractitionerRecord, phones: Mapping[UUID, bytes], cipher: FieldCipher
) -> dict[str, Any]:
    key = practitioner_key(record.licence_no)
    return {
        "id": key,
        "licence_no": record.licence_no,
        "name": record.name,
        "name_search": search_form(record.name),
        "name_sort": person_sort_key(record.name),
        "title": record.title,
        "specialty": record.specialty,
        "facility_id": facility_key(record.facility_code),
        "phone_sealed": _seal_phone(record.phone, key, phones.get(key), cipher),
        "email": record.email or None,
    }


def _seal_phone(phone: str, key: UUID, stored: bytes | None, cipher: FieldCipher) -> bytes | None:
    """Return the sealed phone; an unchanged one keeps its bytes, so that it counts as unchanged."""
    if not phone:
        return None
    context = PHONE_CONTEXT.format(key)
    if stored is not None and cipher.open_text(stored, context) == phone:
        return stored
    return cipher.seal_text(phone, context)


def _stored_phones(session: Session) -> dict[UUID, bytes]:
    query = select(Practitioner.id, Practitioner.phone_sealed).where(Practitioner.phone_sealed.is_not(None))
    return {key: sealed for key, sealed in session.execute(query) if sealed is not None}


def _point(record: ServicePointRecord) -> dict[str, Any]:
    return {
        "id": service_point_key(record.facility_code, record.code),
        "facility_id": facility_key(record.facility_code),
        "code": record.code,
        "name": record.name,
        "kind": record.kind,
    }


def _on_call(record: OnCallRecord) -> dict[str, Any]:
    second = record.second_licence_no
    return {
        "facility_id": facility_key(record.facility_code),
        "specialty": record.specialty,
        "day": record.day,
        "first_practitioner_id": practitioner_key(record.first_licence_no),
        "second_practitioner_id": practitioner_key(second) if second else None,
    }
