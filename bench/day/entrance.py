"""Who comes in: presses at the kiosk, numbers from the web, emergencies."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from bench.day.arrivals import Person, Way
from bench.day.floor import Floor, Part, known
from bench.day.lines import Lines
from bench.day.tellings import Tellings
from telehealth.queueing import services
from telehealth.queueing.codes import PrintStatus, Purpose, StaffCallKind
from telehealth.queueing.errors import (
    QueueClosed,
    QueueFull,
    WebNumberLapsed,
    WebNumbersGone,
)
from telehealth.queueing.services import TicketView


class Entrance(Part):
    """People at the door, and the number each is given."""

    def __init__(self, floor: Floor, lines: Lines, tellings: Tellings) -> None:
        super().__init__(floor)
        self._lines = lines
        self._tellings = tellings

    def plan(self, person: Person) -> None:
        """Enter when and how somebody comes."""
        if person.way is Way.WEB:
            at = self._dice.uniform(300, 420)
            self._agenda.at(self._floor.instant(at), lambda: self._take_from_web(person))
        elif person.way is Way.EMERGENCY:
            self._agenda.at(self._floor.instant(person.minute), self._emergency)
        else:
            self._agenda.at(self._floor.instant(person.minute), lambda: self._at_the_kiosk(person))

    def _at_the_kiosk(self, person: Person) -> None:
        """Press; while the line is dead the press waits in the machine and goes out once it is back."""
        if self._floor.line_is_dead():
            self._account.happened["presses that came late"] += 1
            self._agenda.at(self._floor.line_is_back(), lambda: self._press(person))
        else:
            self._press(person)

    def _press(self, person: Person) -> None:
        kind = {Way.APPOINTMENT: self._check_in, Way.ROOM: self._room_number}.get(
            person.way, self._desk_number
        )
        try:
            self._given(person, kind(person))
        except (QueueFull, QueueClosed) as refusal:
            self._account.refused[refusal.code] += 1

    def _check_in(self, person: Person) -> TicketView:
        if person.appointment is None:
            return self._room_number(person)
        appointment = person.appointment
        return self._ticket(
            person,
            "check-in",
            lambda session, key, now: services.check_in(
                session,
                self._place.kiosk,
                appointment,
                press_key=key,
                now=now,
                cipher=self._product.cipher,
                priority=person.priority,
            ),
        )

    def _room_number(self, person: Person) -> TicketView:
        return self._walk_in(person, min(self._place.rooms, key=lambda each: len(self._floor.waiting[each])))

    def _desk_number(self, person: Person) -> TicketView:
        return self._walk_in(person, self._floor.by_kind["registration"][0].id)

    def _walk_in(self, person: Person, queue: UUID) -> TicketView:
        purpose = Purpose.INSURED if person.insured else Purpose.SELF_PAY
        return self._ticket(
            person,
            "take-number",
            lambda session, key, now: services.take_number(
                session,
                self._place.kiosk,
                queue,
                priority=person.priority,
                press_key=key,
                now=now,
                cipher=self._product.cipher,
                purpose=purpose,
                patient_id=person.patient,
            ),
        )

    def _ticket(
        self, person: Person, name: str, work: Callable[[Any, str, datetime], TicketView]
    ) -> TicketView:
        """Press until there is an answer, now and then twice at once; all answers must be one."""
        key, now = f"{self._place.day}:{person.key}:{person.way}", self._agenda.tick()

        def press(session: Any) -> TicketView:
            return work(session, key, now)

        twice = self._dice.random() < 0.02
        given = [self._product.until_answered(name, press)]
        if twice:
            given += [
                each for each in self._product.both(name, [press, press]) if isinstance(each, TicketView)
            ]
        if len({each.id for each in given}) > 1:
            self._account.changed_answers += 1
        self._note_press(key, given[0])
        self._print(given[0])
        return given[0]

    def _note_press(self, key: str, given: TicketView) -> None:
        before = self._account.presses.setdefault(key, given.id)
        if before != given.id:
            self._account.changed_answers += 1

    def _print(self, ticket: TicketView) -> None:
        printer = self._floor.script.printer
        if printer is None or not printer.holds(self._floor.minute()):
            return
        if not self._account.happened["printer dead"]:
            self._product.until_answered("call-staff", self._calls_staff(StaffCallKind.PRINTER))
        self._account.happened["printer dead"] += 1
        self._product.until_answered(
            "note-print", lambda session: services.note_print(session, ticket.id, PrintStatus.FAILED)
        )

    def _given(self, person: Person, ticket: TicketView) -> None:
        """Somebody holds a number: they wait, and have been told how long."""
        person.came = True
        if person.visit is None:
            person.visit = self._lines.visit_of(ticket.id)
        self._lines.joined(person, ticket.id, ticket.queue.id)
        if ticket.wait_range is not None and ticket.people_ahead is not None:
            self._tellings.tell(ticket, ticket.people_ahead, ticket.wait_range.low, ticket.wait_range.high)

    def _take_from_web(self, person: Person) -> None:
        patient = known(person.patient)
        now = self._agenda.tick()
        try:
            ticket = self._product.until_answered(
                "web-number",
                lambda session: services.take_web_number(
                    session,
                    self._place.clerk,
                    self._floor.by_kind["registration"][0].id,
                    patient,
                    now=now,
                    cipher=self._product.cipher,
                ),
            )
        except WebNumbersGone as refusal:
            self._account.refused[refusal.code] += 1
            person.way = Way.DESK
            self._agenda.at(self._floor.instant(person.minute), lambda: self._at_the_kiosk(person))
            return
        self._account.presses[f"web:{patient}"] = ticket.id
        self._floor.holders[ticket.id] = person
        person.visit = self._lines.visit_of(ticket.id)
        if person.comes:
            self._agenda.at(self._floor.instant(person.minute), lambda: self._arrives(person, ticket))
        else:
            self._account.happened["web numbers nobody came with"] += 1
            self._account.left.add(person.visit)

    def _arrives(self, person: Person, ticket: TicketView) -> None:
        now = self._agenda.tick()
        try:
            view = self._product.until_answered(
                "arrive",
                lambda session: services.arrive_by_slip(
                    session,
                    self._place.kiosk,
                    ticket.public_token,
                    self._place.id,
                    now=now,
                    cipher=self._product.cipher,
                ),
            )
        except WebNumberLapsed as refusal:
            self._account.refused[refusal.code] += 1
            person.way, person.visit = Way.DESK, None
            self._at_the_kiosk(person)
            return
        self._given(person, known(view))

    def _emergency(self) -> None:
        """No number: staff are called and come."""
        self._account.happened["emergencies"] += 1
        call = self._product.until_answered("call-staff", self._calls_staff(StaffCallKind.EMERGENCY))

        def answer() -> None:
            now = self._agenda.tick()
            self._product.until_answered(
                "answer-staff-call",
                lambda session: services.answer_staff_call(session, self._place.clerk, call, now=now),
            )

        self._agenda.after(self._dice.uniform(15, 90), answer)

    def _calls_staff(self, kind: StaffCallKind) -> Callable[[Any], UUID]:
        now = self._agenda.tick()
        return lambda session: services.call_staff(session, self._place.kiosk, self._place.id, kind, now=now)
