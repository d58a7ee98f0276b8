"""Reading closures and their people. Row-level security decides which people there are for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.closures.codes import Reach, Standing
from telehealth.closures.rules import Affected, Span
from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.directory.naming import short_name

PAGE = 50


@dataclass(frozen=True, slots=True)
class ClosureView:
    """A closure. `people` and `sessions` are those it found when it was made."""

    id: UUID
    kind: str
    facility_id: UUID | None
    facility_name: str | None
    practitioner_id: UUID | None
    practitioner_name: str | None
    practitioner_title: str | None
    span: Span
    plan: str
    reason: str
    note: str
    state: str
    sessions: int
    people: int
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """How many of one service and way a closure touches."""

    service_id: UUID
    modality: str
    sessions: int
    people: int
    arrived: int
    bound: int
    without_phone: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How a closure's people stand, in figures."""

    by_standing: Mapping[str, int] = field(default_factory=dict)
    to_call: int = 0

    @property
    def people(self) -> int:
        """Return how many there are."""
        return sum(self.by_standing.values())

    @property
    def waiting(self) -> int:
        """Return for how many nothing has been done yet."""
        return self.by_standing.get(Standing.WAITING, 0)

    @property
    def done(self) -> int:
        """Return for how many something has been done."""
        return self.people - self.waiting


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A place as people are told of it."""

    start: datetime
    practitioner_title: str
    practitioner_name: str
    room: str
    facility_id: UUID
    facility_name: str

    @property
    def facility_short_name(self) -> str:
        """Return the name as messages and boards write it."""
        return short_name(self.facility_name)


@dataclass(frozen=True, slots=True)
class ItemView:
    """One person of a closure: the old place, what is kept or taken instead, how they stand."""

    id: UUID
    closure_id: UUID
    facility_id: UUID
    appointment_id: UUID
    appointment_code: str
    appointment_version: int
    patient_id: UUID | None
    patient_name: str | None
    service_vi: str
    service_en: str
    modality: str
    old: PlaceView
    new: PlaceView | None
    new_slot_id: str | None
    equivalence: str | None
    standing: str
    reach: str
    to_call: bool
    offer_id: UUID | None
    until: datetime | None
    calls: int
    call_outcome: str | None
    called_at: datetime | None
    called_by: UUID | None

    def service(self, locale: str) -> str:
        """Return the service's name in a language."""
        return self.service_vi if locale == "vi" else self.service_en

    @property
    def reached(self) -> bool:
        """Tell whether the message has come, or somebody has spoken with them."""
        return self.reach in (Reach.SENT, Reach.DELIVERED) or self.call_outcome not in (None, "no-answer")


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some people of a closure, and the cursor of the next ones."""

    items: tuple[ItemView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """A service at a facility, in one way: whose people can be each other's equivalents."""

    facility_id: UUID
    service_id: UUID
    service_code: str
    modality: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody for whom nothing has been done yet."""

    item_id: UUID
    affected: Affected


@dataclass(frozen=True, slots=True)
class RosterChangeView:
    """A session with bookings that the roster no longer has as it was. `people`: who still holds a place."""

    id: UUID
    session_id: UUID
    facility_id: UUID
    reason: str
    start: datetime
    end: datetime
    practitioner_id: UUID
    practitioner_title: str
    practitioner_name: str
    service_vi: str
    service_en: str
    room: str
    people: int
    in_hand: int
    created_at: datetime


_CLOSURE = """
SELECT c.id, c.kind, c.facility_id, f.name AS facility_name, c.practitioner_id, p.name AS practitioner_name,
       p.title AS practitioner_title, c.from_date, c.to_date, c.start_minute, c.end_minute, c.plan, c.reason,
       c.note, c.state, c.sessions, c.people, c.created_by, c.created_at, c.finished_at, c.undone_at
  FROM session_closure c
  LEFT JOIN facility f ON f.id = c.facility_id
  LEFT JOIN practitioner p ON p.id = c.practitioner_id
"""
_ITEMS = """
SELECT i.id, i.closure_id, i.facility_id, i.appointment_id, a.code AS appointment_code,
       a.version AS appointment_version, a.patient_id, t.full_name AS patient_name, v.name_vi, v.name_en,
       s.modality, i.start_at, p.title, p.name AS practitioner_name, s.room, s.facility_id AS old_facility_id,
       f.name AS facility_name, i.new_session_id, i.new_start_at, np.title AS new_title,
       np.name AS new_practitioner_name, ns.room AS new_room, ns.facility_id AS new_facility_id,
       nf.name AS new_facility_name,
       ns.start_minute + (extract(epoch FROM i.new_start_at - ns.start_at) / 60)::int AS new_minute,
       i.equivalence, {standing}, i.offer_id, o.expires_at, i.calls, i.call_outcome, i.called_at, i.called_by
  FROM {source}
  JOIN appointment a ON a.id = i.appointment_id
  JOIN clinic_session s ON s.id = i.clinic_session_id
  JOIN healthcare_service v ON v.id = s.service_id
  JOIN practitioner p ON p.id = s.practitioner_id
  JOIN facility f ON f.id = s.facility_id
  LEFT JOIN patient t ON t.id = a.patient_id
  LEFT JOIN clinic_session ns ON ns.id = i.new_session_id
  LEFT JOIN practitioner np ON np.id = ns.practitioner_id
  LEFT JOIN facility nf ON nf.id = ns.facility_id
  LEFT JOIN appointment_offer o ON o.id = i.offer_id
