"""Writing the schedule: lines, exceptions, blockings, resources, policies and limits of one facility.

Each function writes one change, with its row in the trail, in the caller's transaction; what it does to
sessions and appointments is said and done by schedule_editor. A change names the version it changes
(PreconditionFailed otherwise). What has been worked stays as it was: a line that runs is split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound, PreconditionFailed, Unprocessable
from telehealth.core.ids import new_id
from telehealth.core.orm import Base
from telehealth.core.principal import Principal
from telehealth.directory.models import Facility, HealthcareService, Practitioner
from telehealth.directory.naming import short_name
from telehealth.scheduling.codes import ExceptionKind, ScheduleOrigin, SessionStatus
from telehealth.scheduling.drafts import (
    BlockingDraft,
    ExceptionDraft,
    Faults,
    LineDraft,
    MoveDraft,
    PolicyDraft,
    ResourceDraft,
)
from telehealth.scheduling.errors import (
    PractitionerElsewhere,
    ScheduleEnded,
    ScheduleInPast,
    SessionCannotOpen,
)
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
    SessionQuota,
)
from telehealth.scheduling.services import keep_to_policy, planned_at

EVERY_DAY = tuple(range(7))
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:who, 7702607))")
_ELSEWHERE = text(
    """SELECT facility_id, day FROM rostered_elsewhere(
           :practitioner, :facility, CAST(:weekdays AS smallint[]), :every, :start, :end, :first, :last)
        LIMIT 1"""
)


class _Draft(Protocol):
    def faults(self) -> Faults: ...


class _Versioned(Protocol):
    version: Any


_Row = TypeVar("_Row", bound=Base)


@dataclass(frozen=True, slots=True)
class Editor:
    """Who changes the schedule, and whose."""

    principal: Principal
    facility_id: UUID


def add_line(session: Session, editor: Editor, draft: LineDraft, *, now: datetime) -> UUID:
    """Add a roster line. Raises Unprocessable, ScheduleInPast, PractitionerElsewhere."""
    if draft.valid_from < business_date(now):
        raise ScheduleInPast
    return _write_line(session, editor, draft, now=now)


def change_line(
    session: Session,
    editor: Editor,
    line_id: UUID,
    version: int,
    draft: LineDraft,
    *,
    from_day: date,
    now: datetime,
) -> UUID:
    """Change a line from a day on; one that has begun by then is split there. Return the line that holds on.

    Raises NotFound, PreconditionFailed, ScheduleInPast, ScheduleEnded, and as add_line.
    """
    line = _locked(session, Schedule, editor.facility_id, line_id, version)
    if from_day < business_date(now):
        raise ScheduleInPast
    if not line.active or (line.valid_to is not None and line.valid_to < from_day):
        raise ScheduleEnded
    first = in_rhythm(line.valid_from, line.every_weeks, from_day) if from_day > line.valid_from else from_day
    if draft.every_weeks != line.every_weeks:
        first = from_day
    if from_day <= line.valid_from:
        line.active = False
        first = max(draft.valid_from, from_day)
    else:
        line.valid_to = from_day - timedelta(days=1)
    line.origin = ScheduleOrigin.EDITOR
    line.version += 1
    session.flush()
    values = {**_plain(draft), "valid_from": first}
    written = _write_line(session, editor, LineDraft(**values), now=now, instead_of=line_id)
    session.execute(
        update(ScheduleException)
        .where(ScheduleException.schedule_id == line_id, ScheduleException.from_date >= from_day)
        .values(schedule_id=written)
    )
    return written


def end_line(
    session: Session, editor: Editor, line_id: UUID, version: int, last_day: date, *, now: datetime
) -> UUID:
    """Let a line hold for the last time on a day; before its first day it never holds.

    Raises NotFound, PreconditionFailed, ScheduleInPast.
    """
    line = _locked(session, Schedule, editor.facility_id, line_id, version)
    if last_day < business_date(now) - timedelta(days=1):
        raise ScheduleInPast
    if last_day < line.valid_from:
        line.active = False
    else:
        line.valid_to = last_day
    line.origin = ScheduleOrigin.EDITOR
    line.version += 1
    session.flush()
    _note(session, editor, "schedule.end", "Schedule", line_id, now, last_day=last_day.isoformat())
    return line_id


def in_rhythm(anchor: date, every_weeks: int, day: date) -> date:
    """Return `day`, or the Monday of the next week in which a line that began at `anchor` holds."""
    monday = day - timedelta(days=day.weekday())
    off = (monday - (anchor - timedelta(days=anchor.weekday()))).days // 7 % every_weeks
    return day if off == 0 else monday + timedelta(weeks=every_weeks - off)


def add_exception(session: Session, editor: Editor, draft: ExceptionDraft, *, now: datetime) -> UUID:
    """Add days that are not as the roster says. Raises as add_line."""
    return _add_exception(session, editor, draft, {}, now=now)


def _add_exception(
    session: Session, editor: Editor, draft: ExceptionDraft, terms: Mapping[str, Any], *, now: datetime
) -> UUID:
    if draft.from_date < business_date(now):
        raise ScheduleInPast
    _check_exception(session, editor, draft)
    row = ScheduleException(
        id=new_id(), facility_id=editor.facility_id, origin=ScheduleOrigin.EDITOR, **_plain(draft), **terms
    )
    session.add(row)
    session.flush()
    _note(session, editor, "schedule.except", "ScheduleException", row.id, now, kind=draft.kind)
    return row.id


def change_exception(
    session: Session,
    editor: Editor,
    exception_id: UUID,
    version: int,
    draft: ExceptionDraft,
    *,
    now: datetime,
) -> UUID:
    """Change an exception; of one that has begun only the end. Raises NotFound and as add_line."""
    row = _locked(session, ScheduleException, editor.facility_id, exception_id, version)
    today = business_date(now)
    if not row.active or row.to_date < today:
        raise ScheduleEnded
    if row.from_date < today:
        begun = {name: getattr(row, name) for name in _plain(draft)}
        if {**_plain(draft), "to_date": row.to_date, "note": row.note} != begun or draft.to_date < today:
            raise ScheduleInPast
    elif draft.from_date < today:
        raise ScheduleInPast
    _check_exception(session, editor, draft)
    for name, value in _plain(draft).items():
        setattr(row, name, value)
    row.origin = ScheduleOrigin.EDITOR
    row.version += 1
    session.flush()
    _note(session, editor, "schedule.except", "ScheduleException", row.id, now, kind=draft.kind)
    return exception_id


def withdraw_exception(
    session: Session, editor: Editor, exception_id: UUID, version: int, *, now: datetime
) -> UUID:
    """Let the roster hold again from today on. Raises NotFound, PreconditionFailed, ScheduleEnded."""
    row = _locked(session, ScheduleException, editor.facility_id, exception_id, version)
    today = business_date(now)
    if not row.active or row.to_date < today:
        raise ScheduleEnded
    if row.from_date < today:
        row.to_date = today - timedelta(days=1)
    else:
        row.active = False
    row.origin = ScheduleOrigin.EDITOR
    row.version += 1
    session.flush()
    _note(session, editor, "schedule.withdraw", "ScheduleException", row.id, now, kind=row.kind)
    return exception_id


def move_session(
    session: Session, editor: Editor, session_id: UUID, draft: MoveDraft, *, now: datetime
) -> UUID:
    """Move one session of one day; every service it offers moves along. Return the extra session it becomes.

    A regular session is closed then, for its line alone, and an extra one opens where it goes, with all its
    terms; an extra one of a single day is changed. Raises NotFound, ScheduleEnded (cancelled, or an extra one
    of several days), ScheduleInPast, SessionCannotOpen, and as add_exception.
    """
    moved = session.get(ClinicSession, session_id)
    if moved is None or moved.facility_id != editor.facility_id:
        raise NotFound
    if moved.status == SessionStatus.CANCELLED:
        raise ScheduleEnded
    move = _move_extra if moved.schedule_id is None else _move_regular
    written = move(session, editor, moved, draft, now=now)
    planned = planned_at(session, editor.facility_id, draft.day, draft.day)[draft.day]
    if not set(written) <= {each.exception_id for each in planned}:
        raise SessionCannotOpen
    return written[0]


def _move_regular(
    session: Session, editor: Editor, moved: ClinicSession, draft: MoveDraft, *, now: datetime
) -> list[UUID]:
    together = session.scalars(
        select(ClinicSession)
        .where(
            ClinicSession.schedule_id == moved.schedule_id,
            ClinicSession.business_date == moved.business_date,
            ClinicSession.start_minute == moved.start_minute,
            ClinicSession.status != SessionStatus.CANCELLED,
        )
        .order_by(ClinicSession.id)
    ).all()
    length = moved.slot_count * moved.slot_minutes
    # Closed and not on leave: a leave would also cut the extra session where the two overlap.
    away = ExceptionDraft(
        ExceptionKind.CLOSED,
        moved.business_date,
        moved.business_date,
        moved.practitioner_id,
        moved.start_minute,
        moved.start_minute + length,
    )
    _add_exception(session, editor, away, {"schedule_id": moved.schedule_id}, now=now)
    written = []
    for each in together:
        extra = ExceptionDraft(
            ExceptionKind.EXTRA,
            draft.day,
            draft.day,
            draft.practitioner_id,
            draft.start_minute,
            draft.start_minute + length if draft.end_minute is None else draft.end_minute,
            each.service_id,
            each.modality,
            each.slot_minutes - each.lead_minutes - each.tail_minutes,
            each.capacity,
            draft.room,
        )
        written.append(_add_exception(session, editor, extra, _terms(session, each), now=now))
    return written


def _terms(session: Session, moved: ClinicSession) -> dict[str, Any]:
    """Return what an extra session has of the one that is moved, beside what is drafted."""
    quotas = session.scalars(
        select(SessionQuota)
        .where(SessionQuota.clinic_session_id == moved.id, SessionQuota.reserved > 0)
        .order_by(SessionQuota.door)
    )
    return {
        "mode": moved.mode,
        "lead_minutes": moved.lead_minutes,
        "tail_minutes": moved.tail_minutes,
        "overbook_most": moved.overbook_most,
        "resource_ids": moved.resource_ids,
        "kept": [
            [quota.door, quota.reserved, (moved.start_at - quota.falls_at) // timedelta(minutes=1)]
            for quota in quotas
        ],
    }


def _move_extra(
    session: Session, editor: Editor, moved: ClinicSession, draft: MoveDraft, *, now: datetime
) -> list[UUID]:
    chosen = session.get(ScheduleException, moved.exception_id)
    if chosen is None or chosen.from_date != chosen.to_date or chosen.start_minute is None:
        raise ScheduleEnded
    together = session.scalars(
        select(ScheduleException)
        .where(
            ScheduleException.facility_id == editor.facility_id,
            ScheduleException.active,
            ScheduleException.kind == ExceptionKind.EXTRA,
            ScheduleException.practitioner_id == chosen.practitioner_id,
            ScheduleException.from_date == chosen.from_date,
            ScheduleException.to_date == chosen.to_date,
            ScheduleException.start_minute == chosen.start_minute,
            ScheduleException.end_minute == chosen.end_minute,
        )
        .order_by(ScheduleException.id)
    ).all()
    if chosen not in together:
        raise ScheduleEnded
    length = (chosen.end_minute or 0) - chosen.start_minute
    end = draft.start_minute + length if draft.end_minute is None else draft.end_minute
    for row in together:
        there = ExceptionDraft(
            ExceptionKind.EXTRA,
            draft.day,
            draft.day,
            draft.practitioner_id,
            draft.start_minute,
            end,
            row.service_id,
            row.modality,
            row.slot_minutes,
            row.capacity,
            draft.room,
            note=row.note,
        )
        change_exception(session, editor, row.id, row.version, there, now=now)
    return [row.id for row in together]


def add_blocking(session: Session, editor: Editor, draft: BlockingDraft, *, now: datetime) -> UUID:
    """Block a time. Raises Unprocessable, ScheduleInPast."""
    if draft.to_at <= now:
        raise ScheduleInPast
    _check_blocking(session, editor, draft)
    row = Blocking(
        id=new_id(),
        facility_id=editor.facility_id,
        created_by=editor.principal.id,
        created_at=now,
        **_listed(draft),
    )
    session.add(row)
    session.flush()
    _note(session, editor, "schedule.block", "Blocking", row.id, now)
    return row.id


def change_blocking(
    session: Session, editor: Editor, blocking_id: UUID, version: int, draft: BlockingDraft, *, now: datetime
) -> UUID:
    """Change a blocking that still lies ahead or runs. Raises NotFound, PreconditionFailed, ScheduleEnded."""
    row = _locked(session, Blocking, editor.facility_id, blocking_id, version)
    if row.lifted_at is not None or row.to_at <= now:
        raise ScheduleEnded
    if draft.to_at <= now:
        raise ScheduleInPast
    _check_blocking(session, editor, draft)
    for name, value in _listed(draft).items():
        setattr(row, name, value)
    row.version += 1
    session.flush()
    _note(session, editor, "schedule.block", "Blocking", row.id, now)
    return blocking_id


def lift_blocking(
    session: Session, editor: Editor, blocking_id: UUID, version: int, *, now: datetime
) -> UUID:
    """Let people be booked again. Raises NotFound, PreconditionFailed, ScheduleEnded."""
    row = _locked(session, Blocking, editor.facility_id, blocking_id, version)
    if row.lifted_at is not None or row.to_at <= now:
        raise ScheduleEnded
    row.lifted_at = now
    row.version += 1
    session.flush()
    _note(session, editor, "schedule.lift", "Blocking", row.id, now)
    return blocking_id


def add_resource(session: Session, editor: Editor, draft: ResourceDraft, *, now: datetime) -> UUID:
    """Add a room or devices. Raises Unprocessable, also when the code is taken there."""
    _refuse(draft)
    _free_code(session, editor, draft.code, None)
    row = Resource(id=new_id(), facility_id=editor.facility_id, **_plain(draft))
    session.add(row)
    session.flush()
    _note(session, editor, "schedule.resource", "Location", row.id, now)
    return row.id


def change_resource(
    session: Session,
    editor: Editor,
    resource_id: UUID,
    version: int,
    draft: ResourceDraft,
    *,
    active: bool,
    now: datetime,
) -> UUID:
    """Change a room or devices, or (not `active`) use them no more. Raises NotFound and as add_resource."""
    _refuse(draft)
    row = _locked(session, Resource, editor.facility_id, resource_id, version)
    _free_code(session, editor, draft.code, resource_id)
    for name, value in {**_plain(draft), "active": active}.items():
        setattr(row, name, value)
    row.version += 1
    if not active:
        session.execute(delete(ScheduleResource).where(ScheduleResource.resource_id == resource_id))
    session.flush()
    _note(session, editor, "schedule.resource", "Location", row.id, now, active=active)
    return resource_id


def set_policy(
    session: Session, editor: Editor, service_id: UUID, version: int, draft: PolicyDraft, *, now: datetime
) -> UUID:
    """Set when and how a service is booked; version 0 where nothing was set. Raises Unprocessable."""
    _refuse(draft)
    _require_services(session, editor, [service_id], "service_id")
    _set(session, BookingPolicy, {"service_id": service_id}, version, _plain(draft))
    keep_to_policy(session, service_id, now)
    _note(session, editor, "schedule.policy", "HealthcareService", service_id, now)
    return service_id


def clear_policy(session: Session, editor: Editor, service_id: UUID, version: int, *, now: datetime) -> UUID:
    """Go back to the province's defaults. Raises NotFound, PreconditionFailed."""
    _require_services(session, editor, [service_id], "service_id")
    _clear(session, BookingPolicy, {"service_id": service_id}, version)
    keep_to_policy(session, service_id, now)
    _note(session, editor, "schedule.policy", "HealthcareService", service_id, now, cleared=True)
    return service_id


