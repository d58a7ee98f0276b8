"""Somebody has another telephone, another language, or acts for somebody no more: what waits follows."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifications import Message, Recipient
from notifications.outbox import Waiting
from telehealth.booking import messages, queries
from telehealth.booking.plan import ANNOUNCEMENTS, REMINDERS, SERIES_BOOKED, Notice
from telehealth.booking.queries import AppointmentView
from telehealth.booking.recipients import recipients
from telehealth.booking.series_queries import turn_of
from telehealth.patients.models import ContactChange
from telehealth.reminders.queries import coming_of
from telehealth.reminders.services.means import Means

AT_ONCE = 50
_OURS = (*ANNOUNCEMENTS, SERIES_BOOKED, *REMINDERS)


def follow_contact_changes(session: Session, means: Means, *, now: datetime, most: int = AT_ONCE) -> int:
    """Send what waits to the new address, plan what nobody could be told before; return how many changes."""
    changes = session.execute(
        select(ContactChange.id, ContactChange.patient_id)
        .where(ContactChange.changed_at <= now)
        .order_by(ContactChange.changed_at, ContactChange.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    if not changes:
        return 0
    coming = coming_of(session, [change.patient_id for change in changes], now=now)
    to = recipients(session, list(coming), means.cipher)
    for view in queries.appointments_by_ids(session, list(coming)):
        _readdress(session, view, to.get(view.id), means, disrupted=coming[view.id], now=now)
    session.execute(delete(ContactChange).where(ContactChange.id.in_([change.id for change in changes])))
    return len(changes)


def _readdress(
    session: Session,
    view: AppointmentView,
    to: Recipient | None,
    means: Means,
    *,
    disrupted: bool,
    now: datetime,
) -> None:
    """What waits already is due perhaps, and so no longer in the plan: it goes on all the same."""
    told = {}
    for item in means.outbox.waiting(session, view.id, kinds=_OURS):
        if to is not None:
            told[item.dedupe_key] = _again(session, view, to, item, means)
    for planned in messages.reminders(view, to, disrupted=disrupted, links=means.links, now=now):
        told.setdefault(planned.dedupe_key, planned)
    means.outbox.replace(session, view.id, told.values(), kinds=_OURS, now=now)


def _again(session: Session, view: AppointmentView, to: Recipient, item: Waiting, means: Means) -> Message:
    notice = Notice(item.kind, item.not_before, item.expires_at)
    if item.kind == SERIES_BOOKED:
        turn = turn_of(session, view.id)
        return messages.series_told(view, turn.of if turn else 1, to, notice, links=means.links)
    return messages.message(view, to, notice, item.dedupe_key.rpartition(":")[2], links=means.links)
