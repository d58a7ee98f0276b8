"""Until when a slip is good, who must act next, and which day is another than the paper's. Pure.

The numbers are data (rulebook.py); a calendar is a function that tells working days in law.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from telehealth.core.clock import at_local, business_date, minute_of_day
from telehealth.core.ids import CODE_ALPHABET
from telehealth.directory.icd10 import any_covers, normalise_icd10
from telehealth.referrals.codes import OPEN, OwnerRole, RequestKind, RequestPriority, RequestStatus

NUMBER_LETTERS = {RequestKind.REFERRAL: "CK", RequestKind.REEXAMINATION: "HK"}
NUMBER_LENGTH = 8
_OURS = re.compile(rf"({'|'.join(NUMBER_LETTERS.values())})[0-9]{{2}}[{CODE_ALPHABET}]{{{NUMBER_LENGTH}}}")

WorkingDay = Callable[[date], bool]

LATEST_SIGNED_DAYS = 730
"""A slip signed longer ago than two years is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long until somebody else must act: hours, or working days at the same time of day."""

    hours: int = 0
    working_days: int = 0

    def after(self, since: datetime, working: WorkingDay) -> datetime:
        """Return the instant it ends."""
        if self.working_days:
            day = nth_working_day(business_date(since), self.working_days, working)
            return at_local(day, minute_of_day(since))
        return since + timedelta(hours=self.hours)


@dataclass(frozen=True, slots=True)
class ListedDisease:
    """A disease whose referral is good for a year. Unconfirmed: staff must say so for each slip."""

    codes: str
    name: str
    confirmed: bool
    source: str


@dataclass(frozen=True, slots=True)
class SlipRules:
    """What slips are good for, with where it is written."""

    version: str
    working_days: int
    source: str
    listed_years: int
    listed_source: str
    listed: tuple[ListedDisease, ...]
    early_days: int
    late_days: int
    reexamination_source: str
    tolerance_source: str
    proposed_days: tuple[int, ...]
    escalation_source: str
    escalation: dict[RequestPriority, Span]

    def listed_disease(self, icd10: str | None) -> ListedDisease | None:
        """Return the line of the year-long list that covers a code."""
        code = normalise_icd10(icd10 or "")
        return next((each for each in self.listed if code and any_covers(each.codes, code)), None)


@dataclass(frozen=True, slots=True)
class Validity:
    """The first and last day of a slip (None: no last day in law), and where that is written."""

    first: date
    last: date | None
    source: str

    def holds(self, day: date) -> bool:
        """Tell whether a visit on the day is covered."""
        return self.first <= day and (self.last is None or day <= self.last)

    @property
    def bound(self) -> tuple[datetime, datetime] | None:
        """Return from when until before when a visit may start; None without a last day."""
        if self.last is None:
            return None
        return at_local(self.first, 0), at_local(self.last + timedelta(days=1), 0)


def validity(
    kind: RequestKind,
    signed_on: date,
    icd10: str | None,
    working: WorkingDay,
    rules: SlipRules,
    *,
    listed: bool = False,
) -> Validity:
    """Return when a slip is good.

    A referral: the working days from signing, or the years of a listed disease (confirmed in the list, or
    `listed`: staff have looked it up). A slip to come again: from signing on, once.
    """
    if kind is RequestKind.REEXAMINATION:
        return Validity(signed_on, None, rules.reexamination_source)
    disease = rules.listed_disease(icd10)
    if listed or (disease is not None and disease.confirmed):
        return Validity(signed_on, years_later(signed_on, rules.listed_years), rules.listed_source)
    return Validity(signed_on, nth_working_day(signed_on, rules.working_days, working), rules.source)


def nth_working_day(after: date, count: int, working: WorkingDay) -> date:
    """Return the n-th working day after a day, which itself does not count (Civil Code 2015, art. 147)."""
    day = after
    while count:
        day += timedelta(days=1)
        count -= working(day)
    return day


def years_later(day: date, years: int) -> date:
    """Return the same day some years on; 29 February becomes the 28th."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def due_day(asked: date, holiday: Callable[[date], bool], working: WorkingDay) -> date:
    """Return the day of a slip: the paper's, or for a holiday the next working day."""
    day = asked
    while holiday(day) or (day != asked and not working(day)):
        day += timedelta(days=1)
    return day


def shifted(day: date, asked: date, due: date, rules: SlipRules) -> bool:
    """Tell whether a day is another than the paper's and staff must agree to it."""
    return not asked - timedelta(days=rules.early_days) <= day <= due + timedelta(days=rules.late_days)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who must act, as which step, and until when."""

    role: OwnerRole
    step: int
    escalate_at: datetime


STEPS = (OwnerRole.DESK, OwnerRole.FACILITY_ADMIN, OwnerRole.PROVINCE)


def first_owner(priority: RequestPriority, now: datetime, working: WorkingDay, rules: SlipRules) -> Owner:
    """Return who acts first on a deferred request: the desk of whoever made it."""
    return _owner(0, priority, now, working, rules)


def next_owner(
    step: int,
    *,
    receiver: bool,
    priority: RequestPriority,
    now: datetime,
    working: WorkingDay,
    rules: SlipRules,
) -> Owner:
    """Return who acts once the clock has run out: the receiver's administrator if a place was named, then
    the province, which is reminded again and again. The new clock always ends later than `now`.
    """
    following = min(step + 1, len(STEPS) - 1)
    if STEPS[following] is OwnerRole.FACILITY_ADMIN and not receiver:
        following += 1
    return _owner(following, priority, now, working, rules)


def _owner(
    step: int, priority: RequestPriority, now: datetime, working: WorkingDay, rules: SlipRules
) -> Owner:
    return Owner(STEPS[step], step, rules.escalation[priority].after(now, working))


def lapsed(status: str, valid_until: date | None, today: date) -> bool:
    """Tell whether an open request's last day is over: it stays open and somebody must see to it."""
    return RequestStatus(status) in OPEN and valid_until is not None and valid_until < today


def ours(key: str) -> bool:
    """Tell whether a number has the form of those that are printed here: letters, year, code."""
    return _OURS.fullmatch(key) is not None


def number_key(number: str) -> str:
    """Return the form a slip's number is compared by: capitals and digits only."""
    return "".join(char for char in number.upper() if char.isalnum())