def set_limit(
    session: Session, editor: Editor, practitioner_id: UUID, version: int, per_day: int, *, now: datetime
) -> UUID:
    """Say how many patients a practitioner of the facility sees a day; version 0 where nothing was said."""
    if not 1 <= per_day <= 1000:
        raise Unprocessable({"per_day": ["schedule-number-bounds"]})
    _require_own_practitioner(session, editor, practitioner_id)
    _set(session, PractitionerLimit, {"practitioner_id": practitioner_id}, version, {"per_day": per_day})
    _note(session, editor, "schedule.limit", "Practitioner", practitioner_id, now, per_day=per_day)
    return practitioner_id


def clear_limit(
    session: Session, editor: Editor, practitioner_id: UUID, version: int, *, now: datetime
) -> UUID:
    """Lift a practitioner's daily limit. Raises NotFound, PreconditionFailed."""
    _require_own_practitioner(session, editor, practitioner_id)
    _clear(session, PractitionerLimit, {"practitioner_id": practitioner_id}, version)
    _note(session, editor, "schedule.limit", "Practitioner", practitioner_id, now, cleared=True)
    return practitioner_id


def _write_line(
    session: Session, editor: Editor, draft: LineDraft, *, now: datetime, instead_of: UUID | None = None
) -> UUID:
    _refuse(draft)
    _require_practitioner(session, draft.practitioner_id)
    _require_services(session, editor, [draft.service_id], "service_id")
    _require_services(session, editor, draft.further_service_ids, "further_service_ids")
    _require_resources(session, editor, draft.resource_ids)
    _refuse_elsewhere(
        session,
        editor,
        draft.practitioner_id,
        weekdays=draft.weekdays,
        every_weeks=draft.every_weeks,
        minutes=(draft.start_minute, draft.end_minute),
        days=(draft.valid_from, draft.valid_to),
    )
    values = _plain(draft)
    further, resources, quotas = (
        values.pop(name) for name in ("further_service_ids", "resource_ids", "quotas")
    )
    line = Schedule(
        id=new_id(), facility_id=editor.facility_id, active=True, origin=ScheduleOrigin.EDITOR, **values
    )
    line.weekdays = sorted(set(draft.weekdays))
    session.add(line)
    session.flush()
    session.add_all(ScheduleService(schedule_id=line.id, service_id=each) for each in set(further))
    session.add_all(ScheduleResource(schedule_id=line.id, resource_id=each) for each in set(resources))
    session.add_all(ScheduleQuota(schedule_id=line.id, **asdict(quota)) for quota in quotas)
    session.flush()
    details = {} if instead_of is None else {"instead_of": str(instead_of)}
    _note(session, editor, "schedule.add", "Schedule", line.id, now, **details)
    return line.id


