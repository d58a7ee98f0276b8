"""Answering an offer. To accept is to claim: entry, offer and place change hands in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.queries import AppointmentView
from telehealth.booking.services import BookingRequest, Bound, ConsentGiven, Move
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.queries import SlotView, slot_by_id
from telehealth.waitlist import queries
from telehealth.waitlist.codes import EntryState, EventKind, PlaceOfferState
from telehealth.waitlist.errors import PlaceOfferOver, PlaceOfferUnknown
from telehealth.waitlist.queries import EntryView, PlaceOfferView
from telehealth.waitlist.rules import check_open
from telehealth.waitlist.services.line import close_offer, free_again, locked, move, note, trail

CONSENT = ConsentGiven(purpose="waitlist", text_version="2026-11")


@dataclass(frozen=True, slots=True)
class Means:
    """What answering takes, besides the answer."""

    cipher: FieldCipher
    outbox: Outbox
    links: AnswerLinks


def accept(
    session: Session, principal: Principal, offer_id: UUID, means: Means, *, now: datetime
) -> AppointmentView:
    """Book the place that was offered, or move a later appointment for the same service to it.

    Accepted twice it is booked once. Raises PlaceOfferUnknown, PlaceOfferOver and what booking raises; then
    the caller must roll back, and who waits keeps their place in line (`give_up_place` when it is gone).
    """
    made, found = _opened(session, offer_id, now)
    if made.state is PlaceOfferState.ACCEPTED:
        return _given(session, found)
    check_open(made.state, made.expires_at, now)
    if not close_offer(session, offer_id, PlaceOfferState.ACCEPTED, now):
        raise PlaceOfferOver
    view = _taken(session, principal, found, made, means, now)
    if not move(session, found.id, (EntryState.OFFERED,), EntryState.BOOKED, now, view.id):
        raise PlaceOfferOver
    means.outbox.cancel(session, offer_id, now=now)
    note(session, found.id, EventKind.BOOKED, now, start=made.start)
    trail(session, principal, "waitlist.accept", found, now, offer=str(offer_id))
    return view


def decline(
    session: Session, principal: Principal, offer_id: UUID, *, now: datetime, outbox: Outbox
) -> EntryView:
    """Leave the place to the next in line, and wait on. Declined twice it is declined once.

    Raises PlaceOfferUnknown, PlaceOfferOver.
    """
    made, found = _opened(session, offer_id, now)
    if made.state is not PlaceOfferState.DECLINED:
        check_open(made.state, made.expires_at, now)
        _let_go(session, found, made, PlaceOfferState.DECLINED, EventKind.DECLINED, now)
        outbox.cancel(session, offer_id, now=now)
        trail(session, principal, "waitlist.decline", found, now, offer=str(offer_id))
    return locked(session, found.id, now)


def give_up_place(session: Session, offer_id: UUID, *, now: datetime, outbox: Outbox) -> None:
    """Record that the place was taken before the answer came; who waits keeps their place in line."""
    made, found = _opened(session, offer_id, now)
    if made.state is PlaceOfferState.OPEN:
        _let_go(session, found, made, PlaceOfferState.GONE, EventKind.GONE, now)
        outbox.cancel(session, offer_id, now=now)


def _let_go(
    session: Session,
    found: EntryView,
    made: PlaceOfferView,
    state: PlaceOfferState,
    kind: EventKind,
    now: datetime,
) -> None:
    if not close_offer(session, made.id, state, now):
        raise PlaceOfferOver
    move(session, found.id, (EntryState.OFFERED,), EntryState.WAITING, now)
    note(session, found.id, kind, now, start=made.start)
    free_again(session, made.slot_id)


def _opened(session: Session, offer_id: UUID, now: datetime) -> tuple[PlaceOfferView, EntryView]:
    seen = queries.offer(session, offer_id, now=now)
    if seen is None:
        raise PlaceOfferUnknown
    found = locked(session, seen.entry_id, now)
    return queries.offer(session, offer_id, now=now) or seen, found


def _given(session: Session, found: EntryView) -> AppointmentView:
    view = None if found.appointment_id is None else bookings.appointment(session, found.appointment_id)
    if view is None:
        raise PlaceOfferOver
    return view


def _taken(
    session: Session,
    principal: Principal,
    found: EntryView,
    made: PlaceOfferView,
    means: Means,
    now: datetime,
) -> AppointmentView:
    """Take the place by the one way there is into the ledger."""
    slot = slot_by_id(session, made.slot_id, now, channel=found.channel)
    if slot is None:
        raise SlotUnknown
    later = later_visit(session, found, made.start, now=now)
    if later is not None and (later.service.id, later.modality) == (slot.service.id, slot.modality):
        change = Move(made.slot_id, later.version, found.channel)
        return booking.reschedule(
            session, principal, later.id, change,
            now=now, cipher=means.cipher, outbox=means.outbox, links=means.links,
        )  # fmt: skip
    if later is not None:
        booking.cancel(
            session, principal, later.id, version=later.version, reason_code=CancelReason.PATIENT_ELSEWHERE,
            now=now, cipher=means.cipher, outbox=means.outbox,
        )  # fmt: skip
    return _booked(session, principal, found, slot, means, now)


def _booked(
    session: Session, principal: Principal, found: EntryView, slot: SlotView, means: Means, now: datetime
) -> AppointmentView:
    request = BookingRequest(
        patient_id=found.patient_id,
        slot_id=slot.id,
        coverage_basis=found.coverage_basis,
        channel=found.channel,
        consent=CONSENT,
        bound=None if found.wish.bound is None else Bound(*found.wish.bound),
    )
    return booking.book(
        session, principal, request, now=now, cipher=means.cipher, outbox=means.outbox, links=means.links
    )


def later_visit(
    session: Session, found: EntryView, start: datetime, *, now: datetime
) -> AppointmentView | None:
    """Return the first appointment for the same service after an instant: accepting moves it.

    One that a slip was spent on, or must lie within a slip's days, stays as it is.
    """
    coming = bookings.coming_of(session, found.patient_id, since=now, limit=50)
    return next(
        (
            view
            for view in coming
            if view.status == AppointmentStatus.BOOKED
            and view.service.code == found.wish.service_code
            and view.start > start
            and view.bound_until is None
            and not _spends_a_slip(session, view.id)
        ),
        None,
    )


def _spends_a_slip(session: Session, appointment_id: UUID) -> bool:
    found = session.connection().exec_driver_sql("SELECT spends_a_slip(%s)", (appointment_id,))
    return bool(found.scalar_one())
