"""Free places by day: what a calendar of many practitioners shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local
from telehealth.core.paging import BadCursor, decode_cursor
from telehealth.scheduling.codes import Channel, Door, SessionStatus
from telehealth.scheduling.queries import (
    COUNTED_NOW,
    FACTS,
    FILTERS,
    OF_FACTS,
    SESSION_COLUMNS,
    PractitionerRef,
    claims_of,
    grid_of,
)
from telehealth.scheduling.rules import (
    DAY_MINUTES,
    POLICIES,
    SlotPolicy,
    door_of,
    free_places,
    instant_of,
)


@dataclass(frozen=True, slots=True)
class DaysQuery:
    """Whose days to count, of which facility or practitioner, both days included.

    `after`: the name's sort key and the id of the last practitioner of the page before.
    """

    first: date
    last: date
    facility_id: UUID | None = None
    practitioner_id: UUID | None = None
    service_code: str | None = None
    modality: str | None = None
    channel: str = Channel.ONLINE
    care_level: str | None = None
    limit: int = 50
    after: tuple[str, UUID] | None = None


@dataclass(frozen=True, slots=True)
class PractitionerDays:
    """A practitioner's days that have sessions, and how many places each has left; 0 is a full one."""

    practitioner: PractitionerRef
    name_sort: str
    free: Mapping[date, int]


# Sessions whose counters say everything are added up here. The others (`odd`) are told by id, to be swept
# like a search does: those that need a resource, touch a blocking or the window's ends, have a lapsed hold,
# no longer fit the roster, or whose practitioner has claims that are not steps of theirs. Full sessions are
# asked for nothing more.
# What is asked of each session is asked by its keys, so that no wrong estimate can make it slow.
_DAYS = f"""{COUNTED_NOW}, scope AS MATERIALIZED (
    SELECT {SESSION_COLUMNS}, s.slot_count * s.capacity AS places, l.doors IS NOT NULL AS refilled,
           s.end_at > %(now)s AND s.bookable AND (NOT %(online)s OR s.bookable_online
                AND (s.opens_at IS NULL OR s.opens_at <= %(now)s)) AS open,
           (s.resource_ids <> '{{{{}}}}' OR s.end_at > %(until)s OR s.start_at <= %(now)s
                + make_interval(mins => CASE WHEN %(online)s AND s.notice_minutes IS NOT NULL
                                             THEN s.notice_minutes ELSE %(notice)s END)) AS odd
      FROM clinic_session s LEFT JOIN lapsed_sessions l ON l.clinic_session_id = s.id
     WHERE {{where}} AND s.business_date BETWEEN %(first)s AND %(last)s
       AND s.status = '{SessionStatus.OPEN}' AND s.start_at >= %(midnight)s AND s.start_at < %(next)s
), counted AS MATERIALIZED (
    SELECT s.session_id, s.practitioner_id, s.business_date,
           s.end_at > %(now)s AND (s.refilled OR s.open AND (s.odd OR coalesce(taken.odd, false) OR EXISTS (
                SELECT FROM blocking b
                 WHERE b.facility_id = s.facility_id AND b.lifted_at IS NULL
                   AND b.from_at < s.end_at AND b.to_at > s.start_at
                   AND (b.practitioner_id IS NULL OR b.practitioner_id = s.practitioner_id)
                   AND (b.resource_id IS NULL OR b.resource_id = ANY(s.resource_ids)))
                OR EXISTS (SELECT FROM roster_change r
                            WHERE r.clinic_session_id = s.session_id AND r.resolved_at IS NULL))) AS odd,
           CASE WHEN s.open THEN greatest(0, least(
                s.places - taken.steps, CASE WHEN %(online)s THEN s.online_left END,
                s.places - s.booked - coalesce((
                    SELECT sum(greatest(q.reserved - q.booked, 0))::integer FROM session_quota q
                     WHERE q.clinic_session_id = s.session_id AND q.door <> %(door)s
                       AND q.falls_at > %(now)s), 0))) ELSE 0 END AS free
      FROM scope s CROSS JOIN clock CROSS JOIN LATERAL (
        SELECT count(*)::integer AS steps,
               bool_or(upper(k.during) - lower(k.during) <> make_interval(mins => s.slot_minutes)
                   OR mod(extract(epoch FROM lower(k.during) - s.start_at)::integer, s.slot_minutes * 60) <> 0
                  ) AS odd
          FROM claim k
         WHERE s.open AND k.active AND k.resource_id = s.practitioner_id AND k.lane <= s.capacity
           AND lower(k.during) > s.start_at - interval '8 hours' AND lower(k.during) < s.end_at
           AND upper(k.during) > s.start_at AND (k.hold_until IS NULL OR k.hold_until > clock.at)) taken
), days AS (
    SELECT practitioner_id, business_date, coalesce(sum(free) FILTER (WHERE NOT odd), 0) AS free,
           array_agg(session_id) FILTER (WHERE odd) AS odd
      FROM counted GROUP BY 1, 2
), practitioners AS MATERIALIZED (
    SELECT practitioner_id AS id, json_object_agg(business_date, free) AS free,
           json_object_agg(business_date, odd) FILTER (WHERE odd IS NOT NULL) AS odd
      FROM days GROUP BY 1
)
SELECT p.id, p.licence_no, p.name, p.title, p.specialty, p.name_sort, d.free, d.odd, m.per_day,
       (SELECT json_object_agg(y.business_date, y.booked) FROM practitioner_day y
         WHERE m.per_day IS NOT NULL AND y.practitioner_id = d.id
           AND y.business_date BETWEEN %(first)s AND %(last)s) AS seen,
       (SELECT json_object_agg(h.business_date, h.people)
          FROM (SELECT business_date, sum(people)::integer AS people FROM lapsed
                 WHERE m.per_day IS NOT NULL AND practitioner_id = d.id GROUP BY 1) h) AS lapsed
  FROM practitioners d
 CROSS JOIN LATERAL (SELECT * FROM practitioner x WHERE x.id = d.id OFFSET 0) p
  LEFT JOIN LATERAL (SELECT x.per_day FROM practitioner_limit x
                      WHERE x.practitioner_id = d.id OFFSET 0) m ON true
 WHERE (p.name_sort, p.id) > (%(after_name)s, %(after_id)s)
 ORDER BY p.name_sort, p.id LIMIT %(limit)s"""
