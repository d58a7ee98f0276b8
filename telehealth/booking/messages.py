"""What is said about an appointment: time, place and code; never a name, an illness or a specialty."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from notifications import Message, Recipient
from notifications.kinds import KINDS
from telehealth.booking.plan import SERIES_BOOKED, Notice, Standing, at_a_decent_hour, plan
from telehealth.booking.queries import AppointmentView, OfferView
from telehealth.booking.rules import message_link
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.clock import local
from telehealth.core.crypto import FieldCipher
from telehealth.directory.codes import Modality
from telehealth.scheduling.queries import SlotView


def booked(
    view: AppointmentView, to: Recipient | None, *, links: AnswerLinks, now: datetime
) -> list[Message]:
    """Return the messages of a new booking; none once it has begun, or when nobody can be reached."""
    return _told(view, to, "appointment-booked", links=links, now=now)


def series_booked(
    views: Sequence[AppointmentView], to: Recipient | None, *, links: AnswerLinks, now: datetime
) -> list[Message]:
    """Return the one message of a new series: the first visit, and how many there are."""
    first = min(views, key=lambda view: view.start)
    if to is None or first.start <= now:
        return []
    return [series_told(first, len(views), to, Notice(SERIES_BOOKED, now, first.start), links=links)]


def series_told(
    first: AppointmentView, number: int, to: Recipient, notice: Notice, *, links: AnswerLinks
) -> Message:
    """Return the message of a series of so many visits; it is about the first of them."""
    link = links.address(Purpose.CONFIRM, first.id, first.start)
    return Message(
        kind=SERIES_BOOKED,
        recipient=_with_mute_link(to, first, links),
        params={**_params(first), "number": str(number), "link": link},
        dedupe_key=f"{SERIES_BOOKED}:{first.id}",
        not_before=notice.not_before,
        expires_at=notice.expires_at,
        subject=first.id,
    )


def moved(view: AppointmentView, to: Recipient | None, *, links: AnswerLinks, now: datetime) -> list[Message]:
    """Return the messages of an appointment at its new time."""
    return _told(view, to, "appointment-moved", links=links, now=now)


def reminders(
    view: AppointmentView, to: Recipient | None, *, disrupted: bool = False, links: AnswerLinks, now: datetime
) -> list[Message]:
    """Return the reminders that must be waiting now: one key for each kind and time, however often."""
    standing = Standing(view.status, view.start, view.agreed_at or view.created_at, disrupted)
    return [
        message(view, to, notice, f"{int(view.start.timestamp())}", links=links)
        for notice in sorted(plan(standing, now), key=lambda notice: notice.not_before)
        if to is not None
    ]


def disrupted(
    view: AppointmentView, to: Recipient, disruption_id: UUID, *, links: AnswerLinks, now: datetime
) -> Message:
    """Return what is said once when the doctor is away or the place closed at that time."""
    notice = Notice("appointment-disrupted", at_a_decent_hour(now, view.start), view.start)
    return message(view, to, notice, str(disruption_id), links=links)


def stands(
    view: AppointmentView, to: Recipient, disruption_id: UUID, *, links: AnswerLinks, now: datetime
) -> Message:
    """Return what is said to those who were told otherwise: the appointment can be kept after all."""
    notice = Notice("appointment-stands", at_a_decent_hour(now, view.start), view.start)
    return message(view, to, notice, str(disruption_id), links=links)


def message(
    view: AppointmentView, to: Recipient, notice: Notice, which: str, *, links: AnswerLinks
) -> Message:
    """Return one message about an appointment. `which` tells two of one kind apart."""
    words = {**_params(view), "link": _link(notice, view, links)}
    return Message(
        kind=notice.kind,
        recipient=_with_mute_link(to, view, links),
        params={name: words[name] for name in KINDS[notice.kind].params},
        dedupe_key=f"{notice.kind}:{view.id}:{which}",
        not_before=notice.not_before,
        expires_at=notice.expires_at,
        subject=view.id,
    )


def _with_mute_link(to: Recipient, view: AppointmentView, links: AnswerLinks) -> Recipient:
    """Return the recipient with the page where reminders can be stopped, which only e-mail has room for."""
    if to.email is None:
        return to
    token = links.token(Purpose.MESSAGES, view.id, view.start)
    return replace(to, mute_url=f"{links.base_url}/unsubscribe/{token}")


def _told(
    view: AppointmentView, to: Recipient | None, first: str, *, links: AnswerLinks, now: datetime
) -> list[Message]:
    if to is None or view.start <= now:
        return []
    told = message(view, to, Notice(first, now, view.start), str(view.version), links=links)
    return [told, *reminders(view, to, links=links, now=now)]


def _link(notice: Notice, view: AppointmentView, links: AnswerLinks) -> str:
    """Return where a message leads: to an answer, or where another time can be chosen."""
    if notice.kind == "appointment-disrupted":
        return message_link(links.base_url, view.code)
    return links.address(_asked(notice, view), view.id, view.start)


def _asked(notice: Notice, view: AppointmentView) -> Purpose:
    """Return what a message asks: whether they come, and shortly before, whether they are on their way."""
    soon = notice.kind == "appointment-reminder-hours" and view.modality == Modality.IN_PERSON
    return Purpose.ON_MY_WAY if soon else Purpose.CONFIRM


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


def offered(
    view: AppointmentView,
    offer: OfferView,
    start: datetime,
    to: Recipient | None,
    *,
    links: AnswerLinks,
    now: datetime,
) -> list[Message]:
    """Return the message that offers another time; none when nobody can be reached by telephone."""
    if to is None:
        return []
    link = links.address(Purpose.ACCEPT_OFFER, offer.id, offer.expires_at)
    return [
        Message(
            kind="appointment-offer",
            recipient=to,
            params={**_params(view, start), "link": link},
            dedupe_key=f"appointment-offer:{offer.id}",
            not_before=now,
            expires_at=offer.expires_at,
            subject=view.id,
        )
    ]


def replacement(
    view: AppointmentView,
    offer: OfferView,
    slot: SlotView,
    to: Recipient,
    *,
    links: AnswerLinks,
    now: datetime,
) -> Message:
    """Return the message that offers another place instead of one that is lost; it must be heard of."""
    return Message(
        kind="appointment-replacement",
        recipient=to,
        params={
            **_params(view, slot.start),
            "facility": slot.facility.short_name,
            "link": links.address(Purpose.ACCEPT_OFFER, offer.id, offer.expires_at),
        },
        dedupe_key=f"appointment-replacement:{offer.id}",
        not_before=min(
            at_a_decent_hour(now, min(view.start, slot.start)), offer.expires_at - timedelta(seconds=1)
        ),
        expires_at=offer.expires_at,
        subject=view.id,
    )


class Address(NamedTuple):
    """Where a row keeps telephone and e-mail, sealed: table, row, both (None: none)."""

    table: str
    row_id: UUID | None
    phone_sealed: bytes | None
    email_sealed: bytes | None


def reachable(
    sources: Iterable[Address],
    language: str,
    cipher: FieldCipher,
    *,
    owner: UUID | None,
) -> Recipient | None:
    """Return the first who has a telephone or an e-mail address.

    The order is that of patients.queries.recipient_of: patient, guardian, account. `owner`: the account whose
    browsers get a copy. Only those without a telephone cost a second opening.
    """
    for table, identifier, phone_sealed, email_sealed in sources:
        phone = cipher.open_text(phone_sealed, f"{table}.phone:{identifier}")
        email = cipher.open_text(email_sealed, f"{table}.email:{identifier}")
        if phone is not None or email is not None:
            return Recipient(phone=phone, email=email, language=language, owner=owner)
    return None


def _params(view: AppointmentView, instant: datetime | None = None) -> dict[str, str]:
    start = local(instant or view.start)
    return {
        "facility": view.facility.short_name,
        "time": start.strftime("%H:%M"),
        "date": start.strftime("%d/%m/%Y"),
        "code": view.code,
    }
