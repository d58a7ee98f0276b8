"""What people say when somebody telephones them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.codes import CancelReason, OfferState
from telehealth.booking.queries import offer
from telehealth.closures import queries
from telehealth.closures.codes import CallOutcome, Standing
from telehealth.closures.errors import AlreadySettled, ClosureUnknown
from telehealth.closures.queries import ItemView
from telehealth.closures.services.acting import Means
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.scheduling.codes import Channel

_OPEN = frozenset({Standing.OFFERED, Standing.UNANSWERED, Standing.DECLINED, Standing.TOLD})


def note_call(
    session: Session,
    principal: Principal,
    item_id: UUID,
    outcome: CallOutcome,
    means: Means,
    *,
    now: datetime,
) -> ItemView:
    """Record a call, and do what was said: take the place that was found, cancel, or leave it.

    Raises ClosureUnknown, AlreadySettled (nothing to take or cancel), and what `accept_offer`, `reschedule`
    and `cancel` raise; then roll back.
    """
    found = queries.item(session, item_id)
    if found is None:
        raise ClosureUnknown
    fetch_one(session, "SELECT lock_appointment(%(id)s)", {"id": found.appointment_id})
    found = queries.item(session, item_id) or found
    if outcome is CallOutcome.AGREED and found.standing in _OPEN:
        _take(session, principal, found, means, now)
    elif outcome is CallOutcome.CANCELLED and found.standing in _OPEN | {Standing.MOVED}:
        _cancel(session, principal, found, means, now)
    session.connection().exec_driver_sql(
        """UPDATE session_closure_item
              SET calls = calls + 1, call_outcome = %(outcome)s, called_by = %(by)s, called_at = %(now)s
            WHERE id = %(id)s""",
        {"outcome": outcome, "by": principal.id, "now": now, "id": item_id},
    )
    entry = Entry(
        "closures.call",
        "Appointment",
        found.appointment_id,
        found.patient_id,
        found.facility_id,
        {"outcome": outcome},
    )
    record(session, principal, entry, now=now)
    return queries.item(session, item_id) or found


def _take(session: Session, principal: Principal, found: ItemView, means: Means, now: datetime) -> None:
    """Take the place that was kept; after that time, if it is still free."""
    if found.new_slot_id is None or found.offer_id is None:
        raise AlreadySettled
    kept = offer(session, found.offer_id, now=now)
    telling = _telling(means, now)
    if kept is not None and kept.state is OfferState.OPEN:
        booking.accept_offer(session, principal, found.offer_id, **telling)
    else:
        move = booking.Move(found.new_slot_id, found.appointment_version, Channel.DESK)
        booking.reschedule(session, principal, found.appointment_id, move, **telling)


def _telling(means: Means, now: datetime) -> dict[str, Any]:
    return {"now": now, "cipher": means.cipher, "outbox": means.outbox, "links": means.links}


def _cancel(session: Session, principal: Principal, found: ItemView, means: Means, now: datetime) -> None:
    booking.cancel(
        session,
        principal,
        found.appointment_id,
        version=found.appointment_version,
        reason_code=CancelReason.PRACTITIONER_AWAY,
        now=now,
        cipher=means.cipher,
        outbox=means.outbox,
    )
