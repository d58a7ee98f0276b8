"""Rosters and exceptions as the province's files give them, against those that are stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from telehealth.core.ids import derived_id
from telehealth.core.merge import Difference, difference
from telehealth.directory.keys import facility_key, practitioner_key, service_key
from telehealth.scheduling.models import Schedule, ScheduleException
from telehealth.scheduling.records import ExceptionRecord, RosterRecord


@dataclass(frozen=True, slots=True)
class RosterDifferences:
    """What the files would change in rosters and exceptions."""

    rosters: Difference
    exceptions: Difference


def compare_rosters(
    session: Session,
    rosters: Sequence[RosterRecord],
    exceptions: Sequence[ExceptionRecord],
    *,
    today: date,
) -> RosterDifferences:
    """Say what would change. Exceptions that ended before today are history and stay."""
    return RosterDifferences(
        rosters=difference(session, Schedule, list(_schedules(rosters))),
        exceptions=difference(
            session,
            ScheduleException,
            [_exception(record) for record in exceptions],
            removable=ScheduleException.to_date >= today,
        ),
    )


def _schedules(records: Sequence[RosterRecord]) -> Iterator[dict[str, Any]]:
    """Give each line its id: its key, and which of the successive periods of validity it is."""
    in_order = sorted(records, key=lambda record: (record.key, record.valid_from))
    for _key, periods in groupby(in_order, key=lambda record: record.key):
        for period, record in enumerate(periods):
            yield _schedule(record, period)


def _schedule(record: RosterRecord, period: int) -> dict[str, Any]:
    return {
        "id": derived_id("schedule", *record.key, period),
        "facility_id": facility_key(record.facility_code),
        "practitioner_id": practitioner_key(record.licence_no),
        "service_id": service_key(record.facility_code, record.service_code),
        "modality": record.modality,
        "weekdays": list(record.weekdays),
        "start_minute": record.start_minute,
        "end_minute": record.end_minute,
        "slot_minutes": record.slot_minutes,
        "capacity": record.capacity,
        "room": record.room,
        "valid_from": record.valid_from,
        "valid_to": record.valid_to,
    }


def _exception(record: ExceptionRecord) -> dict[str, Any]:
    service, licence = record.service_code, record.licence_no
    return {
        "id": derived_id("schedule_exception", *record.key),
        "facility_id": facility_key(record.facility_code),
        "practitioner_id": practitioner_key(licence) if licence else None,
        "kind": record.kind,
        "from_date": record.from_date,
        "to_date": record.to_date,
        "start_minute": record.start_minute,
        "end_minute": record.end_minute,
        "service_id": service_key(record.facility_code, service) if service else None,
        "modality": record.modality or None,
        "slot_minutes": record.slot_minutes,
        "capacity": record.capacity,
        "room": record.room or None,
        "like_weekday": record.like_weekday,
        "note": record.note,
    }
