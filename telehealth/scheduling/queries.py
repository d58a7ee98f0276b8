"""Free slots, earliest first, over the whole province or a part of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local
from telehealth.directory.naming import short_name
from telehealth.directory.places import Place
from telehealth.directory.queries import Prices
from telehealth.scheduling.codes import Channel, Door, SessionMode, SessionStatus
from telehealth.scheduling.rules import (
    DAY_MINUTES,
    POLICIES,
    SHOWN,
    FreeSlot,
    Grid,
    Reserve,
    SlotId,
    Taken,
    Window,
    door_of,
    epoch_minute,
    free_slots,
    instant_of,
    on_grid,
)

FIRST_PAGE, LAST_PAGE = 16, 128
MAX_LIMIT = 100
NEAR_KM = 30.0


@dataclass(frozen=True, slots=True)
class FacilityRef:
    """Where."""

    id: UUID
    code: str
    name: str
    address: str
    hotline: str

    @property
    def short_name(self) -> str:
        """Return the name as messages and boards write it."""
        return short_name(self.name)


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """What, in both languages."""

    id: UUID
    code: str
    name_vi: str
    name_en: str
    duration_minutes: int

    def name(self, locale: str) -> str:
        """Return the name in a language."""
        return self.name_vi if locale == "vi" else self.name_en


@dataclass(frozen=True, slots=True)
class PractitionerRef:
    """With whom."""

    id: UUID
    licence_no: str
    name: str
    title: str
    specialty: str


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """What to look for. Without `facility_id` or `near` everywhere, without `from_` from now on.

    `near`: at facilities within `radius_km` of a place. `care_level`: of the
    facility that refers, for the channel `referral`. `override_roles` and `override_account`: who asks may
    book in times that are blocked for others. `shown`: somebody chose among what was found before, and has
    the grace of rules.SHOWN.
    """

    service_code: str | None = None
    facility_id: UUID | None = None
    practitioner_id: UUID | None = None
    modality: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
    limit: int = 10
    channel: str = Channel.ONLINE
    care_level: str | None = None
    near: Place | None = None
    radius_km: float = NEAR_KM
    override_roles: Collection[str] = ()
    override_account: UUID | None = None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot with at least one free place. `free` counts the places this door may still take.

    `start` to `end` is the patient's time: in mode `session` the window to arrive in. `distance_km`: from
    the place that was asked for.
    """

    id: str
    start: datetime
    end: datetime
    service: ServiceRef
    facility: FacilityRef
    practitioner: PractitionerRef
    modality: str
    room: str
    prices: Prices
    free: int
    mode: str = SessionMode.SLOT
    distance_km: float | None = None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A clinic session and its counters, for staff. `start` to `end` holds the buffers."""

    id: UUID
    start: datetime
    end: datetime
    business_date: date
    practitioner_id: UUID
    service_id: UUID
    modality: str
    room: str
    status: str
    slot_minutes: int
    capacity: int
    places: int
    booked: int
    online_booked: int
    online_quota: int
    slot_count: int
    mode: str
    lead_minutes: int
    tail_minutes: int
    resource_ids: Sequence[UUID]
    opens_at: datetime | None
    notice_minutes: int | None
    overbook_most: int
    overbooked: int
    version: int
    schedule_id: UUID | None
    exception_id: UUID | None
    reserves: Sequence[Reserve] = ()


SESSION_COLUMNS = """s.id AS session_id, s.start_at, s.end_at, s.business_date, s.start_minute,
           s.slot_minutes, s.slot_count, s.capacity, s.booked,
           s.online_quota - s.online_booked AS online_left, s.modality, s.room, s.status, s.mode,
           s.lead_minutes, s.tail_minutes, s.resource_ids, s.opens_at, s.notice_minutes, s.service_id,
           s.facility_id, s.practitioner_id"""
# A hold that has run out keeps its claim until somebody takes its place, and is counted until it is tidied
# away: lapsed_holds() says what the counters have too many.
COUNTED_NOW = """WITH clock AS MATERIALIZED (SELECT app_clock() AS at),
lapsed AS MATERIALIZED (SELECT * FROM lapsed_holds()),
lapsed_sessions AS MATERIALIZED (
    SELECT clinic_session_id, json_object_agg(door, places) AS doors FROM lapsed GROUP BY 1)"""
# What the rules ask about a session besides its own row: claims, reserves, resources, blockings, limit. What
# the roster no longer has of a session that people hold places in is blocked for everybody.
FACTS = """l.doors AS lapsed, taken.spans,
       (SELECT json_agg(json_build_array(q.door, q.reserved, q.booked, extract(epoch FROM q.falls_at)))
          FROM session_quota q WHERE q.clinic_session_id = s.session_id) AS reserves,
       (SELECT array_agg(CASE WHEN r.active THEN r.lanes ELSE 0 END ORDER BY r.id)
          FROM resource r WHERE r.id = ANY(s.resource_ids)) AS resource_lanes,
       (SELECT array_agg(ARRAY[extract(epoch FROM b.from_at)::integer / 60,
                               ceil(extract(epoch FROM b.to_at) / 60)::integer])
          FROM (SELECT b.from_at, b.to_at FROM blocking b
                 WHERE b.facility_id = s.facility_id AND b.lifted_at IS NULL
                   AND b.from_at < s.end_at AND b.to_at > s.start_at
                   AND (b.practitioner_id IS NULL OR b.practitioner_id = s.practitioner_id)
                   AND (b.resource_id IS NULL OR b.resource_id = ANY(s.resource_ids))
                   AND NOT (b.override_roles && %(roles)s::text[]
                            OR coalesce(%(account)s::uuid = ANY(b.override_account_ids), false))
                 UNION ALL
                SELECT lower(gone), upper(gone)
                  FROM roster_change r,
                       unnest(tstzmultirange(tstzrange(s.start_at, s.end_at)) - r.worked) gone
                 WHERE r.clinic_session_id = s.session_id AND r.resolved_at IS NULL) b) AS blocked,
       (SELECT m.per_day - coalesce((SELECT d.booked FROM practitioner_day d
                                      WHERE (d.practitioner_id, d.business_date)
                                          = (s.practitioner_id, s.business_date)), 0)
               + coalesce((SELECT sum(h.people)::integer FROM lapsed h
                            WHERE (h.practitioner_id, h.business_date)
                                = (s.practitioner_id, s.business_date)), 0)
          FROM practitioner_limit m WHERE m.practitioner_id = s.practitioner_id) AS day_left"""
OF_FACTS = """
  LEFT JOIN lapsed_sessions l ON l.clinic_session_id = s.session_id
 CROSS JOIN LATERAL (
        SELECT array_agg(ARRAY[coalesce(array_position(s.resource_ids, k.resource_id), 0),
                               extract(epoch FROM lower(k.during))::integer / 60,
                               ceil(extract(epoch FROM upper(k.during)) / 60)::integer, k.lane]) AS spans
          FROM claim k
         WHERE k.active AND k.resource_id = ANY(s.practitioner_id || s.resource_ids)
           AND lower(k.during) > s.start_at - interval '8 hours' AND lower(k.during) < s.end_at
           AND upper(k.during) > s.start_at AND (k.hold_until IS NULL OR k.hold_until > clock.at)) taken"""
_SHOW = f"""
SELECT s.*, v.code AS service_code, v.name_vi, v.name_en, v.duration_minutes, v.price_insured_vnd,
       v.price_self_vnd, v.price_on_request_vnd, v.price_after_hours_vnd, f.code AS facility_code,
       f.name AS facility_name, f.address, f.hotline, f.latitude, f.longitude, p.licence_no,
       p.name AS practitioner_name, p.title, p.specialty, {FACTS}
  FROM clock, page s
  JOIN healthcare_service v ON v.id = s.service_id
  JOIN facility f ON f.id = s.facility_id
  JOIN practitioner p ON p.id = s.practitioner_id{OF_FACTS}
