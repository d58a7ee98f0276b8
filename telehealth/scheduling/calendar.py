"""Free places by day: what a calendar of many practitioners shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.clock import PROVINCE_TZ, at_local
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
# or whose practitioner has claims that are not steps of theirs.
_DAYS = f"""{COUNTED_NOW}, scope AS MATERIALIZED (
    SELECT {SESSION_COLUMNS}, s.slot_count * s.capacity AS places,
           s.bookable AND (NOT %(online)s OR s.bookable_online
                           AND (s.opens_at IS NULL OR s.opens_at <= %(now)s)) AS open,
           (s.resource_ids <> '{{{{}}}}' OR s.end_at > %(until)s OR s.start_at < %(now)s
                + make_interval(mins => CASE WHEN %(online)s AND s.notice_minutes IS NOT NULL
                                             THEN s.notice_minutes ELSE %(notice)s END)) AS odd
      FROM clinic_session s
     WHERE {{where}} AND s.business_date BETWEEN %(first)s AND %(last)s
       AND s.status = '{SessionStatus.OPEN}' AND s.start_at >= %(midnight)s AND s.start_at < %(next)s
), who AS MATERIALIZED (
    SELECT p.id, p.licence_no, p.name, p.title, p.specialty, p.name_sort
      FROM practitioner p
     WHERE p.id IN (SELECT practitioner_id FROM scope)
       AND (p.name_sort, p.id) > (%(after_name)s, %(after_id)s)
     ORDER BY p.name_sort, p.id LIMIT %(limit)s
), here AS MATERIALIZED (SELECT s.* FROM scope s JOIN who ON who.id = s.practitioner_id),
busy AS MATERIALIZED (
    SELECT k.resource_id, k.during, k.lane, day.local
      FROM who CROSS JOIN clock
      JOIN claim k ON k.active AND k.resource_id = who.id
       AND lower(k.during) > %(midnight)s - interval '8 hours' AND lower(k.during) < %(next)s
       AND (k.hold_until IS NULL OR k.hold_until > clock.at)
     CROSS JOIN LATERAL (
        SELECT DISTINCT (at AT TIME ZONE '{PROVINCE_TZ.key}')::date AS local
          FROM unnest(ARRAY[lower(k.during), upper(k.during) - interval '1 second']) AS at) day
), taken AS (
    SELECT s.session_id, count(*)::integer AS steps,
           bool_or(upper(b.during) - lower(b.during) <> make_interval(mins => s.slot_minutes)
                   OR mod(extract(epoch FROM lower(b.during) - s.start_at)::integer, s.slot_minutes * 60) <> 0
                  ) AS odd
      FROM here s JOIN busy b ON b.resource_id = s.practitioner_id AND b.local = s.business_date
       AND b.lane <= s.capacity AND lower(b.during) < s.end_at AND upper(b.during) > s.start_at
     GROUP BY s.session_id
), kept AS (
    SELECT q.clinic_session_id, sum(greatest(q.reserved - q.booked, 0))::integer AS places
      FROM session_quota q JOIN here s ON s.session_id = q.clinic_session_id
     WHERE q.door <> %(door)s AND q.falls_at > %(now)s GROUP BY 1
), blocked AS (
    SELECT DISTINCT s.session_id FROM here s JOIN blocking b ON b.facility_id = s.facility_id
       AND b.lifted_at IS NULL AND b.from_at < s.end_at AND b.to_at > s.start_at
       AND (b.practitioner_id IS NULL OR b.practitioner_id = s.practitioner_id)
       AND (b.resource_id IS NULL OR b.resource_id = ANY(s.resource_ids))
), counted AS (
    SELECT s.session_id, s.practitioner_id, s.business_date,
           s.end_at > %(now)s AND (l.doors IS NOT NULL OR s.open AND (
                s.odd OR coalesce(t.odd, false) OR b.session_id IS NOT NULL)) AS odd,
           CASE WHEN s.open AND s.end_at > %(now)s THEN greatest(0, least(
                s.places - coalesce(t.steps, 0), s.places - s.booked - coalesce(k.places, 0),
                CASE WHEN %(online)s THEN s.online_left END)) ELSE 0 END AS free
      FROM here s LEFT JOIN taken t ON t.session_id = s.session_id
      LEFT JOIN kept k ON k.clinic_session_id = s.session_id
      LEFT JOIN blocked b ON b.session_id = s.session_id
      LEFT JOIN lapsed_sessions l ON l.clinic_session_id = s.session_id
), days AS (
    SELECT practitioner_id, business_date, coalesce(sum(free) FILTER (WHERE NOT odd), 0) AS free
      FROM counted GROUP BY 1, 2
), limited AS (
    SELECT d.practitioner_id, json_object_agg(d.business_date, greatest(
                0, m.per_day - coalesce(y.booked, 0) + coalesce(h.people, 0))) AS places
      FROM practitioner_limit m JOIN days d ON d.practitioner_id = m.practitioner_id
      LEFT JOIN practitioner_day y
        ON (y.practitioner_id, y.business_date) = (d.practitioner_id, d.business_date)
      LEFT JOIN (SELECT practitioner_id, business_date, sum(people)::integer AS people FROM lapsed
                  GROUP BY 1, 2) h
        ON (h.practitioner_id, h.business_date) = (d.practitioner_id, d.business_date)
     GROUP BY 1
)
SELECT who.*, d.free, l.places AS most, o.ids AS odd
  FROM who
  JOIN (SELECT practitioner_id, json_object_agg(business_date, free) AS free FROM days GROUP BY 1) d
    ON d.practitioner_id = who.id
  LEFT JOIN limited l ON l.practitioner_id = who.id
  LEFT JOIN (SELECT practitioner_id, array_agg(session_id) AS ids FROM counted WHERE odd GROUP BY 1) o
    ON o.practitioner_id = who.id
 ORDER BY who.name_sort, who.id"""
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
    odd = [session_id for row in rows for session_id in row.odd or ()]
    window = policy.window(now, door)
    for row in swept(session, odd):
        places = free_places(grid_of(row), claims_of(row), window)
        free[row.practitioner_id][row.business_date] += places
    return [
        PractitionerDays(
            practitioner=PractitionerRef(row.id, row.licence_no, row.name, row.title, row.specialty),
            name_sort=row.name_sort,
            free=_at_most(free[row.id], row.most),
        )
        for row in rows
    ]


def read_days_cursor(cursor: str) -> tuple[str, UUID]:
    """Return DaysQuery.after of a cursor. Raises BadCursor."""
    name, last_id = decode_cursor(cursor, 2)
    try:
        return str(name), UUID(str(last_id))
    except ValueError as error:
        raise BadCursor from error


def _at_most(free: Mapping[date, int], most: Mapping[str, int] | None) -> dict[date, int]:
    if most is None:
        return dict(sorted(free.items()))
    return {day: min(places, most[day.isoformat()]) for day, places in sorted(free.items())}


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
