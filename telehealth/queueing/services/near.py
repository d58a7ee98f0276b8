"""Telling phones that a turn is near."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from notifications import Message, Outbox
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher
from telehealth.directory.models import Facility
from telehealth.directory.naming import short_name
from telehealth.patients.queries import recipient_of
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import QueueView, line, room_name
from telehealth.queueing.rules import NEAR, number_text

_WORTH_TELLING = timedelta(minutes=30)


def tell_those_near(
    session: Session, queue: QueueView, *, now: datetime, cipher: FieldCipher, outbox: Outbox
) -> int:
    """Tell whoever now has three people ahead or fewer, once a ticket, and return how many were told.

    Somebody whom another step is just moving is passed over: nobody waits here for a lock, and the next
    call tells whoever is still near.
    """
    waiting = line(session, queue, business_date(now), now).waiting
    close = [ticket.id for ticket in waiting if ticket.place is not None and ticket.place <= NEAR]
    free = (
        select(Ticket.id)
        .where(
            Ticket.id.in_(close),
            Ticket.status == TicketStatus.WAITING,
            Ticket.near_notified_at.is_(None),
            Ticket.patient_id.is_not(None),
        )
        .order_by(Ticket.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    fresh = session.execute(
        update(Ticket)
        .where(Ticket.id.in_(free))
        .values(near_notified_at=now)
        .returning(Ticket.id, Ticket.number, Ticket.patient_id, Ticket.appointment_id)
        .execution_options(synchronize_session=False)
    ).all()
    if not fresh:
        return 0
    name = session.scalar(select(Facility.name).where(Facility.id == queue.facility_id)) or ""
    words = {"facility": short_name(name), "room": room_name(session, queue, None)}
    told = [_message(session, queue, row, words, now, cipher) for row in fresh]
    return outbox.enqueue(session, [message for message in told if message is not None], now=now)


def _message(
    session: Session,
    queue: QueueView,
    row: Row[UUID, int, UUID | None, UUID | None],
    words: Mapping[str, str],
    now: datetime,
    cipher: FieldCipher,
) -> Message | None:
    account_id = session.scalar(select(Appointment.account_id).where(Appointment.id == row.appointment_id))
    recipient = recipient_of(session, row.patient_id, account_id, cipher)
    if recipient is None:
        return None
    return Message(
        kind="turn-near",
        recipient=recipient,
        params={**words, "number": number_text(queue.prefix, row.number)},
        dedupe_key=f"turn-near:{row.id}",
        not_before=now,
        expires_at=now + _WORTH_TELLING,
        subject=row.appointment_id or row.id,
    )
