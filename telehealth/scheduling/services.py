"""Keeping clinic sessions in step with rosters, exceptions and the calendar."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.core.ids import new_id
from telehealth.directory.calendar import Override, day_kind
from telehealth.directory.queries import calendar_overrides
from telehealth.scheduling import queries
from telehealth.scheduling.codes import RosterChangeReason, SessionStatus
from telehealth.scheduling.queries import SlotQuery, SlotView
from telehealth.scheduling.rules import (
    DAY_MINUTES,
    POLICIES,
    KeptPlaces,
    PlannedSession,
    RosterException,
    RosterLine,
    Span,
    online_quota,
    opens_at,
    sessions_of_day,
)

HORIZON_DAYS = 62
# Whoever makes a whole day has it alone; facilities bring the same day up to date side by side.
_OWN_DAYS = "SELECT pg_advisory_xact_lock(7702605, d) FROM unnest(%(days)s::integer[]) AS d"
_SHARE_DAYS = "SELECT pg_advisory_xact_lock_shared(7702605, d) FROM unnest(%(days)s::integer[]) AS d"
_OWN_FACILITY = "SELECT pg_advisory_xact_lock(hashtextextended(%(facility)s::text, 7702605))"


@dataclass(frozen=True, slots=True)
class Materialised:
    """What bringing days up to date did to clinic sessions. `kept`: with bookings, now on the worklist."""

    days: int = 0
    added: int = 0
    changed: int = 0
    cancelled: int = 0
    kept: int = 0

    def plus(self, other: "Materialised") -> "Materialised":
        """Return the sum."""
        return Materialised(
            self.days + other.days,
            self.added + other.added,
            self.changed + other.changed,
            self.cancelled + other.cancelled,
            self.kept + other.kept,
        )


def materialise(session: Session, days: Iterable[date], now: datetime) -> Materialised:
    """Make the clinic sessions of days, or bring them to the current rosters.

    Days that are up to date cost one query. Processes that do the same day take turns. A session
    that people hold places in is never removed or narrowed: it goes to the roster worklist.
    """
    wanted = sorted(set(days))
    if not _stale(session, wanted, _roster_version(session)):
        return Materialised()
    _execute(session, _OWN_DAYS, {"days": [day.toordinal() for day in wanted]})
    version = _roster_version(session)
    stale = _stale(session, wanted, version)
    if not stale:
        return Materialised()
    rosters = _Rosters.read(session, stale[0], stale[-1])
    done = Materialised()
    for day in stale:
        done = done.plus(_refresh(session, day, rosters, now))
    _execute(
        session,
        """INSERT INTO materialised_day (day, roster_version, made_at)
           SELECT unnest(%(days)s::date[]), %(version)s, %(now)s
           ON CONFLICT (day) DO UPDATE
           SET roster_version = excluded.roster_version, made_at = excluded.made_at
           WHERE materialised_day.roster_version < excluded.roster_version""",
        {"days": stale, "version": version, "now": now},
    )
    return done


def materialise_horizon(session: Session, now: datetime, *, days: int = HORIZON_DAYS) -> Materialised:
    """Bring today and the days ahead up to date in one transaction: a new province, or a small one."""
    return materialise(session, horizon(now, days), now)


def horizon(now: datetime, days: int = HORIZON_DAYS) -> list[date]:
    """Return today and the days ahead that are kept up to date."""
    today = business_date(now)
    return [today + timedelta(days=offset) for offset in range(days + 1)]


def materialise_facility(
    session: Session, facility_id: UUID, days: Iterable[date], now: datetime
) -> Materialised:
    """Bring one facility's days to the current rosters, in the transaction that changed those."""
    wanted = sorted(set(days))
    if not wanted:
        return Materialised()
    _execute(session, _OWN_FACILITY, {"facility": facility_id})
    _execute(session, _SHARE_DAYS, {"days": [day.toordinal() for day in wanted]})
    rosters = _Rosters.read(session, wanted[0], wanted[-1], facility_id)
    done = Materialised()
    for day in wanted:
        done = done.plus(_refresh(session, day, rosters, now, facility_id))
    return done


