"""Seeing to requests: deferred, returned, decided about, brought before the next owner, never lost."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking import services as booking
from telehealth.booking.codes import CancelReason
from telehealth.core.clock import business_date
from telehealth.core.errors import PreconditionFailed
from telehealth.core.principal import SYSTEM, Principal
from telehealth.referrals.codes import EventKind, OwnerRole, RequestOrigin, RequestPriority, RequestStatus
from telehealth.referrals.errors import (
    BadRequestFields,
    NoReferrer,
    NothingToDecide,
    SlipSpent,
    SlotsAvailable,
)
from telehealth.referrals.queries import RequestView, days_around
from telehealth.referrals.rules import STEPS, Owner, SlipRules, first_owner, next_owner
from telehealth.referrals.services.means import Means, changed, found_request, open_request
from telehealth.referrals.services.trail import happened, note
from telehealth.referrals.services.using import accept_day, slots_for
from telehealth.scheduling.queries import SlotView

MOST_AT_ONCE = 100


def defer(
    session: Session,
    principal: Principal,
    request_id: UUID,
    means: Means,
    *,
    version: int,
    reason: str | None,
) -> RequestView:
    """Put a request on hold because there is no time to book while it is good; its clock starts.

    Raises NotFound, PreconditionFailed, RequestClosed, SlipSpent, SlotsAvailable.
    """
    view = _unbooked(session, request_id, means, version)
    free = slots_for(session, principal, view, means)
    if free:
        raise SlotsAvailable(extra={"slots": _told(free)}, count=len(free))
    _hold(session, principal, view, means, EventKind.DEFERRED, reason)
    note(session, principal, "referral.defer", view.id, view.patient_id, _place_of(view), means.now)
    return found_request(session, request_id, means)


def give_back(
    session: Session, principal: Principal, request_id: UUID, means: Means, *, version: int, reason: str
) -> RequestView:
    """Return a request to whoever made it, who owns it with a new clock.

    Raises NotFound, PreconditionFailed, RequestClosed, SlipSpent, NoReferrer, BadRequestFields.
    """
    view = _unbooked(session, request_id, means, version)
    if view.origin != RequestOrigin.ISSUED:
        raise NoReferrer
    _check_reason(reason)
    _hold(session, principal, view, means, EventKind.RETURNED, reason)
    note(session, principal, "referral.return", view.id, view.patient_id, _place_of(view), means.now)
    return found_request(session, request_id, means)


def revoke(
    session: Session, principal: Principal, request_id: UUID, means: Means, *, version: int, reason: str
) -> RequestView:
    """Take a request back for good. Raises NotFound, PreconditionFailed, RequestClosed, SlipSpent,
    BadRequestFields.
    """
    view = _unbooked(session, request_id, means, version)
    _check_reason(reason)
    values = {"status": RequestStatus.REVOKED.value, "escalate_at": None, "reason": reason}
    changed(session, view, values, means.now)
    happened(session, principal, EventKind.REVOKED, view.id, means.now, reason=reason)
    note(session, principal, "referral.revoke", view.id, view.patient_id, _place_of(view), means.now)
    return found_request(session, request_id, means)


def decide_day(
    session: Session,
    principal: Principal,
    request_id: UUID,
    means: Means,
    *,
    version: int,
    accept: bool,
    reason: str,
) -> RequestView:
    """Agree to a day other than the paper's, or refuse it: then the appointment is cancelled and the slip is
    free again. Raises NotFound, PreconditionFailed, RequestClosed, NothingToDecide, BadRequestFields.
    """
    view = open_request(session, request_id, means, version=version)
    if not view.needs_decision or view.appointment is None:
        raise NothingToDecide
    note(session, principal, "slip.decide", view.id, view.patient_id, view.performer_id, means.now)
    if accept:
        accept_day(session, principal, view.id, view.appointment.start, reason, means.now)
        return found_request(session, request_id, means)
    _check_reason(reason)
    booking.cancel(
        session,
        principal,
        view.appointment.id,
        version=view.appointment.version,
        reason_code=CancelReason.FACILITY,
        now=means.now,
        cipher=means.cipher,
        outbox=means.outbox,
    )
    values = {
        "decision": "refused",
        "decided_on": view.appointment.day,
        "decision_reason": reason,
        "decided_at": means.now,
        "decided_by": principal.id,
    }
    changed(session, view, values, means.now)
    happened(session, principal, EventKind.DATE_REFUSED, view.id, means.now, reason=reason)
    return found_request(session, request_id, means)


def hand_over(
    session: Session,
    principal: Principal,
    request_id: UUID,
    facility_id: UUID,
    means: Means,
    *,
    version: int,
    priority: RequestPriority,
    reason: str,
) -> None:
    """Give what has come up to the province to a facility, whose administrator owns it with a new clock.

    Raises PreconditionFailed.
    """
    now = means.now
    working = days_around(session, business_date(now)).working
    due = means.rules.escalation[priority].after(now, working)
    done = session.connection().exec_driver_sql(
        "SELECT hand_over_request(%(id)s, %(version)s, %(place)s, %(due)s, %(reason)s, %(now)s)",
        {
            "id": request_id,
            "version": version,
            "place": facility_id,
            "due": due,
            "reason": reason,
            "now": now,
        },
    )
    if not done.scalar_one():
        raise PreconditionFailed
    note(session, principal, "referral.hand_over", request_id, None, facility_id, now)


def escalate_overdue(session: Session, *, now: datetime, rules: SlipRules, limit: int = MOST_AT_ONCE) -> int:
    """Bring deferred requests whose clock has run out before the next owner; returns how many.

    The system's own work. Whatever stays too long at the province is brought before it again.
    """
    rows = (
        session.connection()
        .exec_driver_sql(
            """SELECT id, priority, escalation_step, target_facility_id FROM service_request
            WHERE status = 'on-hold' AND escalate_at <= %(now)s
            ORDER BY escalate_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED""",
            {"now": now, "limit": limit},
        )
        .all()
    )
    working = days_around(session, business_date(now)).working
    for row in rows:
        owner = next_owner(
            row.escalation_step,
            receiver=row.target_facility_id is not None,
            priority=RequestPriority(row.priority),
            now=now,
            working=working,
            rules=rules,
        )
        place = row.target_facility_id if owner.role is OwnerRole.FACILITY_ADMIN else None
        _own(session, row.id, owner, place, now)
        again = owner.step == row.escalation_step
        happened(session, SYSTEM, EventKind.REMINDED if again else EventKind.ESCALATED, row.id, now)
    return len(rows)


def note_lapsed(session: Session, *, now: datetime) -> int:
    """Note once that a request's last day is over with nobody seen; it stays open, with its owner."""
    rows = (
        session.connection()
        .exec_driver_sql(
            """UPDATE service_request r SET lapsed_at = %(now)s, version = version + 1, updated_at = %(now)s
            WHERE r.status IN ('draft', 'active', 'on-hold') AND r.valid_until < %(today)s
              AND r.lapsed_at IS NULL
              AND NOT EXISTS (SELECT FROM slip_use u
                               WHERE u.service_request_id = r.id AND u.released_at IS NULL)
        RETURNING r.id""",
            {"now": now, "today": business_date(now)},
        )
        .all()
    )
    for row in rows:
        happened(session, SYSTEM, EventKind.LAPSED, row.id, now)
    return len(rows)


