"""Who is next, why, how long it may take, and what a number looks like. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from telehealth.queueing.codes import PriorityClass, TicketStatus


class Lane(StrEnum):
    """Which of the three lines of a queue a person stands in."""

    PRIORITY = "priority"
    APPOINTMENT = "appointment"
    WALK_IN = "walk-in"


class Reason(StrEnum):
    """Why a person stands where they stand; each has its text for those who wait."""

    PRIORITY = "priority"
    APPOINTMENT_TIME = "appointment-time"
    APPOINTMENT_EARLY = "appointment-early"
    ARRIVAL = "arrival"
    FAIR_TURN = "fair-turn"
    CAME_BACK = "came-back"


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """How the lines of one queue are merged.

    After `priority_run` priority calls in a row somebody else is called, and after
    `appointment_run` appointments in a row a walk-in, so that nobody starves. An appointment whose
    holder came between `early` before and `late` after its time goes by its time; otherwise the
    holder stands with the walk-ins.
    """

    priority_run: int = 2
    appointment_run: int = 2
    early: timedelta = timedelta(minutes=30)
    late: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(minutes=2)


DEFAULT_POLICY = OrderPolicy()
MAX_PASSED = 10
"""Who comes back after more calls than this takes a new number (Bình Dân hospital's rule)."""
RETURN_PLACES = 3
"""Who comes back in time stands after the next this many."""
NEAR = 3
"""With so many people ahead the phone is told that the turn is near."""

LONGEST_SCAN = 200
"""A scanned address is longer than a code."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One person in line, as far as the order needs to know them."""

    id: UUID
    number: int
    waiting_since: datetime
    priority: PriorityClass = PriorityClass.NONE
    appointment_start: datetime | None = None
    places_ahead: int | None = None
    """Set for somebody who came back: how many are called before them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One person's place: 0 is next."""

    id: UUID
    place: int
    lane: Lane
    reason: Reason


def lane_of(ticket: Waiting, policy: OrderPolicy, now: datetime) -> Lane:
    """Return the line a person stands in at an instant."""
    if ticket.priority is not PriorityClass.NONE:
        return Lane.PRIORITY
    if ticket.appointment_start is not None and _by_appointment(ticket, policy, now):
        return Lane.APPOINTMENT
    return Lane.WALK_IN


def _by_appointment(ticket: Waiting, policy: OrderPolicy, now: datetime) -> bool:
    start = ticket.appointment_start
    return start is not None and start - policy.early <= now and ticket.waiting_since <= start + policy.late


def order(
    tickets: Sequence[Waiting], recent: Sequence[Lane], policy: OrderPolicy, now: datetime
) -> list[Placed]:
    """Return everybody who waits in the order they will be called, and why.

    `recent` are the lanes of the last calls, oldest first. The result is a permutation of `tickets`
    and does not depend on the order they are given in.
    """
    lines = _lines(tickets, policy, now)
    runs = _Runs(recent)
    placed: list[Placed] = []
    back = deque(sorted((t for t in tickets if t.places_ahead is not None), key=_came_back))
    while back or any(lines.values()):
        if back and ((back[0].places_ahead or 0) <= len(placed) or not any(lines.values())):
            ticket, lane, reason = back.popleft(), Lane.WALK_IN, Reason.CAME_BACK
        else:
            lane, reason = _next_lane(lines, runs, policy, now)
            ticket = lines[lane].popleft()
            runs.add(lane)
        placed.append(Placed(ticket.id, len(placed), lane, reason))
    return placed


def _lines(tickets: Sequence[Waiting], policy: OrderPolicy, now: datetime) -> dict[Lane, deque[Waiting]]:
    lines: dict[Lane, deque[Waiting]] = {lane: deque() for lane in Lane}
    keyed = [(lane_of(t, policy, now), t) for t in tickets if t.places_ahead is None]
    for lane, ticket in sorted(keyed, key=lambda pair: _arrival(*pair)):
        lines[lane].append(ticket)
    return lines


def _arrival(lane: Lane, ticket: Waiting) -> tuple[datetime, int]:
    by_time = lane is Lane.APPOINTMENT and ticket.appointment_start is not None
    return (ticket.appointment_start if by_time else ticket.waiting_since, ticket.number)  # type: ignore[return-value]


def _came_back(ticket: Waiting) -> tuple[int, datetime, int]:
    return (ticket.places_ahead or 0, ticket.waiting_since, ticket.number)


class _Runs:
    """How many calls in a row went to priority, and among the others to appointments."""

    def __init__(self, recent: Sequence[Lane]) -> None:
        self.priority = 0
        self.appointment = 0
        for lane in recent:
            self.add(lane)

    def add(self, lane: Lane) -> None:
        if lane is Lane.PRIORITY:
            self.priority += 1
            return
        self.priority = 0
        self.appointment = self.appointment + 1 if lane is Lane.APPOINTMENT else 0


def _next_lane(
    lines: dict[Lane, deque[Waiting]], runs: _Runs, policy: OrderPolicy, now: datetime
) -> tuple[Lane, Reason]:
    others = bool(lines[Lane.APPOINTMENT] or lines[Lane.WALK_IN])
    if lines[Lane.PRIORITY] and (runs.priority < policy.priority_run or not others):
        return Lane.PRIORITY, Reason.PRIORITY
    made_to_wait = bool(lines[Lane.PRIORITY])
    due = bool(lines[Lane.APPOINTMENT]) and _is_due(lines[Lane.APPOINTMENT][0], policy, now)
    if due and (runs.appointment < policy.appointment_run or not lines[Lane.WALK_IN]):
        return Lane.APPOINTMENT, Reason.APPOINTMENT_TIME
    if lines[Lane.WALK_IN]:
        return Lane.WALK_IN, Reason.FAIR_TURN if made_to_wait or due else Reason.ARRIVAL
    return Lane.APPOINTMENT, Reason.APPOINTMENT_EARLY


def _is_due(ticket: Waiting, policy: OrderPolicy, now: datetime) -> bool:
    return ticket.appointment_start is not None and ticket.appointment_start - policy.grace <= now


@dataclass(frozen=True, slots=True)
class WaitRange:
    """Minutes, rounded outwards: never a promise of a point in time."""

    low: int
    high: int


_GAPS_WANTED = 4
_A_BREAK = timedelta(minutes=45)
_SPREAD = 0.35


def wait_range(ahead: int, calls: Sequence[datetime], minutes_per_visit: int, points: int) -> WaitRange:
    """Return how long somebody with `ahead` people before them may wait.

    People ahead times the mean time between the queue's last calls today; until four gaps are known
    the configured minutes over the number of points. Trials with one room were 18 minutes off at a
    wait of 49, hence the width. Gaps longer than a break do not count.
    """
    gaps = [later - sooner for sooner, later in pairwise(sorted(calls)) if later - sooner < _A_BREAK]
    if len(gaps) >= _GAPS_WANTED:
        pace = sum(gaps, timedelta()).total_seconds() / 60 / len(gaps)
    else:
        pace = minutes_per_visit / max(1, points)
    expected = ahead * pace
    step = 5 if expected < 60 else 10
    low = int(expected * (1 - _SPREAD) // step * step)
    high = int(-(-expected * (1 + _SPREAD) // step) * step)
    return WaitRange(low, max(high, low + 5))


def number_text(prefix: str, number: int) -> str:
    """Return the number as people see it: `A015`, `5-012`."""
    return f"{prefix}{number:03d}"


def places_ahead_of(resume_after: int | None, called_total: int) -> int | None:
    """Return how many more are called before somebody who came back; None for everybody else."""
    return None if resume_after is None else max(0, resume_after - called_total)


def may_return(called_since: int) -> bool:
    """Tell whether a missed number still counts after so many calls."""
    return called_since <= MAX_PASSED


def statutory_class(birth_date: str | None, on: date) -> PriorityClass:
    """Return the class that a FHIR birth date alone gives (Law 15/2023, article 3(2)).

    A year or a month stands for its last day when judging 75, and its first when judging 6: a doubt
    is left to what the person says.
    """
    if birth_date is None:
        return PriorityClass.NONE
    parts = [int(part) for part in birth_date.split("-")]
    earliest = date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)
    latest = _last_day(parts)
    if _age(earliest, on) < 6:
        return PriorityClass.UNDER_6
    if _age(latest, on) >= 75:
        return PriorityClass.AGED_75
    return PriorityClass.NONE


def _last_day(parts: Sequence[int]) -> date:
    if len(parts) == 3:
        return date(parts[0], parts[1], parts[2])
    month = parts[1] if len(parts) == 2 else 12
    following = date(parts[0] + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)


def _age(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


TRANSITIONS: dict[str, frozenset[TicketStatus]] = {
    "recall": frozenset({TicketStatus.CALLED}),
    "skip": frozenset({TicketStatus.CALLED}),
    "park": frozenset({TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING}),
    "start": frozenset({TicketStatus.CALLED}),
    "done": frozenset({TicketStatus.CALLED, TicketStatus.SERVING}),
    "return": frozenset({TicketStatus.MISSED, TicketStatus.PARKED}),
    "transfer": frozenset({TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING}),
    "cancel": frozenset({TicketStatus.WAITING, TicketStatus.PARKED}),
}
"""From which status each action starts."""