def _check_exception(session: Session, editor: Editor, draft: ExceptionDraft) -> None:
    _refuse(draft)
    if draft.practitioner_id is not None:
        _require_practitioner(session, draft.practitioner_id)
    if draft.service_id is not None:
        _require_services(session, editor, [draft.service_id], "service_id")
    if draft.kind == ExceptionKind.EXTRA and draft.practitioner_id is not None:
        _refuse_elsewhere(
            session,
            editor,
            draft.practitioner_id,
            weekdays=EVERY_DAY,
            every_weeks=1,
            minutes=(draft.start_minute or 0, draft.end_minute or 0),
            days=(draft.from_date, draft.to_date),
        )


def _check_blocking(session: Session, editor: Editor, draft: BlockingDraft) -> None:
    _refuse(draft)
    if draft.practitioner_id is not None:
        _require_practitioner(session, draft.practitioner_id)
    if draft.resource_id is not None:
        _require_resources(session, editor, [draft.resource_id], field="resource_id")


def _refuse(draft: _Draft) -> None:
    faults = draft.faults()
    if faults:
        raise Unprocessable(faults)


def _refuse_elsewhere(
    session: Session,
    editor: Editor,
    practitioner_id: UUID,
    *,
    weekdays: Sequence[int],
    every_weeks: int,
    minutes: tuple[int, int],
    days: tuple[date, date | None],
) -> None:
    """Raise PractitionerElsewhere when another facility has them then; the database holds it to the same."""
    session.execute(_TAKE_TURNS, {"who": str(practitioner_id)})
    found = session.execute(
        _ELSEWHERE,
        {
            "practitioner": practitioner_id,
            "facility": editor.facility_id,
            "weekdays": list(weekdays),
            "every": every_weeks,
            "start": minutes[0],
            "end": minutes[1],
            "first": days[0],
            "last": days[1],
        },
    ).one_or_none()
    if found is not None:
        place = session.get_one(Facility, found.facility_id)
        raise PractitionerElsewhere(place=short_name(place.name), day=f"{found.day:%d/%m/%Y}")


