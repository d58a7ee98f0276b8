"""Pure rules of a series: on which days its visits are, and which slot is nearest to what was asked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise

from telehealth.booking.errors import SeriesWithoutDays
from telehealth.booking.rules import BookingPolicy, Policies
from telehealth.scheduling.codes import Channel

MOST_VISITS = 60
LONGEST = timedelta(days=366)
NEAR_DAYS = (1, -1, 2, -2)
"""How far from its day a visit may be proposed, in the order that is tried."""

SERIES_POLICIES = Policies(
    booking={Channel.DESK: BookingPolicy(active_per_patient=None, per_day=6, per_practitioner=None)}
)
"""Coming visits of a treatment are no hoarding: only those of one day stay limited."""

Day = Callable[[date], bool]


class OnHoliday(StrEnum):
    """What becomes of a visit on a holiday."""

    MOVE = "move"
    SKIP = "skip"


class Match(StrEnum):
    """How a proposed slot differs from what was asked."""

    AS_ASKED = "as-asked"
    OTHER_PRACTITIONER = "other-practitioner"
    OTHER_TIME = "other-time"
    OTHER_DAY = "other-day"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SeriesRule:
    """Every n days, or on `weekdays` (0 Monday) of every n-th week, at a local `minute` of the day.

    From `first` on, `visits` times or until a day (included): one of each pair is None.
    """

    first: date
    minute: int
    every_days: int | None = None
    every_weeks: int | None = None
    weekdays: tuple[int, ...] = ()
    visits: int | None = None
    until: date | None = None
    on_holiday: OnHoliday = OnHoliday.MOVE


@dataclass(frozen=True, slots=True)
class SeriesDay:
    """A visit that the rule wants on `due`; its `day`, or None when a holiday has skipped it."""

    due: date
    day: date | None

    @property
    def moved(self) -> bool:
        """Tell whether a holiday has moved it."""
        return self.day is not None and self.day != self.due


def series_days(rule: SeriesRule, *, holiday: Day, working: Day) -> list[SeriesDay]:
    """Return the days of a series, at most 60 visits within a year. Raises SeriesWithoutDays.

    A visit on a holiday is moved to the next working day, as long as that is before the next visit, else
    skipped; a skipped one does not count as one of `visits`.
    """
    found: list[SeriesDay] = []
    kept = 0
    for due, following in pairwise(_due(rule)):
        if kept == (rule.visits or MOST_VISITS) or (rule.until is not None and due > rule.until):
            break
        day = _kept_day(due, following, rule.on_holiday, holiday, working)
        found.append(SeriesDay(due, day))
        kept += day is not None
    if not kept:
        raise SeriesWithoutDays
    return found


def nearest(starts: Iterable[tuple[datetime, bool]], wanted: datetime) -> int | None:
    """Return the place in a list of (start, with the preferred practitioner) of what is nearest, or None."""
    order = [(abs(start - wanted), not preferred, start, n) for n, (start, preferred) in enumerate(starts)]
    return min(order)[-1] if order else None


def match_of(start: datetime, wanted: datetime, *, same_day: bool, preferred: bool) -> Match:
    """Name the difference of a slot."""
    if not same_day:
        return Match.OTHER_DAY
    if start != wanted:
        return Match.OTHER_TIME
    return Match.AS_ASKED if preferred else Match.OTHER_PRACTITIONER


def _due(rule: SeriesRule) -> Iterator[date]:
    """Yield the rule's days of a year, and one more to compare the last with."""
    days = (rule.first + timedelta(days=n) for n in range(2 * LONGEST.days))
    for day in filter(partial(_asked, rule), days):
        yield day
        if day > rule.first + LONGEST:
            return


def _asked(rule: SeriesRule, day: date) -> bool:
    if rule.every_days is not None:
        return (day - rule.first).days % rule.every_days == 0
    week = (day - (rule.first - timedelta(days=rule.first.weekday()))).days // 7
    return week % (rule.every_weeks or 1) == 0 and day.weekday() in rule.weekdays


def _kept_day(due: date, following: date, on_holiday: OnHoliday, holiday: Day, working: Day) -> date | None:
    if not holiday(due):
        return due
    if on_holiday is OnHoliday.SKIP:
        return None
    later = (due + timedelta(days=n) for n in range(1, (following - due).days))
    return next((day for day in later if working(day)), None)
