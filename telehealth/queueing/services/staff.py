"""Calling a person to a kiosk."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.queueing.codes import StaffCallKind
from telehealth.queueing.models import StaffCall

_KEPT_AT_MOST = timedelta(days=1)


def call_staff(
    session: Session,
    principal: Principal,
    facility_id: UUID,
    kind: StaffCallKind,
    *,
    now: datetime,
    pressed_at: datetime | None = None,
) -> UUID:
    """Call staff to the kiosk that asks. It shows on the consoles of the facility until answered.

    While one of that kind from that kiosk is unanswered, a further press counts on it: one statement, so
    that two at once are one call pressed twice. `pressed_at`: when it was pressed, by the clock of a machine
    that could not tell before.
    """
    pressed = now if pressed_at is None else min(max(pressed_at, now - _KEPT_AT_MOST), now)
    first = insert(StaffCall).values(
        id=new_id(),
        facility_id=facility_id,
        kind=kind,
        device_id=principal.device_id,
        place=principal.display_name,
        at=pressed,
        told_at=None if pressed_at is None else now,
    )
    again = first.on_conflict_do_update(
        index_elements=["device_id", "kind"],
        index_where=StaffCall.answered_at.is_(None),
        set_={
            "presses": StaffCall.presses + 1,
            "at": func.least(StaffCall.at, first.excluded.at),
            "pressed_again_at": func.greatest(StaffCall.at, StaffCall.pressed_again_at, first.excluded.at),
        },
    )
    return session.execute(again.returning(StaffCall.id)).scalar_one()


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