_SWEPT = f"""{COUNTED_NOW}, page AS MATERIALIZED (
    SELECT {SESSION_COLUMNS} FROM clinic_session s WHERE s.id = ANY(%(ids)s::uuid[]))
SELECT s.*, {FACTS} FROM clock, page s{OF_FACTS}"""


def free_days(session: Session, query: DaysQuery, *, now: datetime) -> list[PractitionerDays]:
    """Count what practitioners have left on each of many days, by name, in two statements.

    Counts what earliest_slots() would find: places that may be booked now through the query's channel.
    """
    policy, door = POLICIES[query.channel], door_of(query.channel, query.care_level)
    rows = _days_rows(session, query, policy, door, now)
    free = {
        row.id: {date.fromisoformat(day): int(places) for day, places in row.free.items()} for row in rows
    }
    odd = [UUID(key) for row in rows for keys in (row.odd or {}).values() for key in keys]
    window = policy.window(now, door)
    for row in swept(session, odd):
        places = free_places(grid_of(row), claims_of(row), window)
        free[row.practitioner_id][row.business_date] += places
    return [
        PractitionerDays(
            practitioner=PractitionerRef(row.id, row.licence_no, row.name, row.title, row.specialty),
            name_sort=row.name_sort,
            free={day: _at_most(row, day, places) for day, places in sorted(free[row.id].items())},
        )
        for row in rows
    ]


def _at_most(row: Row[Any], day: date, places: int) -> int:
    """Return the places, but no more than the practitioner's daily limit leaves."""
    if row.per_day is None:
        return places
    seen, lapsed = ((counts or {}).get(day.isoformat(), 0) for counts in (row.seen, row.lapsed))
    return min(places, max(0, int(row.per_day - seen + lapsed)))


def read_days_cursor(cursor: str) -> tuple[str, UUID]:
    """Return DaysQuery.after of a cursor. Raises BadCursor."""
    name, last_id = decode_cursor(cursor, 2)
    try:
        return str(name), UUID(str(last_id))
    except ValueError as error:
        raise BadCursor from error


def _days_rows(
    session: Session, query: DaysQuery, policy: SlotPolicy, door: Door, now: datetime
) -> Sequence[Row[Any]]:
    where = {
        "facility_id": "s.facility_id = %(facility_id)s",
        "service_code": "s.service_code = %(service_code)s",
        **FILTERS,
    }
    asked = [text for name, text in where.items() if getattr(query, name) is not None]
    name, last_id = query.after or ("", UUID(int=0))
    return (
        session.connection()
        .exec_driver_sql(
            _DAYS.format(where=" AND ".join(asked or ["true"])),
            {
                **{name: getattr(query, name) for name in where},
                "first": query.first,
                "last": query.last,
                "midnight": at_local(query.first, 0),
                "next": at_local(query.last, DAY_MINUTES),
                "until": instant_of(policy.bounds(now, opens=None, notice=None)[1]),
                "notice": policy.min_notice_minutes,
                "online": policy.online,
                "door": door,
                "now": now,
                "after_name": name,
                "after_id": last_id,
                "limit": query.limit,
            },
        )
        .all()
    )


def swept(session: Session, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """Return sessions with all that a sweep asks of them (grid_of, claims_of)."""
    if not ids:
        return ()
    parameters = {"ids": ids, "roles": [], "account": None}
    return session.connection().exec_driver_sql(_SWEPT, parameters).all()