def _unbooked(session: Session, request_id: UUID, means: Means, version: int) -> RequestView:
    view = open_request(session, request_id, means, version=version)
    if view.appointment is not None:
        raise SlipSpent
    return view


def _hold(
    session: Session,
    principal: Principal,
    view: RequestView,
    means: Means,
    kind: EventKind,
    reason: str | None,
) -> None:
    """Start the clock at whoever made the request, at the desk that typed it in, or at the receiver."""
    place = (
        (view.requester.id if view.requester and view.origin == RequestOrigin.ISSUED else None)
        or view.entered_facility_id
        or (view.target.id if view.target else None)
    )
    working = days_around(session, business_date(means.now)).working
    owner = first_owner(RequestPriority(view.priority), means.now, working, means.rules)
    values: dict[str, Any] = {
        "status": RequestStatus.ON_HOLD.value,
        "owner_role": (owner.role if place else OwnerRole.PROVINCE).value,
        "owner_facility_id": place,
        "escalation_step": owner.step if place else STEPS.index(OwnerRole.PROVINCE),
        "escalate_at": owner.escalate_at,
        "deferred_at": view.deferred_at or means.now,
        "reason": reason,
    }
    changed(session, view, values, means.now)
    happened(session, principal, kind, view.id, means.now, reason=reason)


def _own(session: Session, request_id: UUID, owner: Owner, place: UUID | None, now: datetime) -> None:
    session.connection().exec_driver_sql(
        """UPDATE service_request
              SET owner_role = %(role)s, owner_facility_id = %(place)s, escalation_step = %(step)s,
                  escalate_at = %(at)s, version = version + 1, updated_at = %(now)s
            WHERE id = %(id)s""",
        {
            "role": owner.role.value,
            "place": place,
            "step": owner.step,
            "at": owner.escalate_at,
            "now": now,
            "id": request_id,
        },
    )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise BadRequestFields({"reason": ["field-slip-reason-missing"]})


def _place_of(view: RequestView) -> UUID | None:
    return view.owner.id if view.owner else None


def _told(slots: list[SlotView]) -> list[dict[str, str]]:
    return [
        {"id": slot.id, "start": slot.start.isoformat(), "facility": slot.facility.code} for slot in slots
    ]