def keep_to_policy(session: Session, service_id: UUID, now: datetime) -> int:
    """Bring a service's sessions from today on to its booking policy, at once; return how many changed."""
    days = _rows(
        session,
        """SELECT DISTINCT s.business_date, y.min_notice_minutes, y.window_days, y.release_minute
             FROM clinic_session s LEFT JOIN booking_policy y USING (service_id)
            WHERE s.service_id = %(service)s AND s.business_date >= %(today)s""",
        {"service": service_id, "today": business_date(now)},
    )
    terms = {
        "service": service_id,
        "day": [row[0] for row in days],
        "opens": [opens_at(row[0], row[2], row[3]) for row in days],
        "notice": [row[1] for row in days],
    }
    _execute(session, _LOCK_TERMS, terms)
    return _execute(session, _CHANGE_TERMS, terms)


def planned_at(
    session: Session, facility_id: UUID, first: date, last: date
) -> dict[date, list[PlannedSession]]:
    """Return a facility's sessions of each day as the stored rosters want them; nothing is written."""
    rosters = _Rosters.read(session, first, last, facility_id)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return {day: rosters.planned(day) for day in days}


def find_slots(session: Session, query: SlotQuery, *, now: datetime) -> list[SlotView]:
    """Return the earliest free slots, making days beyond the horizon that the query reaches."""
    if query.from_ is not None:
        ensure_days(session, query.from_, now=now, channel=query.channel)
    return queries.earliest_slots(session, query, now=now)


def ensure_days(session: Session, from_: datetime, *, now: datetime, channel: str, days: int = 7) -> None:
    """Make the days a reader looks at when they lie beyond the horizon and may be booked at all."""
    today = business_date(now)
    first = max(today, business_date(from_))
    wanted = [first + timedelta(days=offset) for offset in range(days)]
    if wanted[-1] > today + timedelta(days=HORIZON_DAYS):
        last = today + timedelta(days=max(POLICIES[channel].window_days, _widest_window(session)))
        materialise(session, [day for day in wanted if day <= last], now)


def _widest_window(session: Session) -> int:
    return int(_rows(session, "SELECT coalesce(max(window_days), 0) FROM booking_policy", {})[0][0])


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a facility's service says about sessions of it."""

    code: str
    online_booking: bool
    online_share_percent: int
    min_notice_minutes: int | None
    window_days: int | None
    release_minute: int | None


