"""Calling: desks and rooms press, alone or together, and ask again when no answer comes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bench.day.arrivals import Person
from bench.day.floor import Floor, Part
from bench.day.lines import Lines
from bench.day.place import Point
from bench.day.product import Unanswered
from bench.day.rooms import Rooms
from bench.day.tellings import Tellings
from telehealth.core.errors import DomainError
from telehealth.queueing import services
from telehealth.queueing.errors import (
    QueueEmpty,
    QueueMerged,
    QueuePaused,
)
from telehealth.queueing.services import TicketState


class Consoles(Part):
    """The consoles of a facility."""

    def __init__(self, floor: Floor, lines: Lines, rooms: Rooms, tellings: Tellings) -> None:
        super().__init__(floor)
        self._lines = lines
        self._rooms = rooms
        self._tellings = tellings
        floor.press = self.next

    def next(self, point: Point) -> None:
        """Call the next, unless it is a break; with others idle at the same line they press together."""
        point.waking = False
        if point.busy or self._away(point):
            return
        if not self._floor.count(point.queue) and self._dice.random() > 0.05:
            return
        other = self._beside(point)
        if other is not None and self._floor.count(point.queue) > 1:
            self._press_together(point, other)
            return
        try:
            state = self._call(point)
        except DomainError as refusal:
            self._not_called(point, refusal)
            return
        self._called(point, state)

    def _away(self, point: Point) -> bool:
        """Whoever is not at work comes back later; while the line is dead no console answers."""
        minute = self._floor.minute()
        line = self._floor.script.line
        spans = [*point.breaks, *([(line.start, line.end)] if line else [])]
        until = next((end for start, end in spans if start <= minute < end), None)
        if minute < point.opens:
            until = point.opens
        if until is None:
            return False
        point.waking = True
        self._agenda.at(
            self._floor.instant(until) + timedelta(seconds=self._dice.uniform(1, 60)),
            self._floor.presses(point),
        )
        return True

    def _beside(self, point: Point) -> Point | None:
        if self._dice.random() > 0.3:
            return None
        idle = [
            each
            for each in self._floor.points
            if each is not point and each.queue == point.queue and not each.busy and self._at_work(each)
        ]
        return idle[0] if idle else None

    def _at_work(self, point: Point) -> bool:
        minute = self._floor.minute()
        return minute >= point.opens and not any(start <= minute < end for start, end in point.breaks)

    def _press_together(self, point: Point, other: Point) -> None:
        now = self._agenda.tick()
        answers = self._product.both("call-next", [self._calling(each, now) for each in (point, other)])
        for each, given in zip((point, other), answers, strict=True):
            answer = self._reload(each) if isinstance(given, Unanswered) else given
            if isinstance(answer, TicketState):
                self._called(each, answer)
            elif isinstance(answer, DomainError):
                self._not_called(each, answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                self._floor.wake(each.queue)

    def _call(self, point: Point) -> TicketState:
        """Press; without an answer the console is loaded again, which shows whom this point has called."""
        while True:
            try:
                return self._product.once("call-next", self._calling(point, self._agenda.tick()))
            except Unanswered:
                there = self._reload(point)
                if there is not None:
                    return there

    def _calling(self, point: Point, now: datetime) -> Callable[[Any], TicketState]:
        return lambda session: services.call_next(
            session,
            self._place.clerk,
            point.queue,
            now=now,
            cipher=self._product.cipher,
            outbox=self._product.outbox,
            service_point_id=point.id,
        )

    def _reload(self, point: Point) -> TicketState | None:
        line = self._tellings.line(point.queue)
        mine = [each for each in line.called if each.service_point_id == point.id]
        if not mine:
            return None
        self._account.happened["calls found by loading again"] += 1
        found = mine[-1]
        return TicketState(
            found.id,
            point.queue,
            found.number_text,
            "",
            found.status,
            found.version,
            found.call_count,
            None,
            None,
        )

    def _not_called(self, point: Point, refusal: DomainError) -> None:
        self._account.refused[refusal.code] += 1
        if isinstance(refusal, QueuePaused | QueueMerged):
            point.waking = True
            self._agenda.after(120, self._floor.presses(point))
        elif isinstance(refusal, QueueEmpty):
            self._lines.look_again(point.queue)
            if self._floor.count(point.queue):
                # Everybody in this line is with somebody else at the moment.
                point.waking = True
                self._agenda.after(60, self._floor.presses(point))
        else:
            raise refusal

    def _called(self, point: Point, state: TicketState) -> None:
        point.busy = True
        self._floor.calls[point.queue].append(self._agenda.now)
        person = self._floor.holders.get(state.id)
        waited = next(
            (each for each in self._floor.lines_of(point.queue) if state.id in self._floor.waiting[each]),
            None,
        )
        if person is None or waited is None:
            self._account.strangers += 1
            self._account.happened["stranger, unknown" if person is None else "stranger, not waiting"] += 1
            self._agenda.after(30, lambda: self._rooms.finish_stranger(point, state.id))
            return
        self._floor.waiting[waited].discard(state.id)
        self._tellings.refresh(point.queue)
        if self._dice.random() < 0.006:
            self._agenda.after(8, lambda: self._take_back(point, waited, state.id))
        elif person.left or self._dice.random() < 0.055:
            self._agenda.after(45, lambda: self._call_again(point, person, waited, state.id, 1))
        else:
            self._agenda.after(
                self._dice.uniform(8, 40), lambda: self._rooms.begin(point, person, waited, state.id)
            )

    def _take_back(self, point: Point, queue: UUID, ticket: UUID) -> None:
        """A wrong press: the same person is called again by the next one."""
        if self._floor.step("undo-call", ticket):
            self._account.happened["calls taken back"] += 1
            self._floor.calls[point.queue].pop()
            self._floor.waiting[queue].add(ticket)
        point.busy = False
        self.next(point)

    def _call_again(self, point: Point, person: Person, queue: UUID, ticket: UUID, times: int) -> None:
        if times <= 2:
            self._floor.step("recall", ticket)
            if not person.left and self._dice.random() < 0.45:
                self._agenda.after(15, lambda: self._rooms.begin(point, person, queue, ticket))
            else:
                self._agenda.after(40, lambda: self._call_again(point, person, queue, ticket, times + 1))
            return
        self._floor.step("skip", ticket)
        self._account.happened["missed"] += 1
        if not person.left and self._dice.random() < 0.75:
            self._agenda.after(
                self._dice.expovariate(1 / 900), lambda: self._lines.returns(person, queue, ticket)
            )
        else:
            person.left = True
            if person.visit is not None:
                self._account.left.add(person.visit)
        self._rooms.free(point)
