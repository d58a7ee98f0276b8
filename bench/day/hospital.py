"""One facility's day: people come and go, staff call them; the product says who is next, and where to."""

import contextlib
import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from bench.day.agenda import Agenda
from bench.day.arrivals import Person, Way
from bench.day.estimates import Told, plain_range
from bench.day.outages import Script
from bench.day.product import Product, Unanswered
from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError, PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.queueing import queries, services
from telehealth.queueing.codes import PauseReason, PrintStatus, PriorityClass, Purpose, StaffCallKind
from telehealth.queueing.errors import (
    LastRoom,
    QueueClosed,
    QueueEmpty,
    QueueFull,
    QueueMerged,
    QueuePaused,
    ReturnTooLate,
    TicketMovedOn,
    WebNumberLapsed,
    WebNumbersGone,
)
from telehealth.queueing.services import TicketState, TicketView, arranging
from telehealth.visits import services as visits
from telehealth.visits.codes import Category, EventKind
from telehealth.visits.errors import VisitOver
from telehealth.visits.services import NewEvent, OrderRef

_MINUTES = {
    "registration": (2.2, 0.5),
    "clinic": (5.6, 0.7),
    "cashier": (1.8, 0.5),
    "sampling": (2.6, 0.5),
    "imaging": (6.0, 0.5),
    "results": (1.2, 0.4),
    "pharmacy": (1.9, 0.5),
}
"""Mean minutes of serving one person and the coefficient of variation."""
_READING = (3.0, 0.6)
_RESULT_MINUTES = {Category.LABORATORY: (38.0, 0.4), Category.IMAGING: (14.0, 0.4)}
_TELLING = 3  # one in so many numbers that were handed on is asked what its holder would read
_ORDERS = "urn:bench:order"


Found = TypeVar("Found")


def _known(found: Found | None) -> Found:
    """Return what the day's plan says is there."""
    if found is None:
        msg = "the day's plan is not in order"
        raise AssertionError(msg)
    return found


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


@dataclass
class Account:
    """What happened, as those who were there know it."""

    presses: dict[str, UUID] = field(default_factory=dict)
    """Each press with the number it got."""
    tokens: dict[UUID, str] = field(default_factory=dict)
    changed_answers: int = 0
    strangers: int = 0
    not_the_same_again: int = 0
    tellings: list[Told] = field(default_factory=list)
    told_events: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    happened: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: set[UUID] = field(default_factory=set)
    through: set[UUID] = field(default_factory=set)
    waiting_at_the_end: int = 0


