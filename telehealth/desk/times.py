"""From when and with whom the clerk looks for a time, and the blocked times they may book."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.desk.queries import BlockedTime
from telehealth.desk.services import Desk
from telehealth.scheduling.drafts import OVERRIDING_ROLES
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots
from telehealth.scheduling.rules import DAY_MINUTES

_MOST_BLOCKED = 48
_MOST_A_QUERY = 100
_LONGEST_VISIT = timedelta(hours=2)
_YEARS = range(2000, 2100)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class When:
    """What the clerk asked for; nothing set: the earliest with whomever."""

    day: date | None = None
    hour: time | None = None
    doctor: UUID | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "When":
        """Take what can be read of a form; an hour without a day has no meaning."""
        day = _read(_day, given.get("day", ""))
        hour = _read(time.fromisoformat, given.get("hour", "")) if day else None
        return cls(day, hour and hour.replace(tzinfo=None), _read(UUID, given.get("doctor", "")))

    @property
    def asked(self) -> bool:
        """Tell whether more than the earliest time is asked for."""
        return self.day is not None or self.doctor is not None

    @property
    def from_(self) -> datetime | None:
        """Return from when, in UTC; None: from now."""
        if self.day is None:
            return None
        return at_local(self.day, self.hour.hour * 60 + self.hour.minute if self.hour else 0)

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when until when taken and blocked times are shown: that day, else two."""
        start = max(now, self.from_ or now)
        days = 1 if self.day else 2
        return start, at_local(business_date(start), days * DAY_MINUTES)


def blocked_slots(
    session: Session, desk: Desk, query: SlotQuery, blocked: Sequence[BlockedTime], *, now: datetime
) -> list[SlotView]:
    """Return the times that only a blocking closes and that this clerk may book, with a reason."""
    found: dict[str, SlotView] = {}
    for each in blocked:
        if not each.opens_to(desk.principal, desk.facility_id):
            continue
        within = replace(
            query,
            from_=max(each.from_at - _LONGEST_VISIT, query.from_ or now),
            to=min(each.to_at, query.to or each.to_at),
            practitioner_id=each.doctor.id if each.doctor else query.practitioner_id,
            limit=_MOST_A_QUERY,
        )
        free = {slot.id for slot in earliest_slots(session, within, now=now)}
        mine = replace(within, override_roles=_roles(desk), override_account=desk.principal.id)
        found |= {
            slot.id: slot
            for slot in earliest_slots(session, mine, now=now)
            if slot.id not in free and slot.end > each.from_at
        }
    return sorted(found.values(), key=lambda slot: (slot.start, slot.id))[:_MOST_BLOCKED]


def _roles(desk: Desk) -> list[str]:
    return [role for role in OVERRIDING_ROLES if desk.principal.holds_at(desk.facility_id, role)]


def _read(kind: Callable[[str], _T], text: str) -> _T | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    if day.year not in _YEARS:
        raise ValueError(text)
    return day
