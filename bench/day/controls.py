"""A small day without one of the product's guards: the audit must see that it is missing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
from sqlalchemy import text

from bench.day import crew
from bench.day.audit import audit
from bench.day.crew import Played
from bench.day.outages import Script
from bench.day.scene import Plan
from telehealth.queueing import queries, rules
from telehealth.queueing.rules import Lane, OrderPolicy, Placed, Waiting
from telehealth.queueing.services import numbers
from telehealth.settings import Settings

PEOPLE = 14
_FORGETFUL = Script(line=None, printer=None, killed=0.0, unanswered=0.3)
_UNIQUE_PRESS = "uq_ticket_issued_by_press_key"


@contextmanager
def _presses_forgotten(admin_url: str) -> Iterator[None]:
    """Give a number for every press, whether or not it came before."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER TABLE ticket DROP CONSTRAINT {_UNIQUE_PRESS}")
    guarded = numbers.ISSUE
    blind = str(guarded).replace("WHERE issued_by = :issued_by AND press_key = :press_key", "WHERE false")
    numbers.ISSUE = text(blind.replace("ON CONFLICT (issued_by, press_key) DO NOTHING", ""))
    try:
        yield
    finally:
        numbers.ISSUE = guarded


@contextmanager
def _last_come_first(_admin_url: str) -> Iterator[None]:
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
    "press_answered_by_two_numbers": _presses_forgotten,
    "passed_in_own_lane": _last_come_first,
}


def run(env: Mapping[str, str], admin_url: str, plans: Sequence[Plan], seed: int) -> dict[str, int]:
    """Play a facility for each guard left out; return how often the audit saw what the guard prevents.

    Do it last: the database is not in order afterwards.
    """
    settings, seen = Settings.from_environ(env), {}
    for days, (kind, left_out) in enumerate(reversed(CONTROLS.items()), start=1):
        played, plan = Played(), _other_day(plans[-days], days)
        with left_out(admin_url):
            crew.play_here(settings, admin_url, plan, played, seed=seed, script=_FORGETFUL)
        with psycopg.connect(admin_url) as admin:
            found = audit(admin, plan.place.day, played.accounts)
        seen[kind] = found.violations[kind]
    return seen


def _other_day(plan: Plan, days: int) -> Plan:
    """The same few people some days later: what the day itself left in the database is not touched."""
    place = replace(plan.place, day=plan.place.day + timedelta(days=days))
    return replace(plan, place=place, people=list(plan.people)[:PEOPLE], slots=())
