"""Changing one appointment: compare and swap, its place given back, the trail of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import queries
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import AppointmentOver
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import before
from telehealth.core.errors import NotFound, PreconditionFailed
from telehealth.core.principal import Principal


def found_appointment(session: Session, appointment_id: UUID) -> AppointmentView:
    view = queries.appointment(session, appointment_id)
    if view is None:
        raise NotFound
    return view


def change(
    session: Session,
    view: AppointmentView,
    status: AppointmentStatus,
    *,
    now: datetime,
    version: int | None = None,
    cancel_reason: str | None = None,
) -> AppointmentView:
    """Compare and swap. Raises AppointmentOver, or PreconditionFailed when a version was named."""
    if not updated(
        session,
        """UPDATE appointment SET status = %(status)s, version = version + 1, updated_at = %(now)s,
                  cancel_reason = coalesce(%(reason)s, cancel_reason)
            WHERE id = %(id)s AND status = ANY(%(from)s)
              AND (%(version)s::integer IS NULL OR version = %(version)s::integer)""",
        {
            "status": status.value,
            "now": now,
            "reason": cancel_reason,
            "id": view.id,
            "from": before(status),
            "version": version,
        },
    ):
        raise AppointmentOver if version is None else PreconditionFailed
    return found_appointment(session, view.id)


def updated(session: Session, sql: str, parameters: Mapping[str, Any]) -> bool:
    return session.connection().exec_driver_sql(sql, dict(parameters)).rowcount == 1


def give_back(session: Session, appointment_id: UUID) -> None:
    session.connection().exec_driver_sql("SELECT give_back(%s)", (appointment_id,))


def withdraw_offers(session: Session, appointment_id: UUID, now: datetime) -> None:
    """Close an offer still open: the appointment has another time, or none, or another offer."""
    session.connection().exec_driver_sql(
        """UPDATE appointment_offer
              SET state = CASE WHEN expires_at <= %(now)s THEN 'expired' ELSE 'withdrawn' END
            WHERE appointment_id = %(id)s AND state = 'open'""",
        {"id": appointment_id, "now": now},
    )


def end_disruption(session: Session, appointment_id: UUID, now: datetime) -> None:
    """Note that a time which could not be kept was given up: the same hour with another doctor is new."""
    session.connection().exec_driver_sql(
        """UPDATE appointment_disruption SET resolved_at = greatest(found_at, %(now)s)
            WHERE appointment_id = %(id)s AND resolved_at IS NULL""",
        {"id": appointment_id, "now": now},
    )


def note(
    session: Session, principal: Principal, action: str, view: AppointmentView, now: datetime, **details: str
) -> None:
    entry = Entry(
        action,
        "Appointment",
        view.id,
        patient_id=view.patient_id,
        facility_id=view.facility.id,
        details=details,
    )
    record(session, principal, entry, now=now)