@dataclass(frozen=True, slots=True)
class _Rosters:
    lines: Mapping[UUID, Sequence[RosterLine]]
    exceptions: Mapping[UUID, Sequence[RosterException]]
    open_spans: Mapping[UUID, Mapping[int, Sequence[Span]]]
    terms: Mapping[UUID, _Terms]
    overrides: Sequence[Override]

    @classmethod
    def read(cls, session: Session, first: date, last: date, facility_id: UUID | None = None) -> "_Rosters":
        """Read what the days from first to last may need, everywhere or at a facility, in five statements.

        Of two lines that want the same session the one of the later `valid_from` has it. Ids come last in
        the orders: those of a preview are not those of what is saved after it.
        """
        between = {"first": first, "last": last, "facility": facility_id}
        lines: dict[UUID, list[RosterLine]] = defaultdict(list)
        for row in _rows(
            session,
            """SELECT s.id, s.facility_id, s.practitioner_id, s.service_id, s.modality, s.weekdays,
                      s.start_minute, s.end_minute, s.slot_minutes, s.capacity, s.room, s.valid_from,
                      s.valid_to, s.every_weeks, s.mode, s.lead_minutes, s.tail_minutes, s.overbook_most,
                      ARRAY(SELECT x.service_id FROM schedule_service x
                             WHERE x.schedule_id = s.id AND x.service_id <> s.service_id ORDER BY 1),
                      ARRAY(SELECT x.resource_id FROM schedule_resource x
                             WHERE x.schedule_id = s.id ORDER BY 1),
                      (SELECT jsonb_agg(jsonb_build_array(q.door, q.places, q.falls_minutes) ORDER BY q.door)
                         FROM schedule_quota q WHERE q.schedule_id = s.id)
                 FROM schedule s JOIN practitioner p ON p.id = s.practitioner_id AND p.active
                WHERE s.active AND s.valid_from <= %(last)s
                  AND (%(facility)s::uuid IS NULL OR s.facility_id = %(facility)s::uuid)
                  AND (s.valid_to IS NULL OR s.valid_to >= %(first)s)
                ORDER BY 12 DESC, 4, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, s.id""",
            between,
        ):
            line = RosterLine(*[*row[:-1], [KeptPlaces(*item) for item in row[-1] or ()]])
            lines[line.facility_id].append(line)
        exceptions: dict[UUID, list[RosterException]] = defaultdict(list)
        for row in _rows(
            session,
            """SELECT id, facility_id, practitioner_id, kind, from_date, to_date, start_minute, end_minute,
                      service_id, modality, slot_minutes, capacity, room, like_weekday, schedule_id, mode,
                      lead_minutes, tail_minutes, overbook_most, resource_ids, origin, kept
                 FROM schedule_exception
                WHERE active AND from_date <= %(last)s AND to_date >= %(first)s
                  AND (%(facility)s::uuid IS NULL OR facility_id = %(facility)s::uuid)
                ORDER BY from_date DESC, to_date, kind, start_minute, end_minute, like_weekday, slot_minutes,
                         capacity, room, mode, lead_minutes, tail_minutes, overbook_most, resource_ids, kept,
                         origin, id""",
            between,
        ):
            kept = [KeptPlaces(*item) for item in row[-1]]
            exceptions[row[1]].append(RosterException(*[*row[:-1], kept]))
        return cls(
            lines=lines,
            exceptions=exceptions,
            open_spans={
                row[0]: _spans_by_weekday([*row[1], *row[2]])
                for row in _rows(
                    session,
                    """SELECT id, hours, after_hours FROM facility
                        WHERE active AND (%(facility)s::uuid IS NULL OR id = %(facility)s::uuid)""",
                    between,
                )
            },
            terms={
                row[0]: _Terms(*row[1:])
                for row in _rows(
                    session,
                    """SELECT v.id, v.code, v.online_booking, v.online_share_percent, y.min_notice_minutes,
                              y.window_days, y.release_minute
                         FROM healthcare_service v LEFT JOIN booking_policy y ON y.service_id = v.id
                        WHERE v.active
                          AND (%(facility)s::uuid IS NULL OR v.facility_id = %(facility)s::uuid)""",
                    between,
                )
            },
            overrides=calendar_overrides(session, first, last),
        )

    def planned(self, day: date) -> list[PlannedSession]:
        """Return every facility's sessions of a day as the rosters want them."""
        overrides = [item for item in self.overrides if item.day == day]
        return [
            planned
            for facility_id in self.open_spans
            for planned in sessions_of_day(
                day,
                self.lines.get(facility_id, ()),
                self.exceptions.get(facility_id, ()),
                weekday=day_kind(day, overrides, facility_id).weekday,
                open_spans=self.open_spans[facility_id],
            )
            if planned.service_id in self.terms
        ]


def _spans_by_weekday(periods: Iterable[Mapping[str, int]]) -> dict[int, list[Span]]:
    spans: dict[int, list[Span]] = defaultdict(list)
    for period in periods:
        spans[period["weekday"]].append((period["start"], period["end"]))
    return dict(spans)


_COLUMNS = (
    ("id", "uuid"),
    ("schedule_id", "uuid"),
    ("exception_id", "uuid"),
    ("facility_id", "uuid"),
    ("practitioner_id", "uuid"),
    ("service_id", "uuid"),
    ("service_code", "text"),
    ("modality", "text"),
    ("business_date", "date"),
    ("start_at", "timestamptz"),
    ("end_at", "timestamptz"),
    ("start_minute", "integer"),
    ("slot_minutes", "integer"),
    ("slot_count", "integer"),
    ("capacity", "integer"),
    ("room", "text"),
    ("online_quota", "integer"),
    ("mode", "text"),
    ("lead_minutes", "integer"),
    ("tail_minutes", "integer"),
    ("overbook_most", "integer"),
    ("opens_at", "timestamptz"),
    ("notice_minutes", "integer"),
    ("resource_ids", "text"),  # an array literal: unnest() would take an array of arrays apart
)
_OF_DAY = """business_date = %(day)s AND start_at >= %(midnight)s AND start_at < %(next)s
   AND (%(facility)s::uuid IS NULL OR facility_id = %(facility)s::uuid)"""
