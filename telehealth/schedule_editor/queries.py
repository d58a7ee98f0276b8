"""Reading a facility's schedule: the calendar of a week or a day, the lists, and whom a change touches."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.core.clock import at_local, local
from telehealth.core.errors import NotFound
from telehealth.directory.calendar import CalendarDayView
from telehealth.directory.calendar import day_kind as kind_of
from telehealth.directory.models import HealthcareService, Practitioner, ServicePoint
from telehealth.directory.queries import calendar_overrides
from telehealth.schedule_editor.rules import Blocked, Extra, Standing
from telehealth.scheduling.codes import ExceptionKind, SessionStatus
from telehealth.scheduling.drafts import BlockingDraft, ExceptionDraft
from telehealth.scheduling.models import (
    Blocking,
    BookingPolicy,
    ClinicSession,
    PractitionerLimit,
    Resource,
    Schedule,
    ScheduleException,
    ScheduleQuota,
    ScheduleResource,
    ScheduleService,
)
from telehealth.scheduling.rules import DAY_MINUTES
from telehealth.scheduling.services import planned_at


@dataclass(frozen=True, slots=True)
class Person:
    """A practitioner as lists show them."""

    id: UUID
    name: str
    title: str
    sort: str
    own: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """A service as lists show it."""

    id: UUID
    code: str
    name_vi: str
    name_en: str
    duration_minutes: int
    online_share_percent: int
    modalities: tuple[str, ...]

    def name(self, locale: str) -> str:
        """Return the name in a language."""
        return self.name_vi if locale == "vi" else self.name_en


@dataclass(frozen=True, slots=True)
class Kept:
    """Places of a session kept for a door, and how many of them are used."""

    door: str
    reserved: int
    booked: int


@dataclass(frozen=True, slots=True)
class Block:
    """A session in the calendar. `id` is None while its day has not been made: nobody can be booked yet.

    `beside`: who are booked for the other services of its line, on the same places.
    """

    id: UUID | None
    schedule_id: UUID | None
    exception_id: UUID | None
    day: date
    start_minute: int
    end_minute: int
    practitioner_id: UUID
    service_id: UUID
    modality: str
    mode: str
    room: str
    status: str
    places: int
    booked: int
    overbooked: int
    online_booked: int
    online_quota: int
    kept: tuple[Kept, ...]
    beside: int = 0

    @property
    def lanes(self) -> tuple[object, ...]:
        """Return whose places these are: the services of one line share them."""
        line = self.schedule_id or self.exception_id or self.id
        return line, self.practitioner_id, self.day, self.start_minute

    @property
    def fill(self) -> int:
        """Return how full it is, in tenths."""
        taken = self.booked + self.beside
        return min(10, -(-taken * 10 // self.places)) if self.places else 0


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that takes time away or changes a day: an exception, or (`blocking`) a blocking.

    Minutes are None for the whole day. Without practitioner and resource it is the whole facility's.
    """

    kind: str
    id: UUID
    day: date
    practitioner_id: UUID | None
    resource_id: UUID | None
    start_minute: int | None
    end_minute: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """A facility's days, with who and what there is on them. `today`: what is before it is over."""

    today: date
    days: tuple[CalendarDayView, ...]
    blocks: tuple[Block, ...]
    marks: tuple[Mark, ...]
    people: Mapping[UUID, Person]
    services: Mapping[UUID, Offered]
    resources: Mapping[UUID, Resource]


@dataclass(frozen=True, slots=True)
class LineView:
    """A roster line with what it offers, needs and keeps."""

    row: Schedule
    further_service_ids: tuple[UUID, ...]
    resource_ids: tuple[UUID, ...]
    quotas: tuple[ScheduleQuota, ...]


def calendar(session: Session, facility_id: UUID, first: date, last: date, today: date) -> Calendar:
    """Return the days from first to last in eight statements, and three more where days are not made yet."""
    overrides = calendar_overrides(session, first, last)
    days = tuple(
        kind_of(first + timedelta(days=offset), overrides, facility_id)
        for offset in range((last - first).days + 1)
    )
    blocks = [*_stored_blocks(session, facility_id, first, last)]
    made = _days_made(session, first, last) | {block.day for block in blocks}
    missing = [each.day for each in days if each.day not in made]
    if missing:
        blocks += _planned_blocks(session, facility_id, missing)
    return Calendar(
        today=today,
        days=days,
        blocks=tuple(sorted(_beside(blocks), key=lambda block: (block.day, block.start_minute, block.room))),
        marks=(
            *_exception_marks(session, facility_id, first, last),
            *_blockings(session, facility_id, first, last),
        ),
        people=people(session, facility_id, {block.practitioner_id for block in blocks}),
        services=services(session, facility_id),
        resources={row.id: row for row in resources(session, facility_id)},
    )


