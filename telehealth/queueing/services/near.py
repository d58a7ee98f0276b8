"""Telling phones that a turn is near."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from notifications import Message, Outbox
from telehealth.booking.models import Appointment
from telehealth.core.crypto import FieldCipher
from telehealth.directory.models import Facility
from telehealth.directory.naming import short_name
from telehealth.patients.queries import recipient_of
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import Line, LineTicket

_WORTH_TELLING = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Telling:
    """What it takes to write to people."""

    now: datetime
    cipher: FieldCipher
    outbox: Outbox


def tell_those_near(
    session: Session, state: Line, *, now: datetime, cipher: FieldCipher, outbox: Outbox
) -> int:
    """Tell whose turn is near, and who had better leave home; return how many were told, once a ticket each.

    Near is who has `near` people ahead or fewer. Home leaves who holds a number from the web, has not come,
    and would wait no longer than the way takes. Somebody whom another step is just moving is passed over:
    nobody waits here for a lock, and the next call tells whoever is still near.
    """
    near = [each for each in state.waiting if (each.place or 0) <= state.queue.settings.near]
    telling = Telling(now, cipher, outbox)
    return _tell(session, state, near, "turn-near", telling) + tell_to_leave(session, state, telling)


def tell_to_leave(session: Session, state: Line, telling: Telling) -> int:
    """Tell those who would be in time if they left home now."""
    soon = [each for each in state.absent if _would_be_in_time(state, each, telling.now)]
    return _tell(session, state, soon, "leave-home-now", telling)


def _would_be_in_time(state: Line, ticket: LineTicket, now: datetime) -> bool:
    return state.tell(ticket.as_waiting(), now).wait.low <= state.queue.settings.travel_minutes


_TOLD_AT = {"turn-near": "near_notified_at", "leave-home-now": "leave_notified_at"}


def _tell(session: Session, state: Line, tickets: Sequence[LineTicket], kind: str, telling: Telling) -> int:
    if not tickets:
        return 0
    texts = {each.id: each.number_text for each in tickets}
    fresh = _fresh(session, list(texts), _TOLD_AT[kind], telling.now)
    if not fresh:
        return 0
    name = session.scalar(select(Facility.name).where(Facility.id == state.queue.facility_id)) or ""
    words = {"facility": short_name(name), "room": state.queue.place_on(state.day.rooms)}
    told = [_message(session, row, kind, words | {"number": texts[row.id]}, telling) for row in fresh]
    found = [message for message in told if message is not None]
    return telling.outbox.enqueue(session, found, now=telling.now)


def _fresh(session: Session, ids: Sequence[UUID], column: str, now: datetime) -> Sequence[Any]:
    told_at = getattr(Ticket, column)
    free = (
        select(Ticket.id)
        .where(
            Ticket.id.in_(ids),
            Ticket.status == TicketStatus.WAITING,
            told_at.is_(None),
            Ticket.patient_id.is_not(None),
        )
        .order_by(Ticket.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    fresh: Sequence[Any] = session.execute(
        update(Ticket)
        .where(Ticket.id.in_(free))
        .values({column: now})
        .returning(Ticket.id, Ticket.patient_id, Ticket.appointment_id, Ticket.issued_by, Ticket.web_until)
        .execution_options(synchronize_session=False)
    ).all()
    return fresh


def _message(
    session: Session, row: Row[Any], kind: str, words: Mapping[str, str], telling: Telling
) -> Message | None:
    account_id = session.scalar(select(Appointment.account_id).where(Appointment.id == row.appointment_id))
    if account_id is None and row.web_until is not None:
        account_id = row.issued_by
    recipient = recipient_of(session, row.patient_id, account_id, telling.cipher)
    if recipient is None:
        return None
    return Message(
        kind=kind,
        recipient=recipient,
        params=words,
        dedupe_key=f"{kind}:{row.id}",
        not_before=telling.now,
        expires_at=telling.now + _WORTH_TELLING,
        subject=row.appointment_id or row.id,
    )
