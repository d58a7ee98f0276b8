"""The identifiers of things that the province names by codes: the same codes, the same id."""

from datetime import date
from uuid import UUID

from telehealth.core.ids import derived_id


def facility_key(code: str) -> UUID:
    """Return the id of a facility."""
    return derived_id("facility", code)


def service_key(facility_code: str, service_code: str) -> UUID:
    """Return the id of a service of a facility."""
    return derived_id("healthcare_service", facility_code, service_code)


def practitioner_key(licence_no: str) -> UUID:
    """Return the id of a practitioner."""
    return derived_id("practitioner", licence_no)


def service_point_key(facility_code: str, point_code: str) -> UUID:
    """Return the id of a desk, room or counter."""
    return derived_id("service_point", facility_code, point_code)


def calendar_day_key(day: date, facility_code: str) -> UUID:
    """Return the id of a calendar override; an empty code is the whole province."""
    return derived_id("calendar_day", day.isoformat(), facility_code)
