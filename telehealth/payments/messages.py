"""What is said of a deposit: until when it is to be paid, and where to see how."""

from datetime import datetime

from notifications import Message, Recipient
from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import local


def deposit_due(
    view: AppointmentView, to: Recipient, due_at: datetime, link: str, *, now: datetime
) -> Message:
    """Return what is said once after booking; it is of no use after `due_at`."""
    until = local(due_at)
    return Message(
        kind="deposit-due",
        recipient=to,
        params={
            "facility": view.facility.short_name,
            "time": until.strftime("%H:%M"),
            "date": until.strftime("%d/%m/%Y"),
            "link": link,
        },
        dedupe_key=f"deposit-due:{view.id}",
        subject=view.id,
        not_before=now,
        expires_at=due_at,
    )
