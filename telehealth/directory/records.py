"""What the province's files say of the directory: one record per line, by the province's codes."""

from dataclasses import dataclass
from datetime import date

from telehealth.directory.hours import OpeningPeriod


@dataclass(frozen=True, slots=True)
class FacilityRecord:
    """A facility; `parent_code` is empty at the top."""

    code: str
    national_code: str
    name: str
    kind: str
    care_level: str
    parent_code: str
    address: str
    area: str
    province: str
    latitude: float | None
    longitude: float | None
    hotline: str
    hours: tuple[OpeningPeriod, ...]
    after_hours: tuple[OpeningPeriod, ...]


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A service of a facility; prices in đồng, None where the class is not offered."""

    facility_code: str
    code: str
    name_vi: str
    name_en: str
    duration_minutes: int
    price_insured_vnd: int | None
    price_self_vnd: int | None
    price_on_request_vnd: int | None
    price_after_hours_vnd: int | None
    modalities: tuple[str, ...]
    online_booking: bool
    online_share_percent: int


@dataclass(frozen=True, slots=True)
class PractitionerRecord:
    """A doctor, by licence."""

    licence_no: str
    name: str
    title: str
    specialty: str
    facility_code: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class ServicePointRecord:
    """A desk, room or counter."""

    facility_code: str
    code: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class OnCallRecord:
    """Who is on call for a specialty on a day; the second licence may be empty."""

    facility_code: str
    specialty: str
    day: date
    first_licence_no: str
    second_licence_no: str
