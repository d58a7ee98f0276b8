"""What is said about a place: when, where and until when to answer; never a name or what for."""

from datetime import datetime

from notifications import Message, Recipient
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.clock import local
from telehealth.scheduling.queries import SlotView
from telehealth.waitlist.queries import PlaceOfferView


def place(
    made: PlaceOfferView, slot: SlotView, to: Recipient, *, links: AnswerLinks, now: datetime
) -> Message:
    """Return the message that offers a place."""
    start, until = local(made.start), local(made.expires_at)
    return Message(
        kind="waitlist-offer",
        recipient=to,
        params={
            "facility": slot.facility.short_name,
            "time": start.strftime("%H:%M"),
            "date": start.strftime("%d/%m/%Y"),
            "until": until.strftime("%H:%M %d/%m"),
            "link": links.address(Purpose.PLACE, made.id, made.expires_at),
        },
        dedupe_key=f"waitlist-offer:{made.id}",
        not_before=now,
        expires_at=made.expires_at,
        subject=made.id,
    )
