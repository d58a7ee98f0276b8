"""What the province's files say of rosters: one record per line, by the province's codes."""

from dataclasses import dataclass
from datetime import date

from telehealth.scheduling.codes import SessionMode


@dataclass(frozen=True, slots=True)
class QuotaRecord:
    """Places of a session kept for a door until some minutes before its start."""

    door: str
    places: int
    falls_minutes: int


@dataclass(frozen=True, slots=True)
class RosterRecord:
    """A roster line. Weekdays are 0 (Monday) to 6, minutes local minutes of day.

    `more_services` and `resources` are codes of its facility.
    """

    facility_code: str
    licence_no: str
    service_code: str
    modality: str
    weekdays: tuple[int, ...]
    start_minute: int
    end_minute: int
    slot_minutes: int
    capacity: int
    room: str
    valid_from: date
    valid_to: date | None
    every_weeks: int = 1
    mode: str = SessionMode.SLOT
    lead_minutes: int = 0
    tail_minutes: int = 0
    overbook_most: int = 2
    more_services: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    quotas: tuple[QuotaRecord, ...] = ()

    @property
    def step(self) -> int:
        """Return the minutes from one slot to the next."""
        return self.lead_minutes + self.slot_minutes + self.tail_minutes

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this line and no other, whatever its slots and validity become."""
        return (
            self.facility_code,
            self.licence_no,
            self.service_code,
            self.modality,
            "".join(str(day) for day in self.weekdays),
            str(self.start_minute),
            self.room,
        )


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """A room or device, and how many equal ones of it there are."""

    facility_code: str
    code: str
    name: str
    kind: str
    lanes: int


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """How a service is booked; None is the province's default."""

    facility_code: str
    service_code: str
    min_notice_minutes: int | None
    window_days: int | None
    release_minute: int | None
    cancel_notice_minutes: int | None
    hold_seconds: int | None


@dataclass(frozen=True, slots=True)
class LimitRecord:
    """How many patients a practitioner sees on one day."""

    licence_no: str
    per_day: int


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """Days that are not as the roster says; without licence they are the whole facility's."""

    facility_code: str
    licence_no: str
    kind: str
    from_date: date
    to_date: date
    start_minute: int | None
    end_minute: int | None
    service_code: str
    modality: str
    slot_minutes: int | None
    capacity: int | None
    room: str
    like_weekday: int | None
    note: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this exception and no other."""
        return (
            self.facility_code,
            self.licence_no,
            self.kind,
            self.from_date.isoformat(),
            str(self.start_minute),
            self.service_code,
        )
