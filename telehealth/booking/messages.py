"""What is said about an appointment: time, place and code; never a name, an illness or a specialty."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from notifications import Message, Recipient
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import message_link, notices
from telehealth.core.clock import local
from telehealth.core.crypto import FieldCipher


def booked(view: AppointmentView, to: Recipient | None, *, base_url: str, now: datetime) -> list[Message]:
    """Return the messages of a new booking; none when nobody can be reached by telephone."""
    return _told(view, to, "appointment-booked", base_url=base_url, now=now)


def moved(view: AppointmentView, to: Recipient | None, *, base_url: str, now: datetime) -> list[Message]:
    """Return the messages of an appointment at its new time."""
    return _told(view, to, "appointment-moved", base_url=base_url, now=now)


def _told(
    view: AppointmentView, to: Recipient | None, first: str, *, base_url: str, now: datetime
) -> list[Message]:
    if to is None:
        return []
    params = {**_params(view), "link": message_link(base_url, view.code)}
    return [
        Message(
            kind=notice.kind,
            recipient=to,
            params=params,
            dedupe_key=f"{notice.kind}:{view.id}:{view.version}",
            not_before=notice.not_before,
            expires_at=notice.expires_at,
            subject=view.id,
        )
        for notice in notices(view.start, now, first)
    ]


def cancelled(view: AppointmentView, to: Recipient | None, *, now: datetime) -> list[Message]:
    """Return the message of a cancelled appointment; none once its time is over."""
    if to is None or view.start <= now:
        return []
    return [
        Message(
            kind="appointment-cancelled",
            recipient=to,
            params=_params(view),
            dedupe_key=f"appointment-cancelled:{view.id}",
            not_before=now,
            expires_at=view.start,
            subject=view.id,
        )
    ]


def reachable(
    sources: Iterable[tuple[str, UUID | None, bytes | None]],
    language: str,
    cipher: FieldCipher,
    *,
    owner: UUID | None,
) -> Recipient | None:
    """Return the first who has a telephone, of `(table, row id, sealed number)`.

    The order is that of patients.queries.recipient_of: patient, guardian, account. `owner`: the account whose
    browsers get a copy.
    """
    for table, identifier, sealed in sources:
        phone = cipher.open_text(sealed, f"{table}.phone:{identifier}")
        if phone is not None:
            return Recipient(phone=phone, language=language, owner=owner)
    return None


def _params(view: AppointmentView) -> dict[str, str]:
    start = local(view.start)
    return {
        "facility": view.facility.short_name,
        "time": start.strftime("%H:%M"),
        "date": start.strftime("%d/%m/%Y"),
        "code": view.code,
    }
