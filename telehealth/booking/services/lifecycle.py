"""What becomes of an appointment: cancelled, and what the desk, the queue and the room report back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox, take_back
from telehealth.booking import messages, queries
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.plan import BEFORE_THE_VISIT
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import check_cancel, check_missed, check_no_show, check_reason
from telehealth.booking.services.context import account_of
from telehealth.booking.services.ledger import (
    change,
    found_appointment,
    give_back,
    note,
    updated,
    withdraw_offers,
)
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.patients.queries import recipient_of


def cancel(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    *,
    version: int,
    reason_code: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> AppointmentView:
    """Cancel: the place is free again, waiting messages are taken back, one says so.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, TooLateToCancel, and NotTheirReason
    when a patient gives a reason of the hospital's.
    """
    view = found_appointment(session, appointment_id)
    if view.version != version:
        raise PreconditionFailed
    staff = principal.kind in queries.STAFF_KINDS
    check_reason(principal.kind, reason_code)
    check_cancel(view.status, view.cut_off, now, staff=staff)
    to = None
    if view.patient_id is not None:
        to = recipient_of(session, view.patient_id, view.account_id, cipher)
    changed = change(
        session, view, AppointmentStatus.CANCELLED, now=now, version=version, cancel_reason=reason_code
    )
    give_back(session, appointment_id)
    withdraw_offers(session, appointment_id, now)
    outbox.replace(session, appointment_id, messages.cancelled(view, to, now=now), now=now)
    late = {"late": "true"} if now >= view.change_until else {}
    note(session, principal, "booking.cancel", view, now, reason=reason_code, **late)
    return changed


def mark_arrived(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record that the patient has come; again, after being missed. Raises NotFound, AppointmentOver."""
    return _mark(session, principal, appointment_id, AppointmentStatus.ARRIVED, now)


def mark_fulfilled(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record that the patient was seen. Raises NotFound, AppointmentOver."""
    return _mark(session, principal, appointment_id, AppointmentStatus.FULFILLED, now)


def mark_no_show(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record what the ticket says: called, and not there. After check-in it is the ticket that rules.

    Raises NotFound, AppointmentOver, TooEarlyForNoShow.
    """
    view = found_appointment(session, appointment_id)
    if view.status != AppointmentStatus.NOSHOW:
        check_missed(view.status, view.start, now)
    return _mark(session, principal, appointment_id, AppointmentStatus.NOSHOW, now, view=view)


def record_no_show(
    session: Session, principal: Principal, appointment_id: UUID, *, version: int, now: datetime
) -> AppointmentView:
    """Record that nobody came, as long as the appointment rules: before check-in.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, TooEarlyForNoShow.
    """
    view = found_appointment(session, appointment_id)
    if version != view.version:
        raise PreconditionFailed
    check_no_show(view.status, view.start, now)
    changed = change(session, view, AppointmentStatus.NOSHOW, now=now, version=version)
    take_back(session, view.id, kinds=BEFORE_THE_VISIT, now=now)
    note(session, principal, f"booking.{AppointmentStatus.NOSHOW}", view, now)
    return changed


def confirm_coverage(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    *,
    basis: str,
    version: int,
    now: datetime,
) -> AppointmentView:
    """Record that staff have seen the papers for a coverage basis. Raises NotFound, PreconditionFailed.

    The product shows it and never computes an entitlement from it.
    """
    view = found_appointment(session, appointment_id)
    if view.version != version or not updated(
        session,
        """UPDATE appointment SET coverage_basis = %(basis)s, coverage_checked_at = %(now)s,
                  coverage_checked_by = %(by)s, version = version + 1, updated_at = %(now)s
            WHERE id = %(id)s AND version = %(version)s""",
        {"basis": basis, "now": now, "by": account_of(principal), "id": appointment_id, "version": version},
    ):
        raise PreconditionFailed
    note(session, principal, "booking.confirm_coverage", view, now, basis=basis)
    return found_appointment(session, appointment_id)


def expire_overdue_holds(session: Session) -> int:
    """Tidy holds whose time is over; returns how many. Nothing depends on its being run."""
    freed = (
        session.connection().exec_driver_sql("SELECT session_id, door FROM expire_holds(NULL, NULL)").all()
    )
    if freed:
        session.connection().exec_driver_sql(
            "SELECT count_places(NULL, NULL, NULL, NULL, %s::uuid[], %s::text[], %s::boolean[])",
            ([row.session_id for row in freed], [row.door for row in freed], [False] * len(freed)),
        )
    return len(freed)


def _mark(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    status: AppointmentStatus,
    now: datetime,
    *,
    view: AppointmentView | None = None,
) -> AppointmentView:
    view = view or found_appointment(session, appointment_id)
    if view.status == status:
        return view
    changed = change(session, view, status, now=now)
    take_back(session, view.id, kinds=BEFORE_THE_VISIT, now=now)
    note(session, principal, f"booking.{status}", view, now)
    return changed
