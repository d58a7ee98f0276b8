"""What the province's files say of rosters: one record per line, by the province's codes."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class RosterRecord:
    """A roster line. Weekdays are 0 (Monday) to 6, minutes local minutes of day."""

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
