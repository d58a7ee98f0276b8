"""Pure rules: what a link still answers, given how its appointment stands now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from telehealth.accounts.rules import Limit
from telehealth.booking.codes import AppointmentStatus, OfferState
from telehealth.booking.queries import AppointmentView, OfferView
from telehealth.booking.rules import ON_MY_WAY_BEFORE
from telehealth.core.answer_link import Purpose

LIFE = timedelta(days=30)  # so long after a visit its links still tell of it


class Standing(StrEnum):
    """How the page of a link stands: only an open one has a button."""

    OPEN = "open"
    DONE = "done"
    EARLY = "early"
    ARRIVED = "arrived"
    CANCELLED = "cancelled"
    MOVED = "moved"
    DISRUPTED = "disrupted"
    OVER = "over"
    OLD = "old"
    TAKEN = "taken"
    WITHDRAWN = "withdrawn"


STATUS: Mapping[Standing, int] = {
    Standing.OPEN: 200,
    Standing.DONE: 200,
    Standing.EARLY: 409,
    Standing.ARRIVED: 409,
    Standing.CANCELLED: 410,
    Standing.MOVED: 410,
    Standing.DISRUPTED: 409,
    Standing.OVER: 410,
    Standing.OLD: 410,
    Standing.TAKEN: 409,
    Standing.WITHDRAWN: 410,
}


def standing(purpose: Purpose, view: AppointmentView, now: datetime) -> Standing:
    """Return how a link about the appointment's present time stands."""
    if now >= view.end + LIFE:
        return Standing.OLD
    if purpose is Purpose.MESSAGES:
        return Standing.OPEN
    if view.status == AppointmentStatus.CANCELLED:
        return Standing.DONE if purpose is Purpose.CANCEL else Standing.CANCELLED
    if view.status == AppointmentStatus.ARRIVED:
        return Standing.ARRIVED
    if view.status != AppointmentStatus.BOOKED:
        return Standing.OVER
    return _of_booked(purpose, view, now)


def offer_standing(
    purpose: Purpose, view: AppointmentView, offer: OfferView, *, free: bool, now: datetime
) -> Standing:
    """Return how a link about an offer stands; `free` tells whether its slot can still be had."""
    of_appointment = standing(Purpose.CONFIRM, view, now)
    if of_appointment not in (Standing.OPEN, Standing.DONE, Standing.DISRUPTED):
        return of_appointment
    if offer.state == _ANSWER[purpose]:
        return Standing.DONE
    if offer.state != OfferState.OPEN:
        return Standing.WITHDRAWN
    return Standing.OPEN if free or purpose is Purpose.DECLINE_OFFER else Standing.TAKEN


_ANSWER = {Purpose.ACCEPT_OFFER: OfferState.ACCEPTED, Purpose.DECLINE_OFFER: OfferState.DECLINED}


def _of_booked(purpose: Purpose, view: AppointmentView, now: datetime) -> Standing:
    if now >= (view.end if purpose is Purpose.ON_MY_WAY else view.start):
        return Standing.OVER
    if view.disrupted and purpose is not Purpose.CANCEL:
        return Standing.DISRUPTED
    if purpose is Purpose.ON_MY_WAY:
        if view.on_the_way_at is not None:
            return Standing.DONE
        return Standing.EARLY if now < view.start - ON_MY_WAY_BEFORE else Standing.OPEN
    said = purpose is Purpose.CONFIRM and view.confirmed_at is not None
    return Standing.DONE if said else Standing.OPEN


def changeable(purpose: Purpose, view: AppointmentView, now_standing: Standing, now: datetime) -> bool:
    """Tell whether the page also leads to cancelling and to another time."""
    stands = now_standing in (Standing.OPEN, Standing.DONE, Standing.EARLY, Standing.DISRUPTED)
    asked = purpose in (Purpose.CONFIRM, Purpose.ON_MY_WAY)
    return asked and stands and now < view.start


def press_limits(address: str) -> tuple[Limit, ...]:
    """Return the limits on pressing buttons and on guessing links. Many share one address of a network."""
    return (Limit(f"answer:address:10m:{address}", 300, 600),)