def _require_practitioner(session: Session, practitioner_id: UUID) -> None:
    row = session.get(Practitioner, practitioner_id)
    if row is None or not row.active:
        raise Unprocessable({"practitioner_id": ["schedule-practitioner-missing"]})


def _require_own_practitioner(session: Session, editor: Editor, practitioner_id: UUID) -> None:
    row = session.get(Practitioner, practitioner_id)
    if row is None or row.facility_id != editor.facility_id:
        raise NotFound


def _require_services(session: Session, editor: Editor, ids: Sequence[UUID], field: str) -> None:
    known = session.scalars(
        select(HealthcareService.id).where(
            HealthcareService.id.in_(ids),
            HealthcareService.facility_id == editor.facility_id,
            HealthcareService.active,
        )
    ).all()
    if set(known) != set(ids):
        raise Unprocessable({field: ["schedule-service-missing"]})


def _require_resources(
    session: Session, editor: Editor, ids: Sequence[UUID], field: str = "resource_ids"
) -> None:
    known = session.scalars(
        select(Resource.id).where(
            Resource.id.in_(ids), Resource.facility_id == editor.facility_id, Resource.active
        )
    ).all()
    if set(known) != set(ids):
        raise Unprocessable({field: ["schedule-resource-missing"]})


def _free_code(session: Session, editor: Editor, code: str, own: UUID | None) -> None:
    taken = session.scalar(
        select(Resource.id).where(Resource.facility_id == editor.facility_id, Resource.code == code)
    )
    if taken is not None and taken != own:
        raise Unprocessable({"code": ["schedule-code-taken"]})