def people(session: Session, facility_id: UUID, others: set[UUID] | None = None) -> dict[UUID, Person]:
    """Return the facility's practitioners, those rostered there, and others, by name."""
    rostered = select(Schedule.practitioner_id).where(Schedule.facility_id == facility_id, Schedule.active)
    rows = session.execute(
        select(
            Practitioner.id,
            Practitioner.name,
            Practitioner.title,
            Practitioner.name_sort,
            Practitioner.facility_id == facility_id,
        )
        .where(
            or_(
                (Practitioner.facility_id == facility_id) & Practitioner.active,
                Practitioner.id.in_(rostered),
                Practitioner.id.in_(others or ()),
            )
        )
        .order_by(Practitioner.name_sort, Practitioner.id)
    )
    return {row[0]: Person(*row) for row in rows}


def services(session: Session, facility_id: UUID) -> dict[UUID, Offered]:
    """Return the facility's services, by name."""
    rows = session.scalars(
        select(HealthcareService)
        .where(HealthcareService.facility_id == facility_id, HealthcareService.active)
        .order_by(HealthcareService.name_vi, HealthcareService.id)
    )
    return {
        row.id: Offered(
            row.id,
            row.code,
            row.name_vi,
            row.name_en,
            row.duration_minutes,
            row.online_share_percent,
            tuple(row.modalities),
        )
        for row in rows
    }


def resources(session: Session, facility_id: UUID) -> Sequence[Resource]:
    """Return the facility's rooms and devices, those in use first."""
    return session.scalars(
        select(Resource)
        .where(Resource.facility_id == facility_id)
        .order_by(Resource.active.desc(), Resource.kind.desc(), Resource.code)
    ).all()


def lines(
    session: Session,
    facility_id: UUID,
    *,
    from_: date,
    practitioner_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 500,
) -> list[LineView]:
    """Return the lines that hold on a day or later, in the order of their ids, in four statements."""
    query = select(Schedule).where(
        Schedule.facility_id == facility_id,
        Schedule.active,
        or_(Schedule.valid_to.is_(None), Schedule.valid_to >= from_),
    )
    if practitioner_id is not None:
        query = query.where(Schedule.practitioner_id == practitioner_id)
    if after is not None:
        query = query.where(Schedule.id > after)
    return _whole(session, session.scalars(query.order_by(Schedule.id).limit(limit)).all())


def line(session: Session, facility_id: UUID, line_id: UUID) -> LineView:
    """Return a line of the facility. Raises NotFound."""
    row = session.get(Schedule, line_id)
    if row is None or row.facility_id != facility_id:
        raise NotFound
    return _whole(session, [row])[0]


def exceptions(
    session: Session,
    facility_id: UUID,
    *,
    from_: date,
    practitioner_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 500,
) -> Sequence[ScheduleException]:
    """Return the exceptions that hold on a day or later, in the order of their ids."""
    query = select(ScheduleException).where(
        ScheduleException.facility_id == facility_id,
        ScheduleException.active,
        ScheduleException.to_date >= from_,
    )
    if practitioner_id is not None:
        query = query.where(ScheduleException.practitioner_id == practitioner_id)
    if after is not None:
        query = query.where(ScheduleException.id > after)
    return session.scalars(query.order_by(ScheduleException.id).limit(limit)).all()


def room_codes(session: Session, facility_id: UUID) -> frozenset[str]:
    """Return the codes of a facility's desks and rooms in use."""
    asked = select(ServicePoint.code).where(ServicePoint.facility_id == facility_id, ServicePoint.active)
    return frozenset(session.scalars(asked))


def extras(session: Session, facility_id: UUID, from_: date) -> list[Extra]:
    """Return the extra sessions that are asked for on a day or later."""
    rows = session.scalars(
        select(ScheduleException).where(
            ScheduleException.facility_id == facility_id,
            ScheduleException.active,
            ScheduleException.kind == ExceptionKind.EXTRA,
            ScheduleException.to_date >= from_,
        )
    )
    return [
        Extra(row.id, row.practitioner_id, row.from_date, row.to_date, _slots_asked_for(row))
        for row in rows
        if row.practitioner_id is not None
    ]


def _slots_asked_for(row: ScheduleException) -> int:
    start, end = row.start_minute or 0, DAY_MINUTES if row.end_minute is None else row.end_minute
    step = row.lead_minutes + (row.slot_minutes or 0) + row.tail_minutes
    return (end - start) // step if step else 0