_NAMES = ", ".join(name for name, _kind in _COLUMNS)
_PLAIN = ", ".join(name for name, _kind in _COLUMNS[:-1])
_WANTED = f"""WITH wanted ({_NAMES}) AS (
    SELECT {_PLAIN}, resource_ids::uuid[]
      FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS)}) AS u ({_NAMES}))
"""
_ADD = (
    _WANTED
    + f"""INSERT INTO clinic_session ({_NAMES}, online_booked, booked, status, version)
SELECT {_NAMES}, 0, 0, '{SessionStatus.OPEN}', 1 FROM wanted ORDER BY id ON CONFLICT (id) DO NOTHING"""
)
# What the counters of a session do not let it fall below.
_LEAST = {
    "online_quota": "greatest(w.online_quota, s.online_booked)",
    "overbook_most": "greatest(w.overbook_most, (s.overbooked + w.slot_count - 1) / w.slot_count)",
}
_SHAPE = (
    "schedule_id",
    "exception_id",
    "slot_minutes",
    "slot_count",
    "capacity",
    "room",
    "online_quota",
    "mode",
    "lead_minutes",
    "tail_minutes",
    "overbook_most",
    "opens_at",
    "notice_minutes",
    "resource_ids",
)
_SHAPED = {name: _LEAST.get(name, f"w.{name}") for name in _SHAPE}
_HELD = "(s.booked > 0 OR s.overbooked > 0)"
# With bookings a session may only grow: the same slots, more of them, more lanes, another room.
_FITS = f"""(NOT {_HELD} OR (w.slot_count >= s.slot_count AND w.capacity >= s.capacity
            AND (w.slot_minutes, w.lead_minutes, w.tail_minutes, w.mode, w.resource_ids)
              = (s.slot_minutes, s.lead_minutes, s.tail_minutes, s.mode, s.resource_ids)))"""
_ALTERED = f"""(s.status <> '{SessionStatus.OPEN}' OR ({", ".join("s." + name for name in _SHAPE)})
        IS DISTINCT FROM ({", ".join(_SHAPED.values())}))"""
# Before anything of the day is written, and in the order in which bookings lock sessions.
_LOCK_ALTERED = (
    _WANTED
    + f"""SELECT s.id FROM clinic_session s LEFT JOIN wanted w ON w.id = s.id
 WHERE s.business_date = %(day)s AND s.start_at >= %(midnight)s AND s.start_at < %(next)s
   AND (%(facility)s::uuid IS NULL OR s.facility_id = %(facility)s::uuid)
   AND CASE WHEN w.id IS NULL THEN s.status <> '{SessionStatus.CANCELLED}' ELSE {_ALTERED} END
 ORDER BY s.id FOR NO KEY UPDATE OF s"""
)
_CHANGE = (
    _WANTED
    + f"""UPDATE clinic_session s SET
    {", ".join(f"{name} = {value}" for name, value in _SHAPED.items())},
    start_at = w.start_at, end_at = w.end_at, start_minute = w.start_minute,
    status = '{SessionStatus.OPEN}', version = s.version + 1
  FROM wanted w
 WHERE s.id = w.id AND {_FITS} AND {_ALTERED}"""
)
_CANCEL = f"""UPDATE clinic_session s SET status = '{SessionStatus.CANCELLED}', version = version + 1
 WHERE {_OF_DAY} AND status <> '{SessionStatus.CANCELLED}' AND NOT {_HELD}
   AND NOT id = ANY(%(ids)s::uuid[])"""
_UNFIT = (
    _WANTED
    + f"""SELECT s.id, s.facility_id, CASE WHEN w.id IS NULL THEN '{RosterChangeReason.REMOVED}'
                                         ELSE '{RosterChangeReason.CHANGED}' END,
       coalesce((SELECT range_agg(tstzrange(o.start_at, o.end_at)) FROM wanted o
                  WHERE (o.facility_id, o.practitioner_id, o.service_id, o.modality)
                      = (s.facility_id, s.practitioner_id, s.service_id, s.modality)), '{{}}')::text
  FROM clinic_session s LEFT JOIN wanted w ON w.id = s.id
 WHERE s.business_date = %(day)s AND s.start_at >= %(midnight)s AND s.start_at < %(next)s
   AND (%(facility)s::uuid IS NULL OR s.facility_id = %(facility)s::uuid)
   AND {_HELD} AND (w.id IS NULL OR NOT {_FITS})"""
)
# Who books meanwhile is refused: the session is no longer the one that was read.
_WORKLIST = """WITH listed AS (
INSERT INTO roster_change (id, clinic_session_id, facility_id, reason, worked, created_at)
SELECT id, session, facility, reason, worked::tstzmultirange, at
  FROM unnest(%(id)s::uuid[], %(session)s::uuid[], %(facility)s::uuid[], %(reason)s::text[],
              %(worked)s::text[], %(at)s::timestamptz[]) AS r (id, session, facility, reason, worked, at)
ON CONFLICT (clinic_session_id, reason) WHERE resolved_at IS NULL DO UPDATE
SET worked = excluded.worked WHERE roster_change.worked <> excluded.worked
RETURNING clinic_session_id)
UPDATE clinic_session s SET version = s.version + 1 FROM listed WHERE s.id = listed.clinic_session_id"""
_FITS_AGAIN = """UPDATE roster_change r SET resolved_at = %(now)s FROM clinic_session s
 WHERE s.id = r.clinic_session_id AND r.resolved_at IS NULL AND s.business_date = %(day)s
   AND (%(facility)s::uuid IS NULL OR s.facility_id = %(facility)s::uuid)
   AND NOT (r.clinic_session_id, r.reason) IN (
       SELECT * FROM unnest(%(session)s::uuid[], %(reason)s::text[]))"""
