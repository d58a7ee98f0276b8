"""Serving: what is done with a person, and what the hospital's system says of it."""

from typing import Any
from uuid import UUID

from bench.day.arrivals import SERVING, Person
from bench.day.floor import Floor, Part
from bench.day.lines import Lines
from bench.day.place import Point
from telehealth.visits import services as visits
from telehealth.visits.codes import Category, EventKind
from telehealth.visits.services import NewEvent, OrderRef

_READING = (3.0, 0.6)
_RESULT_MINUTES = {Category.LABORATORY: (38.0, 0.4), Category.IMAGING: (14.0, 0.4)}
_ORDERS = "urn:bench:order"


class Rooms(Part):
    """Desks and rooms at work."""

    def __init__(self, floor: Floor, lines: Lines) -> None:
        super().__init__(floor)
        self._lines = lines
        self._orders = 0

    def begin(self, point: Point, person: Person, queue: UUID, ticket: UUID) -> None:
        """Somebody has come to a desk or into a room."""
        kind = self._floor.queues[queue].kind
        if kind == "clinic" and person.seen == 0 and self._dice.random() < 0.008:
            self._floor.step("park", ticket)
            self._account.happened["put aside"] += 1
            self._agenda.after(
                self._dice.uniform(240, 800), lambda: self._lines.returns(person, queue, ticket)
            )
            self.free(point)
            return
        if kind == "clinic" or self._dice.random() < 0.3:
            self._floor.step("start", ticket)
        mean, variation = _READING if kind == "clinic" and person.seen else SERVING[kind]
        minutes = self._floor.lognormal(mean * point.speed, variation)
        self._agenda.after(minutes * 60, lambda: self._finish(point, person, queue, ticket))

    def _finish(self, point: Point, person: Person, queue: UUID, ticket: UUID) -> None:
        if self._floor.line_is_dead():
            self._agenda.at(self._floor.line_is_back(), lambda: self._finish(point, person, queue, ticket))
            return
        kind = self._floor.queues[queue].kind
        if kind == "clinic":
            self._leave_room(person, queue, ticket)
        elif kind == "registration":
            self._lines.move(person, self._room_for(person))
        else:
            self._floor.step("done", ticket)
            self._performed(person, kind)
        self._lines.locate(person)
        self.free(point)

    def _room_for(self, person: Person) -> UUID:
        return min(self._place.rooms, key=lambda each: (self._floor.count(each), self._dice.random()))

    def _leave_room(self, person: Person, queue: UUID, ticket: UUID) -> None:
        person.seen += 1
        if person.second_room and len(self._place.rooms) > 1:
            person.second_room = False
            others = [each for each in self._place.rooms if each != queue]
            self._account.happened["sent to another room"] += 1
            self._lines.move(person, self._dice.choice(others))
            return
        if person.tests and not person.orders:
            self._order_tests(person)
            return
        if person.prescribed:
            self._say(person, EventKind.PRESCRIBED)
        self._floor.step("done", ticket)

    def _order_tests(self, person: Person) -> None:
        refs = []
        for category in person.tests:
            self._orders += 1
            name = f"{self._place.code}-{self._place.day}-{self._orders}"
            refs.append(OrderRef(_ORDERS, name, category))
            person.orders.append(name)
        self._account.happened["tests"] += len(refs)
        self._say(person, EventKind.TESTS_ORDERED, tuple(refs))

    def _performed(self, person: Person, kind: str) -> None:
        station = {"sampling": Category.LABORATORY, "imaging": Category.IMAGING}.get(kind)
        for name, category in zip(person.orders, person.tests, strict=False):
            if category is station:
                minutes = self._floor.lognormal(*_RESULT_MINUTES[category])
                self._agenda.after(minutes * 60, lambda name=name: self._result(person, name))  # type: ignore[misc]

    def _result(self, person: Person, name: str) -> None:
        self._say(person, EventKind.RESULT_READY, (OrderRef(_ORDERS, name),))
        self._lines.locate(person)

    def _say(self, person: Person, kind: EventKind, orders: tuple[OrderRef, ...] = ()) -> None:
        """The hospital's system tells, again until it is answered, now and then once more for nothing."""
        code = self._product.read("SELECT code FROM visit WHERE id = %s", person.visit)[0][0]
        event_id = (
            f"{self._place.day}:{person.key}:{person.seen}:{kind}:{'+'.join(each.value for each in orders)}"
        )
        now = self._agenda.tick()
        event = NewEvent("bench", event_id, kind, now, code=code, day=self._place.day, orders=orders)

        def tell(session: Any) -> visits.Answer:
            return visits.receive(
                session, self._place.system, self._place.id, event, now=now, cipher=self._product.cipher
            )

        answers = [self._product.until_answered("visit-event", tell)]
        if self._dice.random() < 0.03:
            answers.append(self._product.until_answered("visit-event", tell))
        if len({(each.id, each.state) for each in answers}) > 1:
            self._account.changed_answers += 1
        self._account.told_events.add(event_id)

    def finish_stranger(self, point: Point, ticket: UUID) -> None:
        """Be done with somebody whom nobody here knows."""
        self._floor.step("done", ticket)
        self.free(point)

    def free(self, point: Point) -> None:
        """Somebody at a desk or in a room has time for the next."""
        point.busy = False
        if not point.waking:
            point.waking = True
            self._agenda.after(self._dice.uniform(2, 15), self._floor.presses(point))