def exception(session: Session, facility_id: UUID, exception_id: UUID) -> ScheduleException:
    """Return an exception of the facility. Raises NotFound."""
    row = session.get(ScheduleException, exception_id)
    if row is None or row.facility_id != facility_id:
        raise NotFound
    return row


def draft_of(row: ScheduleException) -> ExceptionDraft:
    """Return what a stored exception says."""
    return ExceptionDraft(**{name: getattr(row, name) for name in ExceptionDraft.__dataclass_fields__})


def blocking_draft_of(row: Blocking) -> BlockingDraft:
    """Return what a stored blocking says."""
    return BlockingDraft(
        from_at=row.from_at,
        to_at=row.to_at,
        reason=row.reason,
        practitioner_id=row.practitioner_id,
        resource_id=row.resource_id,
        override_roles=tuple(row.override_roles),
        override_account_ids=tuple(row.override_account_ids),
    )


def blockings(
    session: Session,
    facility_id: UUID,
    *,
    from_: datetime,
    practitioner_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 500,
) -> Sequence[Blocking]:
    """Return the blockings that are not over and not lifted, in the order of their ids."""
    query = select(Blocking).where(
        Blocking.facility_id == facility_id, Blocking.lifted_at.is_(None), Blocking.to_at > from_
    )
    if practitioner_id is not None:
        query = query.where(Blocking.practitioner_id == practitioner_id)
    if after is not None:
        query = query.where(Blocking.id > after)
    return session.scalars(query.order_by(Blocking.id).limit(limit)).all()


def blocking(session: Session, facility_id: UUID, blocking_id: UUID) -> Blocking:
    """Return a blocking of the facility. Raises NotFound."""
    row = session.get(Blocking, blocking_id)
    if row is None or row.facility_id != facility_id:
        raise NotFound
    return row


def resource(session: Session, facility_id: UUID, resource_id: UUID) -> Resource:
    """Return a room or device of the facility. Raises NotFound."""
    row = session.get(Resource, resource_id)
    if row is None or row.facility_id != facility_id:
        raise NotFound
    return row


def facility_of_line(session: Session, key: UUID) -> UUID | None:
    """Return whose roster line it is."""
    return session.scalar(select(Schedule.facility_id).where(Schedule.id == key))


def facility_of_exception(session: Session, key: UUID) -> UUID | None:
    """Return whose exception it is."""
    return session.scalar(select(ScheduleException.facility_id).where(ScheduleException.id == key))


def facility_of_blocking(session: Session, key: UUID) -> UUID | None:
    """Return whose blocking it is."""
    return session.scalar(select(Blocking.facility_id).where(Blocking.id == key))


def facility_of_resource(session: Session, key: UUID) -> UUID | None:
    """Return whose room or device it is."""
    return session.scalar(select(Resource.facility_id).where(Resource.id == key))


def facility_of_service(session: Session, key: UUID) -> UUID | None:
    """Return whose service it is."""
    return session.scalar(select(HealthcareService.facility_id).where(HealthcareService.id == key))


def facility_of_practitioner(session: Session, key: UUID) -> UUID | None:
    """Return whose practitioner it is."""
    return session.scalar(select(Practitioner.facility_id).where(Practitioner.id == key))


def facility_of_session(session: Session, key: UUID) -> UUID | None:
    """Return whose session it is."""
    return session.scalar(select(ClinicSession.facility_id).where(ClinicSession.id == key))


def policies(session: Session, facility_id: UUID) -> dict[UUID, BookingPolicy]:
    """Return what is set for the facility's services, by service."""
    rows = session.scalars(
        select(BookingPolicy)
        .join(HealthcareService, HealthcareService.id == BookingPolicy.service_id)
        .where(HealthcareService.facility_id == facility_id)
    )
    return {row.service_id: row for row in rows}


def limits(session: Session, facility_id: UUID) -> dict[UUID, PractitionerLimit]:
    """Return the daily limits of the facility's practitioners, by practitioner."""
    rows = session.scalars(
        select(PractitionerLimit)
        .join(Practitioner, Practitioner.id == PractitionerLimit.practitioner_id)
        .where(Practitioner.facility_id == facility_id)
    )
    return {row.practitioner_id: row for row in rows}


def block(session: Session, facility_id: UUID, session_id: UUID) -> Block:
    """Return one session of the facility. Raises NotFound."""
    found = _blocks_where(session, facility_id, "s.id = %(id)s", {"id": session_id})
    if not found:
        raise NotFound
    return found[0]


