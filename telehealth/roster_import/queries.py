"""What a facility has, by the codes that files use, and its lines as drafts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.directory.models import Facility, HealthcareService, Practitioner, ServicePoint
from telehealth.provincial_import.province import FacilityFacts
from telehealth.roster_import.rules import Stored
from telehealth.schedule_editor.queries import LineView, lines
from telehealth.scheduling.drafts import LineDraft, QuotaDraft
from telehealth.scheduling.models import Resource, Schedule

_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Codes:
    """Ids by code, and what the reader asks about the facility."""

    facts: FacilityFacts
    practitioners: Mapping[str, UUID]
    services: Mapping[str, UUID]
    resources: Mapping[str, UUID]


def codes_of(session: Session, facility_id: UUID) -> Codes:
    """Return what the facility has; a room that a line names or named counts, a service point or not."""
    facility = session.get_one(Facility, facility_id)
    services = session.scalars(
        select(HealthcareService).where(
            HealthcareService.facility_id == facility_id, HealthcareService.active
        )
    ).all()
    doctors = session.execute(
        select(Practitioner.licence_no, Practitioner.id).where(Practitioner.active)
    ).all()
    rooms = session.scalars(select(ServicePoint.code).where(ServicePoint.facility_id == facility_id)).all()
    used = session.scalars(select(Schedule.room).where(Schedule.facility_id == facility_id).distinct()).all()
    resources = session.execute(
        select(Resource.code, Resource.id).where(Resource.facility_id == facility_id, Resource.active)
    ).all()
    return Codes(
        facts=FacilityFacts(
            code=facility.code,
            services={row.code: tuple(row.modalities) for row in services},
            licences=frozenset(row.licence_no for row in doctors),
            rooms=frozenset(rooms) | frozenset(used),
            resources=frozenset(row.code for row in resources),
        ),
        practitioners={row.licence_no: row.id for row in doctors},
        services={row.code: row.id for row in services},
        resources={row.code: row.id for row in resources},
    )


def stored_lines(session: Session, facility_id: UUID, today: date) -> list[Stored]:
    """Return the lines that hold today or later."""
    found = lines(session, facility_id, from_=today, limit=_EVERY)
    return [Stored(view.row.id, view.row.version, _draft(view)) for view in found]


def _draft(view: LineView) -> LineDraft:
    own = {"further_service_ids", "resource_ids", "quotas", "weekdays"}
    plain = {name: getattr(view.row, name) for name in LineDraft.__dataclass_fields__ if name not in own}
    return LineDraft(
        **plain,
        weekdays=tuple(sorted(view.row.weekdays)),
        further_service_ids=tuple(sorted(view.further_service_ids)),
        resource_ids=tuple(sorted(view.resource_ids)),
        quotas=tuple(QuotaDraft(each.door, each.places, each.falls_minutes) for each in view.quotas),
    )
