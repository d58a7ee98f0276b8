"""A province's day: all who come to its facilities, many times as fast as in life, with all that fails.

The product's own services, one transaction each, on PostgreSQL, while connections are killed, answers get
lost, lines and printers die and the database crashes. An audit that shares no code with them judges the day.
"""

import argparse
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import psycopg
from sqlalchemy import create_engine

from bench.day import controls, crew, estimates, plants, rush, scene
from bench.day.account import Account
from bench.day.audit import Audited, audit, total
from bench.day.crew import Played
from bench.day.outages import Saboteur
from bench.day.scene import Plan
from bench.day.stages import Stages
from bench.surroundings import BenchDatabase, Surroundings, front
from telehealth.core.clock import at_local
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.embedded.postgres import until
from telehealth.embedded.refusal import Refusal
from telehealth.queueing.services import tidy_web_numbers
from telehealth.settings import Settings
from telehealth.visits.services import end_day

DAY_SECONDS = 16 * 3600.0
"""From five in the morning until nine in the evening."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--facilities", type=int, default=96)
    parser.add_argument("--visits", type=int, default=22_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="0: in this one")
    parser.add_argument("--port", type=int, default=18770, help="of the hour over HTTP")
    parser.add_argument("--rush-presses", type=int, default=400, help="numbers in that hour; 0: no such hour")
    parser.add_argument("--calm", action="store_true", help="nothing fails but what the scripts say")


def run(options: argparse.Namespace, surroundings: Surroundings) -> dict[str, object]:
    """Return what happened, what the audit found, and how wrong people were told."""
    stages = Stages()
    with surroundings.database("bench-day") as database, stages.ends_when_told():
        return play(
            database.env,
            database.admin_url,
            facilities=options.facilities,
            visits=options.visits,
            seed=options.seed,
            processes=options.processes,
            saboteur=None if options.calm else _saboteur(database, options),
            port=options.port,
            rush_presses=options.rush_presses,
            stages=stages,
        )


def play(  # noqa: PLR0913  what a day is made of
    env: Mapping[str, str],
    admin_url: str,
    *,
    facilities: int,
    visits: int,
    seed: int,
    processes: int,
    every: bool = False,
    saboteur: Saboteur | None = None,
    port: int = 0,
    rush_presses: int = 0,
    stages: Stages | None = None,
) -> dict[str, object]:
    """Play a day in a migrated, empty database. `every`: each facility has every kind of trouble.

    `rush_presses`: so many numbers of an hour over HTTP come before, served at `port`. A stage that fails,
    or is left out because the time is over, is said in the figures; what was played until then is judged.
    """
    stages = stages or Stages()
    plans = scene.prepare(env, admin_url, facilities=facilities, visits=visits, seed=seed)
    day = plans[0].place.day
    rushed: dict[str, object] = {}
    if rush_presses:
        rushed = stages.run("hour", lambda: _hour(env, admin_url, plans[0], port, rush_presses), rushed)
    began, spent = time.perf_counter(), _database_seconds(admin_url)
    if saboteur is not None:
        saboteur.start()
    try:
        played = crew.play(
            env, admin_url, plans, seed=seed, processes=processes, every=every, enough=stages.enough
        )
    finally:
        if saboteur is not None:
            saboteur.close()
    if saboteur is not None and saboteur.failure is not None:
        stages.note("saboteur", saboteur.failure)
    stages.failed |= {f"facility {each.split(':')[0]}": each for one in played for each in one.failures}
    seconds = time.perf_counter() - began
    _night(env, day)
    accounts = {key: account for each in played for key, account in each.accounts.items()}
    began = time.perf_counter()
    with psycopg.connect(admin_url) as admin:
        audited = audit(admin, day, accounts)
    audit_seconds = time.perf_counter() - began
    for example in audited.examples:
        print(example, flush=True)
    told = [each for account in accounts.values() for each in account.tellings]
    return {
        "seed": seed,
        "day": day.isoformat(),
        "facilities": len(plans),
        "facilities_played": len(accounts),
        **_amounts(audited, accounts, played),
        "seconds": round(seconds, 1),
        "speed_up": round(DAY_SECONDS / seconds, 1),
        **_costs(played, _database_seconds(admin_url) - spent),
        "violations": audited.violations,
        "violations_in_all": total(audited.violations),
        "planted_faults": len(plants.PLANTS),
        "planted_faults_unseen": stages.run(
            "plants", lambda: plants.unseen(admin_url, day, accounts), ["not looked at"]
        ),
        "seen_with_a_guard_left_out": stages.run(
            "controls", lambda: controls.run(env, admin_url, plans, seed), dict[str, int]()
        ),
        "hour_over_http": rushed,
        "connections_ended_at_random": saboteur.ended if saboteur else 0,
        "database_taken_away": saboteur.absences if saboteur else 0,
        "audit_seconds": round(audit_seconds, 1),
        "stages_failed": stages.failed,
        "stages_left_out": stages.left_out,
        "told_to_end": stages.enough.is_set(),
        "waits": estimates.scores(estimates.judge(told, audited.call_times)),
    }


def _hour(env: Mapping[str, str], admin_url: str, plan: Plan, port: int, presses: int) -> dict[str, object]:
    with front(env, port) as address:
        return rush.run(address, admin_url, plan, presses)


def _amounts(
    audited: Audited, accounts: Mapping[UUID, Account], played: Sequence[Played]
) -> dict[str, object]:
    happened: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for account in accounts.values():
        happened.update(account.happened)
        refused.update(account.refused)
    troubles = sum((each.troubles for each in played), Counter[str]())
    return {
        "visits": audited.visits,
        "ended": audited.ended,
        "numbers": audited.numbers,
        "events": audited.events,
        "calls": audited.calls,
        "appointments": sum(each.booked for each in played),
        "presses": sum(len(account.presses) for account in accounts.values()),
        "waiting_at_nine": sum(account.waiting_at_the_end for account in accounts.values()),
        "happened": dict(happened.most_common()),
        "refused": dict(refused.most_common()),
        "troubles": dict(troubles.most_common()),
    }


def _costs(played: Sequence[Played], database_seconds: float) -> dict[str, object]:
    done = sum((each.done for each in played), Counter[str]())
    waited = {name: sum(each.seconds.get(name, 0.0) for each in played) for name in done}
    operations = max(1, sum(done.values()))
    spent = sum(each.cpu_seconds for each in played)
    return {
        "operations": dict(done.most_common()),
        "operations_in_all": operations,
        "program_cpu_minutes": round(spent / 60, 2),
        "database_active_minutes": round(database_seconds / 60, 2),
        "peak_mb_of_a_process": round(max((each.peak_mb for each in played), default=0.0)),
        "program_cpu_ms_per_operation": round(1000 * spent / operations, 2),
        "database_active_ms_per_operation": round(1000 * database_seconds / operations, 2),
        "mean_ms": {name: round(1000 * waited[name] / count, 1) for name, count in done.most_common()},
    }


def _database_seconds(admin_url: str) -> float:
    """Return how long the database's sessions were at work; what the system counts, killed ones too."""
    with psycopg.connect(admin_url) as admin:
        row = admin.execute(
            "SELECT active_time / 1000 FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return float(row[0]) if row else 0.0


def _night(env: Mapping[str, str], day: date) -> None:
    """Do what the jobs do after midnight."""
    tonight = at_local(day, 24 * 60 + 10)
    engine = create_engine(Settings.from_environ(env).database_url)
    try:
        with system_unit_of_work(engine) as session:
            tidy_web_numbers(session, now=tonight)
        ended = 1
        while ended:
            with system_unit_of_work(engine) as session:
                ended = end_day(session, SYSTEM, now=tonight)
    finally:
        engine.dispose()


def _saboteur(database: BenchDatabase, options: argparse.Namespace) -> Saboteur:
    def crash() -> None:
        if database.server.pid is None:
            msg = "another process runs this database: a day crashes only its own"
            raise Refusal(msg)
        os.kill(database.server.pid, signal.SIGQUIT)
        until(lambda: database.server.tend() is not None, 60)

    return Saboteur(database.admin_url, options.seed, every=1.5, absent_after=30, absence=crash)


__all__ = ["describe", "play", "run"]
