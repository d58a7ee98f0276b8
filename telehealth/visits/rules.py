"""Where a person goes next: a pure function of what is known of the visit and of the facility's rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from telehealth.directory.codes import ServicePointKind
from telehealth.visits.codes import Category, Coverage, ResultsAt, TestsFirst

STATION: Mapping[Category, ServicePointKind] = {
    Category.LABORATORY: ServicePointKind.SAMPLING,
    Category.IMAGING: ServicePointKind.IMAGING,
}
"""Where an order is performed."""
_ALONG_THE_WAY = tuple(ServicePointKind)


class Why(StrEnum):
    """Why somebody goes to a station; each has its text for those who wait."""

    REGISTER = "register"
    BE_SEEN = "be-seen"
    PAY = "pay"
    TEST = "test"
    COLLECT = "collect"
    COME_BACK = "come-back"
    SETTLE = "settle"
    MEDICINES = "medicines"


class Pause(StrEnum):
    """Why somebody waits for no number at the moment."""

    NO_ROOM = "no-room"
    RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Order:
    """One test of a visit; `room` is the queue of the room that asked for it and reads the result."""

    id: UUID
    category: Category
    room: UUID | None = None
    paid: bool = False
    performed: bool = False
    ready: bool = False
    collected: bool = False
    read: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a visit. `orders` are in the order of asking, without those that were taken back."""

    coverage: Coverage = Coverage.SELF_PAY
    room: UUID | None = None
    registered: bool = False
    seen: bool = False
    prescribed: bool = False
    settled: bool = False
    dispensed: bool = False
    discharged: bool = False
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """A facility's rule, as data: which stations it has, who pays when, how tests and results go.

    `places_ahead`: how many are called before somebody who comes back to the room with results.
    """

    stations: frozenset[ServicePointKind] = field(default_factory=lambda: frozenset(ServicePointKind))
    pays_before_tests: frozenset[Coverage] = frozenset({Coverage.SELF_PAY})
    settles_at_end: frozenset[Coverage] = frozenset(Coverage)
    tests: TestsFirst = TestsFirst.SHORTEST
    results: ResultsAt = ResultsAt.ROOM
    places_ahead: int = 1

    def has(self, kind: ServicePointKind) -> bool:
        """Tell whether the facility has such a station."""
        return kind in self.stations


