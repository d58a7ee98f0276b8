"""Attendance as the API writes it, and in words."""

from typing import Any

from telehealth.attendance.queries import AttendanceView, MissView
from telehealth.attendance.rules import Standing
from telehealth.web.localization import format_date, t
from telehealth.web.requests import rfc3339


def attendance_json(view: AttendanceView, locale: str) -> dict[str, Any]:
    """Return how somebody stands as AttendanceSchema describes it."""
    return {
        "patient_id": str(view.patient_id),
        "standing": None if view.standing is None else _standing_json(view.standing),
        "misses": [miss_json(miss, locale) for miss in view.misses],
    }


def miss_json(miss: MissView, locale: str) -> dict[str, Any]:
    """Return a missed appointment as MissSchema describes it."""
    return {
        "appointment_id": str(miss.appointment_id),
        "code": miss.code,
        "facility": miss.facility_name,
        "service": miss.service_name(locale),
        "start": rfc3339(miss.start),
        "excuse": miss.excuse,
        "counts": miss.counts,
    }


def standing_text(standing: Standing) -> str:
    """Say in plain words to the person what holds for them, and until when."""
    return t(f"attendance-grade-{standing.grade}", until=format_date(standing.until, "short"))


def standing_of_person(standing: Standing) -> str:
    """Say to staff what holds for a person, and until when."""
    return t(f"attendance-person-{standing.grade}", until=format_date(standing.until, "short"))


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "grade": standing.grade.value,
        "since": rfc3339(standing.since),
        "until": rfc3339(standing.until),
        "text": standing_text(standing),
    }
