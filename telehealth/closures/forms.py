"""What the form of a closure says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from telehealth.closures.codes import ClosureKind, ClosurePlan, ClosureReason
from telehealth.closures.errors import BadSpan
from telehealth.closures.rules import DAY_MINUTES, NOON, Span
from telehealth.closures.schemas import LONGEST_NOTE
from telehealth.closures.services import Order
from telehealth.core.clock import business_date, minute_of_day

PARTS = ("rest", "morning", "afternoon", "day", "hours")
WHOLE_FACILITY = "all"
FIELDS = ("practitioner", "from_date", "to_date", "part", "start", "end", "plan", "reason", "note")


@dataclass(frozen=True, slots=True)
class ClosureForm:
    """The form's values as they were typed; empty is a form not filled in yet."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, given: Mapping[str, str], now: datetime) -> "ClosureForm":
        """Read a form; what is missing is what is most likely meant."""
        likely = {
            "from_date": business_date(now).isoformat(),
            "part": "rest",
            "plan": ClosurePlan.OFFER.value,
            "reason": ClosureReason.CALLED_AWAY.value,
        }
        return cls({name: given.get(name, likely.get(name, "")).strip()[:LONGEST_NOTE] for name in FIELDS})

    def order(self, facility_id: UUID | None, *, now: datetime, province: bool = False) -> Order:
        """Return what is asked for. Raises BadSpan.

        A place closed for whole days because of a holiday is a holiday in its calendar.
        """
        span = self._span(now)
        practitioner_id = None if province else self._practitioner()
        reason = _reason(self.values["reason"])
        kind = ClosureKind.PRACTITIONER if practitioner_id is not None else ClosureKind.FACILITY
        if province or (kind is ClosureKind.FACILITY and reason is ClosureReason.HOLIDAY and span.whole_days):
            kind = ClosureKind.HOLIDAY
        plan = _plan(self.values["plan"])
        return Order(kind, facility_id, practitioner_id, span, plan, reason, self.values["note"])

    def _practitioner(self) -> UUID | None:
        """Return whom it is about, None for the whole facility: that is said, never left out."""
        given = self.values["practitioner"]
        if given == WHOLE_FACILITY:
            return None
        try:
            return UUID(given)
        except ValueError as error:
            raise BadSpan({"practitioner": ["field-closures-practitioner"]}) from error

    def _span(self, now: datetime) -> Span:
        first = _day(self.values["from_date"], "from_date")
        last = _day(self.values["to_date"], "to_date") if self.values["to_date"] else first
        match self.values["part"]:
            case "morning":
                return Span(first, last, 0, NOON)
            case "afternoon":
                return Span(first, last, NOON, DAY_MINUTES)
            case "rest" if first == last == business_date(now):
                return Span(first, last, minute_of_day(now), DAY_MINUTES)
            case "hours":
                return Span(
                    first, last, _minute(self.values["start"], "start"), _minute(self.values["end"], "end")
                )
            case _:
                return Span(first, last)


def _day(given: str, field: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise BadSpan({field: ["field-closures-date"]}) from error


def _minute(given: str, field: str) -> int:
    hour, colon, minute = given.partition(":")
    if colon and hour.isdecimal() and minute.isdecimal() and int(hour) <= 24 and int(minute) < 60:
        return int(hour) * 60 + int(minute)
    raise BadSpan({field: ["field-closures-hour"]})


def _plan(given: str) -> ClosurePlan:
    return next((each for each in ClosurePlan if each.value == given), ClosurePlan.OFFER)


def _reason(given: str) -> ClosureReason:
    return next((each for each in ClosureReason if each.value == given), ClosureReason.OTHER)
