"""One facility's day: people come and go, staff call them; the product says who is next, and where to."""

from collections.abc import Callable, Iterable

from bench.day.account import Account
from bench.day.arrivals import Person
from bench.day.changes import Changes
from bench.day.consoles import Consoles
from bench.day.entrance import Entrance
from bench.day.floor import Floor
from bench.day.lines import Lines
from bench.day.outages import Script
from bench.day.place import Place
from bench.day.product import Product
from bench.day.rooms import Rooms
from bench.day.tellings import Tellings


class Hospital:
    """Plays one day at one facility by `run`."""

    def __init__(
        self, place: Place, people: Iterable[Person], product: Product, script: Script, seed: str
    ) -> None:
        self._floor = Floor(place, people, product, script, seed)
        tellings = Tellings(self._floor)
        lines = Lines(self._floor, tellings)
        self._entrance = Entrance(self._floor, lines, tellings)
        self._consoles = Consoles(self._floor, lines, Rooms(self._floor, lines), tellings)
        self._changes = Changes(self._floor, lines)

    def run(self, told_to_end: Callable[[], bool]) -> Account:
        """Play from five in the morning until the last has gone; return what happened. Raises ToldToEnd."""
        floor = self._floor
        for person in floor.people:
            self._entrance.plan(person)
        for point in floor.points:
            floor.agenda.at(floor.instant(point.opens), floor.presses(point))
        self._changes.plan()
        floor.agenda.run(floor.instant(21 * 60), told_to_end)
        floor.account.waiting_at_the_end = sum(len(waiting) for waiting in floor.waiting.values())
        return floor.account
