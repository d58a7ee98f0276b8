"""Free slots, earliest first, over the whole province or a part of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local
from telehealth.directory.naming import short_name
from telehealth.directory.queries import Prices
from telehealth.scheduling.codes import Channel, SessionStatus
from telehealth.scheduling.rules import (
    DAY_MINUTES,
    POLICIES,
    FreeSlot,
    Grid,
    SlotId,
    Taken,
    Window,
    epoch_minute,
    free_slots,
    instant_of,
)

FIRST_PAGE, LAST_PAGE = 16, 128
MAX_LIMIT = 100


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
    """What to look for. Without `facility_id` the whole province, without `from_` from now on."""

    service_code: str | None = None
    facility_id: UUID | None = None
    practitioner_id: UUID | None = None
    modality: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
    limit: int = 10
    channel: str = Channel.ONLINE


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot with at least one free place. `free` counts the places this door may still take."""

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


@dataclass(frozen=True, slots=True)
class SessionView:
    """A clinic session and its counters, for staff."""

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


# A hold that has run out keeps its claim until somebody takes its place; `over` counts the online ones,
# whose places the quota gets back.
_CLAIMS = """FROM claim k
         WHERE k.active AND k.resource_id = s.practitioner_id
           AND lower(k.during) > s.start_at - interval '8 hours' AND lower(k.during) < s.end_at
           AND upper(k.during) > s.start_at"""
_SHOW = f"""
SELECT s.*, v.code AS service_code, v.name_vi, v.name_en, v.duration_minutes, v.price_insured_vnd,
       v.price_self_vnd, v.price_on_request_vnd, v.price_after_hours_vnd, f.code AS facility_code,
       f.name AS facility_name, f.address, f.hotline, p.licence_no, p.name AS practitioner_name, p.title,
       p.specialty, taken.spans, taken.over
  FROM page s
  JOIN healthcare_service v ON v.id = s.service_id
  JOIN facility f ON f.id = s.facility_id
  JOIN practitioner p ON p.id = s.practitioner_id
 CROSS JOIN LATERAL (
        SELECT array_agg(ARRAY[extract(epoch FROM lower(k.during))::integer / 60,
                               extract(epoch FROM upper(k.during))::integer / 60, k.lane])
                   FILTER (WHERE k.hold_until IS NULL OR k.hold_until > clock.at) AS spans,
               count(*) FILTER (WHERE k.hold_until <= clock.at AND k.online) AS over
          {_CLAIMS}) taken
"""
_COLUMNS = """s.id AS session_id, s.start_at, s.business_date, s.start_minute, s.slot_minutes, s.slot_count,
           s.capacity, s.online_quota - s.online_booked AS online_left, s.modality, s.room, s.status,
           s.service_id, s.facility_id, s.practitioner_id, s.end_at"""
