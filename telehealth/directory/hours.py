"""Weekly opening hours: read from the form hospitals write, asked by weekday.

The form: `MO-SA 07:00-11:30,13:00-16:30;SU 07:30-11:00`. Groups part at `;`, days are named or
ranged (`MO-FR`, `MO,WE`), periods part at commas. Minutes are local minutes of day, weekdays 0
(Monday) to 6. Empty text: never open.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MINUTES_OF_DAY = 24 * 60

_GROUP = re.compile(r"(?P<days>[A-Z]{2}(?:[-,][A-Z]{2})*) (?P<periods>[0-9].*)")
_TIME = re.compile(r"([0-9]{1,2})[:hH]([0-9]{2})(?::00)?")


class BadHours(ValueError):
    """The text is no opening hours."""


@dataclass(frozen=True, slots=True, order=True)
class OpeningPeriod:
    """Open on a weekday from a minute to a minute."""

    weekday: int
    start: int
    end: int

    def as_json(self) -> dict[str, int]:
        """Return the stored form."""
        return {"weekday": self.weekday, "start": self.start, "end": self.end}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return a period from its stored form."""
        return cls(int(stored["weekday"]), int(stored["start"]), int(stored["end"]))


def parse_minute(text: str) -> int:
    """Return the minute of day of `07:30` or `7h30`; `24:00` ends a day. Raises ValueError."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    hour, minute = int(match[1]), int(match[2])
    if minute > 59 or hour * 60 + minute > MINUTES_OF_DAY:
        raise ValueError(text)
    return hour * 60 + minute


def format_minute(minute: int) -> str:
    """Return a minute of day as wall time: `07:30`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def parse_weekday(text: str) -> int:
    """Return 0 for `MO` to 6 for `SU`. Raises ValueError."""
    return WEEKDAYS.index(text.strip().upper())


def parse_hours(text: str) -> tuple[OpeningPeriod, ...]:
    """Return the periods in order. Raises BadHours on odd text and on overlapping periods."""
    periods = sorted(
        period for group in text.upper().split(";") if group.strip() for period in _group(group.strip())
    )
    for earlier, later in pairwise(periods):
        if earlier.weekday == later.weekday and later.start < earlier.end:
            raise BadHours(text)
    return tuple(periods)


def open_at(periods: Iterable[OpeningPeriod], weekday: int, start: int, end: int) -> bool:
    """Tell whether one period covers the whole span of minutes on that weekday."""
    return any(
        period.weekday == weekday and period.start <= start and end <= period.end for period in periods
    )


def _group(text: str) -> list[OpeningPeriod]:
    match = _GROUP.fullmatch(re.sub(r"\s*([,;-])\s*", r"\1", text))
    if not match:
        raise BadHours(text)
    spans = [_span(span) for span in match["periods"].split(",")]
    return [OpeningPeriod(day, start, end) for day in _days(match["days"]) for start, end in spans]


def _days(text: str) -> list[int]:
    try:
        return [day for part in text.split(",") for day in _range(part)]
    except ValueError as error:
        raise BadHours(text) from error


def _range(part: str) -> range:
    first, _, last = part.partition("-")
    start, end = parse_weekday(first), parse_weekday(last or first)
    if end < start:
        raise ValueError(part)
    return range(start, end + 1)


def _span(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        start, end = parse_minute(first), parse_minute(last)
    except ValueError as error:
        raise BadHours(text) from error
    if not dash or start >= end:
        raise BadHours(text)
    return start, end
