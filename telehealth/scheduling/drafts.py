"""What people ask to have written into the schedule: pure, with what is wrong with it by field.

Minutes are local minutes of day, weekdays 0 (Monday) to 6. `faults` maps a field to message keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from telehealth.core.principal import Role
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import Door, ExceptionKind, ResourceKind, SessionMode
from telehealth.scheduling.rules import DAY_MINUTES

Faults = Mapping[str, list[str]]

LONGEST_TEXT = 200
LONGEST_CODE = 20
MOST_SLOT_MINUTES = 480
MOST_BUFFER_MINUTES = 120
MOST_CAPACITY = 500
MOST_OVERBOOKED = 20
MOST_EVERY_WEEKS = 52
MOST_FALLS_MINUTES = 60 * 24 * 60
OVERRIDING_ROLES = (Role.DESK, Role.PRACTITIONER, Role.FACILITY_ADMIN)


@dataclass(frozen=True, slots=True)
class QuotaDraft:
    """Places kept for a door until so many minutes before the session."""

    door: str
    places: int
    falls_minutes: int


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A roster line, as models.Schedule describes it."""

    practitioner_id: UUID
    service_id: UUID
    modality: str
    weekdays: tuple[int, ...]
    start_minute: int
    end_minute: int
    slot_minutes: int
    capacity: int
    room: str
    valid_from: date
    valid_to: date | None = None
    every_weeks: int = 1
    mode: str = SessionMode.SLOT
    lead_minutes: int = 0
    tail_minutes: int = 0
    overbook_most: int = 2
    further_service_ids: tuple[UUID, ...] = ()
    resource_ids: tuple[UUID, ...] = ()
    quotas: tuple[QuotaDraft, ...] = ()

    @property
    def step(self) -> int:
        """Return the minutes from slot to slot: the patient's and the doctor's buffers."""
        return self.lead_minutes + self.slot_minutes + self.tail_minutes

    @property
    def places(self) -> int:
        """Return how many places one session has."""
        return (self.end_minute - self.start_minute) // self.step * self.capacity

    def faults(self) -> Faults:
        """Return what is wrong with it."""
        found: dict[str, list[str]] = {}
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            found["weekdays"] = ["schedule-weekdays-missing"]
        if not 0 <= self.start_minute < self.end_minute <= DAY_MINUTES:
            found["end_minute"] = ["schedule-times-order"]
        elif not 1 <= self.slot_minutes <= MOST_SLOT_MINUTES or self.step > MOST_SLOT_MINUTES:
            found["slot_minutes"] = ["schedule-slot-bounds"]
        elif self.step > self.end_minute - self.start_minute:
            found["slot_minutes"] = ["schedule-slot-too-long"]
        elif not found and sum(quota.places for quota in self.quotas) > self.places:
            found["quotas"] = ["schedule-quotas-too-many"]
        if self.valid_to is not None and self.valid_to < self.valid_from:
            found["valid_to"] = ["schedule-dates-order"]
        found |= _code(self.modality, Modality, "modality") | _code(self.mode, SessionMode, "mode")
        found |= _text(self.room, "room", LONGEST_CODE, required=self.modality == Modality.IN_PERSON)
        found |= _within(self.capacity, 1, MOST_CAPACITY, "capacity")
        found |= _within(self.every_weeks, 1, MOST_EVERY_WEEKS, "every_weeks")
        found |= _within(self.overbook_most, 0, MOST_OVERBOOKED, "overbook_most")
        found |= _within(self.lead_minutes, 0, MOST_BUFFER_MINUTES, "lead_minutes")
        found |= _within(self.tail_minutes, 0, MOST_BUFFER_MINUTES, "tail_minutes")
        return found | self._quota_faults()

    def _quota_faults(self) -> dict[str, list[str]]:
        doors = [quota.door for quota in self.quotas]
        good = (
            len(set(doors)) == len(doors)
            and set(doors) <= set(Door)
            and all(
                0 < quota.places <= MOST_CAPACITY * DAY_MINUTES
                and 0 <= quota.falls_minutes <= MOST_FALLS_MINUTES
                for quota in self.quotas
            )
        )
        return {} if good else {"quotas": ["schedule-quotas-bounds"]}