# Nobody new is let into a session that is not to be: those who are in it have to find another time.
_CLOSE = f"""UPDATE clinic_session SET status = '{SessionStatus.CLOSED}', version = version + 1
 WHERE id = ANY(%(removed)s::uuid[]) AND status = '{SessionStatus.OPEN}'"""
_TERMS = """WITH wanted AS (
    SELECT * FROM unnest(%(day)s::date[], %(opens)s::timestamptz[], %(notice)s::integer[])
                  AS u (business_date, opens_at, notice_minutes))
"""
_OTHER_TERMS = """s.service_id = %(service)s AND s.business_date = w.business_date
   AND (s.opens_at, s.notice_minutes) IS DISTINCT FROM (w.opens_at, w.notice_minutes)"""
_LOCK_TERMS = f"""{_TERMS}SELECT s.id FROM clinic_session s, wanted w WHERE {_OTHER_TERMS}
 ORDER BY s.id FOR NO KEY UPDATE OF s"""
_CHANGE_TERMS = f"""{_TERMS}UPDATE clinic_session s
   SET opens_at = w.opens_at, notice_minutes = w.notice_minutes, version = s.version + 1
  FROM wanted w WHERE {_OTHER_TERMS}"""

_KEEPING = """WITH wanted AS (
    SELECT * FROM unnest(%(session)s::uuid[], %(door)s::text[], %(reserved)s::integer[],
                         %(falls)s::timestamptz[]) AS u (clinic_session_id, door, reserved, falls_at))
"""
# Whoever takes or gives back a place locks the session first: nobody does while its doors are counted anew.
_LOCK_UNCOUNTED = (
    _KEEPING
    + """SELECT s.id FROM clinic_session s
 WHERE s.id IN (SELECT w.clinic_session_id FROM wanted w
                 WHERE NOT EXISTS (SELECT FROM session_quota q
                                    WHERE (q.clinic_session_id, q.door) = (w.clinic_session_id, w.door)))
 ORDER BY s.id FOR UPDATE"""
)
_KEEP = (
    _KEEPING
    + """INSERT INTO session_quota AS q (clinic_session_id, door, reserved, booked, falls_at)
SELECT w.clinic_session_id, w.door, w.reserved, come_by_door(w.clinic_session_id, w.door), w.falls_at
  FROM wanted w ORDER BY w.clinic_session_id, w.door
ON CONFLICT (clinic_session_id, door) DO UPDATE SET reserved = excluded.reserved, falls_at = excluded.falls_at
 WHERE (q.reserved, q.falls_at) <> (excluded.reserved, excluded.falls_at)"""
)
_KEEP_NO_MORE = """UPDATE session_quota q SET reserved = 0 FROM clinic_session s
 WHERE s.id = q.clinic_session_id AND s.business_date = %(day)s AND q.reserved > 0
   AND (%(facility)s::uuid IS NULL OR s.facility_id = %(facility)s::uuid)
   AND NOT (q.clinic_session_id, q.door) IN (
       SELECT * FROM unnest(%(session)s::uuid[], %(door)s::text[]))"""


