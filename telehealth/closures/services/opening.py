"""Closing sessions: what it would do, and doing it at once."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.closures import queries
from telehealth.closures.codes import ClosureKind, ClosurePlan, ClosureState
from telehealth.closures.errors import BadSpan, DayDeclared, NothingToClose
from telehealth.closures.models import SessionClosure
from telehealth.closures.queries import Group
from telehealth.closures.rules import MOST_DAYS, Affected, Span, assign, equivalence, movable
from telehealth.closures.services.places import places_for
from telehealth.core.clock import business_date
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.directory.calendar import OverrideKind
from telehealth.directory.models import CalendarDay
from telehealth.scheduling.codes import ExceptionKind, ScheduleOrigin
from telehealth.scheduling.models import ScheduleException

MOST_PLANNED = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """Whose sessions are to close, when, and what is to be done for their people."""

    kind: ClosureKind
    facility_id: UUID | None
    practitioner_id: UUID | None
    span: Span
    plan: ClosurePlan
    reason: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a closure would do. `arrived` have checked in and are the queue's to care for.

    `equivalents`: for how many of `looked_at` a place of each kind is free now; `moved`: how many of them
    would be moved without being asked. `unreachable`: names that the reader may see.
    """

    sessions: int
    people: int
    arrived: int
    bound: int
    without_phone: int
    looked_at: int
    equivalents: Mapping[str, int]
    moved: int
    unreachable: tuple[str, ...]

    @property
    def without_equivalent(self) -> int:
        """Return how many of those looked at would have to choose themselves."""
        return self.looked_at - sum(self.equivalents.values())


def preview(session: Session, order: Order, *, now: datetime) -> Preview:
    """Return what a closure would do, without doing it. Raises BadSpan."""
    _check_span(order.span, now)
    asked = (order.kind, order.facility_id, order.practitioner_id, order.span)
    figures = queries.figures(session, *asked, now=now)
    seen = queries.affected(session, *asked, now=now, most=MOST_PLANNED)
    groups: dict[Group, list[Affected]] = defaultdict(list)
    for group, person, _name, _phone in seen:
        groups[group].append(person)
    closed = _closed(session, order, now)
    kinds: Counter[str] = Counter()
    moved = 0
    for group, people in groups.items():
        places = places_for(session, group, people[0].start, len(people), now=now)
        kept = [place for place in places if place.slot_id.partition(".")[0] not in closed]
        given = assign(people, kept)
        for person in people:
            if person.id in given:
                kinds[equivalence(person, given[person.id])] += 1
                moved += order.plan == ClosurePlan.MOVE and movable(person, given[person.id])
    return Preview(
        sessions=sum(each.sessions for each in figures),
        people=sum(each.people for each in figures),
        arrived=sum(each.arrived for each in figures),
        bound=sum(each.bound for each in figures),
        without_phone=sum(each.without_phone for each in figures),
        looked_at=len(seen),
        equivalents=dict(kinds),
        moved=moved,
        unreachable=tuple(name for _group, _person, name, phone in seen if not phone),
    )


def close(session: Session, principal: Principal, order: Order, *, now: datetime) -> UUID:
    """Close the sessions and put everybody in them on the closure's list; return the closure's id.

    One transaction: from its commit on nobody new gets in, and whoever got in before is on the list. What is
    done for them follows, one by one. Raises BadSpan, NothingToClose, DayDeclared; then roll back.
    """
    _check_span(order.span, now)
    closure = SessionClosure(
        id=new_id(),
        kind=order.kind,
        facility_id=order.facility_id,
        practitioner_id=order.practitioner_id,
        from_date=order.span.from_date,
        to_date=order.span.to_date,
        start_minute=order.span.start_minute,
        end_minute=order.span.end_minute,
        plan=order.plan,
        reason=order.reason,
        note=order.note,
        state=ClosureState.RUNNING,
        created_by=principal.id,
        created_at=now,
    )
    session.add(closure)
    _change_roster(session, closure, order)
    session.flush()
    row = fetch_one(session, "SELECT * FROM open_closure(%(id)s, %(now)s)", {"id": closure.id, "now": now})
    sessions, people = row or (0, 0)
    if not sessions and order.kind is not ClosureKind.HOLIDAY:
        raise NothingToClose
    entry = Entry(
        "closures.open",
        "SessionClosure",
        closure.id,
        facility_id=order.facility_id,
        details={"kind": order.kind, "plan": order.plan, "sessions": sessions, "people": people},
    )
    record(session, principal, entry, now=now)
    return closure.id


def _check_span(span: Span, now: datetime) -> None:
    days = (span.to_date - span.from_date).days
    if days < 0 or days >= MOST_DAYS:
        raise BadSpan({"to_date": ["field-closures-dates"]})
    if not 0 <= span.start_minute < span.end_minute <= 24 * 60:
        raise BadSpan({"end_minute": ["field-closures-hours"]})
    if span.from_date < business_date(now) or span.end <= now:
        raise BadSpan({"from_date": ["field-closures-past"]})


def _closed(session: Session, order: Order, now: datetime) -> frozenset[str]:
    """Return the ids of the sessions that would close: their places are nobody's equivalent."""
    return frozenset(
        str(each)
        for each in queries.session_ids(
            session, order.kind, order.facility_id, order.practitioner_id, order.span, now=now
        )
    )


def _change_roster(session: Session, closure: SessionClosure, order: Order) -> None:
    """Write down why the sessions are closed where rosters are made from, so that no refresh opens them."""
    if order.kind is ClosureKind.HOLIDAY:
        closure.calendar_day_ids = [
            declared
            for day in order.span.days
            if (declared := _declared(session, day, order.facility_id, order.note)) is not None
        ]
        return
    exception = ScheduleException(
        id=new_id(),
        facility_id=order.facility_id,
        practitioner_id=order.practitioner_id,
        kind=ExceptionKind.CLOSED if order.practitioner_id is None else ExceptionKind.LEAVE,
        from_date=order.span.from_date,
        to_date=order.span.to_date,
        start_minute=None if order.span.whole_days else order.span.start_minute,
        end_minute=None if order.span.whole_days else order.span.end_minute,
        note=order.note,
        origin=ScheduleOrigin.EDITOR,
    )
    session.add(exception)
    session.flush()
    closure.exception_id = exception.id


def _declared(session: Session, day: date, facility_id: UUID | None, note: str) -> UUID | None:
    """Make a day a holiday; return its new row, or None when the calendar says so already."""
    there = session.scalar(
        select(CalendarDay).where(
            CalendarDay.day == day, CalendarDay.facility_id.is_not_distinct_from(facility_id)
        )
    )
    if there is not None:
        if there.kind != OverrideKind.HOLIDAY:
            raise DayDeclared
        return None
    made = CalendarDay(
        id=new_id(), day=day, facility_id=facility_id, kind=OverrideKind.HOLIDAY, like_weekday=None, note=note
    )
    session.add(made)
    session.flush()
    return made.id
