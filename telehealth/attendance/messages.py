"""What is said of a missed appointment, and how a word is asked for beforehand; never a name or what for."""

from datetime import datetime, timedelta

from notifications import Message, Recipient
from telehealth.booking.plan import out_of_the_night
from telehealth.booking.queries import AppointmentView
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.clock import local

_SOON_ENOUGH = timedelta(days=2)
_QUIET = timedelta(hours=12)  # the one who missed it may still come, or be excused


def missed(view: AppointmentView, to: Recipient, *, links: AnswerLinks, now: datetime) -> Message:
    """Return the kind word after a missed appointment, for the next half day's end."""
    due = max(now, out_of_the_night(now + _QUIET))
    return Message(
        kind="visit-missed",
        recipient=to,
        params={**_when(view), "link": f"{links.base_url}/missed"},
        dedupe_key=f"visit-missed:{view.id}:{int(view.start.timestamp())}",
        not_before=due,
        expires_at=due + _SOON_ENOUGH,
        subject=view.id,
    )


def asked(
    view: AppointmentView, due: datetime, to: Recipient, *, links: AnswerLinks, now: datetime
) -> Message:
    """Return the message that asks whether somebody will come, before the place goes to another."""
    return Message(
        kind="visit-confirm",
        recipient=to,
        params={
            **_when(view),
            "until": local(due).strftime("%H:%M %d/%m"),
            "link": links.address(Purpose.CONFIRM, view.id, view.start),
        },
        dedupe_key=f"visit-confirm:{view.id}:{int(view.start.timestamp())}",
        not_before=now,
        expires_at=due,
        subject=view.id,
    )


def _when(view: AppointmentView) -> dict[str, str]:
    start = local(view.start)
    return {
        "facility": view.facility.short_name,
        "time": start.strftime("%H:%M"),
        "date": start.strftime("%d/%m/%Y"),
    }