def _locked(session: Session, table: type[_Row], facility_id: UUID, key: UUID, version: int) -> Any:
    """Return the row of this facility at that version, locked. Raises NotFound, PreconditionFailed."""
    row: Any = session.get(table, key, with_for_update=True, populate_existing=True)
    if row is None or row.facility_id != facility_id:
        raise NotFound
    if row.version != version:
        raise PreconditionFailed
    return row


def _set(
    session: Session, table: type[Base], key: dict[str, UUID], version: int, values: dict[str, Any]
) -> None:
    """Write the one row of a key at its next version; version 0: there is none yet."""
    if version == 0:
        made = session.execute(
            insert(table)
            .values(**key, **values)
            .on_conflict_do_nothing()
            .returning(table.__table__.c[next(iter(key))])
        ).one_or_none()
        if made is None:
            raise PreconditionFailed
        return
    row: Any = session.get(table, next(iter(key.values())), with_for_update=True, populate_existing=True)
    if row is None or row.version != version:
        raise PreconditionFailed
    for name, value in values.items():
        setattr(row, name, value)
    row.version += 1
    session.flush()


def _clear(session: Session, table: type[Base], key: dict[str, UUID], version: int) -> None:
    row: Any = session.get(table, next(iter(key.values())), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.version != version:
        raise PreconditionFailed
    session.delete(row)
    session.flush()


def _plain(draft: Any) -> dict[str, Any]:
    """Return a draft's fields as they are (asdict would take nested drafts apart)."""
    return {name: getattr(draft, name) for name in draft.__dataclass_fields__}


def _listed(draft: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in _plain(draft).items()}


def _note(
    session: Session, editor: Editor, action: str, entity: str, key: UUID, now: datetime, **details: object
) -> None:
    entry = Entry(action, entity, key, facility_id=editor.facility_id, details=details)
    record(session, editor.principal, entry, now=now)
