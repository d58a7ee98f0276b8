"""What the parts of a facility's day share: its state, its clock, its dice, and steps of the product."""

import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from bench.day.account import Account
from bench.day.agenda import Agenda
from bench.day.arrivals import Person
from bench.day.outages import Script
from bench.day.place import Place, Point, QueueInfo, staff_of
from bench.day.product import Product, Unanswered
from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError
from telehealth.queueing import services
from telehealth.queueing.services import TicketState, arranging

Found = TypeVar("Found")


def known(found: Found | None) -> Found:
    """Return what the day's plan says is there."""
    if found is None:
        msg = "the day's plan is not in order"
        raise AssertionError(msg)
    return found


class Floor:
    """A facility's state during the day. `press` is what somebody at a desk or room does next."""

    press: Callable[[Point], None]

    def __init__(
        self, place: Place, people: Iterable[Person], product: Product, script: Script, seed: str
    ) -> None:
        self.place, self.product, self.script = place, product, script
        self.account = Account()
        self.agenda = Agenda(self.instant(290))
        self.dice = random.Random(f"{seed}:{place.code}:day")
        self.people = list(people)
        self.queues = {each.id: each for each in place.queues}
        self.by_kind: dict[str, list[QueueInfo]] = defaultdict(list)
        for each in place.queues:
            self.by_kind[each.kind].append(each)
        self.holders: dict[UUID, Person] = {}
        self.waiting: dict[UUID, set[UUID]] = defaultdict(set)
        self.merged: dict[UUID, UUID] = {}
        self.calls: dict[UUID, deque[datetime]] = defaultdict(lambda: deque(maxlen=13))
        self.points = staff_of(place, self.dice)

    def lines_of(self, queue: UUID) -> list[UUID]:
        """Return a queue and those merged into it."""
        return [queue, *(source for source, into in self.merged.items() if into == queue)]

    def count(self, queue: UUID) -> int:
        """Return how many wait to be called from a queue."""
        return sum(len(self.waiting[each]) for each in self.lines_of(queue))

    def wake(self, queue: UUID) -> None:
        """Let somebody who has nothing to do at a queue soon press."""
        queue = self.merged.get(queue, queue)
        for point in self.points:
            if point.queue == queue and not point.busy and not point.waking:
                point.waking = True
                self.agenda.after(self.dice.uniform(3, 20), self.presses(point))
                return

    def presses(self, point: Point) -> Callable[[], None]:
        """Return what a point does when its time comes."""
        return lambda: self.press(point)

    def step(self, name: str, ticket: UUID) -> bool:
        """Take a step; where it had been done already, its answer was lost."""
        now = self.agenda.tick()

        def take(session: Any) -> TicketState:
            return services.take(session, self.place.clerk, ticket, name, now=now, cipher=self.product.cipher)

        try:
            self.product.once(name, take)
        except Unanswered:
            try:
                self.product.until_answered(name, take)
                self.product.troubles["repeated"] += 1
            except DomainError:
                self.account.happened["found done by loading again"] += 1
        return True

    def quietly(self, name: str, work: Callable[[Any], object]) -> bool:
        """Do it, the same press, until answered; tell whether it was not refused."""
        try:
            self.product.until_answered(name, work)
        except DomainError as refusal:
            self.account.refused[refusal.code] += 1
            return False
        return True

    def set_room(self, queue: UUID, point: UUID, *, is_open: bool) -> bool:
        """Open or close a desk or room for a queue."""
        now = self.agenda.tick()
        return self.quietly(
            "set-room",
            lambda session: arranging.set_room(
                session, self.place.clerk, queue, point, is_open=is_open, now=now
            ),
        )

    def instant(self, minute: float) -> datetime:
        """Return the instant of a minute of the day."""
        return at_local(self.place.day, 0) + timedelta(minutes=minute)

    def minute(self) -> float:
        """Return the minute of the day."""
        return (self.agenda.now - at_local(self.place.day, 0)).total_seconds() / 60

    def line_is_dead(self) -> bool:
        """Tell whether nothing here reaches the centre."""
        return self.script.line is not None and self.script.line.holds(self.minute())

    def line_is_back(self) -> datetime:
        """Return when it does again."""
        end = self.script.line.end if self.script.line else self.minute()
        return self.instant(end) + timedelta(seconds=self.dice.uniform(1, 40))

    def lognormal(self, mean: float, variation: float) -> float:
        """Return a length of time with this mean and coefficient of variation."""
        spread = math.log(1 + variation * variation)
        return self.dice.lognormvariate(math.log(mean) - spread / 2, math.sqrt(spread))


class Part:
    """A part of the day, with what it shares with the others by short names."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._place, self._product, self._agenda = floor.place, floor.product, floor.agenda
        self._account, self._dice = floor.account, floor.dice