"""
_ONE = f"""{COUNTED_NOW}, page AS (SELECT {SESSION_COLUMNS} FROM clinic_session s WHERE s.id = %(id)s)
{_SHOW}"""
_NEXT = f"""SELECT {SESSION_COLUMNS} FROM clinic_session s
     WHERE {{where}} AND (s.start_at, s.id) > (%(after_start)s, %(after_id)s)
       AND s.end_at > %(earliest)s AND s.start_at <= %(latest)s {{opened}}
     ORDER BY s.start_at, s.id LIMIT %(page)s"""
# Two sources: sessions that have room by their counters, and the few that only a lapsed hold fills.
_PAGE = f"""{COUNTED_NOW}, page AS MATERIALIZED (
    SELECT * FROM ({{with_room}}) r UNION ALL
    SELECT * FROM ({_NEXT}) f
     ORDER BY start_at, session_id LIMIT %(page)s)
{_SHOW} ORDER BY s.start_at, s.session_id
"""
# One range of the index for each key, so that the nearest days are read and nothing else.
_BY_KEY = f"""SELECT n.* FROM unnest(%(keys)s::uuid[]) AS key (id) CROSS JOIN LATERAL ({_NEXT}) n
     ORDER BY n.start_at, n.session_id LIMIT %(page)s"""
_REFILLED = """s.id = ANY(ARRAY(SELECT clinic_session_id FROM lapsed_sessions)) AND s.status = 'open'
           AND NOT {room}"""
_ROOM = {True: "s.bookable_online", False: "s.bookable"}
_OPENED = "AND (s.opens_at IS NULL AND s.start_at <= %(window)s OR s.opens_at <= %(now)s)"
FILTERS = {
    "practitioner_id": "s.practitioner_id = %(practitioner_id)s",
    "modality": "s.modality = %(modality)s",
}
_WHERE = {
    (False, False): "true",
    (True, False): "s.service_code = %(service_code)s",
    (False, True): "s.facility_id = %(facility_id)s",
    (True, True): """s.service_id = (SELECT x.id FROM healthcare_service x
                     WHERE x.facility_id = %(facility_id)s AND x.code = %(service_code)s)""",
}
_NEAR = """SELECT f.id, f.latitude, f.longitude, v.id AS service_id
  FROM facility f
  LEFT JOIN healthcare_service v ON v.facility_id = f.id AND v.code = %(service_code)s AND v.active
 WHERE f.active AND f.latitude BETWEEN %(south)s AND %(north)s AND f.longitude BETWEEN %(west)s AND %(east)s
   AND (v.id IS NOT NULL OR %(service_code)s::text IS NULL)"""


def earliest_slots(session: Session, query: SlotQuery, *, now: datetime) -> list[SlotView]:
    """Return the earliest free slots, at most `query.limit`, in a few small statements.

    Walks clinic sessions in the order of their starts, a page at a time, and stops as soon as no
    unread session could hold an earlier slot.
    """
    wanted = min(query.limit, MAX_LIMIT)
    window = (SHOWN if query.shown else POLICIES)[query.channel].window(
        now,
        door_of(query.channel, query.care_level),
        first=None if query.from_ is None else epoch_minute(query.from_),
        last=None if query.to is None else epoch_minute(query.to) - 1,
    )
    found: list[tuple[FreeSlot, Row[Any]]] = []
    for page in _pages(session, query, window):
        found += _free_of(page, window)
        found.sort(key=lambda pair: pair[0].start)
        if len(found) >= wanted and found[wanted - 1][0].start <= epoch_minute(page[-1].start_at):
            break
    return [_view(slot, row, query.near) for slot, row in found[:wanted]]


def slot_by_id(
    session: Session,
    slot_id: str,
    now: datetime,
    *,
    channel: str = Channel.ONLINE,
    care_level: str | None = None,
) -> SlotView | None:
    """Return a slot with what is free of it now (0 when nobody may take it), or None if there is none."""
    parsed = SlotId.parse(slot_id)
    if parsed is None:
        return None
    parameters = {"id": parsed.session_id, "roles": [], "account": None}
    row = session.connection().exec_driver_sql(_ONE, parameters).one_or_none()
    if row is None or not on_grid(
        parsed.minute, row.start_minute, row.slot_minutes, row.slot_count, lead_minutes=row.lead_minutes
    ):
        return None
    start = epoch_minute(at_local(row.business_date, parsed.minute))
    window = SHOWN[channel].window(now, door_of(channel, care_level), first=start, last=start)
    free = _free_of([row], window) if row.status == SessionStatus.OPEN else []
    slot = free[0][0] if free else FreeSlot(row.session_id, start, 0)
    return _view(slot, row)


def sessions_of(
    session: Session, facility_id: UUID, business_date: date, *, practitioner_id: UUID | None = None
) -> list[SessionView]:
    """Return a facility's clinic sessions of a day, in order, one statement."""
    rows = session.connection().exec_driver_sql(
        """SELECT id, start_at, end_at, business_date, practitioner_id, service_id, modality, room, status,
                  slot_minutes, capacity, slot_count * capacity, booked, online_booked, online_quota,
                  slot_count, mode, lead_minutes, tail_minutes, resource_ids, opens_at, notice_minutes,
                  overbook_most, overbooked, version, schedule_id, exception_id,
                  (SELECT json_agg(json_build_array(q.door, q.reserved, q.booked,
                                                    extract(epoch FROM q.falls_at)) ORDER BY q.door)
                     FROM session_quota q WHERE q.clinic_session_id = clinic_session.id)
             FROM clinic_session
            WHERE facility_id = %(facility)s AND business_date = %(day)s
              AND (%(practitioner)s::uuid IS NULL OR practitioner_id = %(practitioner)s::uuid)
            ORDER BY start_at, room, id""",
        {"facility": facility_id, "day": business_date, "practitioner": practitioner_id},
    )
    return [SessionView(*[*row[:-1], _reserves(row[-1], {})]) for row in rows]


