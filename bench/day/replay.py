"""The order of calling, recomputed from what was written down: a second implementation on purpose.

It keeps who stands in which line from the events alone and judges each call. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

MEMORY = 13
"""So many of a line's last calls tell whose turn it is."""
_GRACE = timedelta(minutes=2)
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Number:
    """A ticket as stored at the end of the day."""

    id: UUID
    queue: UUID
    number: int
    visit: UUID | None
    waiting_since: datetime
    has_priority: bool
    appointment: datetime | None
    from_web: bool
    status: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a ticket."""

    id: int
    ticket: UUID
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Merging:
    """From an instant on, a queue's people are called with another's; None: by their own rooms."""

    at: datetime
    queue: UUID
    into: UUID | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a queue was set to."""

    priority_run: int
    appointment_run: int
    early: timedelta
    late: timedelta
    return_places: int
    places_after_tests: int


@dataclass
class _Standing:
    number: Number
    since: datetime
    priority: bool
    back: bool = False
    was_back: bool = False
    passed: int = 0
    allowed: int = 0


@dataclass
class _Line:
    waiting: dict[UUID, _Standing] = field(default_factory=dict)
    calls: list[tuple[datetime, UUID, str | None]] = field(default_factory=list)


_LEAVES = {"withdraw", "lapse", "transfer", "done"}
_AFTER: Mapping[str, tuple[frozenset[str], str]] = {
    "call": (frozenset({"waiting"}), "called"),
    "recall": (frozenset({"called"}), "called"),
    "undo-call": (frozenset({"called"}), "waiting"),
    "skip": (frozenset({"called"}), "missed"),
    "park": (frozenset({"called", "serving"}), "parked"),
    "start": (frozenset({"called"}), "serving"),
    "done": (frozenset({"called", "serving"}), "done"),
    "here": (frozenset({"waiting"}), "waiting"),
    "transfer": (frozenset({"waiting", "called", "serving"}), "done"),
    "lapse": (frozenset({"waiting"}), "cancelled"),
    "grant-priority": (frozenset({"waiting", "called", "serving", "parked", "missed"}), ""),
    "confirm-priority": (frozenset({"waiting", "called", "serving", "parked", "missed"}), ""),
    "return": (frozenset({"missed", "parked", "waiting"}), "waiting"),
}


def broken_chains(
    numbers: Mapping[UUID, Number], steps: Iterable[Step], slack: timedelta = timedelta(0)
) -> Counter[str]:
    """Count tickets whose events do not lead, one from the other and forward in time, to where they are."""
    found: Counter[str] = Counter()
    state: dict[UUID, str] = {}
    last: dict[UUID, datetime] = {}
    broken: set[UUID] = set()
    for step in sorted(steps, key=lambda each: each.id):
        before = state.get(step.ticket)
        if step.at + slack < last.get(step.ticket, step.at):
            broken.add(step.ticket)
        last[step.ticket] = step.at
        if step.kind == "issued":
            fits, after = before is None, "waiting"
        elif step.kind == "withdraw":
            fits, after = before is not None, "cancelled" if before in ("waiting", "parked") else "done"
        else:
            froms, after = _AFTER.get(step.kind, (frozenset(), ""))
            fits, after = before in froms, after or (before or "")
        if not fits:
            broken.add(step.ticket)
        state[step.ticket] = after
    broken |= {each.id for each in numbers.values() if state.get(each.id) != each.status}
    found["events_that_do_not_chain"] = len(broken)
    return found


def two_places(numbers: Mapping[UUID, Number], steps: Iterable[Step]) -> int:
    """Count calls of people who were called or served somewhere else at that moment."""
    busy: dict[UUID, set[UUID]] = defaultdict(set)
    found = 0
    for step in sorted(steps, key=lambda each: (each.at, each.id)):
        number = numbers.get(step.ticket)
        if number is None or number.visit is None:
            continue
        if step.kind == "call":
            found += bool(busy[number.visit] - {number.id})
            busy[number.visit].add(number.id)
        elif step.kind in ("skip", "park", "undo-call", *_LEAVES):
            busy[number.visit].discard(number.id)
    return found


