"""Doing what a link's button says, in the transaction that queries.opened has entered; keeping choices."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from notifications.preferences import EVERY, Preferences, Source
from telehealth.answers.choices import TOPICS, Choice, Pair, changes
from telehealth.answers.queries import Opened, Phone
from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.codes import CancelReason
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal


@dataclass(frozen=True, slots=True)
class Means:
    """What answering takes, besides the answer."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


def answer(session: Session, opened: Opened, means: Means, *, now: datetime) -> None:
    """Do what the link is for.

    Raises what the service of its purpose raises; then the caller must roll back.
    """
    view, principal = opened.view, opened.principal
    if opened.purpose is Purpose.CONFIRM:
        booking.confirm(session, principal, view.id, version=view.version, now=now)
    elif opened.purpose is Purpose.ON_MY_WAY:
        booking.set_out(session, principal, view.id, version=view.version, now=now)
    elif opened.purpose is Purpose.CANCEL:
        booking.cancel(
            session,
            principal,
            view.id,
            version=view.version,
            reason_code=CancelReason.PATIENT,
            now=now,
            cipher=means.cipher,
            outbox=means.outbox,
        )
    elif opened.offer is not None:
        _answer_offer(session, opened, opened.offer.id, means, now=now)


def _answer_offer(session: Session, opened: Opened, offer_id: UUID, means: Means, *, now: datetime) -> None:
    if opened.purpose is Purpose.DECLINE_OFFER:
        booking.decline_offer(session, opened.principal, offer_id, now=now)
    elif opened.purpose is Purpose.ACCEPT_OFFER:
        booking.accept_offer(
            session,
            opened.principal,
            offer_id,
            now=now,
            cipher=means.cipher,
            outbox=means.outbox,
            links=means.links,
        )


def choose(
    session: Session,
    principal: Principal,
    phone: Phone,
    choice: Choice,
    *,
    source: Source,
    facility_id: UUID,
    now: datetime,
    cipher: FieldCipher,
) -> None:
    """Keep a choice as a whole: what was chosen before by another door gives way to it."""
    preferences = Preferences(cipher)
    muted = preferences.of(session, phone.number).muted
    for topic, kinds in TOPICS.items():
        for kind in kinds:
            stop, resume = changes(kind, choice.channels(topic), muted)
            for pair in resume:
                preferences.resume(session, phone.number, **_named(pair), source=source, now=now)
            for pair in stop:
                preferences.stop(session, phone.number, **_named(pair), source=source, now=now)
    if choice.accented != phone.choice.accented:
        preferences.write_accents(session, phone.number, choice.accented, now=now)
    wanted = sorted("-".join(pair) for pair in choice.wanted)
    details = {"wanted": wanted, "accented": choice.accented}
    entry = Entry("messages.choose", "Patient", phone.patient_id, phone.patient_id, facility_id, details)
    record(session, principal, entry, now=now)


def _named(pair: Pair) -> dict[str, str | None]:
    kind, channel = (None if part == EVERY else part for part in pair)
    return {"kind": kind, "channel": channel}