def _pages(session: Session, query: SlotQuery, window: Window) -> Iterator[list[Row[Any]]]:
    """Yield sessions in the order of their starts, in pages that grow."""
    around = _around(session, query)
    if around is not None and not around.keys:
        return
    sql = _page_sql(query, around, online=window.policy.online)
    earliest, latest = window.policy.bounds(window.now, opens=None, notice=0)
    earliest = max(earliest, window.first)
    parameters: dict[str, Any] = {
        "service_code": query.service_code,
        "facility_id": query.facility_id,
        "practitioner_id": query.practitioner_id,
        "modality": query.modality,
        "roles": list(query.override_roles),
        "account": query.override_account,
        "keys": None if around is None else around.keys,
        "after_start": instant_of(earliest - DAY_MINUTES),
        "after_id": UUID(int=0),
        "earliest": instant_of(earliest),
        "latest": instant_of(min(window.last, earliest + _FAR if window.policy.online else latest)),
        "window": instant_of(latest),
        "now": window.now,
    }
    size = FIRST_PAGE
    while parameters["earliest"] <= parameters["latest"]:
        page = list(session.connection().exec_driver_sql(sql, {**parameters, "page": size}))
        if page:
            yield page
        if len(page) < size:
            return
        parameters |= {"after_start": page[-1].start_at, "after_id": page[-1].session_id}
        size = min(2 * size, LAST_PAGE)


