"""Changes during the day: rooms merge and part, move, open and close; a queue pauses."""

import contextlib
from datetime import timedelta
from uuid import UUID

from bench.day.floor import Floor, Part
from bench.day.lines import Lines
from bench.day.place import Point, QueueInfo
from bench.day.product import Unanswered
from telehealth.core.errors import DomainError
from telehealth.queueing import services
from telehealth.queueing.codes import PauseReason
from telehealth.queueing.errors import (
    LastRoom,
)
from telehealth.queueing.services import arranging


class Changes(Part):
    """What those in charge change while people wait."""

    def __init__(self, floor: Floor, lines: Lines) -> None:
        super().__init__(floor)
        self._lines = lines

    def plan(self) -> None:
        """Rooms merge and part, move, open and close; a queue pauses; people are sent elsewhere."""
        rooms = list(self._place.rooms)
        if len(rooms) >= 2:
            into, source = rooms[0], rooms[1]
            self._agenda.at(
                self._floor.instant(self._dice.uniform(520, 600)), lambda: self._merge(source, into)
            )
        if self._place.spare and len(rooms) >= 2:
            self._agenda.at(
                self._floor.instant(self._dice.uniform(540, 640)), lambda: self._change_room(rooms[-1])
            )
        for info in self._floor.by_kind["registration"]:
            at = self._dice.uniform(560, 660)
            self._agenda.at(self._floor.instant(at), lambda info=info: self._pause(info.id))  # type: ignore[misc]
            if len(info.points) > 2:
                self._agenda.at(self._floor.instant(620), lambda info=info: self._close_desk(info))  # type: ignore[misc]
        self._agenda.at(self._floor.instant(930), lambda: self._try_last_room(rooms[-1]))
        for _ in range(max(1, len(self._floor.people) // 150)):
            self._agenda.at(self._floor.instant(self._dice.uniform(430, 660)), self._transfer_one)

    def _merge(self, source: UUID, into: UUID) -> None:
        point = next(each for each in self._floor.points if each.queue == source)
        now = self._agenda.tick()
        done = self._floor.quietly(
            "merge", lambda session: arranging.merge(session, self._place.clerk, source, into, now=now)
        )
        if not done:
            return
        self._floor.set_room(into, point.id, is_open=True)
        self._floor.merged[source] = into
        point.queue = into
        self._account.happened["merged"] += 1
        self._floor.wake(into)
        self._agenda.after(self._dice.uniform(1500, 3300), lambda: self._part(source, into, point))

    def _part(self, source: UUID, into: UUID, point: Point) -> None:
        now = self._agenda.tick()
        self._floor.quietly(
            "unmerge", lambda session: arranging.unmerge(session, self._place.clerk, source, now=now)
        )
        self._floor.set_room(into, point.id, is_open=False)
        del self._floor.merged[source]
        point.queue = source
        self._floor.wake(source)

    def _change_room(self, queue: UUID) -> None:
        """A doctor goes to another room, with everybody who waits."""
        point = next(
            (each for each in self._floor.points if each.queue == queue and each.kind == "clinic"), None
        )
        if point is None or point.busy or queue in self._floor.merged.values():
            self._agenda.after(120, lambda: self._change_room(queue))
            return
        now, target = self._agenda.tick(), self._place.spare[0]
        if self._floor.quietly(
            "move-queue", lambda session: arranging.move(session, self._place.clerk, queue, target, now=now)
        ):
            point.id = target
            self._account.happened["rooms changed"] += 1

    def _pause(self, queue: UUID) -> None:
        now = self._agenda.tick()
        until = now + timedelta(minutes=self._dice.uniform(4, 12))
        self._floor.quietly(
            "pause",
            lambda session: arranging.pause(
                session, self._place.clerk, queue, PauseReason.EQUIPMENT, until, now=now
            ),
        )
        self._account.happened["pauses"] += 1

    def _close_desk(self, info: QueueInfo) -> None:
        """One desk of several closes for half an hour once it has nobody."""
        point = next(each for each in self._floor.points if each.queue == info.id)
        if point.busy:
            self._agenda.after(60, lambda: self._close_desk(info))
            return
        if self._floor.set_room(info.id, point.id, is_open=False):
            minute = self._floor.minute()
            point.breaks.append((minute, minute + 30))
            self._account.happened["desks closed"] += 1
            self._agenda.after(1790, lambda: self._open_again(info, point))

    def _open_again(self, info: QueueInfo, point: Point) -> None:
        self._floor.set_room(info.id, point.id, is_open=True)
        self._floor.wake(info.id)

    def _try_last_room(self, queue: UUID) -> None:
        """Closing the last room is refused while people wait, else undone at once: nobody may be cut off."""
        point = next((each for each in self._floor.points if each.queue == queue), None)
        if point is None:
            return
        now = self._agenda.tick()
        try:
            self._product.until_answered(
                "set-room",
                lambda session: arranging.set_room(
                    session, self._place.clerk, queue, point.id, is_open=False, now=now
                ),
            )
        except LastRoom as refusal:
            self._account.refused[refusal.code] += 1
            return
        self._floor.set_room(queue, point.id, is_open=True)

    def _transfer_one(self) -> None:
        """Somebody who waits at a room is sent to another one's line, and keeps the time they waited."""
        rooms = [each for each in self._place.rooms if each not in self._floor.merged]
        crowded = max(rooms, key=lambda each: len(self._floor.waiting[each]))
        others = [each for each in rooms if each != crowded]
        if not others or not self._floor.waiting[crowded]:
            return
        ticket = min(self._floor.waiting[crowded])
        person, now, target = self._floor.holders[ticket], self._agenda.tick(), self._dice.choice(others)
        with contextlib.suppress(Unanswered, DomainError):
            self._product.once(
                "transfer",
                lambda session: services.transfer(
                    session, self._place.clerk, ticket, target, now=now, cipher=self._product.cipher
                ),
            )
        self._floor.waiting[crowded].discard(ticket)
        self._account.happened["sent to another line"] += 1
        self._lines.locate(person)
