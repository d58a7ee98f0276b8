"""Reading missed appointments and what follows from them. Row-level security decides for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.attendance.rules import Standing
from telehealth.booking.codes import RestrictionGrade


@dataclass(frozen=True, slots=True)
class MissView:
    """A missed appointment. It counts unless it is excused, or the person came after all."""

    appointment_id: UUID
    code: str
    patient_id: UUID
    facility_id: UUID
    facility_name: str
    service_name_vi: str
    service_name_en: str
    start: datetime
    excuse: str | None
    returned: bool

    @property
    def counts(self) -> bool:
        """Tell whether anything follows from it."""
        return self.excuse is None and not self.returned

    def service_name(self, locale: str) -> str:
        """Return the service in a language."""
        return self.service_name_vi if locale == "vi" else self.service_name_en


@dataclass(frozen=True, slots=True)
class AttendanceView:
    """How somebody stands: what holds for them now, if anything, and what was missed, latest first."""

    patient_id: UUID
    patient_name: str
    standing: Standing | None
    misses: tuple[MissView, ...]


_MISSES = """
SELECT n.appointment_id, a.code, n.patient_id, n.facility_id, f.name AS facility_name, v.name_vi, v.name_en,
       n.start_at, n.excuse, n.returned_at IS NOT NULL AS returned
  FROM no_show n
  JOIN appointment a ON a.id = n.appointment_id
  JOIN healthcare_service v ON v.id = a.service_id
  JOIN facility f ON f.id = n.facility_id
"""
_UNANSWERED = """
SELECT appointment_id, start_at FROM confirmation_request
 WHERE closed_at IS NULL AND due_at <= %(now)s ORDER BY due_at, appointment_id LIMIT %(most)s
"""
_STANDING = """
SELECT t.id, t.full_name, r.grade, r.since, r.until,
       (SELECT count(*) FROM no_show n
         WHERE n.patient_id = t.id AND n.excuse IS NULL AND n.returned_at IS NULL) AS misses
  FROM patient t
  LEFT JOIN booking_restriction r ON r.patient_id = t.id AND r.until > %(now)s
 WHERE t.id = ANY(%(patients)s::uuid[]) AND t.merged_into IS NULL
 ORDER BY t.name_sort, t.id
"""


def attendance_of(session: Session, patient_ids: Sequence[UUID], *, now: datetime) -> list[AttendanceView]:
    """Return how people stand, those of whom there is nothing to say included. Two statements."""
    asked = {"patients": sorted(patient_ids), "now": now}
    misses: dict[UUID, list[MissView]] = {}
    where = (
        "WHERE n.patient_id = ANY(%(patients)s::uuid[]) ORDER BY n.start_at DESC, n.appointment_id LIMIT 100"
    )
    for row in _rows(session, f"{_MISSES} {where}", asked):
        misses.setdefault(row.patient_id, []).append(_miss(row))
    return [
        AttendanceView(row.id, row.full_name, _standing(row), tuple(misses.get(row.id, ())))
        for row in _rows(session, _STANDING, asked)
    ]


def restricted(session: Session, patient_ids: Sequence[UUID], *, now: datetime) -> list[AttendanceView]:
    """Return those of the people for whom something holds, without what they missed. One statement."""
    found = _rows(session, _STANDING, {"patients": sorted(patient_ids), "now": now})
    return [
        AttendanceView(row.id, row.full_name, _standing(row), ()) for row in found if row.grade is not None
    ]


def unanswered(session: Session, now: datetime, *, most: int) -> list[tuple[UUID, datetime]]:
    """Return the appointments, and their times, whose word was due by now and was not given."""
    rows = _rows(session, _UNANSWERED, {"now": now, "most": most})
    return [(row.appointment_id, row.start_at) for row in rows]


def miss(session: Session, appointment_id: UUID) -> MissView | None:
    """Return a missed appointment that the entered principal may see, or None."""
    rows = _rows(session, f"{_MISSES} WHERE n.appointment_id = %(id)s", {"id": appointment_id})
    return _miss(rows[0]) if rows else None


def _miss(row: Row[Any]) -> MissView:
    return MissView(
        appointment_id=row.appointment_id,
        code=row.code,
        patient_id=row.patient_id,
        facility_id=row.facility_id,
        facility_name=row.facility_name,
        service_name_vi=row.name_vi,
        service_name_en=row.name_en,
        start=row.start_at,
        excuse=row.excuse,
        returned=row.returned,
    )


def _standing(row: Row[Any]) -> Standing | None:
    if row.grade is None:
        return None
    return Standing(RestrictionGrade(row.grade), row.since, row.until, row.misses)


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row[Any]]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
