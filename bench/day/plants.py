"""Faults put into a day that is in order, one at a time, to prove that the audit sees each."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from bench.day.account import Account
from bench.day.audit import audit

_A_CALLED = """SELECT t.id FROM ticket t WHERE t.business_date = %(day)s AND t.status = 'done'
    AND t.called_at IS NOT NULL AND t.web_until IS NULL ORDER BY t.id LIMIT 1"""
_PASSED = """SELECT e.id FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
      JOIN ticket o ON o.queue_id = t.queue_id AND o.business_date = t.business_date
    WHERE t.business_date = %(day)s AND e.kind = 'call' AND e.at = t.called_at
      AND o.waiting_since < t.waiting_since AND o.called_at > t.waiting_since + interval '1 minute'
      AND t.priority_class = 'none' AND o.priority_class = 'none'
      AND o.web_until IS NULL AND t.web_until IS NULL
      AND coalesce(o.appointment_start, t.appointment_start) IS NULL
      AND NOT EXISTS (SELECT FROM ticket_event x WHERE x.ticket_id IN (o.id, t.id)
                         AND x.kind IN ('return', 'undo-call', 'here'))
    ORDER BY e.id LIMIT 1"""
PLANTS: Mapping[str, tuple[str, ...]] = {
    "duplicate_numbers": (
        "ALTER TABLE ticket DROP CONSTRAINT uq_ticket_queue_id_business_date_number",
        """UPDATE ticket t SET number = number - 1 WHERE id = (
            SELECT id FROM ticket WHERE business_date = %(day)s AND number > 1 ORDER BY id LIMIT 1)""",
    ),
    "gaps": (
        """UPDATE queue_counter SET last = last + 1 WHERE (queue_id, business_date) = (
            SELECT queue_id, business_date FROM queue_counter WHERE business_date = %(day)s AND last >= first
             LIMIT 1)""",
    ),
    "press_answered_by_two_numbers": (
        "ALTER TABLE ticket DROP CONSTRAINT uq_ticket_issued_by_press_key",
        """UPDATE ticket t SET press_key = o.press_key FROM ticket o
            WHERE o.issued_by = t.issued_by AND o.id = (SELECT min(id::text)::uuid FROM ticket
               WHERE issued_by = t.issued_by) AND t.id = (
               SELECT id FROM ticket WHERE business_date = %(day)s AND press_key LIKE '%%:desk'
                ORDER BY id DESC LIMIT 1)""",
    ),
    "visits_not_ended": (
        """UPDATE visit SET ended_at = NULL, end_reason = NULL WHERE id = (
            SELECT id FROM visit WHERE business_date = %(day)s LIMIT 1)""",
    ),
    "tickets_left_open": (f"UPDATE ticket SET status = 'waiting' WHERE id = ({_A_CALLED})",),
    "passed_in_own_lane": (
        f"""WITH late AS ({_PASSED}), moved AS (
            SELECT e.ticket_id, t.queue_id, t.waiting_since
              FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
             WHERE e.id IN (SELECT id FROM late))
            UPDATE ticket_event SET at = (SELECT waiting_since + interval '2 seconds' FROM moved)
             WHERE id IN (SELECT id FROM late)""",
    ),
    "called_at_two_places": (
        """INSERT INTO ticket_event (ticket_id, kind, at, actor_kind)
           SELECT b.id, 'call', a.called_at + interval '1 second', 'staff' FROM ticket a JOIN ticket b
               ON b.visit_id = a.visit_id AND b.id <> a.id
            WHERE a.business_date = %(day)s AND a.status = 'done' AND b.status = 'done'
              AND a.called_at IS NOT NULL
              AND a.done_at > a.called_at + interval '5 seconds' ORDER BY a.id LIMIT 1""",
    ),
    "events_that_do_not_chain": (
        f"DELETE FROM ticket_event WHERE kind = 'call' AND ticket_id = ({_A_CALLED})",
    ),
    "acknowledged_numbers_lost": (
        """UPDATE ticket SET business_date = business_date - 1 WHERE id = (
            SELECT id FROM ticket WHERE business_date = %(day)s AND press_key LIKE '%%:desk' LIMIT 1)""",
    ),
    "people_lost": (
        """UPDATE visit SET end_reason = 'day-over' WHERE id = (
            SELECT id FROM visit WHERE business_date = %(day)s AND end_reason = 'complete' LIMIT 1)""",
    ),
}


def unseen(admin_url: str, day: date, accounts: Mapping[UUID, Account]) -> list[str]:
    """Return the planted faults that the audit did not see."""
    return [kind for kind in PLANTS if not _seen(admin_url, day, accounts, kind)]


def _seen(admin_url: str, day: date, accounts: Mapping[UUID, Account], kind: str) -> bool:
    with psycopg.connect(admin_url) as connection:
        for statement in PLANTS[kind]:
            asked: dict[str, Any] = {"day": day}
            connection.execute(statement, asked if "%" in statement else None)
        found = audit(connection, day, accounts).violations[kind]
        connection.rollback()
    return found > 0