"""
_STANDINGS = _ITEMS.format(
    standing="x.standing, x.reach, x.to_call",
    source="closure_standings(%(closure)s) x JOIN session_closure_item i ON i.id = x.item_id",
)
_OF_APPOINTMENT = _ITEMS.format(
    standing="i.state AS standing, '' AS reach, false AS to_call", source="session_closure_item i"
)
_ARGUMENTS = (
    "%(kind)s, %(facility)s, %(practitioner)s, %(first)s, %(last)s, %(start)s, %(end)s, %(now)s::timestamptz"
)
_WAITING = "i.closure_id = %(closure)s AND i.state = 'waiting'"


def closure(session: Session, closure_id: UUID) -> ClosureView | None:
    """Return a closure, or None."""
    row = _rows(session, f"{_CLOSURE} WHERE c.id = %(id)s", {"id": closure_id})
    return _closure(row[0]) if row else None


def closures_of(session: Session, facility_id: UUID | None, *, limit: int = 30) -> list[ClosureView]:
    """Return the newest closures that touch a facility, or (None) that were made for the whole province."""
    where = (
        "c.facility_id IS NULL"
        if facility_id is None
        else "(c.facility_id = %(id)s OR c.facility_id IS NULL)"
    )
    rows = _rows(
        session,
        f"{_CLOSURE} WHERE {where} ORDER BY c.created_at DESC, c.id DESC LIMIT %(most)s",
        {"id": facility_id, "most": limit},
    )
    return [_closure(row) for row in rows]


def unfinished(session: Session) -> list[ClosureView]:
    """Return the closures that still have something to do, first whose people come soonest."""
    rows = _rows(
        session,
        f"""{_CLOSURE} WHERE c.state IN ('running', 'undoing')
             ORDER BY (SELECT min(i.start_at) FROM session_closure_item i
                        WHERE i.closure_id = c.id AND i.state = 'waiting') NULLS FIRST, c.created_at, c.id""",
        {},
    )
    return [_closure(row) for row in rows]


def figures(
    session: Session,
    kind: str,
    facility_id: UUID | None,
    practitioner_id: UUID | None,
    span: Span,
    *,
    now: datetime,
) -> list[ServiceFigures]:
    """Return whom a closure would touch, by service and way."""
    rows = _rows(
        session,
        f"SELECT * FROM closure_figures({_ARGUMENTS}) ORDER BY people DESC, service_id",
        _span_parameters(kind, facility_id, practitioner_id, span, now),
    )
    return [ServiceFigures(*row) for row in rows]


def session_ids(
    session: Session,
    kind: str,
    facility_id: UUID | None,
    practitioner_id: UUID | None,
    span: Span,
    *,
    now: datetime,
) -> list[UUID]:
    """Return the sessions that a closure would close."""
    rows = _rows(
        session,
        f"SELECT session_id FROM closure_sessions({_ARGUMENTS})",
        _span_parameters(kind, facility_id, practitioner_id, span, now),
    )
    return [row.session_id for row in rows]


def affected(
    session: Session,
    kind: str,
    facility_id: UUID | None,
    practitioner_id: UUID | None,
    span: Span,
    *,
    now: datetime,
    most: int,
) -> list[tuple[Group, Affected, str, bool]]:
    """Return those whom a closure would touch and the principal may see, with name, and if reachable."""
    rows = _rows(
        session,
        f"""SELECT s.facility_id, s.service_id, s.service_code, s.modality, a.id, s.practitioner_id,
                   a.start_at, lower(a.bound) AS since, upper(a.bound) AS until, t.full_name,
                   closure_phone(a.id) AS phone
              FROM closure_sessions({_ARGUMENTS}) f
              JOIN clinic_session s ON s.id = f.session_id
              JOIN appointment a ON a.clinic_session_id = s.id AND a.status = 'booked'
                   AND a.start_at > %(now)s AND a.start_at < upper(f.closed) AND a.end_at > lower(f.closed)
                   AND NOT in_closure(a.id, a.start_at)
              LEFT JOIN patient t ON t.id = a.patient_id
             ORDER BY a.start_at, a.id LIMIT %(most)s""",
        _span_parameters(kind, facility_id, practitioner_id, span, now) | {"most": most},
    )
    return [
        (
            Group(row.facility_id, row.service_id, row.service_code, row.modality),
            Affected(row.id, row.facility_id, row.practitioner_id, row.start_at, row.since, row.until),
            row.full_name or "",
            row.phone,
        )
        for row in rows
    ]


def next_group(session: Session, closure_id: UUID) -> Group | None:
    """Return the group of the earliest person for whom nothing has been done yet."""
    rows = _rows(
        session,
        f"""SELECT s.facility_id, s.service_id, s.service_code, s.modality
              FROM session_closure_item i JOIN clinic_session s ON s.id = i.clinic_session_id
             WHERE {_WAITING} ORDER BY i.start_at, i.id LIMIT 1""",
        {"closure": closure_id},
    )
    return Group(*rows[0]) if rows else None


def waiting_in(session: Session, closure_id: UUID, group: Group) -> list[Waiting]:
    """Return everybody of a group for whom nothing has been done yet."""
    rows = _rows(
        session,
        f"""SELECT i.id, a.id AS appointment_id, s.facility_id, s.practitioner_id, i.start_at,
                   lower(a.bound) AS since, upper(a.bound) AS until
              FROM session_closure_item i
              JOIN clinic_session s ON s.id = i.clinic_session_id
              JOIN appointment a ON a.id = i.appointment_id
             WHERE {_WAITING} AND s.service_id = %(service)s AND s.modality = %(modality)s
             ORDER BY i.start_at, i.id""",
        {"closure": closure_id, "service": group.service_id, "modality": group.modality},
    )
    return [
        Waiting(
            row.id,
            Affected(
                row.appointment_id, row.facility_id, row.practitioner_id, row.start_at, row.since, row.until
            ),
        )
        for row in rows
    ]


def standing_again(session: Session, closure_id: UUID) -> list[UUID]:
    """Return the items that are still about the old time, for a closure that is being undone."""
    rows = _rows(
        session,
        """SELECT i.id FROM session_closure_item i
            WHERE i.closure_id = %(closure)s AND i.state IN ('waiting', 'offered', 'told')
            ORDER BY i.start_at, i.id""",
        {"closure": closure_id},
    )
    return [row.id for row in rows]


def progress(session: Session, closure_id: UUID, *, facility_id: UUID | None = None) -> Progress:
    """Return how a closure's people stand: all of them, or those of one facility."""
    rows = _rows(
        session,
        """SELECT standing, count(*), count(*) FILTER (WHERE to_call) FROM closure_standings(%(closure)s)
            WHERE %(facility)s::uuid IS NULL OR facility_id = %(facility)s::uuid GROUP BY standing""",
        {"closure": closure_id, "facility": facility_id},
    )
    return Progress({row[0]: row[1] for row in rows}, sum(row[2] for row in rows))