class Hospital:
    """Plays one day at one facility by `run`."""

    def __init__(
        self, place: Place, people: Iterable[Person], product: Product, script: Script, seed: str
    ) -> None:
        self.place, self.product, self.script = place, product, script
        self.account = Account()
        self.agenda = Agenda(self._instant(290))
        self._dice = random.Random(f"{seed}:{place.code}:day")
        self._people = list(people)
        self._queues = {each.id: each for each in place.queues}
        self._by_kind: dict[str, list[QueueInfo]] = defaultdict(list)
        for each in place.queues:
            self._by_kind[each.kind].append(each)
        self._holders: dict[UUID, Person] = {}
        self._waiting: dict[UUID, set[UUID]] = defaultdict(set)
        self._merged: dict[UUID, UUID] = {}
        self._calls: dict[UUID, deque[datetime]] = defaultdict(lambda: deque(maxlen=13))
        self._counted: dict[UUID, int] = defaultdict(int)
        self._points = self._staff()
        self._orders = 0
        self._handed_on = 0

    def run(self) -> Account:
        """Play from five in the morning until the last has gone; return what happened."""
        for person in self._people:
            self._plan(person)
        for point in self._points:
            self.agenda.at(self._instant(point.opens), self._presses(point))
        self._plan_changes()
        self.agenda.run(self._instant(21 * 60))
        self.account.waiting_at_the_end = sum(len(waiting) for waiting in self._waiting.values())
        return self.account

    # --- who comes ---------------------------------------------------------------------------------------

    def _plan(self, person: Person) -> None:
        if person.way is Way.WEB:
            at = self._dice.uniform(300, 420)
            self.agenda.at(self._instant(at), lambda: self._take_from_web(person))
        elif person.way is Way.EMERGENCY:
            self.agenda.at(self._instant(person.minute), self._emergency)
        else:
            self.agenda.at(self._instant(person.minute), lambda: self._at_the_kiosk(person))

    def _at_the_kiosk(self, person: Person) -> None:
        """Press; while the line is dead the press waits in the machine and goes out once it is back."""
        if self._line_is_dead():
            self.account.happened["presses that came late"] += 1
            self.agenda.at(self._line_is_back(), lambda: self._press(person))
        else:
            self._press(person)

    def _press(self, person: Person) -> None:
        kind = {Way.APPOINTMENT: self._check_in, Way.ROOM: self._room_number}.get(
            person.way, self._desk_number
        )
        try:
            self._given(person, kind(person))
        except (QueueFull, QueueClosed) as refusal:
            self.account.refused[refusal.code] += 1

    def _check_in(self, person: Person) -> TicketView:
        if person.appointment is None:
            return self._room_number(person)
        appointment = person.appointment
        return self._ticket(
            person,
            "check-in",
            lambda session, key, now: services.check_in(
                session,
                self.place.kiosk,
                appointment,
                press_key=key,
                now=now,
                cipher=self.product.cipher,
                priority=person.priority,
            ),
        )

    def _room_number(self, person: Person) -> TicketView:
        return self._walk_in(person, min(self.place.rooms, key=lambda each: len(self._waiting[each])))

    def _desk_number(self, person: Person) -> TicketView:
        return self._walk_in(person, self._by_kind["registration"][0].id)

    def _walk_in(self, person: Person, queue: UUID) -> TicketView:
        purpose = Purpose.INSURED if person.insured else Purpose.SELF_PAY
        return self._ticket(
            person,
            "take-number",
            lambda session, key, now: services.take_number(
                session,
                self.place.kiosk,
                queue,
                priority=person.priority,
                press_key=key,
                now=now,
                cipher=self.product.cipher,
                purpose=purpose,
                patient_id=person.patient,
            ),
        )

    def _ticket(
        self, person: Person, name: str, work: Callable[[Any, str, datetime], TicketView]
    ) -> TicketView:
        """Press until there is an answer, now and then twice at once; all answers must be one."""
        key, now = f"{self.place.day}:{person.key}:{person.way}", self.agenda.tick()

        def press(session: Any) -> TicketView:
            return work(session, key, now)

        twice = self._dice.random() < 0.02
        given = [self.product.until_answered(name, press)]
        if twice:
            given += [
                each for each in self.product.both(name, [press, press]) if isinstance(each, TicketView)
            ]
        if len({each.id for each in given}) > 1:
            self.account.changed_answers += 1
        self._note_press(key, given[0])
        self._print(given[0])
        return given[0]

    def _note_press(self, key: str, given: TicketView) -> None:
        before = self.account.presses.setdefault(key, given.id)
        if before != given.id:
            self.account.changed_answers += 1

    def _print(self, ticket: TicketView) -> None:
        printer = self.script.printer
        if printer is None or not printer.holds(self._minute()):
            return
        if not self.account.happened["printer dead"]:
            self.product.until_answered("call-staff", self._calls_staff(StaffCallKind.PRINTER))
        self.account.happened["printer dead"] += 1
        self.product.until_answered(
            "note-print", lambda session: services.note_print(session, ticket.id, PrintStatus.FAILED)
        )

    def _given(self, person: Person, ticket: TicketView) -> None:
        """Somebody holds a number: they wait, and have been told how long."""
        person.came = True
        if person.visit is None:
            person.visit = self._visit_of(ticket.id)
        self._joined(person, ticket.id, ticket.queue.id)
        if ticket.wait_range is not None and ticket.people_ahead is not None:
            self._tell(ticket, ticket.people_ahead, ticket.wait_range.low, ticket.wait_range.high)

    def _tell(self, ticket: TicketView, ahead: int, low: int, high: int) -> None:
        lane = "priority" if ticket.priority is not PriorityClass.NONE else "walk-in"
        lane = "appointment" if lane == "walk-in" and ticket.appointment_start else lane
        self._record(ticket.id, ticket.queue.id, lane, ahead, (low, high), first=True)

    def _record(
        self, ticket: UUID, queue: UUID, lane: str, ahead: int, shown: tuple[int, int], *, first: bool
    ) -> None:
        info = self._queues[self._merged.get(queue, queue)]
        points = max(1, sum(point.queue == info.id for point in self._points))
        self.account.tellings.append(
            Told(
                ticket,
                self.agenda.now,
                self._minute(),
                self.place.level,
                info.kind,
                lane,
                first,
                ahead,
                *shown,
                plain_range(ahead, self._calls[info.id], info.minutes, points),
                ahead * info.minutes / points,
            )
        )

    def _take_from_web(self, person: Person) -> None:
        patient = _known(person.patient)
        now = self.agenda.tick()
        try:
            ticket = self.product.until_answered(
                "web-number",
                lambda session: services.take_web_number(
                    session,
                    self.place.clerk,
                    self._by_kind["registration"][0].id,
                    patient,
                    now=now,
                    cipher=self.product.cipher,
                ),
            )
        except WebNumbersGone as refusal:
            self.account.refused[refusal.code] += 1
            person.way = Way.DESK
            self.agenda.at(self._instant(person.minute), lambda: self._at_the_kiosk(person))
            return
        self.account.presses[f"web:{patient}"] = ticket.id
        self._holders[ticket.id] = person
        person.visit = self._visit_of(ticket.id)
        if person.comes:
            self.agenda.at(self._instant(person.minute), lambda: self._arrives(person, ticket))
        else:
            self.account.happened["web numbers nobody came with"] += 1
            self.account.left.add(person.visit)

    def _arrives(self, person: Person, ticket: TicketView) -> None:
        now = self.agenda.tick()
        try:
            view = self.product.until_answered(
                "arrive",
                lambda session: services.arrive_by_slip(
                    session,
                    self.place.kiosk,
                    ticket.public_token,
                    self.place.id,
                    now=now,
                    cipher=self.product.cipher,
                ),
            )
        except WebNumberLapsed as refusal:
            self.account.refused[refusal.code] += 1
            person.way, person.visit = Way.DESK, None
            self._at_the_kiosk(person)
            return
        self._given(person, _known(view))

    def _emergency(self) -> None:
        """No number: staff are called and come."""
        self.account.happened["emergencies"] += 1
        call = self.product.until_answered("call-staff", self._calls_staff(StaffCallKind.EMERGENCY))

        def answer() -> None:
            now = self.agenda.tick()
            self.product.until_answered(
                "answer-staff-call",
                lambda session: services.answer_staff_call(session, self.place.clerk, call, now=now),
            )

        self.agenda.after(self._dice.uniform(15, 90), answer)

    def _calls_staff(self, kind: StaffCallKind) -> Callable[[Any], UUID]:
        now = self.agenda.tick()
        return lambda session: services.call_staff(session, self.place.kiosk, self.place.id, kind, now=now)

    # --- who stands where --------------------------------------------------------------------------------

    def _visit_of(self, ticket: UUID) -> UUID:
        return UUID(str(self.product.read("SELECT visit_id FROM ticket WHERE id = %s", ticket)[0][0]))

    def _joined(self, person: Person, ticket: UUID, queue: UUID) -> None:
        self._holders[ticket] = person
        self._waiting[queue].add(ticket)
        self._wake(queue)
        if self._dice.random() < 0.006:
            self.agenda.after(self._dice.uniform(60, 900), lambda: self._grant(ticket, queue))

    def _grant(self, ticket: UUID, queue: UUID) -> None:
        if ticket not in self._waiting[queue]:
            return
        now = self.agenda.tick()
        self._quietly(
            "grant-priority",
            lambda session: services.grant_priority(
                session, self.place.clerk, ticket, PriorityClass.DISABILITY, now=now
            ),
        )

    def _locate(self, person: Person) -> None:
        """Read from the slip where somebody stands now; one who is through goes home."""
        rows = self.product.read(
            """SELECT t.id, t.queue_id, v.ended_at IS NOT NULL, t.priority_class FROM visit v
                 LEFT JOIN ticket t ON t.visit_id = v.id AND t.status = 'waiting'
                WHERE v.id = %s""",
            person.visit,
        )
        for ticket, queue, ended, priority in rows:
            if ticket is not None and ticket not in self._waiting[queue]:
                self._joined(person, ticket, queue)
                self._handed_on += 1
                if self._handed_on % _TELLING == 0:
                    self._ask(ticket, queue, "walk-in" if priority == "none" else "priority")
            elif ended and person.visit is not None:
                self.account.through.add(person.visit)

    def _ask(self, ticket: UUID, queue: UUID, lane: str) -> None:
        """Look at the page behind a slip."""
        line = self._line(self._merged.get(queue, queue))
        ahead = line.place_of(ticket, self.agenda.now)
        if ahead is not None:
            shown = line.wait(ahead, self.agenda.now)
            self._record(ticket, queue, lane, ahead, (shown.low, shown.high), first=True)

    def _line(self, queue: UUID) -> queries.Line:
        def look(session: Any) -> queries.Line:
            view = _known(queries.queue_by_id(session, queue))
            return queries.line(session, view, self.place.day, self.agenda.now)

        return self.product.until_answered("read-line", look)

    def _lines_of(self, queue: UUID) -> list[UUID]:
        return [queue, *(source for source, into in self._merged.items() if into == queue)]

    def _count(self, queue: UUID) -> int:
        return sum(len(self._waiting[each]) for each in self._lines_of(queue))

    def _wake(self, queue: UUID) -> None:
        queue = self._merged.get(queue, queue)
        for point in self._points:
            if point.queue == queue and not point.busy and not point.waking:
                point.waking = True
                self.agenda.after(self._dice.uniform(3, 20), self._presses(point))
                return

    # --- calling -----------------------------------------------------------------------------------------

    def _presses(self, point: Point) -> Callable[[], None]:
        return lambda: self._next(point)

    def _next(self, point: Point) -> None:
        """Call the next, unless it is a break; with others idle at the same line they press together."""
        point.waking = False
        if point.busy or self._away(point):
            return
        if not self._count(point.queue) and self._dice.random() > 0.05:
            return
        other = self._beside(point)
        if other is not None and self._count(point.queue) > 1:
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
        minute = self._minute()
        line = self.script.line
        spans = [*point.breaks, *([(line.start, line.end)] if line else [])]
        until = next((end for start, end in spans if start <= minute < end), None)
        if minute < point.opens:
            until = point.opens
        if until is None:
            return False
        point.waking = True
        self.agenda.at(
            self._instant(until) + timedelta(seconds=self._dice.uniform(1, 60)), self._presses(point)
        )
        return True

    def _beside(self, point: Point) -> Point | None:
        if self._dice.random() > 0.3:
            return None
        idle = [
            each
            for each in self._points
            if each is not point and each.queue == point.queue and not each.busy and self._at_work(each)
        ]
        return idle[0] if idle else None

    def _at_work(self, point: Point) -> bool:
        minute = self._minute()
        return minute >= point.opens and not any(start <= minute < end for start, end in point.breaks)

    def _press_together(self, point: Point, other: Point) -> None:
        now = self.agenda.tick()
        answers = self.product.both("call-next", [self._calling(each, now) for each in (point, other)])
        for each, given in zip((point, other), answers, strict=True):
            answer = self._reload(each) if isinstance(given, Unanswered) else given
            if isinstance(answer, TicketState):
                self._called(each, answer)
            elif isinstance(answer, DomainError):
                self._not_called(each, answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                self._wake(each.queue)

    def _call(self, point: Point) -> TicketState:
        """Press; without an answer the console is loaded again, which shows whom this point has called."""
        while True:
            try:
                return self.product.once("call-next", self._calling(point, self.agenda.tick()))
            except Unanswered:
                there = self._reload(point)
                if there is not None:
                    return there

    def _calling(self, point: Point, now: datetime) -> Callable[[Any], TicketState]:
        return lambda session: services.call_next(
            session,
            self.place.clerk,
            point.queue,
            now=now,
            cipher=self.product.cipher,
            outbox=self.product.outbox,
            service_point_id=point.id,
        )

    def _reload(self, point: Point) -> TicketState | None:
        line = self._line(point.queue)
        mine = [each for each in line.called if each.service_point_id == point.id]
        if not mine:
            return None
        self.account.happened["calls found by loading again"] += 1
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
        self.account.refused[refusal.code] += 1
        if isinstance(refusal, QueuePaused | QueueMerged):
            point.waking = True
            self.agenda.after(120, self._presses(point))
        elif isinstance(refusal, QueueEmpty):
            self._look_again(point.queue)
            if self._count(point.queue):
                # Everybody in this line is with somebody else at the moment.
                point.waking = True
                self.agenda.after(60, self._presses(point))
        else:
            raise refusal

    def _look_again(self, queue: UUID) -> None:
        """Forget those whom the path took out of this line meanwhile."""
        for each in self._lines_of(queue):
            held = self.product.read(
                "SELECT id FROM ticket WHERE id = ANY(%s) AND status = 'waiting'", list(self._waiting[each])
            )
            gone = self._waiting[each] - {row[0] for row in held}
            self.account.happened["gone from a line early"] += len(gone)
            self._waiting[each] -= gone

    def _called(self, point: Point, state: TicketState) -> None:
        point.busy = True
        self._calls[point.queue].append(self.agenda.now)
        person = self._holders.get(state.id)
        waited = next((each for each in self._lines_of(point.queue) if state.id in self._waiting[each]), None)
        if person is None or waited is None:
            self.account.strangers += 1
            self.agenda.after(30, lambda: self._finish_stranger(point, state.id))
            return
        self._waiting[waited].discard(state.id)
        self._refresh(point.queue)
        if self._dice.random() < 0.006:
            self.agenda.after(8, lambda: self._take_back(point, waited, state.id))
        elif person.left or self._dice.random() < 0.055:
            self.agenda.after(45, lambda: self._call_again(point, person, waited, state.id, 1))
        else:
            self.agenda.after(self._dice.uniform(8, 40), lambda: self._begin(point, person, waited, state.id))

    def _refresh(self, queue: UUID) -> None:
        """At every fifth call those who wait look at their pages."""
        self._counted[queue] += 1
        if self._counted[queue] % 5:
            return
        line = self._line(queue)
        for each in line.waiting[::3]:
            shown = line.wait(each.place or 0, self.agenda.now)
            lane = "walk-in" if each.priority is PriorityClass.NONE else "priority"
            self._record(each.id, queue, lane, each.place or 0, (shown.low, shown.high), first=False)

    def _take_back(self, point: Point, queue: UUID, ticket: UUID) -> None:
        """A wrong press: the same person is called again by the next one."""
        if self._step("undo-call", ticket):
            self.account.happened["calls taken back"] += 1
            self._calls[point.queue].pop()
            self._waiting[queue].add(ticket)
        point.busy = False
        self._next(point)

    def _call_again(self, point: Point, person: Person, queue: UUID, ticket: UUID, times: int) -> None:
        if times <= 2:
            self._step("recall", ticket)
            if not person.left and self._dice.random() < 0.45:
                self.agenda.after(15, lambda: self._begin(point, person, queue, ticket))
            else:
                self.agenda.after(40, lambda: self._call_again(point, person, queue, ticket, times + 1))
            return
        self._step("skip", ticket)
        self.account.happened["missed"] += 1
        if not person.left and self._dice.random() < 0.75:
            self.agenda.after(self._dice.expovariate(1 / 900), lambda: self._returns(person, queue, ticket))
        else:
            person.left = True
            if person.visit is not None:
                self.account.left.add(person.visit)
        self._free(point)

    def _returns(self, person: Person, queue: UUID, ticket: UUID) -> None:
        now = self.agenda.tick()
        try:
            self.product.until_answered(
                "return", lambda session: services.come_back(session, self.place.clerk, ticket, now=now)
            )
            self.account.happened["came back in time"] += 1
        except ReturnTooLate:
            self.account.happened["came back too late"] += 1
            self._move(person, queue)
            return
        except TicketMovedOn:
            pass  # the answer to the press before was lost: they are in line
        self._joined(person, ticket, queue)

    # --- serving -----------------------------------------------------------------------------------------

    def _begin(self, point: Point, person: Person, queue: UUID, ticket: UUID) -> None:
        kind = self._queues[queue].kind
        if kind == "clinic" and person.seen == 0 and self._dice.random() < 0.008:
            self._step("park", ticket)
            self.account.happened["put aside"] += 1
            self.agenda.after(self._dice.uniform(240, 800), lambda: self._returns(person, queue, ticket))
            self._free(point)
            return
        if kind == "clinic" or self._dice.random() < 0.3:
            self._step("start", ticket)
        mean, variation = _READING if kind == "clinic" and person.seen else _MINUTES[kind]
        minutes = self._lognormal(mean * point.speed, variation)
        self.agenda.after(minutes * 60, lambda: self._finish(point, person, queue, ticket))

    def _finish(self, point: Point, person: Person, queue: UUID, ticket: UUID) -> None:
        if self._line_is_dead():
            self.agenda.at(self._line_is_back(), lambda: self._finish(point, person, queue, ticket))
            return
        kind = self._queues[queue].kind
        if kind == "clinic":
            self._leave_room(person, queue, ticket)
        elif kind == "registration":
            self._move(person, self._room_for(person))
        else:
            self._step("done", ticket)
            self._performed(person, kind)
        self._locate(person)
        self._free(point)

    def _room_for(self, person: Person) -> UUID:
        return min(self.place.rooms, key=lambda each: (self._count(each), self._dice.random()))

    def _leave_room(self, person: Person, queue: UUID, ticket: UUID) -> None:
        person.seen += 1
        if person.second_room and len(self.place.rooms) > 1:
            person.second_room = False
            others = [each for each in self.place.rooms if each != queue]
            self.account.happened["sent to another room"] += 1
            self._move(person, self._dice.choice(others))
            return
        if person.tests and not person.orders:
            self._order_tests(person)
            return
        if person.prescribed:
            self._say(person, EventKind.PRESCRIBED)
        self._step("done", ticket)

    def _order_tests(self, person: Person) -> None:
        refs = []
        for category in person.tests:
            self._orders += 1
            name = f"{self.place.code}-{self.place.day}-{self._orders}"
            refs.append(OrderRef(_ORDERS, name, category))
            person.orders.append(name)
        self.account.happened["tests"] += len(refs)
        self._say(person, EventKind.TESTS_ORDERED, tuple(refs))

    def _performed(self, person: Person, kind: str) -> None:
        station = {"sampling": Category.LABORATORY, "imaging": Category.IMAGING}.get(kind)
        for name, category in zip(person.orders, person.tests, strict=False):
            if category is station:
                minutes = self._lognormal(*_RESULT_MINUTES[category])
                self.agenda.after(minutes * 60, lambda name=name: self._result(person, name))  # type: ignore[misc]

    def _result(self, person: Person, name: str) -> None:
        self._say(person, EventKind.RESULT_READY, (OrderRef(_ORDERS, name),))
        self._locate(person)

    def _say(self, person: Person, kind: EventKind, orders: tuple[OrderRef, ...] = ()) -> None:
        """The hospital's system tells, again until it is answered, now and then once more for nothing."""
        code = self.product.read("SELECT code FROM visit WHERE id = %s", person.visit)[0][0]
        event_id = (
            f"{self.place.day}:{person.key}:{person.seen}:{kind}:{'+'.join(each.value for each in orders)}"
        )
        now = self.agenda.tick()
        event = NewEvent("bench", event_id, kind, now, code=code, day=self.place.day, orders=orders)

        def tell(session: Any) -> visits.Answer:
            return visits.receive(
                session, self.place.system, self.place.id, event, now=now, cipher=self.product.cipher
            )

        answers = [self.product.until_answered("visit-event", tell)]
        if self._dice.random() < 0.03:
            answers.append(self.product.until_answered("visit-event", tell))
        if len({(each.id, each.state) for each in answers}) > 1:
            self.account.changed_answers += 1
        self.account.told_events.add(event_id)

    def _move(self, person: Person, queue: UUID) -> None:
        """Send somebody to another line by hand, by the version of the visit that the page showed."""
        now = self.agenda.tick()
        version = self.product.read("SELECT version FROM visit WHERE id = %s", person.visit)[0][0]
        visit = _known(person.visit)
        try:
            self.product.until_answered(
                "move-visit",
                lambda session: visits.move(
                    session,
                    self.place.clerk,
                    visit,
                    queue,
                    now=now,
                    cipher=self.product.cipher,
                    version=version,
                ),
            )
        except PreconditionFailed:
            self.account.happened["found done by loading again"] += 1
        except VisitOver as refusal:
            self.account.refused[refusal.code] += 1
        self._locate(person)

    def _step(self, name: str, ticket: UUID) -> bool:
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

    def _quietly(self, name: str, work: Callable[[Any], object]) -> bool:
        try:
            self.product.until_answered(name, work)
        except DomainError as refusal:
            self.account.refused[refusal.code] += 1
            return False
        return True

    def _finish_stranger(self, point: Point, ticket: UUID) -> None:
        self._step("done", ticket)
        self._free(point)

    def _free(self, point: Point) -> None:
        point.busy = False
        if not point.waking:
            point.waking = True
            self.agenda.after(self._dice.uniform(2, 15), self._presses(point))

    # --- changes during the day --------------------------------------------------------------------------

    def _plan_changes(self) -> None:
        """Rooms merge and part, move, open and close; a queue pauses; people are sent elsewhere."""
        rooms = list(self.place.rooms)
        if len(rooms) >= 2:
            into, source = rooms[0], rooms[1]
            self.agenda.at(self._instant(self._dice.uniform(520, 600)), lambda: self._merge(source, into))
        if self.place.spare and len(rooms) >= 2:
            self.agenda.at(self._instant(self._dice.uniform(540, 640)), lambda: self._change_room(rooms[-1]))
        for info in self._by_kind["registration"]:
            at = self._dice.uniform(560, 660)
            self.agenda.at(self._instant(at), lambda info=info: self._pause(info.id))  # type: ignore[misc]
            if len(info.points) > 2:
                self.agenda.at(self._instant(620), lambda info=info: self._close_desk(info))  # type: ignore[misc]
        self.agenda.at(self._instant(930), lambda: self._try_last_room(rooms[-1]))
        for _ in range(max(1, len(self._people) // 150)):
            self.agenda.at(self._instant(self._dice.uniform(430, 660)), self._transfer_one)

    def _merge(self, source: UUID, into: UUID) -> None:
        point = next(each for each in self._points if each.queue == source)
        now = self.agenda.tick()
        done = self._quietly(
            "merge", lambda session: arranging.merge(session, self.place.clerk, source, into, now=now)
        )
        if not done:
            return
        self._set_room(into, point.id, is_open=True)
        self._merged[source] = into
        point.queue = into
        self.account.happened["merged"] += 1
        self._wake(into)
        self.agenda.after(self._dice.uniform(1500, 3300), lambda: self._part(source, into, point))

    def _part(self, source: UUID, into: UUID, point: Point) -> None:
        now = self.agenda.tick()
        self._quietly(
            "unmerge", lambda session: arranging.unmerge(session, self.place.clerk, source, now=now)
        )
        self._set_room(into, point.id, is_open=False)
        del self._merged[source]
        point.queue = source
        self._wake(source)

    def _set_room(self, queue: UUID, point: UUID, *, is_open: bool) -> bool:
        now = self.agenda.tick()
        return self._quietly(
            "set-room",
            lambda session: arranging.set_room(
                session, self.place.clerk, queue, point, is_open=is_open, now=now
            ),
        )

    def _change_room(self, queue: UUID) -> None:
        """A doctor goes to another room, with everybody who waits."""
        point = next((each for each in self._points if each.queue == queue and each.kind == "clinic"), None)
        if point is None or point.busy or queue in self._merged.values():
            self.agenda.after(120, lambda: self._change_room(queue))
            return
        now, target = self.agenda.tick(), self.place.spare[0]
        if self._quietly(
            "move-queue", lambda session: arranging.move(session, self.place.clerk, queue, target, now=now)
        ):
            point.id = target
            self.account.happened["rooms changed"] += 1

    def _pause(self, queue: UUID) -> None:
        now = self.agenda.tick()
        until = now + timedelta(minutes=self._dice.uniform(4, 12))
        self._quietly(
            "pause",
            lambda session: arranging.pause(
                session, self.place.clerk, queue, PauseReason.EQUIPMENT, until, now=now
            ),
        )
        self.account.happened["pauses"] += 1

    def _close_desk(self, info: QueueInfo) -> None:
        """One desk of several closes for half an hour once it has nobody."""
        point = next(each for each in self._points if each.queue == info.id)
        if point.busy:
            self.agenda.after(60, lambda: self._close_desk(info))
            return
        if self._set_room(info.id, point.id, is_open=False):
            minute = self._minute()
            point.breaks.append((minute, minute + 30))
            self.account.happened["desks closed"] += 1
            self.agenda.after(1790, lambda: self._open_again(info, point))

    def _open_again(self, info: QueueInfo, point: Point) -> None:
        self._set_room(info.id, point.id, is_open=True)
        self._wake(info.id)

    def _try_last_room(self, queue: UUID) -> None:
        """Closing the last room is refused while people wait, else undone at once: nobody may be cut off."""
        point = next((each for each in self._points if each.queue == queue), None)
        if point is None:
            return
        now = self.agenda.tick()
        try:
            self.product.until_answered(
                "set-room",
                lambda session: arranging.set_room(
                    session, self.place.clerk, queue, point.id, is_open=False, now=now
                ),
            )
        except LastRoom as refusal:
            self.account.refused[refusal.code] += 1
            return
        self._set_room(queue, point.id, is_open=True)

    def _transfer_one(self) -> None:
        """Somebody who waits at a room is sent to another one's line, and keeps the time they waited."""
        rooms = [each for each in self.place.rooms if each not in self._merged]
        crowded = max(rooms, key=lambda each: len(self._waiting[each]))
        others = [each for each in rooms if each != crowded]
        if not others or not self._waiting[crowded]:
            return
        ticket = min(self._waiting[crowded])
        person, now, target = self._holders[ticket], self.agenda.tick(), self._dice.choice(others)
        with contextlib.suppress(Unanswered, DomainError):
            self.product.once(
                "transfer",
                lambda session: services.transfer(
                    session, self.place.clerk, ticket, target, now=now, cipher=self.product.cipher
                ),
            )
        self._waiting[crowded].discard(ticket)
        self.account.happened["sent to another line"] += 1
        self._locate(person)

    # --- time --------------------------------------------------------------------------------------------

    def _instant(self, minute: float) -> datetime:
        return at_local(self.place.day, 0) + timedelta(minutes=minute)

    def _minute(self) -> float:
        return (self.agenda.now - at_local(self.place.day, 0)).total_seconds() / 60

    def _line_is_dead(self) -> bool:
        return self.script.line is not None and self.script.line.holds(self._minute())

    def _line_is_back(self) -> datetime:
        end = self.script.line.end if self.script.line else self._minute()
        return self._instant(end) + timedelta(seconds=self._dice.uniform(1, 40))

    def _lognormal(self, mean: float, variation: float) -> float:
        spread = math.log(1 + variation * variation)
        return self._dice.lognormvariate(math.log(mean) - spread / 2, math.sqrt(spread))

    def _staff(self) -> list[Point]:
        return [
            self._point(point, info)
            for info in self.place.queues
            if info.kind != "clinic" or info.id in self.place.rooms
            for point in info.points
        ]

    def _point(self, point: UUID, info: QueueInfo) -> Point:
        if info.kind == "clinic":
            opens = 420 + max(0.0, self._dice.gauss(6, 7))
        else:
            opens = 405 + self._dice.uniform(0, 15)
        breaks = []
        if self._dice.random() < 0.35:
            start = self._dice.uniform(550, 640)
            breaks.append((start, start + self._dice.uniform(8, 20)))
        lunch = 690 + self._dice.uniform(0, 25)
        breaks.append((lunch, 780 + self._dice.uniform(0, 8)))
        return Point(point, info.kind, info.id, opens, self._dice.lognormvariate(0, 0.22), breaks)
