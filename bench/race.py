"""Many clients, one slot: how often two people got it. The control drops the guard from the same path."""

import argparse
import random
import time

import psycopg

from bench import province
from bench.closed_loop import race
from bench.surroundings import Surroundings, front, percentiles

OVERLAPS = """SELECT count(*) FROM claim a JOIN claim b ON b.resource_id = a.resource_id AND b.lane = a.lane
    AND b.id > a.id AND b.during && a.during WHERE a.active AND b.active"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18755)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--control-rounds", type=int, default=10)


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return what happened with the guard, and without it."""
    with surroundings.database() as database:
        province.load(database.env, database.admin_url)
        people = province.add_patients(database.env, database.admin_url, 4000)
        slots = province.open_slots(database.admin_url, most_places=1)
        random.Random(2).shuffle(slots)
        with front(database.env, options.port) as address:
            game = _Game(address, people, slots, options.clients)
            guarded = [game.round() for _ in range(options.rounds)]
            doubles = _count(database.admin_url, OVERLAPS)
            with psycopg.connect(database.admin_url, autocommit=True) as admin:
                admin.execute("ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap")
            control = [game.round() for _ in range(options.control_rounds)]
            control_doubles = _count(database.admin_url, OVERLAPS)
    return {
        "clients": options.clients,
        "rounds": options.rounds,
        "exactly_one_winner": sum(won == 1 for won in guarded),
        "operations": options.rounds * options.clients,
        "refused_with_409": game.refused,
        "other_answers": game.others,
        "milliseconds": percentiles(game.milliseconds),
        "double_bookings": doubles,
        "control_rounds": options.control_rounds,
        "control_double_bookings": control_doubles,
        "control_winners_per_round": round(sum(control) / max(len(control), 1), 1),
    }


class _Game:
    def __init__(self, address: str, people: list[province.Patient], slots: list[str], clients: int) -> None:
        self._address = address
        self._people = people
        self._slots = iter(slots)
        self._clients = clients
        self._played = 0
        self.refused = 0
        self.others = 0
        self.milliseconds: list[float] = []

    def round(self) -> int:
        """Let everybody ask for one slot of one place; returns how many got it."""
        slot = next(self._slots)
        first = self._played * self._clients
        asking = [self._people[(first + n) % len(self._people)] for n in range(self._clients)]
        self._played += 1
        answers = race(
            self._address,
            [province.booking_request(person, slot, f"race-{first + n}") for n, person in enumerate(asking)],
        )
        self.refused += answers.statuses[409]
        self.others += sum(count for status, count in answers.statuses.items() if status not in (201, 409))
        self.milliseconds += answers.milliseconds
        time.sleep(0.01)
        return answers.statuses[201]


def _count(admin_url: str, sql: str) -> int:
    with psycopg.connect(admin_url) as admin:
        row = admin.execute(sql).fetchone()
    return int(row[0]) if row else 0