_ONE = f"""WITH clock AS MATERIALIZED (SELECT app_clock() AS at), page AS (
    SELECT {_COLUMNS} FROM clinic_session s WHERE s.id = %(id)s)
{_SHOW.replace("FROM page s", "FROM clock, page s")}"""
_PAGE = f"""WITH clock AS MATERIALIZED (SELECT app_clock() AS at), page AS MATERIALIZED (
    SELECT {_COLUMNS}
      FROM clinic_session s
     WHERE s.status = '{SessionStatus.OPEN}' AND {{where}}
       AND (s.start_at, s.id) > (%(after_start)s, %(after_id)s)
       AND s.start_at <= %(latest)s AND s.end_at > %(earliest)s
       AND ({{room_left}} OR EXISTS (SELECT {_CLAIMS} AND k.hold_until <= (SELECT at FROM clock)))
     ORDER BY s.start_at, s.id LIMIT %(page)s)
{_SHOW.replace("FROM page s", "FROM clock, page s")} ORDER BY s.start_at, s.session_id
"""
_ROOM_LEFT = "s.booked < s.slot_count * s.capacity"
_ONLINE_LEFT = f"{_ROOM_LEFT} AND s.online_booked < s.online_quota"
_FILTERS = {
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


def earliest_slots(session: Session, query: SlotQuery, *, now: datetime) -> list[SlotView]:
    """Return the earliest free slots, at most `query.limit`, in a few small statements.

    Walks clinic sessions in the order of their starts, a page at a time, and stops as soon as no
    unread session could hold an earlier slot.
    """
    wanted = min(query.limit, MAX_LIMIT)
    window = POLICIES[query.channel].window(
        epoch_minute(now),
        first=None if query.from_ is None else epoch_minute(query.from_),
        last=None if query.to is None else epoch_minute(query.to) - 1,
    )
    found: list[tuple[FreeSlot, Row[Any]]] = []
    for page in _pages(session, query, window):
        found += _free_of(page, window)
        found.sort(key=lambda pair: pair[0].start)
        if len(found) >= wanted and found[wanted - 1][0].start <= epoch_minute(page[-1].start_at):
            break
    return [_view(slot, row) for slot, row in found[:wanted]]


def slot_by_id(
    session: Session, slot_id: str, now: datetime, *, channel: str = Channel.ONLINE
) -> SlotView | None:
    """Return a slot with what is free of it now (0 when nobody may take it), or None if there is none."""
    parsed = SlotId.parse(slot_id)
    if parsed is None:
        return None
    row = session.connection().exec_driver_sql(_ONE, {"id": parsed.session_id}).one_or_none()
    if row is None or not on_grid(parsed.minute, row.start_minute, row.slot_minutes, row.slot_count):
        return None
    start = epoch_minute(at_local(row.business_date, parsed.minute))
    window = POLICIES[channel].window(epoch_minute(now), first=start, last=start)
    free = _free_of([row], window) if row.status == SessionStatus.OPEN else []
    slot = free[0][0] if free else FreeSlot(row.session_id, start, 0)
    return _view(slot, row)


def on_grid(minute: int, start_minute: int, slot_minutes: int, slot_count: int) -> bool:
    """Tell whether a session has a slot that starts at a local minute of day."""
    index, off = divmod(minute - start_minute, slot_minutes)
    return off == 0 and 0 <= index < slot_count


def sessions_of(
    session: Session, facility_id: UUID, business_date: date, *, practitioner_id: UUID | None = None
) -> list[SessionView]:
    """Return a facility's clinic sessions of a day, in order, one statement."""
    rows = session.connection().exec_driver_sql(
        """SELECT id, start_at, end_at, business_date, practitioner_id, service_id, modality, room, status,
                  slot_minutes, capacity, slot_count * capacity AS places, booked, online_booked, online_quota
             FROM clinic_session
            WHERE facility_id = %(facility)s AND business_date = %(day)s
              AND (%(practitioner)s::uuid IS NULL OR practitioner_id = %(practitioner)s::uuid)
            ORDER BY start_at, room, id""",
        {"facility": facility_id, "day": business_date, "practitioner": practitioner_id},
    )
    return [SessionView(*row) for row in rows]


def _pages(session: Session, query: SlotQuery, window: Window) -> Iterator[list[Row[Any]]]:
    """Yield sessions in the order of their starts, in pages that grow."""
    where = [_WHERE[query.service_code is not None, query.facility_id is not None]]
    where += [text for name, text in _FILTERS.items() if getattr(query, name) is not None]
    sql = _PAGE.format(where=" AND ".join(where), room_left=_ONLINE_LEFT if window.online else _ROOM_LEFT)
    parameters = {
        "service_code": query.service_code,
        "facility_id": query.facility_id,
        "practitioner_id": query.practitioner_id,
        "modality": query.modality,
        "after_start": instant_of(window.earliest - DAY_MINUTES),
        "after_id": UUID(int=0),
        "earliest": instant_of(window.earliest),
        "latest": instant_of(window.latest),
    }
    size = FIRST_PAGE
    while window.earliest <= window.latest:
        page = list(session.connection().exec_driver_sql(sql, {**parameters, "page": size}))
        if page:
            yield page
        if len(page) < size:
            return
        parameters |= {"after_start": page[-1].start_at, "after_id": page[-1].session_id}
        size = min(2 * size, LAST_PAGE)


def _free_of(page: list[Row[Any]], window: Window) -> list[tuple[FreeSlot, Row[Any]]]:
    found = []
    for row in page:
        claims: dict[UUID, list[Taken]] = {row.practitioner_id: row.spans or []}
        found += [(slot, row) for slot in free_slots([_grid(row)], claims, window)]
    return found


def _grid(row: Row[Any]) -> Grid:
    return Grid(
        id=row.session_id,
        practitioner_id=row.practitioner_id,
        start=epoch_minute(row.start_at),
        slot_minutes=row.slot_minutes,
        slot_count=row.slot_count,
        capacity=row.capacity,
        online_left=row.online_left + row.over,
    )


def _view(slot: FreeSlot, row: Row[Any]) -> SlotView:
    start = instant_of(slot.start)
    minute = row.start_minute + slot.start - epoch_minute(row.start_at)
    return SlotView(
        id=str(SlotId(row.session_id, minute)),
        start=start,
        end=instant_of(slot.start + row.slot_minutes),
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
    )
