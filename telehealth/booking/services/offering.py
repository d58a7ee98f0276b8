"""Another time that the hospital offers for an appointment; the patient takes it or keeps the old one.

A plain offer holds no place: if the slot is gone when it is accepted, the appointment stays as it is. One
that `reserve` makes keeps its place by a hold, so that nobody else can have it. Locks are taken in the order
patient, appointment, offer.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import messages, queries
from telehealth.booking.codes import OfferState
from telehealth.booking.errors import OfferOver
from telehealth.booking.queries import AppointmentView, OfferView
from telehealth.booking.rules import check_move, check_place
from telehealth.booking.services.context import (
    CONTEXT,
    account_of,
    answered,
    place_of,
    question,
)
from telehealth.booking.services.holding import hold
from telehealth.booking.services.ledger import found_appointment, note, updated, withdraw_offers
from telehealth.booking.services.moving import Move, checked_move, reschedule
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.rules import SlotId

OFFER_LIFETIME = timedelta(hours=24)
_MARGIN = timedelta(minutes=1)  # a hold outlives its offer, so that no answer in time comes too late
_LOCK = "SELECT lock_appointment(%(id)s)"


def offer(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    slot_id: str,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
) -> OfferView:
    """Offer another slot of the same service, and say so to the patient. It stands for a day at most.

    The same slot offered again is the same offer; another one takes the place of the one still open.
    Raises NotFound, AlreadyArrived, AppointmentOver, TooLateToMove, OtherService and what `book` raises.
    """
    fetch_one(session, _LOCK, {"id": appointment_id})
    view = found_appointment(session, appointment_id)
    check_move(view.status, view.start, view.cut_off, now, staff=True)
    start = _checked_slot(session, principal, view, slot_id, now)
    standing = queries.open_offer(session, appointment_id, now=now)
    if standing is not None and standing.slot_id == slot_id:
        return standing
    withdraw_offers(session, appointment_id, now)
    outbox.cancel(session, appointment_id, kinds=["appointment-offer"], now=now)
    made = OfferView(
        id=new_id(),
        appointment_id=appointment_id,
        slot_id=slot_id,
        state=OfferState.OPEN,
        expires_at=min(now + OFFER_LIFETIME, start, view.start),
        created_at=now,
    )
    _insert(session, principal, made)
    if view.patient_id is not None:
        to = recipient_of(session, view.patient_id, view.account_id, cipher)
        outbox.enqueue(session, messages.offered(view, made, start, to, links=links, now=now), now=now)
    note(session, principal, "booking.offer", view, now, slot=view.slot_id, to=slot_id)
    return made


def reserve(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    slot_id: str,
    *,
    until: datetime,
    now: datetime,
) -> OfferView:
    """Offer another slot of the same service and keep its place for the patient until then.

    It may be at another facility, by the online door there. An offer still open gives way to it. The caller
    tells the patient. Raises NotFound, AlreadyArrived, AppointmentOver, TooLateToMove, OtherService and what
    `hold` raises; then the caller must roll back.
    """
    fetch_one(session, _LOCK, {"id": appointment_id})
    view = found_appointment(session, appointment_id)
    check_move(view.status, view.start, view.cut_off, now, staff=True)
    channel = _channel(session, view, slot_id)
    _checked_slot(session, principal, view, slot_id, now, channel=channel)
    withdraw_offers(session, appointment_id, now)
    seconds = int((until + _MARGIN - now).total_seconds())
    offer_id = new_id()
    kept = hold(session, principal, slot_id, now=now, channel=channel, seconds=seconds, offer=offer_id)
    made = OfferView(
        id=offer_id,
        appointment_id=appointment_id,
        slot_id=slot_id,
        state=OfferState.OPEN,
        expires_at=until,
        created_at=now,
        hold_id=kept.id,
    )
    _insert(session, principal, made)
    note(session, principal, "booking.offer", view, now, slot=view.slot_id, to=slot_id)
    return made


def accept_offer(
    session: Session,
    principal: Principal,
    offer_id: UUID,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
) -> AppointmentView:
    """Move the appointment to the slot that was offered. Accepted twice it is accepted once.

    Raises NotFound, OfferOver and what `reschedule` raises; then the caller must roll back, and the old
    place is kept.
    """
    found = _locked(session, offer_id, now)
    view = found_appointment(session, found.appointment_id)
    if found.state == OfferState.ACCEPTED:
        return view
    _answer(session, found, OfferState.ACCEPTED, now)
    note(session, principal, "booking.accept_offer", view, now, offer=str(offer_id))
    return reschedule(
        session,
        principal,
        view.id,
        Move(found.slot_id, view.version, _channel(session, view, found.slot_id), elsewhere=True),
        now=now,
        cipher=cipher,
        outbox=outbox,
        links=links,
    )


def decline_offer(session: Session, principal: Principal, offer_id: UUID, *, now: datetime) -> None:
    """Keep the old time. Declined twice it is declined once. Raises NotFound, OfferOver."""
    found = _locked(session, offer_id, now)
    if found.state == OfferState.DECLINED:
        return
    _answer(session, found, OfferState.DECLINED, now)
    view = found_appointment(session, found.appointment_id)
    note(session, principal, "booking.decline_offer", view, now, offer=str(offer_id))


def withdraw_offer(session: Session, appointment_id: UUID, *, now: datetime) -> None:
    """Take back what is offered for an appointment, if anything still is."""
    fetch_one(session, _LOCK, {"id": appointment_id})
    withdraw_offers(session, appointment_id, now)


def _checked_slot(
    session: Session,
    principal: Principal,
    view: AppointmentView,
    slot_id: str,
    now: datetime,
    *,
    channel: str = Channel.DESK,
) -> datetime:
    """Return the start of a slot that the appointment could move to now."""
    context = answered(fetch_one(session, CONTEXT, question(None, slot_id, None, view.patient_id, now)), None)
    move = Move(slot_id, view.version, channel, elsewhere=channel == Channel.ONLINE)
    start = checked_move(context, principal, view, move, now)
    check_place(place_of(context, start), online=channel == Channel.ONLINE)
    return start


def _channel(session: Session, view: AppointmentView, slot_id: str) -> Channel:
    """Return the door that an offered place is taken through: the desk's here, the online one elsewhere."""
    slot = SlotId.parse(slot_id)
    row = fetch_one(
        session,
        "SELECT facility_id FROM clinic_session WHERE id = %(id)s",
        {"id": None if slot is None else slot.session_id},
    )
    here = row is None or row[0] == view.facility.id
    return Channel.DESK if here else Channel.ONLINE