class Replay:
    """Judges every call by `run`; `slack` is how long a number may have been given without being seen yet."""

    def __init__(
        self,
        numbers: Mapping[UUID, Number],
        ratios: Mapping[UUID, Ratio],
        mergings: Sequence[Merging],
        slack: timedelta = timedelta(0),
    ) -> None:
        self._numbers, self._ratios, self._slack = numbers, ratios, slack
        self._mergings = sorted(mergings, key=lambda each: each.at)
        self._into: dict[UUID, UUID] = {}
        self._lines: dict[UUID, _Line] = defaultdict(_Line)
        self._last_call: dict[UUID, datetime] = {}
        self._busy: dict[UUID | None, set[UUID]] = defaultdict(set)
        self._gone: dict[UUID, _Standing] = {}
        self.found: Counter[str] = Counter()
        self.calls = 0
        self.examples: list[str] = []

    def run(self, steps: Iterable[Step]) -> Counter[str]:
        """Return how many calls broke which rule."""
        # Requests at once read the clock before they wait for the line: what was written first came first.
        ordered = sorted(steps, key=lambda each: (each.at if not self._slack else _ALWAYS, each.id))
        granted = {each.ticket: each.at for each in ordered if each.kind == "grant-priority"}
        position = 0
        for step in ordered:
            while position < len(self._mergings) and self._mergings[position].at <= step.at:
                self._merge(self._mergings[position])
                position += 1
            number = self._numbers.get(step.ticket)
            if number is not None:
                self._take(step, number, granted)
        return self.found

    def _merge(self, merging: Merging) -> None:
        if merging.into is None:
            self._into.pop(merging.queue, None)
        else:
            self._into[merging.queue] = merging.into

    def _take(self, step: Step, number: Number, granted: Mapping[UUID, datetime]) -> None:
        line = self._lines[number.queue]
        if step.kind == "issued":
            priority = number.has_priority and not granted.get(number.id, step.at) > step.at
            standing = _Standing(number, step.at, priority)
            self._gone[number.id] = standing
            if not number.from_web:
                line.waiting[number.id] = standing
        elif step.kind == "here":
            self._come(step, number, line)
        elif step.kind == "grant-priority":
            self._gone[number.id].priority = number.has_priority
        elif step.kind == "call":
            self._judge(step, number)
        elif step.kind == "undo-call":
            standing = line.waiting[number.id] = self._gone[number.id]
            standing.back = standing.was_back
            self._last_call.pop(number.id, None)
            self._busy[number.visit].discard(number.id)
        elif step.kind == "return":
            self._let_back(step, number, line)
        elif step.kind in ("skip", "park") or step.kind in _LEAVES:
            line.waiting.pop(number.id, None)
            self._busy[number.visit].discard(number.id)
            if step.kind in ("skip", "park"):
                self._gone[number.id].allowed = -1 if step.kind == "park" else 0

    def _come(self, step: Step, number: Number, line: _Line) -> None:
        """With a number from the web; whose turn passed meanwhile stands after the next few."""
        standing = line.waiting[number.id] = self._gone[number.id]
        standing.since = step.at
        caller = self._into.get(number.queue, number.queue)
        called = (self._numbers[ticket] for _at, ticket, _lane in self._last_calls(self._joined(caller)))
        if any(each.waiting_since > number.waiting_since for each in called):
            standing.back, standing.passed = True, 0
            standing.allowed = self._ratios[caller].return_places

    def _let_back(self, step: Step, number: Number, line: _Line) -> None:
        standing, ratio = self._gone[number.id], self._ratios[self._into.get(number.queue, number.queue)]
        parked = standing.allowed == -1
        after_tests = number.id in line.waiting
        standing.allowed = 0 if parked else ratio.places_after_tests if after_tests else ratio.return_places
        standing.back, standing.passed, standing.since = True, 0, step.at
        line.waiting[number.id] = standing

    def _joined(self, caller: UUID) -> list[UUID]:
        return [caller, *(queue for queue, into in self._into.items() if into == caller)]

    def _judge(self, step: Step, number: Number) -> None:
        self.calls += 1
        caller = self._into.get(number.queue, number.queue)
        joined, ratio = self._joined(caller), self._ratios[caller]
        mine = self._lines[number.queue].waiting.pop(number.id, None)
        if mine is None:
            self._note("called_without_waiting", step, number)
            return
        others = [
            each
            for queue in joined
            for each in self._lines[queue].waiting.values()
            if each.since + self._slack < step.at and not self._busy[each.number.visit]
        ]
        lanes = self._recent(joined)
        lane = self._lane(mine, ratio, step.at)
        if mine.back:
            lane_now = None
        else:
            lane_now = lane
            self._judge_lane(step, number, mine, others, ratio)
            self._judge_turn(step, number, mine, others, lanes, ratio)
            for each in others:
                self._pass(step, each, mine)
        mine.was_back, mine.back = mine.back, False
        self._last_call[number.id] = step.at
        self._lines[number.queue].calls.append((step.at, number.id, lane_now))
        self._busy[number.visit].add(number.id)

    def _pass(self, step: Step, each: _Standing, mine: _Standing) -> None:
        """Whoever came back is passed by so many, and no more."""
        if each.back:
            each.passed += 1
            if each.passed == each.allowed + 2:
                self._note("came_back_and_waited_on", step, each.number)

    def _judge_lane(
        self, step: Step, number: Number, mine: _Standing, others: Sequence[_Standing], ratio: Ratio
    ) -> None:
        lane, key = self._lane(mine, ratio, step.at), self._key(mine, ratio, step.at)
        for each in others:
            if each.back or each.number.from_web:
                continue
            if self._lane(each, ratio, step.at) == lane and self._key(each, ratio, step.at) < key:
                self._note("passed_in_own_lane", step, number, f"while number {each.number.number} waited")
                return

    def _judge_turn(
        self,
        step: Step,
        number: Number,
        mine: _Standing,
        others: Sequence[_Standing],
        lanes: Sequence[str],
        ratio: Ratio,
    ) -> None:
        standing: Counter[str] = Counter()
        for each in others:
            if not each.back:
                lane = self._lane(each, ratio, step.at)
                due = lane == "A" and each.number.appointment is not None and self._due(each.number, step.at)
                standing["A due" if due else lane] += 1
        priorities = _run(lanes, "P")
        appointments = _run([each for each in lanes if each != "P"], "A")
        lane = self._lane(mine, ratio, step.at)
        rest = standing["A due"] + standing["A"] + standing["W"]
        if lane == "P":
            wrong = priorities >= ratio.priority_run and rest > 0
        elif lane == "A":
            due = self._due(number, step.at)
            wrong = standing["W"] > 0 and (not due or appointments >= ratio.appointment_run)
            wrong = wrong or (standing["P"] > 0 and priorities < ratio.priority_run)
        else:
            wrong = standing["P"] > 0 and priorities < ratio.priority_run
            wrong = wrong or (standing["A due"] > 0 and appointments < ratio.appointment_run)
        if wrong:
            self._note("not_their_turn", step, number)

    def _lane(self, standing: _Standing, ratio: Ratio, at: datetime) -> str:
        if standing.priority:
            return "P"
        start = standing.number.appointment
        if start is None or at < start - ratio.early or standing.number.waiting_since > start + ratio.late:
            return "W"
        return "A"

    def _key(self, standing: _Standing, ratio: Ratio, at: datetime) -> tuple[datetime, int]:
        number = standing.number
        if self._lane(standing, ratio, at) == "A" and number.appointment is not None:
            return number.appointment, number.number
        return number.waiting_since, number.number

    @staticmethod
    def _due(number: Number, at: datetime) -> bool:
        return number.appointment is not None and number.appointment - _GRACE <= at

    def _recent(self, joined: Sequence[UUID]) -> list[str]:
        """The lanes of the last calls that still count, oldest first."""
        return [lane for _at, _ticket, lane in self._last_calls(joined) if lane is not None]

    def _last_calls(self, joined: Sequence[UUID]) -> list[tuple[datetime, UUID, str | None]]:
        """The last calls that still count, oldest first."""
        last: list[tuple[datetime, UUID, str | None]] = []
        for queue in joined:
            kept = 0
            for at, ticket, lane in reversed(self._lines[queue].calls):
                if self._last_call.get(ticket) == at:
                    last.append((at, ticket, lane))
                    kept += 1
                    if kept == MEMORY:
                        break
        last.reverse()  # of those called at once, too, the one that was written first comes first
        return sorted(last, key=lambda each: each[0])[-MEMORY:]

    def _note(self, kind: str, step: Step, number: Number, why: str = "") -> None:
        self.found[kind] += 1
        if len(self.examples) < 20:
            self.examples.append(
                f"{kind}: event {step.id}, number {number.number} of {number.queue}, {step.at} {why}"
            )


def _run(lanes: Sequence[str], wanted: str) -> int:
    run = 0
    for lane in reversed(lanes):
        if lane != wanted:
            break
        run += 1
    return run
