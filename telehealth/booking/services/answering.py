"""What patients say of an appointment that stands: that they will come, that they are on their way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking.errors import AppointmentDisrupted
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import check_confirm, check_on_my_way
from telehealth.booking.services.ledger import found_appointment, note, updated
from telehealth.core.errors import PreconditionFailed
from telehealth.core.principal import Principal


def confirm(
    session: Session, principal: Principal, appointment_id: UUID, *, version: int, now: datetime
) -> AppointmentView:
    """Record that the patient will come. Said twice it is said once, at its first time.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, AppointmentDisrupted,
    TooLateToAnswer.
    """
    view = found_appointment(session, appointment_id)
    check_confirm(view.status, view.start, now)
    if view.confirmed_at is not None:
        return view
    return _said(session, principal, view, "booking.confirm", "confirmed_at = %(now)s", version, now)


def set_out(
    session: Session, principal: Principal, appointment_id: UUID, *, version: int, now: datetime
) -> AppointmentView:
    """Record that the patient is on the way, and so will come. Said twice it is said once.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, AppointmentDisrupted,
    TooEarlyToSetOut, TooLateToAnswer.
    """
    view = found_appointment(session, appointment_id)
    check_on_my_way(view.status, view.start, view.end, now)
    if view.on_the_way_at is not None:
        return view
    both = "on_the_way_at = %(now)s, confirmed_at = coalesce(confirmed_at, %(now)s)"
    return _said(session, principal, view, "booking.set_out", both, version, now)


def _said(
    session: Session,
    principal: Principal,
    view: AppointmentView,
    action: str,
    change: str,
    version: int,
    now: datetime,
) -> AppointmentView:
    if view.disrupted:
        raise AppointmentDisrupted
    if not updated(
        session,
        f"""UPDATE appointment SET {change}, version = version + 1, updated_at = %(now)s
             WHERE id = %(id)s AND version = %(version)s AND status = 'booked'""",
        {"id": view.id, "version": version, "now": now},
    ):
        raise PreconditionFailed
    note(session, principal, action, view, now)
    return found_appointment(session, view.id)
