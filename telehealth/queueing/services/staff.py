"""Calling a person to a kiosk."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.core.principal import Principal
from telehealth.queueing.codes import StaffCallKind
from telehealth.queueing.models import StaffCall


def call_staff(
    session: Session, principal: Principal, facility_id: UUID, kind: StaffCallKind, *, now: datetime
) -> UUID:
    """Call staff to the kiosk that asks. It shows on the consoles of the facility until answered."""
    call = StaffCall(
        facility_id=facility_id,
        kind=kind,
        device_id=principal.device_id,
        place=principal.display_name,
        at=now,
    )
    session.add(call)
    session.flush()
    return call.id


def answer_staff_call(session: Session, principal: Principal, call_id: UUID, *, now: datetime) -> None:
    """Note who goes. The first answer counts. Raises NotFound."""
    answered = session.scalar(
        update(StaffCall)
        .where(StaffCall.id == call_id)
        .values(
            answered_at=func.coalesce(StaffCall.answered_at, now),
            answered_by=func.coalesce(StaffCall.answered_by, principal.id),
        )
        .returning(StaffCall.id)
    )
    if answered is None:
        raise NotFound
