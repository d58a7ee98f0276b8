"""The Vietnamese working calendar, with the province's and a facility's own overrides.

Public holidays, Tết and the government's swapped days come from PyPI `holidays` (Labour Code 2019,
article 112; the yearly notices of the Ministry of Home Affairs). Next year's Tết bridge and swaps
are announced each autumn, so a table of overrides has the last word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

import holidays
from holidays import HolidayBase

SATURDAY = 5

_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")


class DayKind(StrEnum):
    """What sort of day."""

    NORMAL = "normal"
    HOLIDAY = "holiday"
    WORKS_LIKE = "works-like"


class OverrideKind(StrEnum):
    """What an override makes of a day; `working` is its own weekday in spite of a holiday."""

    HOLIDAY = "holiday"
    WORKING = "working"
    WORKS_LIKE = "works-like"


@dataclass(frozen=True, slots=True)
class Override:
    """A day that is not as the national calendar says, at one facility or (None) everywhere."""

    day: date
    kind: OverrideKind
    like_weekday: int | None = None
    facility_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CalendarDayView:
    """A day: its kind, the weekday whose roster applies (0 Monday; None: none), and its name."""

    day: date
    kind: DayKind
    weekday: int | None
    name: str = ""

    @property
    def holiday(self) -> bool:
        """Tell whether people are off."""
        return self.kind is DayKind.HOLIDAY


def day_kind(
    day: date, overrides: Iterable[Override] = (), facility_id: UUID | None = None
) -> CalendarDayView:
    """Return what sort of day it is there: the facility's override, the province's, the nation's."""
    mine = [item for item in overrides if item.day == day and item.facility_id in (None, facility_id)]
    if not mine:
        return national_day(day)
    return _overridden(max(mine, key=lambda item: item.facility_id is not None))


@lru_cache(maxsize=4096)
def national_day(day: date) -> CalendarDayView:
    """Return what the national calendar says."""
    calendar = _national(day.year)
    if day in calendar:
        return CalendarDayView(day, DayKind.HOLIDAY, None, calendar[day])
    swapped = _swapped(day.year).get(day)
    if swapped is not None:
        return CalendarDayView(day, DayKind.WORKS_LIKE, swapped.weekday())
    return CalendarDayView(day, DayKind.NORMAL, day.weekday())


def is_working_day(day: date, overrides: Iterable[Override] = ()) -> bool:
    """Tell whether it counts as a working day in law: Monday to Friday, or a swapped day."""
    found = day_kind(day, overrides)
    return found.weekday is not None and found.weekday < SATURDAY


def _overridden(item: Override) -> CalendarDayView:
    if item.kind is OverrideKind.HOLIDAY:
        return CalendarDayView(item.day, DayKind.HOLIDAY, None, item.note)
    if item.kind is OverrideKind.WORKS_LIKE:
        return CalendarDayView(item.day, DayKind.WORKS_LIKE, item.like_weekday, item.note)
    return CalendarDayView(item.day, DayKind.NORMAL, item.day.weekday(), item.note)


@lru_cache(maxsize=16)
def _national(year: int) -> HolidayBase:
    return holidays.country_holidays("VN", years=(year - 1, year), language="vi")


@lru_cache(maxsize=16)
def _swapped(year: int) -> dict[date, date]:
    """Return the weekend days that are worked, with the day off that each stands for.

    The library names a swapped day off after the day that is worked instead.
    """
    calendar = _national(year)
    swapped = {}
    for off, name in calendar.items():
        for match in _DATE.finditer(name):
            worked = date(int(match[3]), int(match[2]), int(match[1]))
            if worked in calendar.weekend_workdays:
                swapped[worked] = off
    return swapped
