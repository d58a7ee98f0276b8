"""Many clients, one slot: how often two people got it. The control drops the guard from the same path.

With --operations, a mix of every operation by several processes besides: overlaps, counters that drift, and
acknowledgements that the database does not know.
"""

import argparse
import random
import time
from collections import Counter

import psycopg
from psycopg import sql

from bench import mixed, province
from bench.closed_loop import race
from bench.surroundings import BenchDatabase, Surroundings, front, percentiles

OVERLAPS = """SELECT count(*) FROM claim a JOIN claim b ON b.resource_id = a.resource_id AND b.lane = a.lane
    AND b.id > a.id AND b.during && a.during WHERE a.active AND b.active"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--port", type=int, default=18755)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--control-rounds", type=int, default=10)
    parser.add_argument("--operations", type=int, default=0, help="of the mix, say 250000")
    parser.add_argument("--processes", type=int, default=4)


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return what happened with the guard, and without it."""
    with surroundings.database() as database:
        province.load(database.env, database.admin_url)
        people = province.add_patients(database.env, database.admin_url, 4000)
        slots = province.open_slots(database.admin_url, most_places=1)
        random.Random(2).shuffle(slots)
        mix = _mix(database, people, options) if options.operations else {}
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
        **mix,
    }


DRIFT = """SELECT count(*) FROM (
    SELECT 1 FROM clinic_session s
      LEFT JOIN appointment a ON a.clinic_session_id = s.id AND a.status NOT IN ('expired', 'cancelled')
     GROUP BY s.id HAVING s.booked <> count(a.id) FILTER (WHERE NOT a.overbooked)
        OR s.overbooked <> count(a.id) FILTER (WHERE a.overbooked)
        OR s.online_booked <> count(a.id) FILTER (WHERE a.door = 'online' AND NOT a.overbooked)) x"""


def _mix(
    database: BenchDatabase, people: list[province.Patient], options: argparse.Namespace
) -> dict[str, object]:
    """Play the mix with the guard; and for a fiftieth of the time without it, on other clinics."""
    clinics = mixed.hot_clinics(database.admin_url)
    half = len(clinics) // 2
    told = mixed.play(
        database.env, people, clinics[:half], operations=options.operations, processes=options.processes
    )
    outcomes = sum((one.outcomes for one in told), Counter[str]())
    errors = sum((one.errors for one in told), Counter[str]())
    found = {
        "mix_operations": sum(outcomes.values()) + sum(errors.values()),
        "mix_per_second": round(options.operations / max(one.seconds for one in told), 1),
        "mix_outcomes": dict(outcomes.most_common()),
        "mix_errors": dict(errors),
        "mix_overlaps": _count(database.admin_url, OVERLAPS),
        "mix_sessions_that_drift": _count(database.admin_url, DRIFT),
        "mix_lost_acknowledgements": mixed.lost(database.admin_url, told),
    }
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        guard = admin.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ex_claim_overlap'"
        ).fetchone()
        admin.execute("ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap")
        control = max(options.operations // 50, 2000)
        mixed.play(database.env, people, clinics[half:], operations=control, processes=options.processes)
        found["mix_control_overlaps"] = _count(database.admin_url, OVERLAPS)
        admin.execute("TRUNCATE claim")
        admin.execute(
            sql.SQL("ALTER TABLE claim ADD CONSTRAINT ex_claim_overlap {}").format(
                sql.SQL(guard[0] if guard else "")
            )
        )
    return found


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
