"""Opening a link: whether we wrote it, and the one appointment that its holder may see."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifications import Outbox
from notifications.preferences import Preferences
from notifications.ways import told_elsewhere
from telehealth.answers.choices import Choice, choice_of
from telehealth.answers.errors import AnswerLinkUnknown
from telehealth.answers.rules import Standing, offer_standing, standing
from telehealth.booking import queries as booking
from telehealth.booking.codes import AppointmentStatus, OfferState
from telehealth.booking.queries import AppointmentView, OfferView
from telehealth.booking.services import alternatives
from telehealth.closures.queries import ItemView, change_of
from telehealth.core.answer_link import AnswerLink, AnswerLinks, Purpose
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotView, slot_by_id

_SUBJECT = text("SELECT appointment_id, about, moved_from FROM answer_subject(:id)")
_ENTER = text("SELECT set_config('app.kind', :kind, true), set_config('app.appointment', :appointment, true)")
_OTHERS = 3
_OF_OFFERS = (Purpose.ACCEPT_OFFER, Purpose.DECLINE_OFFER)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a genuine link is about, and who acts by it.

    `slot` is the one offered, if it is still there; `others` are free where it is not. `change` is what the
    place was before the hospital moved it.
    """

    purpose: Purpose
    view: AppointmentView
    standing: Standing
    offer: OfferView | None = None
    slot: SlotView | None = None
    others: tuple[SlotView, ...] = ()
    change: ItemView | None = None

    @property
    def principal(self) -> Principal:
        """Return the holder of the link: they act for the one patient of its appointment."""
        patients = frozenset() if self.view.patient_id is None else frozenset({self.view.patient_id})
        return Principal(kind=PrincipalKind.LINK, patient_ids=patients)


@dataclass(frozen=True, slots=True)
class Phone:
    """Where a patient's messages go, and what was chosen for it.

    `changed`: a link may be in other hands, since another number was told before.
    """

    patient_id: UUID
    number: str
    choice: Choice
    changed: bool = False

    @property
    def ending(self) -> str:
        """Return the last three digits: enough to know one's own phone by."""
        return self.number[-3:]


def opened(session: Session, link: AnswerLink, links: AnswerLinks, *, now: datetime) -> Opened:
    """Check a link and enter the transaction as its holder. Raises AnswerLinkUnknown.

    Until the signature is found good, nothing but the instants that it may be about is read.
    """
    row = session.execute(_SUBJECT, {"id": link.subject}).one_or_none()
    if row is None or not _signed(link, links, (row.about, row.moved_from)):
        raise AnswerLinkUnknown
    view = _entered(session, row.appointment_id)
    if link.purpose in _OF_OFFERS:
        return _opened_offer(session, link, view, now)
    stands = standing(link.purpose, view, now)
    moved = link.purpose is not Purpose.MESSAGES and not _signed(link, links, (view.start,))
    stale = moved and view.status != AppointmentStatus.CANCELLED and stands is not Standing.OLD
    return Opened(
        link.purpose, view, Standing.MOVED if stale else stands, change=_change(session, view, link.purpose)
    )


def phone_of(
    session: Session, patient_id: UUID, account_id: UUID | None, cipher: FieldCipher
) -> Phone | None:
    """Return the phone that hears of a patient's appointments, or None where there is none."""
    to = recipient_of(session, patient_id, account_id, cipher)
    if to is None or to.phone is None:
        return None
    return Phone(patient_id, to.phone, choice_of(Preferences(cipher).of(session, to.phone)))


def phone_by_link(session: Session, view: AppointmentView, cipher: FieldCipher) -> Phone | None:
    """Return the phone that hears of an appointment, for who holds a link to it.

    A link does not say which number it was sent to: once two have been told, it shows and changes neither's.
    """
    if view.patient_id is None:
        return None
    phone = phone_of(session, view.patient_id, view.account_id, cipher)
    index = None if phone is None else Outbox(cipher).recipient_index(phone.number)
    if phone is None or index is None:
        return None
    return replace(phone, changed=told_elsewhere(session, view.id, index))


def _opened_offer(session: Session, link: AnswerLink, view: AppointmentView, now: datetime) -> Opened:
    offer = booking.offer(session, link.subject, now=now)
    if offer is None:
        raise AnswerLinkUnknown
    slot = slot_by_id(session, offer.slot_id, now, channel=Channel.DESK)
    kept = offer.hold_id is not None and offer.state is OfferState.OPEN
    free = slot is not None and (kept or slot.free > 0)
    stands = offer_standing(link.purpose, view, offer, free=free, now=now)
    others = _others(session, view, offer, now) if stands is Standing.TAKEN else ()
    change = _change(session, view, link.purpose) if stands is Standing.DONE else None
    return Opened(link.purpose, view, stands, offer, slot, others, change)


def _change(session: Session, view: AppointmentView, purpose: Purpose) -> ItemView | None:
    """Return what the place was, while the appointment has the one that a closure found instead."""
    if purpose is Purpose.MESSAGES:
        return None
    found = change_of(session, view.id)
    taken = found is not None and found.new is not None and found.new_slot_id == view.slot_id
    return found if taken else None


def _others(session: Session, view: AppointmentView, offer: OfferView, now: datetime) -> tuple[SlotView, ...]:
    """Return what is free there instead, each time once: the page does not say with whom."""
    found = alternatives(session, offer.slot_id, now=now, count=3 * _OTHERS)
    here = {other.start: other for other in reversed(found) if other.facility.id == view.facility.id}
    return tuple(here[start] for start in sorted(here))[:_OTHERS]


def _signed(link: AnswerLink, links: AnswerLinks, instants: Iterable[datetime | None]) -> bool:
    return any(links.signed(link, about) for about in instants if about is not None)


def _entered(session: Session, appointment_id: UUID) -> AppointmentView:
    session.execute(_ENTER, {"kind": PrincipalKind.LINK.value, "appointment": str(appointment_id)})
    view = booking.appointment(session, appointment_id)
    if view is None:
        raise AnswerLinkUnknown
    return view
