"""Pure rules: what follows from missed appointments, and when a word is asked for beforehand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from telehealth.booking.codes import RestrictionGrade
from telehealth.core.clock import at_local, local

_SEVERITY = tuple(RestrictionGrade)


@dataclass(frozen=True, slots=True)
class Term:
    """So many misses lead to a grade, for so many days after the last of them."""

    misses: int
    grade: RestrictionGrade
    days: int


@dataclass(frozen=True, slots=True)
class Consequences:
    """The rule as data (consequences.yaml). Minutes are local minutes of the day before the visit."""

    window_days: int
    terms: tuple[Term, ...]
    ask_minute: int
    due_minute: int
    least_hours: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for somebody now, since and until when, after how many misses."""

    grade: RestrictionGrade
    since: datetime
    until: datetime
    misses: int


@cache
def consequences() -> Consequences:
    """Return the rule that the product comes with."""
    text = (files("telehealth.attendance") / "consequences.yaml").read_text(encoding="utf-8")
    return read(yaml.safe_load(text))


def read(given: dict[str, Any]) -> Consequences:
    """Return the rule that a document holds. Raises KeyError, ValueError for one that is none."""
    terms = [
        Term(int(term["misses"]), RestrictionGrade(term["grade"]), int(term["days"]))
        for term in given["grades"]
    ]
    asked = given["confirmation"]
    return Consequences(
        window_days=int(given["window_days"]),
        terms=tuple(sorted(terms, key=lambda term: _SEVERITY.index(term.grade))),
        ask_minute=_minute(asked["ask"]),
        due_minute=_minute(asked["due"]),
        least_hours=int(asked["least_hours"]),
    )


def standing(misses: Iterable[datetime], now: datetime, rule: Consequences) -> Standing | None:
    """Return what follows from misses that count, by the time of each, or None.

    The gravest grade that was reached and still holds: each miss counts those of the window before it, so
    that a grade once reached runs its days, and no longer.
    """
    times = sorted(miss for miss in misses if miss <= now)
    held = [
        Standing(term.grade, miss, miss + timedelta(days=term.days), count)
        for index, miss in enumerate(times)
        for count in [_within(times[: index + 1], miss, rule.window_days)]
        for term in rule.terms
        if count >= term.misses
    ]
    holding = [each for each in held if each.until > now]
    return max(holding, key=lambda each: (_SEVERITY.index(each.grade), each.until), default=None)


def ask_at(start: datetime, rule: Consequences) -> datetime:
    """Return when a word is asked for: on the day before."""
    return at_local(local(start).date() - timedelta(days=1), rule.ask_minute)


def due_at(start: datetime, rule: Consequences) -> datetime:
    """Return until when the word must have come: on the day before."""
    return at_local(local(start).date() - timedelta(days=1), rule.due_minute)


def to_be_asked(start: datetime, agreed_at: datetime, now: datetime, rule: Consequences) -> bool:
    """Tell whether to ask now: it is time, an answer has its hours, and the visit was agreed before."""
    least = timedelta(hours=rule.least_hours)
    return ask_at(start, rule) <= now <= due_at(start, rule) - least and agreed_at <= ask_at(start, rule)


def _within(times: list[datetime], last: datetime, days: int) -> int:
    return sum(miss > last - timedelta(days=days) for miss in times)


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
