"""A doctor is away, a place is closed, a holiday is declared: who is touched by it is told, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from notifications import Message, Recipient
from telehealth.booking import messages, queries
from telehealth.booking.models import Appointment, Disruption
from telehealth.booking.queries import AppointmentView
from telehealth.booking.recipients import recipients
from telehealth.core.ids import new_id
from telehealth.reminders.queries import found_again, newly_lost
from telehealth.reminders.services.means import Means

AT_ONCE = 200
_SETTLED = text(
    """UPDATE appointment_disruption d SET resolved_at = :now FROM appointment a
        WHERE a.id = d.appointment_id AND d.resolved_at IS NULL
          AND (a.status <> 'booked' OR a.start_at <= :now OR a.start_at <> d.start_at)"""
)


@dataclass(frozen=True, slots=True)
class Followed:
    """How many appointments have lost their time, and how many have it again."""

    lost: int = 0
    again: int = 0

    def __bool__(self) -> bool:
        """Tell whether there was anything to do."""
        return bool(self.lost or self.again)


def follow_rosters(session: Session, means: Means, *, now: datetime, most: int = AT_ONCE) -> Followed:
    """Let messages follow the roster worklist, for up to `most` appointments each way.

    Whose time is lost gets one message instead of reminders. Whose time is there again gets reminders
    again, and one message if they had been told otherwise. Safe to run twice.
    """
    session.execute(_SETTLED, {"now": now})
    return Followed(_tell_the_lost(session, means, now, most), _let_stand(session, means, now, most))


def _tell_the_lost(session: Session, means: Means, now: datetime, most: int) -> int:
    lost = newly_lost(session, now=now, most=most)
    to = recipients(session, lost, means.cipher)
    for view in queries.appointments_by_ids(session, lost):
        disruption_id = new_id()
        found = {"appointment_id": view.id, "start_at": view.start, "found_at": now}
        session.execute(insert(Disruption).values(id=disruption_id, **found))
        means.outbox.replace(session, view.id, _loss(view, to, disruption_id, means, now), now=now)
    return len(lost)


def _loss(
    view: AppointmentView, to: Mapping[UUID, Recipient], disruption_id: UUID, means: Means, now: datetime
) -> list[Message]:
    if view.id not in to:
        return []
    return [messages.disrupted(view, to[view.id], disruption_id, links=means.links, now=now)]


def _let_stand(session: Session, means: Means, now: datetime, most: int) -> int:
    """End disruptions whose time can be kept after all; from now on that time stands anew."""
    again = found_again(session, now=now, most=most)
    if not again:
        return 0
    session.execute(
        update(Disruption).where(Disruption.id.in_(again.values())).values(resolved_at=now),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Appointment).where(Appointment.id.in_(again)).values(agreed_at=now),
        execution_options={"synchronize_session": False},
    )
    to = recipients(session, list(again), means.cipher)
    for view in queries.appointments_by_ids(session, list(again)):
        _tell_it_stands(session, view, to.get(view.id), again[view.id], means, now)
    return len(again)


def _tell_it_stands(
    session: Session,
    view: AppointmentView,
    to: Recipient | None,
    disruption_id: UUID,
    means: Means,
    now: datetime,
) -> None:
    means.outbox.cancel(session, view.id, now=now)
    told = messages.reminders(view, to, links=means.links, now=now)
    if to is not None:
        loss = messages.disrupted(view, to, disruption_id, links=means.links, now=now)
        if means.outbox.said(session, [loss.dedupe_key]):
            told.append(messages.stands(view, to, disruption_id, links=means.links, now=now))
    means.outbox.replace(session, view.id, told, now=now)