def last_day(session: Session, facility_id: UUID) -> date | None:
    """Return the last day for which the facility has sessions."""
    found: date | None = _rows(
        session,
        "SELECT max(business_date) FROM clinic_session WHERE facility_id = %(facility)s",
        {"facility": facility_id},
    )[0][0]
    return found


def blocked_from(session: Session, facility_id: UUID, now: datetime) -> frozenset[Blocked]:
    """Return what is blocked at the facility from now on."""
    rows = _rows(
        session,
        """SELECT from_at, to_at, practitioner_id, resource_id FROM blocking
            WHERE facility_id = %(facility)s AND lifted_at IS NULL AND to_at > %(now)s""",
        {"facility": facility_id, "now": now},
    )
    return frozenset(Blocked(*row) for row in rows)


def days_over_limit(session: Session, facility_id: UUID, now: datetime) -> frozenset[tuple[UUID, date]]:
    """Return on which days from now on which practitioner has more appointments than their limit."""
    rows = _rows(
        session,
        f"""SELECT a.practitioner_id, s.business_date
              FROM practitioner_limit l
              JOIN appointment a ON a.practitioner_id = l.practitioner_id
              JOIN clinic_session s ON s.id = a.clinic_session_id
             WHERE a.facility_id = %(facility)s AND a.status = '{AppointmentStatus.BOOKED}'
               AND a.start_at > %(now)s
             GROUP BY a.practitioner_id, s.business_date, l.per_day HAVING count(*) > l.per_day""",
        {"facility": facility_id, "now": now},
    )
    return frozenset((row[0], row[1]) for row in rows)


def standing(
    session: Session,
    facility_id: UUID,
    *,
    practitioner_ids: Collection[UUID],
    days: Collection[date],
    spans: Collection[tuple[datetime, datetime]],
    now: datetime,
) -> list[Standing]:
    """Return the booked appointments of these practitioners' days, and all in these spans, from now on."""
    if not days and not spans:
        return []
    rows = _rows(
        session,
        f"""SELECT a.id, a.clinic_session_id, a.practitioner_id, a.service_id, a.modality, a.start_at,
                  a.end_at, s.resource_ids, a.patient_id, p.full_name
             FROM appointment a
             JOIN clinic_session s ON s.id = a.clinic_session_id
             LEFT JOIN patient p ON p.id = a.patient_id
            WHERE a.facility_id = %(facility)s AND a.status = '{AppointmentStatus.BOOKED}'
              AND a.start_at > %(now)s
              AND ((s.business_date = ANY(%(days)s::date[]) AND a.practitioner_id = ANY(%(who)s::uuid[]))
                   OR EXISTS (SELECT FROM unnest(%(from)s::timestamptz[], %(to)s::timestamptz[]) AS x (b, e)
                               WHERE a.start_at < x.e AND a.end_at > x.b))
            ORDER BY a.start_at, a.id""",
        {
            "facility": facility_id,
            "now": now,
            "days": list(days),
            "who": list(practitioner_ids),
            "from": [span[0] for span in spans],
            "to": [span[1] for span in spans],
        },
    )
    return [
        Standing(row[0], row[1], row[2], row[3], row[4], row[5], row[6], tuple(row[7]), row[8], row[9])
        for row in rows
    ]


def _whole(session: Session, rows: Sequence[Schedule]) -> list[LineView]:
    ids = [row.id for row in rows]
    further: dict[UUID, list[UUID]] = defaultdict(list)
    needed: dict[UUID, list[UUID]] = defaultdict(list)
    quotas: dict[UUID, list[ScheduleQuota]] = defaultdict(list)
    for each in session.scalars(select(ScheduleService).where(ScheduleService.schedule_id.in_(ids))):
        further[each.schedule_id].append(each.service_id)
    for need in session.scalars(select(ScheduleResource).where(ScheduleResource.schedule_id.in_(ids))):
        needed[need.schedule_id].append(need.resource_id)
    for quota in session.scalars(
        select(ScheduleQuota).where(ScheduleQuota.schedule_id.in_(ids)).order_by(ScheduleQuota.door)
    ):
        quotas[quota.schedule_id].append(quota)
    return [
        LineView(row, tuple(further[row.id]), tuple(needed[row.id]), tuple(quotas[row.id])) for row in rows
    ]


def _stored_blocks(session: Session, facility_id: UUID, first: date, last: date) -> list[Block]:
    where = f"s.business_date BETWEEN %(first)s AND %(last)s AND s.status <> '{SessionStatus.CANCELLED}'"
    return _blocks_where(session, facility_id, where, {"first": first, "last": last})


