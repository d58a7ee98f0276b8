"""What is said about an appointment: time, place and code; never a name, an illness or a specialty."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from notifications import Message, Recipient
from notifications.kinds import KINDS
from telehealth.booking.plan import Notice, Standing, at_a_decent_hour, plan
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import message_link
from telehealth.core.clock import local
from telehealth.core.crypto import FieldCipher


def booked(view: AppointmentView, to: Recipient | None, *, base_url: str, now: datetime) -> list[Message]:
    """Return the messages of a new booking; none when nobody can be reached by telephone."""
    return _told(view, to, "appointment-booked", base_url=base_url, now=now)


def moved(view: AppointmentView, to: Recipient | None, *, base_url: str, now: datetime) -> list[Message]:
    """Return the messages of an appointment at its new time."""
    return _told(view, to, "appointment-moved", base_url=base_url, now=now)


def reminders(
    view: AppointmentView, to: Recipient | None, *, disrupted: bool = False, base_url: str, now: datetime
) -> list[Message]:
    """Return the reminders that must be waiting now: one key for each kind and time, however often."""
    standing = Standing(view.status, view.start, view.agreed_at or view.created_at, disrupted)
    return [
        message(view, to, notice, f"{int(view.start.timestamp())}", base_url=base_url)
        for notice in sorted(plan(standing, now), key=lambda notice: notice.not_before)
        if to is not None
    ]


def disrupted(
    view: AppointmentView, to: Recipient, disruption_id: UUID, *, base_url: str, now: datetime
) -> Message:
    """Return what is said once when the doctor is away or the place closed at that time."""
    notice = Notice("appointment-disrupted", at_a_decent_hour(now, view.start), view.start)
    return message(view, to, notice, str(disruption_id), base_url=base_url)


def stands(
    view: AppointmentView, to: Recipient, disruption_id: UUID, *, base_url: str, now: datetime
) -> Message:
    """Return what is said to those who were told otherwise: the appointment can be kept after all."""
    notice = Notice("appointment-stands", at_a_decent_hour(now, view.start), view.start)
    return message(view, to, notice, str(disruption_id), base_url=base_url)


def message(view: AppointmentView, to: Recipient, notice: Notice, which: str, *, base_url: str) -> Message:
    """Return one message about an appointment. `which` tells two of one kind apart."""
    words = {**_params(view), "link": message_link(base_url, view.code)}
    return Message(
        kind=notice.kind,
        recipient=to,
        params={name: words[name] for name in KINDS[notice.kind].params},
        dedupe_key=f"{notice.kind}:{view.id}:{which}",
        not_before=notice.not_before,
        expires_at=notice.expires_at,
        subject=view.id,
    )


def _told(
    view: AppointmentView, to: Recipient | None, first: str, *, base_url: str, now: datetime
) -> list[Message]:
    if to is None:
        return []
    told = message(view, to, Notice(first, now, view.start), str(view.version), base_url=base_url)
    return [told, *reminders(view, to, base_url=base_url, now=now)]


def cancelled(view: AppointmentView, to: Recipient | None, *, now: datetime) -> list[Message]:
    """Return the message of a cancelled appointment; none once its time is over."""
    if to is None or view.start <= now:
        return []
    return [
        Message(
            kind="appointment-cancelled",
            recipient=to,
            params=_params(view),
            dedupe_key=f"appointment-cancelled:{view.id}:{view.version}",
            not_before=now,
            expires_at=view.start,
            subject=view.id,
        )
    ]


def reachable(
    sources: Iterable[tuple[str, UUID | None, bytes | None]], language: str, cipher: FieldCipher
) -> Recipient | None:
    """Return the first who has a telephone, of `(table, row id, sealed number)`.

    The order is that of patients.queries.recipient_of: patient, guardian, account.
    """
    for table, identifier, sealed in sources:
        phone = cipher.open_text(sealed, f"{table}.phone:{identifier}")
        if phone is not None:
            return Recipient(phone=phone, language=language)
    return None


def _params(view: AppointmentView) -> dict[str, str]:
    start = local(view.start)
    return {
        "facility": view.facility.short_name,
        "time": start.strftime("%H:%M"),
        "date": start.strftime("%d/%m/%Y"),
        "code": view.code,
    }
