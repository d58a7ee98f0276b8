"""What happens when: virtual time, as fast as the work is done."""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

Action = Callable[[], None]


class ToldToEnd(Exception):
    """The time for all of this is over; what was begun cannot be judged."""


class Agenda:
    """Things to do at instants; those of one instant in the order they were entered."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._heap: list[tuple[datetime, int, Action]] = []
        self._order = count()

    def at(self, when: datetime, action: Action) -> None:
        """Do something at an instant, now if that is over."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), action))

    def after(self, seconds: float, action: Action) -> None:
        """Do something in so many seconds."""
        self.at(self.now + timedelta(seconds=seconds), action)

    def tick(self) -> datetime:
        """Let a thousandth of a second pass: no two things happen at once unless they are meant to."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def run(self, until: datetime, told_to_end: Callable[[], bool]) -> None:
        """Do everything there is to do until an instant. Raises ToldToEnd."""
        while self._heap and self._heap[0][0] <= until:
            if told_to_end():
                raise ToldToEnd
            when, _, action = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, until)
