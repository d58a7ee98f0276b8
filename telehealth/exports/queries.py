"""Reading lists a page at a time: however long, memory and locks stay small."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.boards.figures import finest
from telehealth.booking.codes import AppointmentStatus
from telehealth.core.clock import local
from telehealth.directory.hours import WEEKDAYS, format_minute
from telehealth.exports.rules import Cell, Span

PAGE = 500

_SHOWN = (AppointmentStatus.HELD.value, AppointmentStatus.EXPIRED.value)
_APPOINTMENTS = """
SELECT a.id, a.start_at, a.end_at, a.code, a.status, a.modality, a.coverage_basis,
       a.coverage_checked_at IS NOT NULL AS checked, t.full_name, v.name_vi, v.name_en, s.room,
       p.title, p.name AS practitioner
  FROM appointment a
  JOIN clinic_session s ON s.id = a.clinic_session_id
  JOIN healthcare_service v ON v.id = a.service_id
  JOIN practitioner p ON p.id = a.practitioner_id
  LEFT JOIN patient t ON t.id = a.patient_id
 WHERE a.facility_id = %(facility)s AND s.business_date BETWEEN %(first)s AND %(last)s
   AND s.facility_id = %(facility)s AND NOT a.status = ANY(%(hidden)s)
   AND (a.start_at, a.id) > (%(after)s, %(after_id)s)
 ORDER BY a.start_at, a.id LIMIT %(most)s"""
_SESSIONS = """
SELECT s.id, s.start_at, s.end_at, s.modality, s.room, s.status, s.slot_count * s.capacity AS places,
       s.booked, s.online_booked, v.name_vi, v.name_en, p.title, p.name AS practitioner, p.licence_no
  FROM clinic_session s
  JOIN healthcare_service v ON v.id = s.service_id
  JOIN practitioner p ON p.id = s.practitioner_id
 WHERE s.facility_id = %(facility)s AND s.business_date BETWEEN %(first)s AND %(last)s
   AND (s.start_at, s.id) > (%(after)s, %(after_id)s)
 ORDER BY s.start_at, s.id LIMIT %(most)s"""
_ROSTERS = """
SELECT f.code AS facility_code, p.licence_no, v.code AS service_code, s.modality, s.weekdays, s.start_minute,
       s.end_minute, s.slot_minutes, s.capacity, s.room, s.valid_from, s.valid_to, s.every_weeks, s.mode,
       s.lead_minutes, s.tail_minutes, s.overbook_most,
       (SELECT string_agg(x.code, ';' ORDER BY x.code) FROM schedule_service m
          JOIN healthcare_service x ON x.id = m.service_id WHERE m.schedule_id = s.id) AS services,
       (SELECT string_agg(x.code, ';' ORDER BY x.code) FROM schedule_resource m
          JOIN resource x ON x.id = m.resource_id WHERE m.schedule_id = s.id) AS resources,
       (SELECT string_agg(format('%%s:%%s:%%sm', q.door, q.places, q.falls_minutes), ';' ORDER BY q.door)
          FROM schedule_quota q WHERE q.schedule_id = s.id) AS quotas
  FROM schedule s
  JOIN facility f ON f.id = s.facility_id
  JOIN healthcare_service v ON v.id = s.service_id
  JOIN practitioner p ON p.id = s.practitioner_id
 WHERE s.facility_id = %(facility)s AND s.active
 ORDER BY p.licence_no, v.code, s.modality, s.start_minute, s.valid_from, s.id"""


def appointments(session: Session, facility_id: UUID, span: Span, locale: str) -> Iterator[list[Cell]]:
    """Yield a facility's appointments in order, as COLUMNS has them: no number of any person."""
    for row in _rows(session, _APPOINTMENTS, facility_id, span):
        start, end = local(row.start_at), local(row.end_at)
        yield [
            row.code,
            start.date().isoformat(),
            start.strftime("%H:%M"),
            end.strftime("%H:%M"),
            row.full_name,
            _service(row, locale),
            f"{row.title} {row.practitioner}".strip(),
            row.room,
            row.modality,
            row.status,
            row.coverage_basis,
            "yes" if row.checked else "no",
        ]


def sessions(session: Session, facility_id: UUID, span: Span, locale: str) -> Iterator[list[Cell]]:
    """Yield a facility's clinic sessions in order, as COLUMNS has them: figures, no patient."""
    for row in _rows(session, _SESSIONS, facility_id, span):
        start, end = local(row.start_at), local(row.end_at)
        yield [
            start.date().isoformat(),
            start.strftime("%H:%M"),
            end.strftime("%H:%M"),
            f"{row.title} {row.practitioner}".strip(),
            row.licence_no,
            _service(row, locale),
            row.modality,
            row.room,
            row.status,
            row.places,
            row.booked,
            row.online_booked,
        ]


def queues(session: Session, facility_id: UUID, span: Span, today: date) -> Iterator[list[Cell]]:
    """Yield how long people waited and who left, as COLUMNS has it, by day, hour, queue and room."""
    for day, hour, queue, each in finest(session, facility_id, span.first, span.last, today=today):
        yield [
            day.isoformat(),
            hour,
            queue,
            each.key,
            each.issued,
            each.called,
            each.served,
            each.missed,
            each.abandoned,
            each.moved,
            each.open,
            each.median,
            each.p85,
        ]


def rosters(session: Session, facility_id: UUID) -> Iterator[Mapping[str, Cell]]:
    """Yield a facility's roster lines by the columns of the province's file.

    What a line leaves at its default is None.
    """
    for row in session.connection().exec_driver_sql(_ROSTERS, {"facility": facility_id}):
        yield {
            "facility_code": row.facility_code,
            "licence_no": row.licence_no,
            "service_code": row.service_code,
            "modality": row.modality,
            "weekdays": ";".join(WEEKDAYS[day] for day in sorted(row.weekdays)),
            "start": format_minute(row.start_minute),
            "end": format_minute(row.end_minute),
            "slot_minutes": row.slot_minutes,
            "capacity": row.capacity,
            "room": row.room,
            "valid_from": row.valid_from.isoformat(),
            "valid_to": row.valid_to.isoformat() if row.valid_to else None,
            "every_weeks": _unless(row.every_weeks, 1),
            "mode": _unless(row.mode, "slot"),
            "lead_minutes": _unless(row.lead_minutes, 0),
            "tail_minutes": _unless(row.tail_minutes, 0),
            "overbook_most": _unless(row.overbook_most, 2),
            "services": row.services,
            "resources": row.resources,
            "quotas": row.quotas,
        }


def _unless(cell: Cell, default: Cell) -> Cell:
    return None if cell == default else cell


def _service(row: Any, locale: str) -> str:
    return str(row.name_vi if locale == "vi" else row.name_en)


def _rows(session: Session, sql: str, facility_id: UUID, span: Span) -> Iterator[Any]:
    asked: dict[str, Any] = {
        "facility": facility_id,
        "first": span.first,
        "last": span.last,
        "hidden": list(_SHOWN),
        "after": "-infinity",
        "after_id": UUID(int=0),
        "most": PAGE,
    }
    while True:
        page = session.connection().exec_driver_sql(sql, asked).all()
        yield from page
        if len(page) < PAGE:
            return
        asked |= {"after": page[-1].start_at, "after_id": page[-1].id}
