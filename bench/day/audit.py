"""What the database says of the day, asked without any code of the product; every figure should be 0."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from bench.day.account import Account
from bench.day.replay import Merging, Number, Ratio, Replay, Step, broken_chains, two_places

_COUNTS = {
    "duplicate_numbers": """SELECT coalesce(sum(n - 1), 0) FROM (
        SELECT count(*) AS n FROM ticket WHERE business_date = %(day)s
         GROUP BY queue_id, number HAVING count(*) > 1) x""",
    "gaps": """SELECT coalesce(sum(abs(c.last - c.first + 1 - t.given) + abs(t.highest - c.last)), 0)
        FROM queue_counter c JOIN LATERAL (
          SELECT count(DISTINCT number) AS given, coalesce(max(number), c.last) AS highest FROM ticket t
           WHERE t.queue_id = c.queue_id AND t.business_date = c.business_date) t ON true
       WHERE c.business_date = %(day)s""",
    "numbers_without_counter": """SELECT count(*) FROM ticket t WHERE t.business_date = %(day)s
        AND NOT EXISTS (SELECT FROM queue_counter c
                         WHERE c.queue_id = t.queue_id AND c.business_date = t.business_date)""",
    "press_answered_by_two_numbers": """SELECT coalesce(sum(n - 1), 0) FROM (
        SELECT count(*) AS n FROM ticket WHERE business_date = %(day)s AND press_key IS NOT NULL
         GROUP BY issued_by, press_key HAVING count(*) > 1) x""",
    "tickets_left_open": """SELECT count(*) FROM ticket WHERE business_date = %(day)s
        AND status IN ('waiting', 'called', 'serving', 'parked')""",
    "visits_not_ended": """SELECT count(*) FROM visit WHERE business_date = %(day)s AND ended_at IS NULL""",
    "visits_ended_without_reason": """SELECT count(*) FROM visit WHERE business_date = %(day)s
        AND ended_at IS NOT NULL AND coalesce(end_reason, '') NOT IN ('complete', 'desk', 'day-over')""",
    "visits_without_a_number": """SELECT count(*) FROM visit v WHERE v.business_date = %(day)s
        AND NOT EXISTS (SELECT FROM ticket t WHERE t.visit_id = v.id)""",
    "numbers_without_a_visit": """SELECT count(*) FROM ticket WHERE business_date = %(day)s
        AND visit_id IS NULL""",
    "numbers_in_an_emergency_queue": """SELECT count(*) FROM ticket t JOIN queue q ON q.id = t.queue_id
        WHERE t.business_date = %(day)s AND q.kind = 'emergency'""",
    "emergencies_not_answered": """SELECT count(*) FROM staff_call WHERE kind = 'emergency'
        AND answered_at IS NULL AND facility_id = ANY(%(facilities)s)""",
    "visit_events_not_applied": """SELECT count(*) FROM visit_event e JOIN visit v ON v.id = e.visit_id
        WHERE v.business_date = %(day)s AND e.state <> 'applied'
          AND coalesce(e.why, '') NOT IN ('visit-over')""",
    "complete_with_something_left": """SELECT count(*) FROM visit v
        WHERE v.business_date = %(day)s AND v.end_reason = 'complete' AND (
          EXISTS (SELECT FROM visit_order o WHERE o.visit_id = v.id AND o.revoked_at IS NULL
                     AND o.read_at IS NULL AND v.discharged_at IS NULL)
          OR v.prescribed_at IS NOT NULL AND v.dispensed_at IS NULL)""",
    "board_events_out_of_step": """SELECT count(*) FROM (
        SELECT facility_id, max(seq) - count(*) AS missing FROM board_event GROUP BY facility_id) x
        WHERE missing <> 0""",
}
_NUMBERS = """SELECT t.id, t.queue_id, t.number, t.visit_id, t.waiting_since, t.priority_class <> 'none',
                     t.appointment_start, t.web_until IS NOT NULL, t.status
                FROM ticket t WHERE t.business_date = %(day)s AND t.facility_id = ANY(%(facilities)s)"""
_STEPS = """SELECT e.id, e.ticket_id, e.kind, e.at FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
             WHERE t.business_date = %(day)s AND t.facility_id = ANY(%(facilities)s)"""
_MERGINGS = """SELECT at, entity_id, CASE action WHEN 'queue.merge' THEN (details->>'into')::uuid END
                 FROM audit_event WHERE action IN ('queue.merge', 'queue.unmerge')"""
_RATIOS = """SELECT q.id, q.priority_run, q.appointment_run, make_interval(mins => q.early_minutes),
                    make_interval(mins => q.late_minutes), q.return_places, coalesce(p.places_ahead, 1)
               FROM queue q LEFT JOIN visit_path p ON p.facility_id = q.facility_id"""


@dataclass(frozen=True, slots=True)
class Audited:
    """Violations by kind (each 0 where all is well), what was judged, and the first few in words."""

    violations: dict[str, int]
    numbers: int
    events: int
    visits: int
    calls: int
    ended: dict[str, int]
    call_times: Mapping[UUID, Sequence[datetime]]
    examples: Sequence[str]


ORDER = (
    "called_without_waiting",
    "passed_in_own_lane",
    "not_their_turn",
    "came_back_and_waited_on",
    "events_that_do_not_chain",
    "called_at_two_places",
)
TRUTH = (
    "acknowledged_numbers_lost",
    "numbers_nobody_pressed_for",
    "answers_that_changed",
    "calls_of_strangers",
    "people_lost",
    "events_lost",
)


def audit(
    connection: psycopg.Connection[Any],
    day: date,
    accounts: Mapping[UUID, Account],
    *,
    slack: timedelta = timedelta(0),
) -> Audited:
    """Judge a day at the facilities that have an account of it."""
    asked = {"day": day, "facilities": list(accounts)}
    violations = {kind: int(_one(connection, sql, asked)) for kind, sql in _COUNTS.items()}
    numbers = {row[0]: Number(*row) for row in connection.execute(_NUMBERS, asked).fetchall()}
    steps = [Step(*row) for row in connection.execute(_STEPS, asked).fetchall()]
    ratios = {row[0]: Ratio(*row[1:]) for row in connection.execute(_RATIOS).fetchall()}
    mergings = [Merging(*row) for row in connection.execute(_MERGINGS).fetchall()]
    replay = Replay(numbers, ratios, mergings, slack)
    found = replay.run(steps) + broken_chains(numbers, steps, slack)
    found["called_at_two_places"] = two_places(numbers, steps)
    violations |= {kind: found[kind] for kind in ORDER}
    violations |= _against_the_truth(connection, asked, accounts)
    ended = connection.execute(
        "SELECT coalesce(end_reason, '-'), count(*) FROM visit WHERE business_date = %(day)s GROUP BY 1",
        asked,
    ).fetchall()
    return Audited(
        violations,
        len(numbers),
        len(steps),
        sum(count for _reason, count in ended),
        replay.calls,
        dict(ended),
        _call_times(steps),
        replay.examples,
    )


def _against_the_truth(
    connection: psycopg.Connection[Any], asked: Mapping[str, object], accounts: Mapping[UUID, Account]
) -> dict[str, int]:
    """Compare what those who were there know with what is stored."""
    pressed = {
        row[0]
        for row in connection.execute(
            """SELECT t.id FROM ticket t
                WHERE t.business_date = %(day)s AND t.facility_id = ANY(%(facilities)s)
                AND t.press_key NOT LIKE 'path:%%' AND t.press_key NOT LIKE 'transfer:%%'""",
            asked,
        ).fetchall()
    }
    told = {ticket for account in accounts.values() for ticket in account.presses.values()}
    reasons = dict(
        connection.execute(
            "SELECT id, end_reason FROM visit WHERE business_date = %(day)s"
            " AND facility_id = ANY(%(facilities)s)",
            asked,
        ).fetchall()
    )
    through = {visit for account in accounts.values() for visit in account.through}
    left = {visit for account in accounts.values() for visit in account.left}
    events = {row[0] for row in connection.execute("SELECT event_id FROM visit_event").fetchall()}
    said = {event for account in accounts.values() for event in account.told_events}
    return {
        "acknowledged_numbers_lost": len(told - pressed),
        "numbers_nobody_pressed_for": len(pressed - told),
        "answers_that_changed": sum(account.changed_answers for account in accounts.values()),
        "calls_of_strangers": sum(account.strangers for account in accounts.values()),
        "people_lost": sum(reason != "complete" and visit not in left for visit, reason in reasons.items())
        + sum(reasons.get(visit) != "complete" for visit in through),
        "events_lost": len(said - events),
    }


def _call_times(steps: Sequence[Step]) -> dict[UUID, list[datetime]]:
    times: dict[UUID, list[datetime]] = defaultdict(list)
    for step in steps:
        if step.kind == "call":
            times[step.ticket].append(step.at)
    return times


def _one(connection: psycopg.Connection[Any], sql: str, asked: Mapping[str, object]) -> int:
    row = connection.execute(sql, asked).fetchone()
    return row[0] if row else 0


def total(violations: Mapping[str, int]) -> int:
    """Return how many there are in all."""
    return sum(Counter(violations).values())
