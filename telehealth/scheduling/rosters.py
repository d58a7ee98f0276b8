"""Rosters and exceptions as the province's files give them, against those that are stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import false, select
from sqlalchemy.orm import Session

from telehealth.core.ids import derived_id
from telehealth.core.merge import Difference, Row, difference
from telehealth.core.orm import Base
from telehealth.directory.keys import facility_key, practitioner_key, service_key
from telehealth.scheduling.codes import ScheduleOrigin
from telehealth.scheduling.models import (
    BookingPolicy,
    PractitionerLimit,
    Resource,
    Schedule,
    ScheduleException,
    ScheduleQuota,
    ScheduleResource,
    ScheduleService,
)
from telehealth.scheduling.records import (
    ExceptionRecord,
    LimitRecord,
    PolicyRecord,
    ResourceRecord,
    RosterRecord,
)


@dataclass(frozen=True, slots=True)
class RosterDifferences:
    """What the files would change in rosters, what belongs to them, and exceptions."""

    resources: Difference
    rosters: Difference
    services: Difference
    needs: Difference
    quotas: Difference
    exceptions: Difference
    policies: Difference
    limits: Difference


@dataclass(frozen=True, slots=True)
class RosterRecords:
    """What the files say. Resources, policies and limits that they leave out stay as they are."""

    rosters: Sequence[RosterRecord]
    exceptions: Sequence[ExceptionRecord]
    resources: Sequence[ResourceRecord] = ()
    policies: Sequence[PolicyRecord] = ()
    limits: Sequence[LimitRecord] = ()


def compare_rosters(session: Session, records: RosterRecords, *, today: date) -> RosterDifferences:
    """Say what would change. Exceptions that ended before today are history and stay.

    What people wrote in the editor, or have taken over there by changing or ending an imported line, is
    theirs (ADR 70): the files neither change nor remove it, and are told so as overruled.
    """
    lines = list(_schedules(records.rosters))
    rosters = difference(
        session,
        Schedule,
        [row for row, _record in lines],
        theirs=Schedule.origin == ScheduleOrigin.EDITOR,
    )
    overruled = {row["id"] for row in rosters.overruled}
    ours = [(row["id"], record) for row, record in lines if row["id"] not in overruled]
    return RosterDifferences(
        resources=_listed(session, Resource, [_resource(record) for record in records.resources]),
        rosters=rosters,
        services=_beside(session, ScheduleService, ours, _further_services),
        needs=_beside(session, ScheduleResource, ours, _needs),
        quotas=_beside(session, ScheduleQuota, ours, _quotas),
        exceptions=difference(
            session,
            ScheduleException,
            [_exception(record) for record in records.exceptions],
            removable=ScheduleException.to_date >= today,
            theirs=ScheduleException.origin == ScheduleOrigin.EDITOR,
        ),
        policies=_listed(session, BookingPolicy, [_policy(record) for record in records.policies]),
        limits=_listed(session, PractitionerLimit, [_limit(record) for record in records.limits]),
    )


def _listed(session: Session, table: type[Base], wanted: Sequence[Row]) -> Difference:
    return difference(session, table, wanted, removable=false())


def _beside(
    session: Session,
    table: type[ScheduleService] | type[ScheduleResource] | type[ScheduleQuota],
    lines: Sequence[tuple[UUID, RosterRecord]],
    rows: Callable[[RosterRecord], Iterator[dict[str, Any]]],
) -> Difference:
    """Compare what belongs to lines; that of the editor's lines is left alone."""
    editors = select(Schedule.id).where(Schedule.origin == ScheduleOrigin.EDITOR)
    wanted = [{"schedule_id": line_id, **row} for line_id, record in lines for row in rows(record)]
    return difference(session, table, wanted, theirs=table.schedule_id.in_(editors))


def _further_services(record: RosterRecord) -> Iterator[dict[str, Any]]:
    for code in record.more_services:
        if code != record.service_code:
            yield {"service_id": service_key(record.facility_code, code)}


def _needs(record: RosterRecord) -> Iterator[dict[str, Any]]:
    for code in record.resources:
        yield {"resource_id": resource_key(record.facility_code, code)}


def _quotas(record: RosterRecord) -> Iterator[dict[str, Any]]:
    for quota in record.quotas:
        yield {"door": quota.door, "places": quota.places, "falls_minutes": quota.falls_minutes}


def resource_key(facility_code: str, resource_code: str) -> UUID:
    """Return the id of a room or device of the files."""
    return derived_id("resource", facility_code, resource_code)


def _resource(record: ResourceRecord) -> dict[str, Any]:
    return {
        "id": resource_key(record.facility_code, record.code),
        "facility_id": facility_key(record.facility_code),
        "kind": record.kind,
        "code": record.code,
        "name": record.name,
        "lanes": record.lanes,
    }


def _policy(record: PolicyRecord) -> dict[str, Any]:
    return {
        "service_id": service_key(record.facility_code, record.service_code),
        "min_notice_minutes": record.min_notice_minutes,
        "window_days": record.window_days,
        "release_minute": record.release_minute,
        "cancel_notice_minutes": record.cancel_notice_minutes,
        "hold_seconds": record.hold_seconds,
    }


def _limit(record: LimitRecord) -> dict[str, Any]:
    return {"practitioner_id": practitioner_key(record.licence_no), "per_day": record.per_day}


def _schedules(records: Sequence[RosterRecord]) -> Iterator[tuple[dict[str, Any], RosterRecord]]:
    """Give each line its id: its key, and which of the successive periods of validity it is."""
    in_order = sorted(records, key=lambda record: (record.key, record.valid_from))
    for _key, periods in groupby(in_order, key=lambda record: record.key):
        for period, record in enumerate(periods):
            yield _schedule(record, period), record


def _schedule(record: RosterRecord, period: int) -> dict[str, Any]:
    return {
        "id": derived_id("schedule", *record.key, period),
        "facility_id": facility_key(record.facility_code),
        "practitioner_id": practitioner_key(record.licence_no),
        "service_id": service_key(record.facility_code, record.service_code),
        "modality": record.modality,
        "weekdays": list(record.weekdays),
        "start_minute": record.start_minute,
        "end_minute": record.end_minute,
        "slot_minutes": record.slot_minutes,
        "capacity": record.capacity,
        "room": record.room,
        "valid_from": record.valid_from,
        "valid_to": record.valid_to,
        "every_weeks": record.every_weeks,
        "mode": record.mode,
        "lead_minutes": record.lead_minutes,
        "tail_minutes": record.tail_minutes,
        "overbook_most": record.overbook_most,
    }


def _exception(record: ExceptionRecord) -> dict[str, Any]:
    service, licence = record.service_code, record.licence_no
    return {
        "id": derived_id("schedule_exception", *record.key),
        "facility_id": facility_key(record.facility_code),
        "practitioner_id": practitioner_key(licence) if licence else None,
        "kind": record.kind,
        "from_date": record.from_date,
        "to_date": record.to_date,
        "start_minute": record.start_minute,
        "end_minute": record.end_minute,
        "service_id": service_key(record.facility_code, service) if service else None,
        "modality": record.modality or None,
        "slot_minutes": record.slot_minutes,
        "capacity": record.capacity,
        "room": record.room or None,
        "like_weekday": record.like_weekday,
        "note": record.note,
    }