_FAR = 400 * DAY_MINUTES  # beyond every window that a booking policy may give


@dataclass(frozen=True, slots=True)
class _Around:
    """What to walk by: sessions of these services, or of these facilities."""

    column: str
    keys: list[UUID]


def _around(session: Session, query: SlotQuery) -> _Around | None:
    """Return the services (or facilities) within the radius; None when no place is given."""
    if query.near is None or query.facility_id is not None:
        return None
    south, north, west, east = query.near.box(query.radius_km)
    rows = session.connection().exec_driver_sql(
        _NEAR,
        {
            "service_code": query.service_code,
            "south": south,
            "north": north,
            "west": west,
            "east": east,
        },
    )
    near = [
        row for row in rows if query.near.distance_km(Place(row.latitude, row.longitude)) <= query.radius_km
    ]
    if query.service_code is None:
        return _Around("facility_id", [row.id for row in near])
    return _Around("service_id", [row.service_id for row in near])


def _page_sql(query: SlotQuery, around: _Around | None, *, online: bool) -> str:
    filters = [text for name, text in FILTERS.items() if getattr(query, name) is not None]
    opened = _OPENED if online else ""
    if around is None:
        own = _WHERE[query.service_code is not None, query.facility_id is not None]
        with_room, refilled = _NEXT, own
    else:
        own = f"s.{around.column} = key.id"
        with_room, refilled = _BY_KEY, f"s.{around.column} = ANY(%(keys)s::uuid[])"
    room = _ROOM[online]
    return _PAGE.format(
        with_room=with_room.format(where=" AND ".join([own, room, *filters]), opened=opened),
        where=" AND ".join([refilled, _REFILLED.format(room=room), *filters]),
        opened=opened,
    )


