"""Which appointments a change touches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

_STANDING = "a.status = 'booked' AND a.start_at > %(now)s"
# A blocking takes the time of those who were booked when it was made; who is let in later is to come.
_BLOCKED = """b.lifted_at IS NULL AND b.facility_id = a.facility_id AND b.from_at < a.end_at
       AND b.to_at > a.start_at AND b.created_at > a.agreed_at
       AND (b.practitioner_id IS NULL OR b.practitioner_id = a.practitioner_id)
       AND (b.resource_id IS NULL OR b.resource_id = ANY((
            SELECT s.resource_ids FROM clinic_session s WHERE s.id = a.clinic_session_id)::uuid[]))"""
# A time that the roster no longer has (its session is on the worklist), or that is blocked: nobody is there.
_LOST = f"""(EXISTS (SELECT FROM roster_change r WHERE r.clinic_session_id = a.clinic_session_id
                      AND r.resolved_at IS NULL AND NOT r.worked @> tstzrange(a.start_at, a.end_at))
         OR EXISTS (SELECT FROM blocking b WHERE {_BLOCKED}))"""
_OPEN = "d.appointment_id = a.id AND d.start_at = a.start_at AND d.resolved_at IS NULL"
_NEWLY_LOST = f"""
SELECT a.id FROM appointment a
 WHERE a.id IN (SELECT x.id FROM roster_change r
                  JOIN appointment x ON x.clinic_session_id = r.clinic_session_id
                  WHERE r.resolved_at IS NULL
                 UNION ALL
                SELECT x.id FROM blocking b JOIN appointment x
                    ON x.facility_id = b.facility_id AND x.start_at < b.to_at
                   AND x.start_at > b.from_at - interval '1 day'
                 WHERE b.lifted_at IS NULL AND b.to_at > %(now)s)
   AND {_STANDING} AND {_LOST} AND NOT EXISTS (SELECT FROM appointment_disruption d WHERE {_OPEN})
 ORDER BY a.id LIMIT %(most)s FOR UPDATE OF a SKIP LOCKED
"""
_FOUND_AGAIN = f"""
SELECT a.id, d.id AS disruption_id FROM appointment_disruption d JOIN appointment a ON {_OPEN}
 WHERE {_STANDING} AND NOT {_LOST}
 ORDER BY a.id LIMIT %(most)s FOR UPDATE OF a SKIP LOCKED
"""
_OF_PEOPLE = f"""
SELECT a.id, EXISTS (SELECT FROM appointment_disruption d WHERE {_OPEN}) AS disrupted
  FROM appointment a JOIN patient p ON p.id = a.patient_id
 WHERE (p.id = ANY(%(people)s::uuid[]) OR p.guardian_id = ANY(%(people)s::uuid[])
        OR p.merged_into = ANY(%(people)s::uuid[]))
   AND a.start_at > %(now)s AND a.status IN ('booked', 'cancelled')
 ORDER BY a.id FOR UPDATE OF a
"""


def newly_lost(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Return and lock appointments whose time the roster has lost; those being changed now come next time."""
    return [row.id for row in _rows(session, _NEWLY_LOST, {"now": now, "most": most})]


def found_again(session: Session, *, now: datetime, most: int) -> Mapping[UUID, UUID]:
    """Return and lock appointments whose time the roster has again, each with the disruption that is over."""
    rows = _rows(session, _FOUND_AGAIN, {"now": now, "most": most})
    return {row.id: row.disruption_id for row in rows}


def coming_of(session: Session, people: Sequence[UUID], *, now: datetime) -> Mapping[UUID, bool]:
    """Return and lock the appointments to come of people and of those they answer for: is it disrupted?"""
    rows = _rows(session, _OF_PEOPLE, {"people": list(people), "now": now})
    return {row.id: row.disrupted for row in rows}


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
