"""What the doors of the waitlist share: reading with rights, and accepting with an honest answer."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking.attempts import attempt
from telehealth.booking.errors import OnlineQuotaFull, SlotTaken
from telehealth.booking.queries import AppointmentView
from telehealth.core.errors import DomainError
from telehealth.scheduling.errors import SlotClosed, SlotInPast, SlotTooSoon, SlotUnknown
from telehealth.waitlist import queries, services
from telehealth.waitlist.errors import EntryUnknown, PlaceGone, PlaceOfferUnknown
from telehealth.waitlist.queries import EntryView
from telehealth.waitlist.services import Means
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    unit_of_work,
)

GONE: tuple[type[DomainError], ...] = (
    SlotTaken,
    OnlineQuotaFull,
    SlotClosed,
    SlotInPast,
    SlotTooSoon,
    SlotUnknown,
)
LOOK_AHEAD = timedelta(days=30)


def means() -> Means:
    """Return what answering takes."""
    return Means(cipher(), outbox(), answer_links())


def readable(session: Session, entry_id: UUID, action: str) -> EntryView:
    """Return an entry. Raises EntryUnknown, Forbidden."""
    found = queries.entry(session, entry_id, now=now())
    if found is None:
        raise EntryUnknown
    permit(action, found.scope)
    return found


def accept_place(offer_id: UUID) -> AppointmentView:
    """Accept as whoever is signed in. Raises PlaceGone for a place that is lost, and what accept raises."""

    def unit() -> AppointmentView:
        with unit_of_work() as session:
            _permit(session, offer_id)
            return services.accept(session, principal(), offer_id, means(), now=now())

    return or_gone(unit, lambda: _give_up(offer_id))


def decline_place(offer_id: UUID) -> EntryView:
    """Decline as whoever is signed in."""

    def unit() -> EntryView:
        with unit_of_work() as session:
            _permit(session, offer_id)
            return services.decline(session, principal(), offer_id, now=now(), outbox=outbox())

    return attempt(unit)


def or_gone(unit: Callable[[], AppointmentView], give_up: Callable[[], None]) -> AppointmentView:
    """Run a unit that accepts; when the place is gone, record that in a transaction of its own and say so."""
    try:
        return attempt(unit)
    except GONE as refusal:
        enter_again()
        attempt(give_up)
        raise PlaceGone from refusal


def _give_up(offer_id: UUID) -> None:
    with unit_of_work() as session:
        services.give_up_place(session, offer_id, now=now(), outbox=outbox())


def _permit(session: Session, offer_id: UUID) -> None:
    made = queries.offer(session, offer_id, now=now())
    if made is None:
        raise PlaceOfferUnknown
    readable(session, made.entry_id, "waitlist.answer")
