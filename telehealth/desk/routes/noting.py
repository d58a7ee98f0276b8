"""Whom the desk has looked at, for the audit."""

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import business_date
from telehealth.desk.services import Desk
from telehealth.web.context import (
    now,
    principal,
)


def note(work: Session, desk: Desk, action: str, view: AppointmentView) -> None:
    """Note that somebody at the desk looked at an appointment."""
    entry = Entry(action, "Appointment", view.id, view.patient_id, desk.facility_id)
    record(work, principal(), entry, now=now())


def note_list(work: Session, desk: Desk, views: list[AppointmentView]) -> None:
    """Note that somebody at the desk saw a list of appointments, once for each person."""
    ids = {view.patient_id for view in views if view.patient_id is not None}
    entries = [Entry("booking.list", "Appointment", None, each, desk.facility_id) for each in sorted(ids)]
    record(work, principal(), *entries, now=now())


def is_today(view: AppointmentView) -> bool:
    """Tell whether an appointment is of today, by the province's clock."""
    return business_date(view.start) == business_date(now())
