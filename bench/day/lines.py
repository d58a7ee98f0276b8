"""Who stands where: joining, moving, coming back, going home."""

from uuid import UUID

from bench.day.arrivals import Person
from bench.day.floor import Floor, Part, known
from bench.day.tellings import Tellings
from telehealth.core.errors import PreconditionFailed
from telehealth.queueing import services
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.errors import (
    ReturnTooLate,
    TicketMovedOn,
)
from telehealth.visits import services as visits
from telehealth.visits.errors import VisitOver

_TELLING = 3  # one in so many numbers that were handed on is asked what its holder would read


class Lines(Part):
    """Where each person is, read from the slip as they would."""

    def __init__(self, floor: Floor, tellings: Tellings) -> None:
        super().__init__(floor)
        self._tellings = tellings
        self._handed_on = 0

    def visit_of(self, ticket: UUID) -> UUID:
        """Return the visit of a number."""
        return UUID(str(self._product.read("SELECT visit_id FROM ticket WHERE id = %s", ticket)[0][0]))

    def joined(self, person: Person, ticket: UUID, queue: UUID) -> None:
        """Somebody stands in a line."""
        self._floor.holders[ticket] = person
        self._floor.waiting[queue].add(ticket)
        self._floor.wake(queue)
        if self._dice.random() < 0.006:
            self._agenda.after(self._dice.uniform(60, 900), lambda: self._grant(ticket, queue))

    def _grant(self, ticket: UUID, queue: UUID) -> None:
        if ticket not in self._floor.waiting[queue]:
            return
        now = self._agenda.tick()
        self._floor.quietly(
            "grant-priority",
            lambda session: services.grant_priority(
                session, self._place.clerk, ticket, PriorityClass.DISABILITY, now=now
            ),
        )

    def locate(self, person: Person) -> None:
        """Read from the slip where somebody stands now; one who is through goes home."""
        rows = self._product.read(
            """SELECT t.id, t.queue_id, v.ended_at IS NOT NULL, t.priority_class FROM visit v
                 LEFT JOIN ticket t ON t.visit_id = v.id AND t.status = 'waiting'
                WHERE v.id = %s""",
            person.visit,
        )
        for ticket, queue, ended, priority in rows:
            if ticket is not None and ticket not in self._floor.waiting[queue]:
                self.joined(person, ticket, queue)
                self._handed_on += 1
                if self._handed_on % _TELLING == 0:
                    self._tellings.ask(ticket, queue, "walk-in" if priority == "none" else "priority")
            elif ended and person.visit is not None:
                self._account.through.add(person.visit)

    def look_again(self, queue: UUID) -> None:
        """Forget those whom the path took out of this line meanwhile."""
        for each in self._floor.lines_of(queue):
            held = self._product.read(
                "SELECT id FROM ticket WHERE id = ANY(%s) AND status = 'waiting'",
                list(self._floor.waiting[each]),
            )
            gone = self._floor.waiting[each] - {row[0] for row in held}
            self._account.happened["gone from a line early"] += len(gone)
            self._floor.waiting[each] -= gone

    def returns(self, person: Person, queue: UUID, ticket: UUID) -> None:
        """Somebody who was missed or put aside comes back."""
        now = self._agenda.tick()
        try:
            self._product.until_answered(
                "return", lambda session: services.come_back(session, self._place.clerk, ticket, now=now)
            )
            self._account.happened["came back in time"] += 1
        except ReturnTooLate:
            self._account.happened["came back too late"] += 1
            self.move(person, queue)
            return
        except TicketMovedOn:
            pass  # the answer to the press before was lost: they are in line
        self.joined(person, ticket, queue)

    def move(self, person: Person, queue: UUID) -> None:
        """Send somebody to another line by hand, by the version of the visit that the page showed."""
        now = self._agenda.tick()
        version = self._product.read("SELECT version FROM visit WHERE id = %s", person.visit)[0][0]
        visit = known(person.visit)
        try:
            self._product.until_answered(
                "move-visit",
                lambda session: visits.move(
                    session,
                    self._place.clerk,
                    visit,
                    queue,
                    now=now,
                    cipher=self._product.cipher,
                    version=version,
                ),
            )
        except PreconditionFailed:
            self._account.happened["found done by loading again"] += 1
        except VisitOver as refusal:
            self._account.refused[refusal.code] += 1
        self.locate(person)