@dataclass(frozen=True, slots=True)
class Stop:
    """Go there, for this; `room` is the queue of a clinic room."""

    kind: ServicePointKind
    why: Why
    room: UUID | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Stand in no line for now."""

    why: Pause


Next = Stop | Hold | None
"""None: the visit is complete."""


def next_stop(facts: Facts, path: Path, waiting: Mapping[ServicePointKind, float]) -> Next:
    """Return where the person goes next. `waiting` is how long the lines of stations are, in any unit.

    First to be seen; then to pay for what must be paid, to be tested, to read the results in the room that
    asked; then to settle and to fetch medicines. After the discharge only the last two.
    """
    if not facts.discharged:
        found = _to_be_seen(facts, path) or _to_be_tested(facts, path, waiting)
        if found is not None:
            return found
    return _leaving(facts, path)


def useful(kind: ServicePointKind, facts: Facts, path: Path) -> bool:
    """Tell whether a person who stands at a station still has something to do there.

    Whoever waits in a line keeps the place though another line has become shorter; a doctor's room and
    reception are left when they are done with the person.
    """
    if kind in (ServicePointKind.CLINIC, ServicePointKind.REGISTRATION):
        return not facts.discharged
    if kind is ServicePointKind.CASHIER:
        return _must_pay_first(facts, path) or _owes(facts, path)
    if kind is ServicePointKind.RESULTS:
        return path.results is ResultsAt.DESK and any(
            each.ready and not each.collected and not each.read for each in facts.orders
        )
    if kind is ServicePointKind.PHARMACY:
        return facts.prescribed and not facts.dispensed
    return any(STATION[each.category] is kind for each in _performable(facts, path))


def after(facts: Facts, kind: ServicePointKind) -> Facts | None:
    """Return what will be known once a person is through at a station; None where a doctor decides it."""
    if kind is ServicePointKind.CLINIC:
        return None
    if kind is ServicePointKind.CASHIER:
        paid = tuple(replace(each, paid=True) for each in facts.orders)
        return replace(facts, orders=paid, settled=facts.settled or facts.prescribed)
    if kind is ServicePointKind.RESULTS:
        fetched = tuple(replace(each, collected=each.collected or each.ready) for each in facts.orders)
        return replace(facts, orders=fetched)
    performed = tuple(
        replace(each, performed=each.performed or STATION[each.category] is kind) for each in facts.orders
    )
    return replace(
        facts,
        orders=performed,
        registered=facts.registered or kind is ServicePointKind.REGISTRATION,
        dispensed=facts.dispensed or kind is ServicePointKind.PHARMACY,
    )


def _to_be_seen(facts: Facts, path: Path) -> Stop | Hold | None:
    if facts.seen:
        return None
    if facts.room is not None:
        return Stop(ServicePointKind.CLINIC, Why.BE_SEEN, facts.room)
    if not facts.registered and path.has(ServicePointKind.REGISTRATION):
        return Stop(ServicePointKind.REGISTRATION, Why.REGISTER)
    return Hold(Pause.NO_ROOM)


def _to_be_tested(facts: Facts, path: Path, waiting: Mapping[ServicePointKind, float]) -> Stop | Hold | None:
    if _must_pay_first(facts, path):
        return Stop(ServicePointKind.CASHIER, Why.PAY)
    stations = list(dict.fromkeys(STATION[each.category] for each in _performable(facts, path)))
    if stations:
        return Stop(_first_of(stations, path.tests, waiting), Why.TEST)
    for room in _rooms(facts.orders):
        back = _back_to(room, facts, path)
        if back is not None:
            return back
    return Hold(Pause.RESULTS) if any(not each.ready for each in facts.orders) else None


def _first_of(
    stations: Sequence[ServicePointKind], first: TestsFirst, waiting: Mapping[ServicePointKind, float]
) -> ServicePointKind:
    if first is TestsFirst.SHORTEST:
        return min(stations, key=lambda kind: (waiting.get(kind, 0.0), _ALONG_THE_WAY.index(kind)))
    wanted = STATION[Category.LABORATORY if first is TestsFirst.LABORATORY else Category.IMAGING]
    return wanted if wanted in stations else stations[0]


def _back_to(room: UUID, facts: Facts, path: Path) -> Stop | None:
    """Back to the room once the last of its results is there."""
    theirs = [each for each in facts.orders if each.room == room]
    if any(not each.ready for each in theirs) or all(each.read for each in theirs):
        return None
    by_desk = path.results is ResultsAt.DESK and path.has(ServicePointKind.RESULTS)
    if by_desk and any(not each.collected and not each.read for each in theirs):
        return Stop(ServicePointKind.RESULTS, Why.COLLECT)
    return Stop(ServicePointKind.CLINIC, Why.COME_BACK, room)


def _leaving(facts: Facts, path: Path) -> Stop | None:
    if _owes(facts, path):
        return Stop(ServicePointKind.CASHIER, Why.SETTLE)
    if facts.prescribed and not facts.dispensed and path.has(ServicePointKind.PHARMACY):
        return Stop(ServicePointKind.PHARMACY, Why.MEDICINES)
    return None


def _must_pay_first(facts: Facts, path: Path) -> bool:
    pays = facts.coverage in path.pays_before_tests and path.has(ServicePointKind.CASHIER)
    return pays and any(not each.paid and not each.performed for each in facts.orders)


def _owes(facts: Facts, path: Path) -> bool:
    pays = facts.coverage in path.settles_at_end and path.has(ServicePointKind.CASHIER)
    tests = any(each.performed and not each.paid for each in facts.orders)
    return pays and (tests or (facts.prescribed and not facts.settled))


def _performable(facts: Facts, path: Path) -> list[Order]:
    """What can be performed now. An order without a station here is sent out: only its result is awaited."""
    unpaid = facts.coverage in path.pays_before_tests and path.has(ServicePointKind.CASHIER)
    return [
        each
        for each in facts.orders
        if not each.performed and path.has(STATION[each.category]) and (each.paid or not unpaid)
    ]


def _rooms(orders: Iterable[Order]) -> list[UUID]:
    return list(dict.fromkeys(each.room for each in orders if each.room is not None))