def _blocks_where(
    session: Session, facility_id: UUID, where: str, parameters: Mapping[str, Any]
) -> list[Block]:
    rows = _rows(
        session,
        f"""SELECT s.id, s.schedule_id, s.exception_id, s.business_date, s.start_minute,
                  s.start_minute + (extract(epoch FROM s.end_at - s.start_at) / 60)::integer,
                  s.practitioner_id, s.service_id, s.modality, s.mode, s.room, s.status,
                  s.slot_count * s.capacity, s.booked, s.overbooked, s.online_booked, s.online_quota,
                  q.kept
             FROM clinic_session s
             LEFT JOIN LATERAL (
                 SELECT jsonb_agg(jsonb_build_array(q.door, q.reserved, q.booked) ORDER BY q.door) AS kept
                   FROM session_quota q WHERE q.clinic_session_id = s.id AND q.reserved > 0) q ON true
            WHERE s.facility_id = %(facility)s AND {where}""",
        {**parameters, "facility": facility_id},
    )
    return [Block(*(*fields, tuple(Kept(*each) for each in kept or ()))) for *fields, kept in rows]


def places_of(blocks: Iterable[Block]) -> int:
    """Return how many places blocks have together; what the services of one line share counts once."""
    shared: dict[tuple[object, ...], int] = {}
    for block in blocks:
        shared[block.lanes] = max(shared.get(block.lanes, 0), block.places)
    return sum(shared.values())


def _beside(blocks: Sequence[Block]) -> list[Block]:
    booked: Counter[tuple[object, ...]] = Counter()
    for block in blocks:
        booked[block.lanes] += block.booked
    return [replace(block, beside=booked[block.lanes] - block.booked) for block in blocks]


def _planned_blocks(session: Session, facility_id: UUID, days: Sequence[date]) -> list[Block]:
    planned = planned_at(session, facility_id, min(days), max(days))
    return [
        Block(
            None,
            each.schedule_id,
            each.exception_id,
            day,
            each.start_minute,
            each.start_minute + each.slot_count * each.slot_minutes,
            each.practitioner_id,
            each.service_id,
            each.modality,
            getattr(each, "mode", "slot"),
            each.room,
            SessionStatus.OPEN,
            each.slot_count * each.capacity,
            0,
            0,
            0,
            0,
            (),
        )
        for day in days
        for each in planned[day]
    ]


def _days_made(session: Session, first: date, last: date) -> set[date]:
    rows = _rows(
        session,
        "SELECT day FROM materialised_day WHERE day BETWEEN %(first)s AND %(last)s",
        {"first": first, "last": last},
    )
    return {row[0] for row in rows}


def _exception_marks(session: Session, facility_id: UUID, first: date, last: date) -> list[Mark]:
    rows = session.scalars(
        select(ScheduleException)
        .where(
            ScheduleException.facility_id == facility_id,
            ScheduleException.active,
            ScheduleException.from_date <= last,
            ScheduleException.to_date >= first,
        )
        .order_by(ScheduleException.from_date, ScheduleException.id)
    )
    return [
        Mark(row.kind, row.id, day, row.practitioner_id, None, row.start_minute, row.end_minute, row.note)
        for row in rows
        for day in _days(max(first, row.from_date), min(last, row.to_date))
    ]


def _blockings(session: Session, facility_id: UUID, first: date, last: date) -> list[Mark]:
    start, end = at_local(first, 0), at_local(last, DAY_MINUTES)
    rows = session.scalars(
        select(Blocking)
        .where(
            Blocking.facility_id == facility_id,
            Blocking.lifted_at.is_(None),
            Blocking.from_at < end,
            Blocking.to_at > start,
        )
        .order_by(Blocking.from_at, Blocking.id)
    )
    marks = []
    for row in rows:
        for day in _days(max(first, local(row.from_at).date()), min(last, local(row.to_at).date())):
            begin = max(0, _minute_on(day, row.from_at))
            finish = min(DAY_MINUTES, _minute_on(day, row.to_at))
            if begin < finish:
                marks.append(
                    Mark(
                        "blocking",
                        row.id,
                        day,
                        row.practitioner_id,
                        row.resource_id,
                        begin,
                        finish,
                        row.reason,
                    )
                )
    return marks


def _minute_on(day: date, instant: datetime) -> int:
    return int((instant - at_local(day, 0)).total_seconds() // 60)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _rows(session: Session, sql: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    return session.connection().exec_driver_sql(sql, dict(parameters)).all()
