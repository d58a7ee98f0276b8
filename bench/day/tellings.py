"""What people are told of their wait, noted to be held against what it then was."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from bench.day.estimates import Told, plain_range
from bench.day.floor import Floor, Part, known
from telehealth.queueing import queries
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services import TicketView


class Tellings(Part):
    """Tellings at issue, behind a slip, and refreshed."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self._counted: dict[UUID, int] = defaultdict(int)

    def tell(self, ticket: TicketView, ahead: int, low: int, high: int) -> None:
        """Note what stands on a slip."""
        lane = "priority" if ticket.priority is not PriorityClass.NONE else "walk-in"
        lane = "appointment" if lane == "walk-in" and ticket.appointment_start else lane
        self._record(ticket.id, ticket.queue.id, lane, ahead, (low, high), first=True)

    def _record(
        self, ticket: UUID, queue: UUID, lane: str, ahead: int, shown: tuple[int, int], *, first: bool
    ) -> None:
        info = self._floor.queues[self._floor.merged.get(queue, queue)]
        points = max(1, sum(point.queue == info.id for point in self._floor.points))
        self._account.tellings.append(
            Told(
                ticket,
                self._agenda.now,
                self._floor.minute(),
                self._place.level,
                info.kind,
                lane,
                first,
                ahead,
                *shown,
                plain_range(ahead, self._floor.calls[info.id], info.minutes, points),
                ahead * info.minutes / points,
            )
        )

    def ask(self, ticket: UUID, queue: UUID, lane: str) -> None:
        """Look at the page behind a slip."""
        line = self.line(self._floor.merged.get(queue, queue))
        told = line.told(ticket, self._agenda.now)
        if told is not None:
            self._record(ticket, queue, lane, told.ahead, (told.wait.low, told.wait.high), first=True)

    def line(self, queue: UUID) -> queries.Line:
        """Read a line as a page does."""

        def look(session: Any) -> queries.Line:
            view = known(queries.queue_by_id(session, queue))
            return queries.line(session, view, self._place.day, self._agenda.now)

        return self._product.until_answered("read-line", look)

    def refresh(self, queue: UUID) -> None:
        """At every fifth call those who wait look at their pages."""
        self._counted[queue] += 1
        if self._counted[queue] % 5:
            return
        line = self.line(queue)
        for each in line.waiting[::3]:
            told = line.tell(each.as_waiting(), self._agenda.now)
            lane = "walk-in" if each.priority is PriorityClass.NONE else "priority"
            lane = "appointment" if lane == "walk-in" and each.appointment_start else lane
            shown = (told.wait.low, told.wait.high)
            self._record(each.id, queue, lane, told.ahead, shown, first=False)
