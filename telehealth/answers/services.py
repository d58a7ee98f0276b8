"""Doing what a link's button says. Runs in the transaction that queries.opened has entered."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.answers.queries import Opened
from telehealth.booking import services as booking
from telehealth.booking.codes import CancelReason
from telehealth.core.answer_link import AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher


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
