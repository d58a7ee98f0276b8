"""One storm: messages flow in while workers and the database are struck; then the ledger is counted."""

import heapq
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy.exc import DBAPIError

from bench.messages.fates import TOO_LATE, darken, too_late
from bench.messages.fleet import Fleet
from bench.messages.posting import message, phone_of
from bench.messages.provider import PROVIDERS
from bench.messages.scene import Scene
from notifications import Message
from telehealth.core.clock import system_clock
from telehealth.embedded.postgres import Server, until
from telehealth.embedded.refusal import Refusal

OUTCOMES = "SELECT outcome, count(*) FROM notifications.delivery_attempt GROUP BY outcome"
STATES = "SELECT state, count(*) FROM notifications.notification GROUP BY state"
# Two in three go by SMS, which two providers share; one in three by Zalo first.
KINDS = ("otp", "otp", "appointment-booked")
AWAKE = 9_000_000  # the number of a message that is not counted
MOST_SHOWN = 10
TICK_SECONDS = 0.1
LONGEST_SECONDS = 240.0
# One message in so many is for the phone of the one before; one in so many is due a little later.
FAMILY = 10
LATER = 4
LATER_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`seed` of faults and blows, `per_second`: how fast messages are enqueued."""

    seed: int
    messages: int
    kills: int
    per_second: float


class Tempest:
    """`policy` is the workers': blows are timed by its lease, faults by its timeout and its grace."""

    def __init__(self, here: Scene, server: Server, plan: Plan, policy: Mapping[str, Any]) -> None:
        self.chance = random.Random(plan.seed)
        self._here = here
        self._server = server
        self._plan = plan
        self._policy = policy
        self._began = 0.0
        self._drawn = 0
        self._unsaid: list[Message] = []
        self._due: dict[int, float] = {}
        self._too_late: set[str] = set()
        self._crashes = 0
        self._blows: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def play(self, workers: Fleet) -> dict[str, object]:
        """Feed and strike until everything has left the outbox; returns the count."""
        timeout, grace = self._policy["timeout"], self._policy["grace"]
        self._wake()
        darken(self._here.provider, PROVIDERS, seed=self._plan.seed, timeout=timeout, grace=grace)
        self._expect(workers)
        self._began = time.monotonic()
        while not self._over() and self._elapsed() < LONGEST_SECONDS:
            while self._blows and self._blows[0][0] <= self._elapsed():
                heapq.heappop(self._blows)[2]()
            self._feed(min(self._plan.messages, int(self._elapsed() * self._plan.per_second)))
            time.sleep(TICK_SECONDS)
        seconds = self._elapsed()
        time.sleep(too_late(grace) + timeout)
        return {"seconds": round(seconds, 1), **self._struck(workers), **self._counted()}

    def _wake(self) -> None:
        """Wait for a first message by Zalo: a kill during the first token's refresh is another benchmark."""
        self._here.post([message(KINDS[-1], AWAKE, system_clock())])
        if not self._here.provider.wait_for(1, 120):
            raise Refusal("no worker sends anything")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _over(self) -> bool:
        return len(self._due) == self._plan.messages and not self._blows and self._left() == 0

    def _left(self) -> int:
        return self._here.count("SELECT count(*) FROM notifications.outbox")

    # What strikes.

    def _expect(self, workers: Fleet) -> None:
        """Spread the kills over the time of feeding, with two frozen workers and one crash between them."""
        length = self._plan.messages / self._plan.per_second
        for number in range(self._plan.kills):
            self._at((number + self.chance.random()) * length / self._plan.kills + 1.0, workers.kill_one)
        for part in (0.25, 0.75):
            self._at(part * length, lambda: self._freeze(workers))
        self._at(0.5 * length, self._crash)

    def _at(self, seconds: float, blow: Callable[[], None]) -> None:
        heapq.heappush(self._blows, (seconds, next(self._order), blow))

    def _freeze(self, workers: Fleet) -> None:
        """Stop a worker's world until its leases are over and others have taken its messages."""
        place = workers.freeze_one()
        if place is not None:
            self._at(self._elapsed() + self._policy["lease"] + 1.5, lambda: workers.thaw(place))

    def _crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint, no goodbye; then recovery."""
        if self._server.pid is None:
            msg = "another process runs this database: a storm crashes only its own"
            raise Refusal(msg)
        os.kill(self._server.pid, signal.SIGQUIT)
        until(lambda: self._server.tend() is not None, 60)
        self._crashes += 1

    # What flows in.

    def _feed(self, wanted: int) -> None:
        """Enqueue up to that many in all. What failed is said again: its key makes it the same message."""
        while self._drawn < wanted:
            self._unsaid.append(self._next())
        try:
            self._here.post(self._unsaid)
        except DBAPIError:
            return
        self._due.update(
            (int(said.dedupe_key.rpartition(":")[2]), said.not_before.timestamp()) for said in self._unsaid
        )
        self._unsaid.clear()

    def _next(self) -> Message:
        number = self._drawn
        self._drawn += 1
        phone = _phone(number)
        if self.chance.random() < TOO_LATE:
            self._too_late.add(phone)
            for provider in PROVIDERS:
                after = too_late(self._policy["grace"])
                self._here.provider.plan(provider, "late-accept", to=phone, seconds=after)
        wait = self.chance.uniform(1.0, LATER_SECONDS) if number % LATER == 0 else 0.0
        kind = KINDS[number % len(KINDS)]
        return message(kind, number, system_clock() + timedelta(seconds=wait), phone=phone)

    # What came of it.

    def _struck(self, workers: Fleet) -> dict[str, object]:
        return {
            "messages": len(self._due),
            "kills": workers.kills,
            "freezes": workers.freezes,
            "database_crashes": self._crashes,
            "faults": self._here.provider.struck(),
            "never_accepted_in_time": len(self._too_late),
        }

    def _counted(self) -> dict[str, object]:
        """By SMS nothing may come twice; after Zalo, which can neither be asked nor drops copies, some do."""
        accepted = [item for item in self._here.provider.accepted() if item.number != AWAKE]
        times = Counter(item.number for item in accepted)
        by_zalo = {item.number for item in accepted if item.provider == "zalo"}
        double = {number for number, often in times.items() if often > 1}
        excused = {number for number in double if _phone(number) in self._too_late}
        return {
            "lost": len(self._due.keys() - times.keys()),
            "duplicates": len(double - excused - by_zalo),
            "again_after_zalo": len((double - excused) & by_zalo),
            "again_after_too_late_acceptance": len(excused),
            "which": {
                number: [
                    (item.provider, round(item.at - self._due[number], 1))
                    for item in accepted
                    if item.number == number
                ]
                for number in sorted(double - excused - by_zalo)[:MOST_SHOWN]
            },
            "too_early": sum(item.at < self._due[item.number] for item in accepted),
            "left_in_outbox": self._left(),
            "accepted_by": dict(Counter(item.provider for item in accepted)),
            "outcomes": self._here.counts(OUTCOMES),
            "states": self._here.counts(STATES),
        }


def _phone(number: int) -> str:
    """A phone of its own, or that of the message before."""
    return phone_of(number - 1 if number % FAMILY == FAMILY - 1 else number)
