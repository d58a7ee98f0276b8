"""Reading series: the rule, the visits, and which of how many one of them is."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.models import Appointment, AppointmentSeries
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.queries import AppointmentView, appointments_by_ids
from telehealth.booking.series_rules import OnHoliday, SeriesRule
from telehealth.core.errors import NotFound
from telehealth.directory.models import Facility, HealthcareService, Practitioner
from telehealth.scheduling.queries import FacilityRef, PractitionerRef, ServiceRef

_GONE = (AppointmentStatus.CANCELLED, AppointmentStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A series and its visits in order, cancelled ones too. `practitioner`: whom it was asked with."""

    id: UUID
    version: int
    patient_id: UUID
    facility: FacilityRef
    service: ServiceRef
    practitioner: PractitionerRef | None
    rule: SeriesRule
    visits: tuple[AppointmentView, ...]

    @property
    def scope(self) -> AppointmentScope:
        """Return what the policy asks about it."""
        return AppointmentScope(self.facility.id, self.patient_id)


@dataclass(frozen=True, slots=True)
class Turn:
    """Which visit of how many an appointment is."""

    series_id: UUID
    number: int
    of: int


def found_series(session: Session, series_id: UUID) -> SeriesView:
    """Return a series that the entered principal may see. Raises NotFound."""
    row = session.execute(
        select(AppointmentSeries, HealthcareService, Facility, Practitioner)
        .join(HealthcareService, HealthcareService.id == AppointmentSeries.service_id)
        .join(Facility, Facility.id == AppointmentSeries.facility_id)
        .outerjoin(Practitioner, Practitioner.id == AppointmentSeries.practitioner_id)
        .where(AppointmentSeries.id == series_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound
    found, service, place, doctor = row
    ids = session.scalars(select(Appointment.id).where(Appointment.series_id == series_id)).all()
    visits = sorted(appointments_by_ids(session, ids), key=lambda view: (view.start, view.id))
    return SeriesView(
        id=found.id,
        version=found.version,
        patient_id=found.patient_id,
        facility=FacilityRef(place.id, place.code, place.name, place.address, place.hotline),
        service=ServiceRef(
            service.id, service.code, service.name_vi, service.name_en, service.duration_minutes
        ),
        practitioner=_doctor(doctor),
        rule=_rule(found),
        visits=tuple(visits),
    )


def turn_of(session: Session, appointment_id: UUID) -> Turn | None:
    """Return which visit of its series an appointment is, cancelled ones left out; None outside of one."""
    mine = select(Appointment.series_id).where(Appointment.id == appointment_id).scalar_subquery()
    rows = session.execute(
        select(Appointment.id, Appointment.series_id)
        .where(Appointment.series_id == mine, Appointment.status.not_in(_GONE))
        .order_by(Appointment.start_at, Appointment.id)
    ).all()
    for number, row in enumerate(rows, 1):
        if row.id == appointment_id:
            return Turn(row.series_id, number, len(rows))
    return None


def _doctor(found: Practitioner | None) -> PractitionerRef | None:
    if found is None:
        return None
    return PractitionerRef(found.id, found.licence_no, found.name, found.title, found.specialty)


def _rule(found: AppointmentSeries) -> SeriesRule:
    return SeriesRule(
        first=found.first_day,
        minute=found.minute,
        every_days=found.every_days,
        every_weeks=found.every_weeks,
        weekdays=tuple(found.weekdays),
        visits=found.visits,
        until=found.until,
        on_holiday=OnHoliday(found.on_holiday),
    )
