"""What goes wrong with each message at its provider, decided beforehand by a seed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fate:
    """A fault of the sandbox for the next send to one phone. `too_late`: accepted after the last look."""

    fault: str
    seconds: float
    times: int = 1
    too_late: bool = False


# How many in a thousand sends meet each fault.
_PER_THOUSAND = {
    "500": 30,
    "429": 20,
    "hang": 4,
    "hang-after-accept": 4,
    "drop": 10,
    "drop-after-accept": 10,
    "accept-then-500": 20,
    "late-accept": 10,
    "too-late": 2,
    "duplicate-receipts": 10,
    "no-receipts": 10,
}


class Fates:
    """`timeout` and `grace` are the policy's: hangs outlast the one, acceptances come within the other."""

    def __init__(self, chance: random.Random, *, timeout: float, grace: float) -> None:
        self._chance = chance
        self._timeout = timeout
        self._grace = grace

    def draw(self) -> Fate | None:
        """The fate of one more message; most have none."""
        names = [*_PER_THOUSAND, ""]
        weights = [*_PER_THOUSAND.values(), 1000 - sum(_PER_THOUSAND.values())]
        name = self._chance.choices(names, weights)[0]
        match name:
            case "":
                return None
            case "429":
                return Fate(name, seconds=1.0, times=self._chance.choice((1, 1, 2)))
            case "hang" | "hang-after-accept":
                return Fate(name, seconds=self._timeout + 1.0)
            case "late-accept":
                return Fate(name, seconds=self._chance.uniform(0.1, 0.8) * self._grace)
            case "too-late":
                return Fate("late-accept", seconds=2 * self._grace + 1.0, too_late=True)
            case _:
                return Fate(name, seconds=0.0)
