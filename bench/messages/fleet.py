"""Workers that are killed, frozen and started again."""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.messages import worker
from bench.messages.worker import Orders

# Seconds by which the wall clock of a worker's process is wrong.
WRONG_CLOCKS = (0, 7200, -7200)


class Fleet:
    """So many workers; one that is killed is replaced at once, by one whose wall clock is off or right."""

    def __init__(
        self, env: Mapping[str, str], orders: Orders, size: int, chance: random.Random, log: Path
    ) -> None:
        self._env = env
        self._orders = orders
        self._chance = chance
        self._log = log
        self._started = 0
        self._workers = [self._start() for _ in range(size)]
        self._frozen: set[int] = set()
        self.kills = 0
        self.freezes = 0

    def kill_one(self) -> None:
        """Kill -9, in whatever it is doing."""
        place = self._chance.choice([n for n in range(len(self._workers)) if n not in self._frozen])
        self._workers[place].kill()
        self._workers[place].wait()
        self._workers[place] = self._start()
        self.kills += 1

    def freeze_one(self) -> int | None:
        """Stop the world for one worker; returns its place for `thaw`."""
        awake = [n for n in range(len(self._workers)) if n not in self._frozen]
        if len(awake) < 2:
            return None
        place = self._chance.choice(awake)
        self._frozen.add(place)
        os.kill(self._workers[place].pid, signal.SIGSTOP)
        self.freezes += 1
        return place

    def thaw(self, place: int) -> None:
        """Let it go on as if nothing had happened."""
        os.kill(self._workers[place].pid, signal.SIGCONT)
        self._frozen.discard(place)

    def close(self) -> None:
        """End them all."""
        for process in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.terminate()
        for process in self._workers:
            process.wait(worker.STOP_SECONDS)

    def _start(self) -> "subprocess.Popen[bytes]":
        wrong = WRONG_CLOCKS[self._started % len(WRONG_CLOCKS)]
        self._started += 1
        return worker.start(self._env, self._orders, self._log, wall_clock_off=wrong)


@contextmanager
def fleet(
    env: Mapping[str, str], orders: Orders, size: int, chance: random.Random, log: Path
) -> Iterator[Fleet]:
    """Have workers for a while."""
    found = Fleet(env, orders, size, chance, log)
    try:
        yield found
    finally:
        found.close()