def _insert(session: Session, principal: Principal, made: OfferView) -> None:
    session.connection().exec_driver_sql(
        """INSERT INTO appointment_offer
             (id, appointment_id, slot_id, state, expires_at, created_by, created_at, hold_id)
           VALUES (%(id)s, %(appointment)s, %(slot)s, 'open', %(until)s, %(by)s, %(at)s, %(hold)s)""",
        {
            "id": made.id,
            "appointment": made.appointment_id,
            "slot": made.slot_id,
            "until": made.expires_at,
            "by": account_of(principal),
            "at": made.created_at,
            "hold": made.hold_id,
        },
    )


def _locked(session: Session, offer_id: UUID, now: datetime) -> OfferView:
    """Return an offer as it is once nobody else changes its appointment."""
    seen = queries.offer(session, offer_id, now=now)
    if seen is None:
        raise NotFound
    fetch_one(session, _LOCK, {"id": seen.appointment_id})
    return queries.offer(session, offer_id, now=now) or seen


def _answer(session: Session, found: OfferView, state: OfferState, now: datetime) -> None:
    if found.state != OfferState.OPEN or not updated(
        session,
        """UPDATE appointment_offer SET state = %(state)s, answered_at = %(now)s
            WHERE id = %(id)s AND state = 'open' AND expires_at > %(now)s""",
        {"state": state.value, "id": found.id, "now": now},
    ):
        raise OfferOver
