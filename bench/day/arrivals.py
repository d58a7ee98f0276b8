"""How many people come to each facility, when, by which door, and what they will need. Pure, by one seed."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from telehealth.queueing.codes import PriorityClass
from telehealth.visits.codes import Category

_WEIGHT = {"hospital": 18.0, "centre": 10.0, "station": 2.0}
_USUAL_ROOMS = {"hospital": 18, "centre": 18, "station": 5}
_SURGE = ((0.62, 300, 450, 405), (0.23, 450, 630, 480), (0.15, 750, 915, 790))
_VILLAGE = ((0.40, 390, 480, 430), (0.40, 480, 640, 520), (0.20, 780, 915, 820))
_WORKING_MINUTES = 450 * 0.8
_DECLARED = (PriorityClass.PREGNANT, PriorityClass.DISABILITY, PriorityClass.MERIT, PriorityClass.UNDER_6)

SERVING: Mapping[str, tuple[float, float]] = {
    "registration": (2.2, 0.5),
    "clinic": (5.6, 0.7),
    "cashier": (1.8, 0.5),
    "sampling": (2.6, 0.5),
    "imaging": (6.0, 0.5),
    "results": (1.2, 0.4),
    "pharmacy": (1.9, 0.5),
}
"""Mean minutes of serving one person and the coefficient of variation."""


class Way(StrEnum):
    """How somebody comes in."""

    APPOINTMENT = "appointment"
    ROOM = "room"
    """A number of a room, from the kiosk."""
    DESK = "desk"
    WEB = "web"
    EMERGENCY = "emergency"


_WAYS = {
    "hospital": {Way.APPOINTMENT: 22, Way.ROOM: 22, Way.DESK: 46, Way.WEB: 9, Way.EMERGENCY: 1},
    "centre": {Way.APPOINTMENT: 18, Way.ROOM: 24, Way.DESK: 50, Way.WEB: 7, Way.EMERGENCY: 1},
    "station": {Way.APPOINTMENT: 10, Way.ROOM: 25, Way.DESK: 65},
}


@dataclass
class Person:
    """Somebody who comes today; the plan first, then what became of it.

    `minute` is the minute of the day at which they stand before the kiosk, `late` how much after their
    appointment. `slot` is set where they have one.
    """

    key: str
    way: Way
    minute: float
    priority: PriorityClass
    insured: bool
    tests: tuple[Category, ...]
    prescribed: bool
    second_room: bool
    comes: bool = True
    aged: bool = False
    patient: UUID | None = None
    appointment: UUID | None = None
    visit: UUID | None = None
    came: bool = False
    left: bool = False
    seen: int = 0
    orders: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Facility:
    """What the plan needs to know of a facility."""

    code: str
    kind: str
    rooms: int


def shares(facilities: Sequence[Facility], visits: int, seed: int) -> dict[str, int]:
    """Return how many people each facility has: by its kind and its rooms, and some luck."""
    dice = random.Random(f"{seed}:shares")
    weights = {
        each.code: _WEIGHT[each.kind]
        * math.sqrt(max(each.rooms, 1) / _USUAL_ROOMS[each.kind])
        * dice.lognormvariate(0, 0.2)
        for each in facilities
    }
    whole = sum(weights.values())
    return {code: max(6, round(visits * weight / whole)) for code, weight in weights.items()}


def day_of(facility: Facility, count: int, seed: int) -> list[Person]:
    """Return everybody who comes to a facility, by the minute."""
    dice = random.Random(f"{seed}:{facility.code}")
    people = [_person(f"{facility.code}-{number}", facility.kind, dice) for number in range(count)]
    return sorted(people, key=lambda each: each.minute)


def appointment_minute(start: float, dice: random.Random) -> float:
    """Return when somebody with an appointment comes: mostly early, one in nine more than a quarter late."""
    return max(300.0, start + dice.gauss(-14, 16))


def rooms_needed(facility: Facility, count: int) -> int:
    """Return how many rooms are staffed: enough for the day's work at four fifths of the time."""
    minutes = count * (6.5 if facility.kind == "station" else 8.6)
    return max(1, min(facility.rooms, math.ceil(minutes / _WORKING_MINUTES)))


def desks_needed(people: Sequence[Person]) -> dict[str, int]:
    """Return how many desks of each kind are staffed, by the rule of the rooms."""
    come = {
        "registration": sum(each.way in (Way.DESK, Way.WEB) for each in people),
        "cashier": sum(bool(each.tests) or not each.insured for each in people),
        "sampling": sum(Category.LABORATORY in each.tests for each in people),
        "imaging": sum(Category.IMAGING in each.tests for each in people),
        "results": sum(bool(each.tests) for each in people),
        "pharmacy": sum(each.prescribed for each in people),
    }
    return {kind: math.ceil(count * SERVING[kind][0] / _WORKING_MINUTES) for kind, count in come.items()}


def _person(key: str, kind: str, dice: random.Random) -> Person:
    ways = _WAYS[kind]
    way = dice.choices(list(ways), list(ways.values()))[0]
    aged = dice.random() < 0.07
    declared = dice.random() < 0.05
    tests: tuple[Category, ...] = ()
    if kind != "station" and dice.random() < 0.42:
        both = (Category.LABORATORY, Category.IMAGING)
        tests = dice.choices([both[:1], both[1:], both], [5, 3, 2])[0]
    return Person(
        key=key,
        way=way,
        minute=_minute(kind, way, dice),
        priority=dice.choice(_DECLARED) if declared else PriorityClass.NONE,
        insured=dice.random() < 0.8,
        tests=tests,
        prescribed=dice.random() < 0.82,
        second_room=kind != "station" and dice.random() < 0.03,
        comes=way is not Way.WEB or dice.random() < 0.75,
        aged=aged,
    )


def _minute(kind: str, way: Way, dice: random.Random) -> float:
    parts: Sequence[tuple[float, float, float, float]] = _VILLAGE if kind == "station" else _SURGE
    weights: Mapping[int, float] = {index: part[0] for index, part in enumerate(parts)}
    _, low, high, mode = parts[dice.choices(list(weights), list(weights.values()))[0]]
    if way is Way.WEB:
        return dice.triangular(425, 580, 460)
    return dice.triangular(low, high, mode)
