"""Which records a search finds: ids in a stable order, a page at a time. Others show them.

Row-level security decides which appointments there are; the rest is the public directory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment, Claim
from telehealth.core.paging import BadCursor, decode_cursor, encode_cursor
from telehealth.core.text import search_form
from telehealth.directory.models import Facility, HealthcareService, Practitioner
from telehealth.fhir.asking import Between
from telehealth.fhir.codes import SlotStatus
from telehealth.scheduling.codes import SessionStatus
from telehealth.scheduling.models import ClinicSession
from telehealth.scheduling.rules import SlotId

_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Window:
    """How many entries of a search are wanted, and after which one."""

    count: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of ids, how many there are in all, and where the next page begins."""

    ids: list[UUID]
    total: int
    next: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A clinic session as others see it."""

    id: UUID
    facility_id: UUID
    practitioner_id: UUID
    service_id: UUID
    service_code: str
    modality: str
    start: datetime
    end: datetime
    start_minute: int
    slot_minutes: int
    slot_count: int
    room: str
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot of a clinic session and how it stands."""

    id: str
    session_id: UUID
    start: datetime
    end: datetime
    status: SlotStatus


@dataclass(frozen=True, slots=True)
class Times:
    """What a hold and a change say of an appointment that its view does not."""

    hold_until: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DirectoryQuery:
    """What is asked of the directory; empty asks nothing."""

    ids: Sequence[UUID] | None = None
    codes: Sequence[str] = ()
    name: str = ""
    facilities: Sequence[UUID] = ()
    practitioners: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Clinic sessions by who, where, what and when."""

    ids: Sequence[UUID] | None = None
    facilities: Sequence[UUID] = ()
    practitioners: Sequence[UUID] = ()
    services: Sequence[UUID] = ()
    codes: Sequence[str] = ()
    when: Between = field(default_factory=Between)


@dataclass(frozen=True, slots=True)
class AppointmentQuery:
    """Appointments of some people, or at some facilities; empty asks nothing, None is no bound."""

    patients: Sequence[UUID] | None = None
    facilities: Sequence[UUID] | None = None
    ids: Sequence[UUID] | None = None
    codes: Sequence[str] = ()
    practitioners: Sequence[UUID] = ()
    locations: Sequence[UUID] = ()
    services: Sequence[UUID] = ()
    statuses: Sequence[AppointmentStatus] | None = None
    when: Between = field(default_factory=Between)
    updated: Between = field(default_factory=Between)


def facilities(session: Session, asked: DirectoryQuery, window: Window) -> Found:
    """Return facilities in service. Raises BadCursor."""
    where: list[ColumnElement[bool]] = [
        Facility.active == true(),
        *_among(Facility.id, asked.ids),
        *_any(Facility.code, asked.codes),
        *_any(Facility.id, asked.facilities),
        *_named(Facility.name_search, asked.name),
    ]
    return _by_id(session, Facility.id, where, window)


def services(session: Session, asked: DirectoryQuery, window: Window) -> Found:
    """Return services that facilities offer. Raises BadCursor."""
    where: list[ColumnElement[bool]] = [
        HealthcareService.active == true(),
        *_among(HealthcareService.id, asked.ids),
        *_any(HealthcareService.code, asked.codes),
        *_any(HealthcareService.facility_id, asked.facilities),
    ]
    return _by_id(session, HealthcareService.id, where, window)


def practitioners(
    session: Session, asked: DirectoryQuery, window: Window, *, by_licence: bool = False
) -> Found:
    """Return practitioners; codes are licences, or else specialties. Raises BadCursor."""
    where: list[ColumnElement[bool]] = [
        Practitioner.active == true(),
        *_among(Practitioner.id, asked.ids),
        *_any(Practitioner.licence_no if by_licence else Practitioner.specialty, asked.codes),
        *_any(Practitioner.facility_id, asked.facilities),
        *_any(Practitioner.id, asked.practitioners),
        *_named(Practitioner.name_search, asked.name),
    ]
    return _by_id(session, Practitioner.id, where, window)


def schedules(session: Session, asked: SessionQuery, window: Window) -> Found:
    """Return clinic sessions by their start. Raises BadCursor."""
    where = [
        *_among(ClinicSession.id, asked.ids),
        *_any(ClinicSession.facility_id, asked.facilities),
        *_any(ClinicSession.practitioner_id, asked.practitioners),
        *_any(ClinicSession.service_id, asked.services),
        *_any(ClinicSession.service_code, asked.codes),
        *_within(ClinicSession.start_at, asked.when),
    ]
    return _by_start(session, ClinicSession.start_at, ClinicSession.id, where, window)


def schedules_by_id(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, ScheduleView]:
    """Return clinic sessions by id."""
    rows = session.scalars(select(ClinicSession).where(ClinicSession.id.in_(ids)))
    return {
        row.id: ScheduleView(
            id=row.id,
            facility_id=row.facility_id,
            practitioner_id=row.practitioner_id,
            service_id=row.service_id,
            service_code=row.service_code,
            modality=row.modality,
            start=row.start_at,
            end=row.end_at,
            start_minute=row.start_minute,
            slot_minutes=row.slot_minutes,
            slot_count=row.slot_count,
            room=row.room,
            status=row.status,
            version=row.version,
        )
        for row in rows
    }


def slots_of(session: Session, schedule: ScheduleView, free: frozenset[str]) -> list[SlotState]:
    """Return every slot of a clinic session; `free` are the ids that the search for free slots offers.

    One that is not offered is held (busy-tentative), taken (busy), or not to be had for another reason.
    """
    claims = session.execute(
        select(
            func.extract("epoch", func.lower(Claim.during)),
            func.extract("epoch", func.upper(Claim.during)),
            Claim.hold_until,
            func.app_clock(),
        ).where(
            Claim.active,
            Claim.resource_id == schedule.practitioner_id,
            Claim.during.op("&&")(func.tstzrange(schedule.start, schedule.end)),
        )
    ).all()
    live = [
        (start, end, until is not None) for start, end, until, now in claims if until is None or until > now
    ]
    return [_slot(schedule, index, free, live) for index in range(schedule.slot_count)]


def appointments(session: Session, asked: AppointmentQuery, window: Window) -> Found:
    """Return appointments by their start; holds are not among them. Raises BadCursor."""
    where: list[ColumnElement[bool]] = [
        Appointment.status.notin_((AppointmentStatus.HELD, AppointmentStatus.EXPIRED)),
        *_among(Appointment.patient_id, asked.patients),
        *_among(Appointment.facility_id, asked.facilities),
        *_among(Appointment.id, asked.ids),
        *_any(Appointment.code, asked.codes),
        *_any(Appointment.practitioner_id, asked.practitioners),
        *_any(Appointment.facility_id, asked.locations),
        *_any(Appointment.service_id, asked.services),
        *_among(Appointment.status, asked.statuses),
        *_within(Appointment.start_at, asked.when),
        *_within(Appointment.updated_at, asked.updated),
    ]
    return _by_start(session, Appointment.start_at, Appointment.id, where, window)


def times_of(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, Times]:
    """Return until when appointments are held and when they last changed."""
    rows = session.execute(
        select(Appointment.id, Appointment.hold_until, Appointment.updated_at).where(Appointment.id.in_(ids))
    )
    return {row.id: Times(row.hold_until, row.updated_at) for row in rows}


def _slot(
    schedule: ScheduleView, index: int, free: frozenset[str], live: Sequence[tuple[Any, Any, bool]]
) -> SlotState:
    length = schedule.slot_minutes * _MINUTE
    start = schedule.start.timestamp() + index * length
    minute = schedule.start_minute + index * schedule.slot_minutes
    identifier = str(SlotId(schedule.id, minute))
    over_it = [held for first, last, held in live if first < start + length and last > start]
    if identifier in free:
        status = SlotStatus.FREE
    elif schedule.status != SessionStatus.OPEN or not over_it:
        status = SlotStatus.UNAVAILABLE
    else:
        status = SlotStatus.TENTATIVE if any(over_it) else SlotStatus.BUSY
    zone = schedule.start.tzinfo
    return SlotState(
        id=identifier,
        session_id=schedule.id,
        start=datetime.fromtimestamp(start, zone),
        end=datetime.fromtimestamp(start + length, zone),
        status=status,
    )


def _any(column: InstrumentedAttribute[Any], values: Sequence[Any]) -> list[ColumnElement[bool]]:
    return [column.in_(values)] if values else []


def _among(column: InstrumentedAttribute[Any], values: Sequence[Any] | None) -> list[ColumnElement[bool]]:
    return [] if values is None else [column.in_(values)]


def _named(column: InstrumentedAttribute[str], name: str) -> list[ColumnElement[bool]]:
    return [column.contains(word, autoescape=True) for word in search_form(name).split()]


def _within(column: InstrumentedAttribute[datetime], when: Between) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if when.first is not None:
        bounds.append(column >= when.first)
    if when.before is not None:
        bounds.append(column < when.before)
    return bounds


def _by_id(
    session: Session, key: InstrumentedAttribute[UUID], where: Sequence[ColumnElement[bool]], window: Window
) -> Found:
    asked = select(key).where(*where).order_by(key)
    if window.cursor is not None:
        asked = asked.where(key > _uuid(decode_cursor(window.cursor, 1)[0]))
    rows = _rows(session, asked, window)
    ids = [row[0] for row in rows[: window.count]]
    more = len(rows) > window.count and ids
    return Found(ids, _total(session, key, where), encode_cursor(str(ids[-1])) if more else None)


def _by_start(
    session: Session,
    start: InstrumentedAttribute[datetime],
    key: InstrumentedAttribute[UUID],
    where: Sequence[ColumnElement[bool]],
    window: Window,
) -> Found:
    asked = select(key, start).where(*where).order_by(start, key)
    if window.cursor is not None:
        instant, last = decode_cursor(window.cursor, 2)
        asked = asked.where(tuple_(start, key) > tuple_(_instant(instant), _uuid(last)))
    rows = _rows(session, asked, window)
    ids = [row[0] for row in rows[: window.count]]
    more = len(rows) > window.count and ids
    next_ = encode_cursor(rows[len(ids) - 1][1].isoformat(), str(ids[-1])) if more else None
    return Found(ids, _total(session, key, where), next_)


def _rows(session: Session, asked: Select[*tuple[Any, ...]], window: Window) -> Sequence[Any]:
    return session.execute(asked.limit(window.count + 1)).all() if window.count else []


def _total(session: Session, key: InstrumentedAttribute[UUID], where: Sequence[ColumnElement[bool]]) -> int:
    return session.scalar(select(func.count(key)).where(*where)) or 0


def _uuid(value: Any) -> UUID:
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadCursor from error


def _instant(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise BadCursor from error
    if found.tzinfo is None:
        raise BadCursor
    return found