def _free_of(page: list[Row[Any]], window: Window) -> list[tuple[FreeSlot, Row[Any]]]:
    return [(slot, row) for row in page for slot in free_slots([grid_of(row)], claims_of(row), window)]


def claims_of(row: Row[Any]) -> dict[UUID, list[Taken]]:
    claims: dict[UUID, list[Taken]] = {}
    for resource, start, end, lane in row.spans or ():
        owner = row.practitioner_id if resource == 0 else row.resource_ids[resource - 1]
        claims.setdefault(owner, []).append((start, end, lane))
    return claims


def grid_of(row: Row[Any]) -> Grid:
    lapsed = row.lapsed or {}
    return Grid(
        id=row.session_id,
        practitioner_id=row.practitioner_id,
        start=epoch_minute(row.start_at),
        slot_minutes=row.slot_minutes,
        slot_count=row.slot_count,
        capacity=row.capacity,
        booked=row.booked - sum(lapsed.values()),
        online_left=row.online_left + lapsed.get(Door.ONLINE, 0),
        lead=row.lead_minutes,
        tail=row.tail_minutes,
        opens_at=row.opens_at,
        notice=row.notice_minutes,
        reserves=_reserves(row.reserves, lapsed),
        resources=list(zip(row.resource_ids, row.resource_lanes or (), strict=True)),
        blocked=row.blocked or (),
        day_left=row.day_left,
    )


def _reserves(rows: Sequence[Any] | None, lapsed: Mapping[str, int]) -> list[Reserve]:
    return [
        Reserve(door, reserved, booked - lapsed.get(door, 0), datetime.fromtimestamp(falls, UTC))
        for door, reserved, booked, falls in rows or ()
    ]


def _view(slot: FreeSlot, row: Row[Any], near: Place | None = None) -> SlotView:
    start = instant_of(slot.start)
    minute = row.start_minute + slot.start - epoch_minute(row.start_at)
    there = None if row.latitude is None or row.longitude is None else Place(row.latitude, row.longitude)
    return SlotView(
        id=str(SlotId(row.session_id, minute)),
        start=start,
        end=instant_of(slot.start + row.slot_minutes - row.lead_minutes - row.tail_minutes),
        service=ServiceRef(row.service_id, row.service_code, row.name_vi, row.name_en, row.duration_minutes),
        facility=FacilityRef(row.facility_id, row.facility_code, row.facility_name, row.address, row.hotline),
        practitioner=PractitionerRef(
            row.practitioner_id, row.licence_no, row.practitioner_name, row.title, row.specialty
        ),
        modality=row.modality,
        room=row.room,
        prices=Prices(
            row.price_insured_vnd, row.price_self_vnd, row.price_on_request_vnd, row.price_after_hours_vnd
        ),
        free=slot.free,
        mode=row.mode,
        distance_km=near.distance_km(there) if near is not None and there is not None else None,
    )
