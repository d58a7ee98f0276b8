"""What may be delegated, and for how long."""

from datetime import date, timedelta
from enum import StrEnum

LONGEST_DAYS = 366
TEXT_VERSION = "2026-11"  # the words of delegations-agree and delegations-agree-text
MOST_OPEN = 10
LONGEST_NAME = 100


class Scope(StrEnum):
    """What a delegate may do; the actions that each means stand in migration 0022."""

    SEE = "see"
    BOOK = "book"
    JOIN = "join"


def with_seeing(scopes: frozenset[str]) -> tuple[str, ...]:
    """Return scopes in their order; who may do anything may see what it is done to."""
    return tuple(scope.value for scope in Scope if scope is Scope.SEE or scope.value in scopes)


def until_fault(until: date | None, today: date) -> str | None:
    """Return the message key of what is wrong with the last day, or None."""
    if until is None:
        return "delegations-until-missing"
    if until < today:
        return "delegations-until-past"
    return "delegations-until-too-far" if until > today + timedelta(days=LONGEST_DAYS - 1) else None


def choices_of_end(today: date) -> list[tuple[int, date]]:
    """Return last days to choose from, by months."""
    return [(months, _months_later(today, months)) for months in (1, 3, 6, 12)]


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + year, month + 1, 1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return min(first.replace(day=min(day.day, last.day)), day + timedelta(days=LONGEST_DAYS - 1))