def items(
    session: Session,
    closure_id: UUID,
    *,
    facility_id: UUID | None = None,
    standings: Sequence[str] = (),
    to_call: bool = False,
    limit: int = PAGE,
    cursor: str | None = None,
) -> ItemPage:
    """Return a page of a closure's people by the time they lost. Raises BadCursor."""
    where = ["true"]
    parameters: dict[str, Any] = {"closure": closure_id, "most": limit + 1}
    if facility_id is not None:
        where.append("i.facility_id = %(facility)s")
        parameters["facility"] = facility_id
    if standings:
        where.append("x.standing = ANY(%(standings)s)")
        parameters["standings"] = list(standings)
    if to_call:
        where.append("x.to_call")
    if cursor is not None:
        where.append("(i.start_at, i.id) > (%(start)s, %(after)s)")
        parameters["start"], parameters["after"] = _key(cursor)
    order = "ORDER BY i.start_at, i.id LIMIT %(most)s"
    rows = _rows(session, f"{_STANDINGS} WHERE {' AND '.join(where)} {order}", parameters)
    found = tuple(_item(row) for row in rows[:limit])
    more = len(rows) > limit
    return ItemPage(
        found, encode_cursor(found[-1].old.start.isoformat(), str(found[-1].id)) if more else None
    )


def item(session: Session, item_id: UUID) -> ItemView | None:
    """Return one person of a closure that the entered principal may see, or None."""
    found = _rows(session, "SELECT closure_id FROM session_closure_item WHERE id = %(id)s", {"id": item_id})
    if not found:
        return None
    rows = _rows(
        session, f"{_STANDINGS} WHERE i.id = %(id)s", {"closure": found[0].closure_id, "id": item_id}
    )
    return _item(rows[0]) if rows else None


