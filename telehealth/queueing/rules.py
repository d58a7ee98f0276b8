"""Who is next, why, and what a number looks like. Pure."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
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


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How a facility runs one queue. Minutes of the day are the province's.

    Numbers go from `first_number` to `last_number` (None: no end), at most `daily_limit` a day and
    `web_limit` of them from the web; whoever took one there comes by `web_until_minute`. After
    `calls_before_missed` calls a person counts as absent: staff are offered to skip, or
    (`skips_by_itself`) the next call does. Whoever comes back after more than `max_passed` calls takes a
    new number (Bình Dân hospital's rule), else stands after the next `return_places`. With `near` people
    ahead the phone is told; `travel_minutes` is what people need from home.
    """

    first_number: int = 1
    last_number: int | None = None
    daily_limit: int | None = None
    web_limit: int = 0
    web_until_minute: int = 600
    priority_run: int = 2
    appointment_run: int = 2
    early_minutes: int = 30
    late_minutes: int = 15
    calls_before_missed: int = 3
    skips_by_itself: bool = False
    max_passed: int = 10
    return_places: int = 3
    near: int = 3
    travel_minutes: int = 30
    minutes_per_visit: int = 8

    @property
    def policy(self) -> OrderPolicy:
        """Return how the lines are merged."""
        return OrderPolicy(
            priority_run=self.priority_run,
            appointment_run=self.appointment_run,
            early=timedelta(minutes=self.early_minutes),
            late=timedelta(minutes=self.late_minutes),
        )


def contradictions(settings: QueueSettings) -> dict[str, list[str]]:
    """Return what does not fit together, by field."""
    found: dict[str, list[str]] = {}
    if settings.last_number is not None and settings.last_number < settings.first_number:
        found["last_number"] = ["field-queue-band"]
    if settings.daily_limit is not None and settings.web_limit > settings.daily_limit:
        found["web_limit"] = ["field-queue-web-limit"]
    return found


def lapsed(web_until: datetime | None, here_at: datetime | None, now: datetime) -> bool:
    """Tell whether a number from the web has lapsed: its holder did not come by its time."""
    return web_until is not None and here_at is None and web_until < now


def latest_place(walk_ins_ahead: int, came_back: int, policy: OrderPolicy) -> int:
    """Return the last place that a walk-in can have, however many priorities and appointments wait.

    Before each walk-in's turn at most `appointment_run` appointments are called, and before each of
    these turns at most `priority_run` priorities.
    """
    turns = (walk_ins_ahead + 1) * (policy.appointment_run + 1)
    return turns * (policy.priority_run + 1) - 1 + came_back


