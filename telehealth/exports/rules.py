"""Pure rules: what is in each list and in which columns, and what a cell must not do to its reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from telehealth.exports.errors import BadSpan

MOST_DAYS = 31
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | int | None


class Subject(StrEnum):
    """What is exported."""

    APPOINTMENTS = "appointments"
    SESSIONS = "sessions"
    ROSTERS = "rosters"
    QUEUES = "queues"


class Format(StrEnum):
    """As what."""

    CSV = "csv"
    XLSX = "xlsx"


COLUMNS = {
    Subject.APPOINTMENTS: (
        "code",
        "date",
        "start",
        "end",
        "patient",
        "service",
        "practitioner",
        "room",
        "modality",
        "status",
        "coverage",
        "coverage_checked",
    ),
    Subject.SESSIONS: (
        "date",
        "start",
        "end",
        "practitioner",
        "licence_no",
        "service",
        "modality",
        "room",
        "status",
        "places",
        "booked",
        "booked_online",
    ),
    Subject.QUEUES: (
        "date",
        "hour",
        "queue",
        "room",
        "numbers",
        "called",
        "served",
        "no_show",
        "abandoned",
        "sent_on",
        "waiting",
        "median_minutes",
        "p85_minutes",
    ),
}


def columns_used(lines: Sequence[Mapping[str, Cell]], needed: Sequence[str]) -> list[str]:
    """Return the columns a roster file needs: those it always has, and others that any line fills."""
    more = [name for name in (lines[0] if lines else ()) if name not in needed]
    return [*needed, *(name for name in more if any(line[name] is not None for line in lines))]


@dataclass(frozen=True, slots=True)
class Span:
    """Days, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date, last: date) -> "Span":
        """Return a span of at most a month. Raises BadSpan."""
        if not first <= last <= first + timedelta(days=MOST_DAYS - 1):
            raise BadSpan({"to": ["export-bad-span"]}, most=MOST_DAYS)
        return cls(first, last)


def harmless(cell: Cell) -> Cell:
    """Return a text that no spreadsheet takes for a formula (OWASP CSV injection): an apostrophe leads it."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return cell