@dataclass(frozen=True, slots=True)
class ExceptionDraft:
    """Days that are not as the roster says, as models.ScheduleException describes them."""

    kind: str
    from_date: date
    to_date: date
    practitioner_id: UUID | None = None
    start_minute: int | None = None
    end_minute: int | None = None
    service_id: UUID | None = None
    modality: str | None = None
    slot_minutes: int | None = None
    capacity: int | None = None
    room: str | None = None
    like_weekday: int | None = None
    note: str = ""

    def faults(self) -> Faults:
        """Return what is wrong with it."""
        found = _code(self.kind, ExceptionKind, "kind")
        if self.to_date < self.from_date:
            found["to_date"] = ["schedule-dates-order"]
        elif (self.to_date - self.from_date).days > 366:
            found["to_date"] = ["schedule-dates-too-far"]
        if (self.start_minute is None) != (self.end_minute is None):
            found["end_minute"] = ["schedule-times-both"]
        elif not 0 <= (self.start_minute or 0) < _end(self.end_minute) <= DAY_MINUTES:
            found["end_minute"] = ["schedule-times-order"]
        if self.kind == ExceptionKind.LEAVE and self.practitioner_id is None:
            found["practitioner_id"] = ["schedule-practitioner-missing"]
        if self.kind == ExceptionKind.WORKS_LIKE and self.like_weekday not in range(7):
            found["like_weekday"] = ["schedule-weekdays-missing"]
        found |= _text(self.note, "note", LONGEST_TEXT)
        if self.kind == ExceptionKind.EXTRA:
            found |= self._extra_faults()
        return found

    def _extra_faults(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if self.practitioner_id is None:
            found["practitioner_id"] = ["schedule-practitioner-missing"]
        if self.service_id is None:
            found["service_id"] = ["schedule-service-missing"]
        if self.start_minute is None or self.end_minute is None:
            found["end_minute"] = ["schedule-times-both"]
        elif self.slot_minutes is None or not 1 <= self.slot_minutes <= MOST_SLOT_MINUTES:
            found["slot_minutes"] = ["schedule-slot-bounds"]
        elif self.start_minute < self.end_minute < self.start_minute + self.slot_minutes:
            found["slot_minutes"] = ["schedule-slot-too-long"]
        found |= _within(self.capacity or 0, 1, MOST_CAPACITY, "capacity")
        found |= _code(self.modality or "", Modality, "modality")
        return found | _text(
            self.room or "", "room", LONGEST_CODE, required=self.modality == Modality.IN_PERSON
        )


@dataclass(frozen=True, slots=True)
class MoveDraft:
    """Where one session of one day is moved: to a day, an hour, a practitioner, a room.

    `end_minute`: None for a session as long as it was.
    """

    day: date
    start_minute: int
    practitioner_id: UUID
    room: str
    end_minute: int | None = None


@dataclass(frozen=True, slots=True)
class BlockingDraft:
    """A time when nobody is booked: a practitioner's, a resource's or (neither) the facility's."""

    from_at: datetime
    to_at: datetime
    reason: str
    practitioner_id: UUID | None = None
    resource_id: UUID | None = None
    override_roles: tuple[str, ...] = ()
    override_account_ids: tuple[UUID, ...] = ()

    def faults(self) -> Faults:
        """Return what is wrong with it."""
        found = _text(self.reason, "reason", LONGEST_TEXT, required=True)
        if self.to_at <= self.from_at:
            found["to_at"] = ["schedule-times-order"]
        elif (self.to_at - self.from_at).days > 366:
            found["to_at"] = ["schedule-dates-too-far"]
        if self.practitioner_id is not None and self.resource_id is not None:
            found["resource_id"] = ["schedule-blocking-subject"]
        if not set(self.override_roles) <= set(OVERRIDING_ROLES):
            found["override_roles"] = ["schedule-role-unknown"]
        return found


@dataclass(frozen=True, slots=True)
class ResourceDraft:
    """A room or so many equal devices."""

    kind: str
    code: str
    name: str
    lanes: int = 1

    def faults(self) -> Faults:
        """Return what is wrong with it."""
        return {
            **_code(self.kind, ResourceKind, "kind"),
            **_text(self.code, "code", LONGEST_CODE, required=True),
            **_text(self.name, "name", LONGEST_TEXT, required=True),
            **_within(self.lanes, 1, 100, "lanes"),
        }


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """When and how a service is booked online; None leaves the province's default."""

    min_notice_minutes: int | None = None
    window_days: int | None = None
    release_minute: int | None = None
    cancel_notice_minutes: int | None = None
    hold_seconds: int | None = None

    def faults(self) -> Faults:
        """Return what is wrong with it."""
        bounds = {
            "min_notice_minutes": (0, 43_200),
            "window_days": (0, 366),
            "release_minute": (0, DAY_MINUTES - 1),
            "cancel_notice_minutes": (0, 43_200),
            "hold_seconds": (60, 1800),
        }
        found: dict[str, list[str]] = {}
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is not None:
                found |= _within(value, low, high, name)
        return found


def _end(minute: int | None) -> int:
    return DAY_MINUTES if minute is None else minute


def _within(value: int, low: int, high: int, field: str) -> dict[str, list[str]]:
    return {} if low <= value <= high else {field: ["schedule-number-bounds"]}


def _code(value: str, known: type, field: str) -> dict[str, list[str]]:
    return {} if value in set(known) else {field: ["schedule-choice-missing"]}  # type: ignore[call-overload]


def _text(value: str, field: str, longest: int, *, required: bool = False) -> dict[str, list[str]]:
    if required and not value.strip():
        return {field: ["field-required"]}
    return {field: ["schedule-text-long"]} if len(value) > longest else {}