MOST_LISTED = 500
LONGEST_TOKEN = 64
"""Nothing longer is the capability of a slip (services.numbers.public_token)."""
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

    `recent` are the lanes of the last calls, oldest first, without those of people who had come back:
    these take nobody's turn. The result is a permutation of `tickets`, does not depend on the order
    they are given in, and stays as it is for the others when the first is called.
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How many stand in each lane, appointments apart by whether they are due; `back` are places_ahead."""

    priority: int
    due: int
    early: int
    walk_in: int
    back: tuple[int, ...] = ()


def newcomer_place(
    standing: Standing, recent: Sequence[Lane], policy: OrderPolicy, *, has_priority: bool = False
) -> int:
    """Return the place that `order` gives somebody without an appointment who comes after all the others."""
    left = [
        standing.priority + has_priority,
        standing.due,
        standing.walk_in + (not has_priority),
        standing.early,
    ]
    back, runs, place = deque(sorted(standing.back)), _Runs(recent), 0
    if not has_priority and not (standing.priority or standing.due or back):
        return standing.walk_in
    while True:
        if back and back[0] <= place:
            back.popleft()
        else:
            lane = _counted_lane(left, runs, policy)
            runs.add(lane)
            left[_EARLY if lane is Lane.APPOINTMENT and not left[_DUE] else _COUNTED[lane]] -= 1
            if not left[_COUNTED[Lane.PRIORITY if has_priority else Lane.WALK_IN]]:
                return place
        place += 1


_COUNTED = {Lane.PRIORITY: 0, Lane.APPOINTMENT: 1, Lane.WALK_IN: 2}
_DUE, _EARLY = 1, 3


def _counted_lane(left: Sequence[int], runs: "_Runs", policy: OrderPolicy) -> Lane:
    priority, due, walk_in, early = left
    if priority and (runs.priority < policy.priority_run or not (due or early or walk_in)):
        return Lane.PRIORITY
    if due and (runs.appointment < policy.appointment_run or not walk_in):
        return Lane.APPOINTMENT
    return Lane.WALK_IN if walk_in else Lane.APPOINTMENT


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
    due = bool(lines[Lane.APPOINTMENT]) and is_due(lines[Lane.APPOINTMENT][0], policy, now)
    if due and (runs.appointment < policy.appointment_run or not lines[Lane.WALK_IN]):
        return Lane.APPOINTMENT, Reason.APPOINTMENT_TIME
    if lines[Lane.WALK_IN]:
        return Lane.WALK_IN, Reason.FAIR_TURN if made_to_wait or due else Reason.ARRIVAL
    return Lane.APPOINTMENT, Reason.APPOINTMENT_EARLY


def is_due(ticket: Waiting, policy: OrderPolicy, now: datetime) -> bool:
    """Tell whether an appointment's time has come."""
    return ticket.appointment_start is not None and ticket.appointment_start - policy.grace <= now


def number_text(prefix: str, number: int) -> str:
    """Return the number as people see it: `A015`, `5-012`."""
    return f"{prefix}{number:03d}"


def places_ahead_of(resume_after: int | None, called_total: int) -> int | None:
    """Return how many more are called before somebody who came back; None for everybody else.

    Below zero where they were due so many calls ago: that keeps their order among each other.
    """
    return None if resume_after is None else resume_after - called_total


def may_return(called_since: int, max_passed: int) -> bool:
    """Tell whether a missed number still counts after so many calls."""
    return called_since <= max_passed


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
    "here": frozenset({TicketStatus.WAITING}),
    "undo-call": frozenset({TicketStatus.CALLED}),
    "priority": frozenset({TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.PARKED}),
    "skip": frozenset({TicketStatus.CALLED}),
    "park": frozenset({TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING}),
    "start": frozenset({TicketStatus.CALLED}),
    "done": frozenset({TicketStatus.CALLED, TicketStatus.SERVING}),
    "return": frozenset({TicketStatus.MISSED, TicketStatus.PARKED}),
    "transfer": frozenset({TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING}),
    "cancel": frozenset({TicketStatus.WAITING, TicketStatus.PARKED}),
    "withdraw": frozenset(
        {TicketStatus.WAITING, TicketStatus.PARKED, TicketStatus.CALLED, TicketStatus.SERVING}
    ),
    "let-in-soon": frozenset({TicketStatus.WAITING}),
}
"""From which status each action starts."""


_SLIP = re.compile(r"(?:^|/t/)([A-Za-z0-9_-]{22})(?:[/?#].*)?$")


def read_slip(scanned: str) -> str | None:
    """Return the public token in what the QR of a number holds; None where there is none."""
    found = _SLIP.search(scanned.strip())
    return None if found is None else found[1]


_LISTED = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?\Z")


def numbers_in(given: str, prefix: str) -> frozenset[int] | None:
    """Read numbers as people write them, with the queue's prefix or without: `A012, 15 18-20`."""
    found: set[int] = set()
    for part in given.upper().replace("–", "-").replace(",", " ").replace(";", " ").split():
        read = _LISTED.match(part.removeprefix(prefix.upper()))
        if read is None:
            return None
        first, last = int(read[1]), int(read[2] or read[1])
        if not 0 <= last - first <= MOST_LISTED:
            return None
        found.update(range(first, last + 1))
    return frozenset(found)