def _refresh(
    session: Session, day: date, rosters: _Rosters, now: datetime, facility_id: UUID | None = None
) -> Materialised:
    planned = rosters.planned(day)
    wanted, kept = _arrays(planned, rosters.terms), _kept(planned)
    bounds = {
        "day": day,
        "midnight": at_local(day, 0),
        "next": at_local(day, DAY_MINUTES),
        "facility": facility_id,
    }
    fresh = not _rows(session, f"SELECT FROM clinic_session WHERE {_OF_DAY} LIMIT 1", bounds)
    added = _execute(session, _ADD, wanted)
    if fresh:
        _execute(session, _KEEP, kept)
        return Materialised(1, added)
    _execute(session, _LOCK_ALTERED, {**wanted, **bounds})
    changed = _execute(session, _CHANGE, wanted)
    cancelled = _execute(session, _CANCEL, {**bounds, "ids": wanted["id"]})
    unfit = _rows(session, _UNFIT, {**wanted, **bounds})
    _keep(session, bounds, kept)
    return Materialised(1, added, changed, cancelled, _note_unfit(session, bounds, unfit, now))


def _keep(session: Session, bounds: Mapping[str, Any], kept: dict[str, list[Any]]) -> None:
    """Bring the places kept for doors to the rosters.

    A row stays when nothing is kept any more, for its count. A new one begins with the live bookings that
    came through its door already.
    """
    _execute(session, _LOCK_UNCOUNTED, kept)
    _execute(session, _KEEP, kept)
    _execute(session, _KEEP_NO_MORE, {**kept, **bounds})


def _note_unfit(session: Session, bounds: Mapping[str, Any], unfit: Sequence[Any], now: datetime) -> int:
    """Put sessions that no longer fit on the worklist, take those off that fit again; return how many."""
    found = {
        "id": [new_id() for _ in unfit],
        "session": [row[0] for row in unfit],
        "facility": [row[1] for row in unfit],
        "reason": [row[2] for row in unfit],
        "worked": [row[3] for row in unfit],
        "at": [now] * len(unfit),
    }
    removed = [row[0] for row in unfit if row[2] == RosterChangeReason.REMOVED]
    _execute(session, _FITS_AGAIN, {**found, **bounds, "now": now})
    _execute(session, _CLOSE, {"removed": removed})
    return _execute(session, _WORKLIST, found)


def _kept(planned: Sequence[PlannedSession]) -> dict[str, list[Any]]:
    rows = [(item, kept) for item in planned for kept in item.kept]
    return {
        "session": [item.id for item, _kept in rows],
        "door": [kept.door for _item, kept in rows],
        "reserved": [kept.places for _item, kept in rows],
        "falls": [item.start_at - timedelta(minutes=kept.falls_minutes) for item, kept in rows],
    }


_OF_SERVICE = ("service_code", "online_quota", "opens_at", "notice_minutes")


def _arrays(planned: Sequence[PlannedSession], terms: Mapping[UUID, _Terms]) -> dict[str, list[Any]]:
    arrays: dict[str, list[Any]] = {
        name: [getattr(item, name) for item in planned]
        for name, _kind in _COLUMNS
        if name not in (*_OF_SERVICE, "business_date", "resource_ids")
    }
    arrays["business_date"] = [item.day for item in planned]
    arrays["resource_ids"] = [f"{{{','.join(map(str, item.resource_ids))}}}" for item in planned]
    of_service = [_of_service(item, terms[item.service_id]) for item in planned]
    arrays |= {name: [row[place] for row in of_service] for place, name in enumerate(_OF_SERVICE)}
    return arrays


def _of_service(item: PlannedSession, terms: _Terms) -> tuple[str, int, datetime | None, int | None]:
    return (
        terms.code,
        online_quota(
            terms.online_share_percent, item.slot_count, item.capacity, bookable_online=terms.online_booking
        ),
        opens_at(item.day, terms.window_days, terms.release_minute),
        terms.min_notice_minutes,
    )


def _roster_version(session: Session) -> int:
    return int(_rows(session, "SELECT coalesce(max(version), 0) FROM roster_state", {})[0][0])


def _stale(session: Session, days: Sequence[date], version: int) -> list[date]:
    rows = _rows(
        session,
        """SELECT d.day FROM unnest(%(days)s::date[]) AS d (day)
            LEFT JOIN materialised_day m ON m.day = d.day AND m.roster_version >= %(version)s
            WHERE m.day IS NULL ORDER BY d.day""",
        {"days": list(days), "version": version},
    )
    return [row[0] for row in rows]


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()


def _execute(session: Session, sql: str, parameters: Mapping[str, Any]) -> int:
    return session.connection().exec_driver_sql(sql, dict(parameters)).rowcount
