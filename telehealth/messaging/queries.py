"""What operators look at. Figures are the package's; what they mean for appointments is ours."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from notifications.alarms import OpenAlarm, alarms, open_alarms
from notifications.figures import History, Vitals, history, vitals
from notifications.settings import NotificationSettings
from notifications.template_versions import Approval, Standing, standings
from notifications.templates import SOURCES
from telehealth.booking import queries as bookings
from telehealth.booking.codes import OfferState
from telehealth.booking.models import Appointment, AppointmentOffer, Disruption
from telehealth.core.uow import beside
from telehealth.messaging.rules import AppointmentStand, Health, health

_FIRST = {Approval.REFUSED: 0, Approval.UNLISTED: 1, Approval.WAITING: 2}
_OPEN_DISRUPTION = (
    select(Disruption.id)
    .where(
        Disruption.appointment_id == Appointment.id,
        Disruption.start_at == Appointment.start_at,
        Disruption.resolved_at.is_(None),
    )
    .scalar_subquery()
)
_OPEN_OFFER = select(AppointmentOffer.id).where(
    AppointmentOffer.appointment_id == Appointment.id, AppointmentOffer.state == OfferState.OPEN
)
_BEAT = text("SELECT beat_at FROM worker_heartbeat WHERE name = 'clock'")


@dataclass(frozen=True, slots=True)
class Glance:
    """How it is now. `alarms`: what is wrong this very moment, since when, the oldest first."""

    health: Health
    vitals: Vitals
    alarms: tuple[OpenAlarm, ...]
    worker_beat: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The glance, and the day behind it."""

    glance: Glance
    history: History


def read_vitals(session: Session, settings: NotificationSettings, *, now: datetime) -> Vitals:
    """Return the figures that alarms are made of."""
    return vitals(session, settings.configured, budget=settings.monthly_budget, sources=SOURCES, now=now)


def glance(session: Session, settings: NotificationSettings, *, now: datetime) -> Glance:
    """Return how it is now, whether or not the job that writes alarms down has run."""
    figures = read_vitals(session, settings, now=now)
    raised = alarms(figures, now)
    since = {each.raised: each.since for each in open_alarms(session)}
    beat: datetime | None = session.execute(_BEAT).scalar_one_or_none()
    standing = sorted((OpenAlarm(each, since.get(each, now)) for each in raised), key=_oldest_first)
    return Glance(health(raised, beat, now, dead=figures.dead), figures, tuple(standing), beat)


def _oldest_first(alarm: OpenAlarm) -> tuple[datetime, str, str]:
    return alarm.since, alarm.raised.name, alarm.raised.subject


def overview(session: Session, settings: NotificationSettings, *, now: datetime) -> Overview:
    """Return everything that the page and the API show."""
    return Overview(glance(session, settings, now=now), history(session, now=now))


def registered_texts(session: Session) -> list[Standing]:
    """Return the texts that a provider has to know (Zalo's, and others' with ids), trouble first."""
    known = [text for text in standings(session) if text.channel == "zalo" or text.provider_template_id]
    return sorted(known, key=lambda text: _FIRST.get(text.approval, len(_FIRST)))


@dataclass(frozen=True, slots=True)
class Subject:
    """The appointment that messages are about, as far as an operator may know of it."""

    id: UUID
    patient_id: UUID | None
    facility_id: UUID


def subject_by_code(session: Session, code: str) -> Subject | None:
    """Return the appointment of a booking code; operators see no more of it than that it is there."""
    with beside(session) as system:
        view = bookings.appointment_by_code(system, code)
    return None if view is None else Subject(view.id, view.patient_id, view.facility.id)


@dataclass(frozen=True, slots=True)
class Whose:
    """The patient whom messages are about, and where."""

    patient_id: UUID
    facility_id: UUID


def whose(session: Session, subjects: Collection[UUID]) -> list[Whose]:
    """Return the patients of those subjects that are appointments."""
    wanted = (
        select(Appointment.patient_id, Appointment.facility_id)
        .where(Appointment.id.in_(subjects), Appointment.patient_id.is_not(None))
        .distinct()
        .order_by(Appointment.patient_id, Appointment.facility_id)
    )
    with beside(session) as system:
        return [Whose(row.patient_id, row.facility_id) for row in system.execute(wanted)]


def stands_of(
    session: Session, subjects: Collection[UUID], *, now: datetime
) -> Mapping[UUID, AppointmentStand]:
    """Return how those subjects stand that are appointments."""
    if not subjects:
        return {}
    stand = (
        Appointment.status,
        Appointment.start_at,
        Appointment.agreed_at,
        _OPEN_DISRUPTION,
        _OPEN_OFFER.where(AppointmentOffer.expires_at > now).scalar_subquery(),
    )
    wanted = select(Appointment.id, *stand).where(Appointment.id.in_(subjects))
    with beside(session) as system:
        return {row[0]: AppointmentStand(*row[1:]) for row in system.execute(wanted)}
