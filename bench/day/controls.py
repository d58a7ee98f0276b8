"""A small day without one of the product's guards: the audit must see that it is missing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from bench.day import crew
from bench.day.audit import audit
from bench.day.crew import Played
from bench.day.outages import Script
from bench.day.scene import Plan
from telehealth.queueing import queries, rules
from telehealth.queueing.rules import Lane, OrderPolicy, Placed, Waiting
from telehealth.settings import Settings

PEOPLE = 25
_NOTHING_FAILS = Script(line=None, printer=None, killed=0.0, unanswered=0.0)


@contextmanager
def _last_come_first() -> Iterator[None]:
    """Call whoever came last."""
    guarded = rules.order

    def backwards(
        tickets: Sequence[Waiting], recent: Sequence[Lane], policy: OrderPolicy, now: datetime
    ) -> list[Placed]:
        placed = reversed(guarded(tickets, recent, policy, now))
        return [replace(each, place=place) for place, each in enumerate(placed)]

    vars(queries)["order"] = backwards
    try:
        yield
    finally:
        vars(queries)["order"] = guarded


CONTROLS = {
    "passed_in_own_lane": _last_come_first,
}


def run(env: Mapping[str, str], admin_url: str, plans: Sequence[Plan], seed: int) -> dict[str, int]:
    """Play a facility for each guard left out; return how often the audit saw what the guard prevents.

    Do it last: the database is not in order afterwards.
    """
    settings, seen = Settings.from_environ(env), {}
    for days, (kind, left_out) in enumerate(CONTROLS.items(), start=1):
        played, plan = Played(), _other_day(plans[0], days)
        with left_out():
            crew.play_here(settings, admin_url, plan, played, seed=seed, script=_NOTHING_FAILS)
        with psycopg.connect(admin_url) as admin:
            found = audit(admin, plan.place.day, played.accounts)
        seen[kind] = found.violations[kind]
    return seen


def _other_day(plan: Plan, days: int) -> Plan:
    """The same few people some days later: what the day itself left in the database is not touched."""
    place = replace(plan.place, day=plan.place.day + timedelta(days=days))
    few = [
        replace(each, appointment=None, visit=None, came=False, left=False, seen=0, orders=[])
        for each in plan.people[:PEOPLE]
    ]
    return replace(plan, place=place, people=few, slots=())