def change_of(session: Session, appointment_id: UUID) -> ItemView | None:
    """Return the newest closure's item of an appointment; its standing is what was done, no more."""
    rows = _rows(
        session,
        f"""{_OF_APPOINTMENT} JOIN session_closure c ON c.id = i.closure_id
             WHERE i.appointment_id = %(id)s ORDER BY c.created_at DESC LIMIT 1""",
        {"id": appointment_id},
    )
    return _item(rows[0]) if rows else None


def roster_changes(session: Session, facility_id: UUID, *, now: datetime) -> list[RosterChangeView]:
    """Return a facility's sessions that no longer fit the roster though people hold places in them."""
    rows = _rows(
        session,
        """SELECT DISTINCT ON (s.start_at, s.id) r.id, s.id AS session_id, r.facility_id, r.reason,
                  s.start_at, s.end_at, p.id AS practitioner_id, p.title, p.name, v.name_vi, v.name_en,
                  s.room, held.people, held.in_hand, r.created_at
             FROM roster_change r
             JOIN clinic_session s ON s.id = r.clinic_session_id
             JOIN practitioner p ON p.id = s.practitioner_id
             JOIN healthcare_service v ON v.id = s.service_id
            CROSS JOIN LATERAL (
                  SELECT count(*) AS people, count(*) FILTER (WHERE in_closure(a.id, a.start_at)) AS in_hand
                    FROM appointment a
                   WHERE a.clinic_session_id = s.id AND a.status = 'booked' AND a.start_at > %(now)s
                     AND NOT r.worked @> tstzrange(a.start_at, a.end_at)) held
            WHERE r.facility_id = %(facility)s AND r.resolved_at IS NULL AND s.end_at > %(now)s
              AND held.people > 0
            ORDER BY s.start_at, s.id, r.created_at DESC""",
        {"facility": facility_id, "now": now},
    )
    return [RosterChangeView(*row) for row in rows]


def facilities_touched(session: Session, closure_id: UUID) -> list[tuple[UUID, str, int, int]]:
    """Return a closure's facilities: id, name, people, people to telephone; the most to telephone first."""
    rows = _rows(
        session,
        """SELECT f.id, f.name, count(*), count(*) FILTER (WHERE x.to_call)
             FROM closure_standings(%(closure)s) x JOIN facility f ON f.id = x.facility_id
            GROUP BY f.id, f.name, f.name_sort ORDER BY 4 DESC, f.name_sort""",
        {"closure": closure_id},
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _span_parameters(
    kind: str, facility_id: UUID | None, practitioner_id: UUID | None, span: Span, now: datetime
) -> dict[str, Any]:
    return {
        "kind": kind,
        "facility": facility_id,
        "practitioner": practitioner_id,
        "first": span.from_date,
        "last": span.to_date,
        "start": span.start_minute,
        "end": span.end_minute,
        "now": now,
    }


def _closure(row: Any) -> ClosureView:
    return ClosureView(
        id=row.id,
        kind=row.kind,
        facility_id=row.facility_id,
        facility_name=row.facility_name,
        practitioner_id=row.practitioner_id,
        practitioner_name=row.practitioner_name,
        practitioner_title=row.practitioner_title,
        span=Span(row.from_date, row.to_date, row.start_minute, row.end_minute),
        plan=row.plan,
        reason=row.reason,
        note=row.note,
        state=row.state,
        sessions=row.sessions,
        people=row.people,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        undone_at=row.undone_at,
    )


def _item(row: Any) -> ItemView:
    new = None
    if row.new_session_id is not None:
        new = PlaceView(
            row.new_start_at,
            row.new_title,
            row.new_practitioner_name,
            row.new_room,
            row.new_facility_id,
            row.new_facility_name,
        )
    return ItemView(
        id=row.id,
        closure_id=row.closure_id,
        facility_id=row.facility_id,
        appointment_id=row.appointment_id,
        appointment_code=row.appointment_code,
        appointment_version=row.appointment_version,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        service_vi=row.name_vi,
        service_en=row.name_en,
        modality=row.modality,
        old=PlaceView(
            row.start_at, row.title, row.practitioner_name, row.room, row.old_facility_id, row.facility_name
        ),
        new=new,
        new_slot_id=None if new is None else f"{row.new_session_id}.{row.new_minute}",
        equivalence=row.equivalence,
        standing=row.standing,
        reach=row.reach,
        to_call=row.to_call,
        offer_id=row.offer_id,
        until=row.expires_at,
        calls=row.calls,
        call_outcome=row.call_outcome,
        called_at=row.called_at,
        called_by=row.called_by,
    )


def _key(cursor: str) -> tuple[datetime, UUID]:
    start, identifier = decode_cursor(cursor, 2)
    try:
        instant = datetime.fromisoformat(start)
        if instant.tzinfo is None:
            raise BadCursor
        return instant, UUID(identifier)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCursor from error


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
