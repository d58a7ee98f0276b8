"""A facility as it is set up on the day: its queues, desks and rooms, and who works there."""

import random
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from telehealth.core.principal import Principal


@dataclass
class Point:
    """A desk or room with somebody at work in it."""

    id: UUID
    kind: str
    queue: UUID
    opens: float
    speed: float
    breaks: list[tuple[float, float]] = field(default_factory=list)
    busy: bool = False
    waking: bool = False


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue as it was set up."""

    id: UUID
    kind: str
    code: str
    minutes: int
    points: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A facility with its machine, its people, its queues; `spare` are rooms where nobody works today."""

    id: UUID
    code: str
    level: str
    day: date
    kiosk: Principal
    clerk: Principal
    system: Principal
    queues: tuple[QueueInfo, ...]
    rooms: tuple[UUID, ...]
    """Queues of the rooms that are staffed."""
    spare: tuple[UUID, ...]


def staff_of(place: Place, dice: random.Random) -> list[Point]:
    """Return every desk and room where somebody works today, each at its own speed and with its breaks."""
    return [
        _point(point, info, dice)
        for info in place.queues
        if info.kind != "clinic" or info.id in place.rooms
        for point in info.points
    ]


def _point(point: UUID, info: QueueInfo, dice: random.Random) -> Point:
    opens = 420 + max(0.0, dice.gauss(6, 7)) if info.kind == "clinic" else 405 + dice.uniform(0, 15)
    breaks = []
    if dice.random() < 0.35:
        start = dice.uniform(550, 640)
        breaks.append((start, start + dice.uniform(8, 20)))
    lunch = 690 + dice.uniform(0, 25)
    breaks.append((lunch, 780 + dice.uniform(0, 8)))
    return Point(point, info.kind, info.id, opens, dice.lognormvariate(0, 0.22), breaks)
