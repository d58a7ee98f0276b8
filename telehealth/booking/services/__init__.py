"""Writing the ledger, one module for each group of verbs. Locks: appointment, claim, counter, ticket."""

from telehealth.booking.services.answering import confirm, set_out
from telehealth.booking.services.assigning import AnyPractitioner, book_any, hold_any
from telehealth.booking.services.holding import Hold, hindrance, hold, release
from telehealth.booking.services.lifecycle import (
    cancel,
    confirm_coverage,
    expire_overdue_holds,
    mark_arrived,
    mark_fulfilled,
    mark_no_show,
    record_no_show,
)
from telehealth.booking.services.moving import Move, alternatives, next_free, reschedule
from telehealth.booking.services.offering import (
    accept_offer,
    decline_offer,
    offer,
    reserve,
    withdraw_offer,
)
from telehealth.booking.services.orders import BookingRequest, Bound, ConsentGiven
from telehealth.booking.services.series import (
    Proposal,
    SeriesChange,
    SeriesMeans,
    SeriesOrder,
    book_series,
    cancel_series,
    move_series,
    preview_series,
)
from telehealth.booking.services.taking import Once, book, book_once

__all__ = [
    "AnyPractitioner",
    "BookingRequest",
    "Bound",
    "ConsentGiven",
    "Hold",
    "Move",
    "Once",
    "Proposal",
    "SeriesChange",
    "SeriesMeans",
    "SeriesOrder",
    "accept_offer",
    "alternatives",
    "book",
    "book_any",
    "book_once",
    "book_series",
    "cancel",
    "cancel_series",
    "confirm",
    "confirm_coverage",
    "decline_offer",
    "expire_overdue_holds",
    "hindrance",
    "hold",
    "hold_any",
    "mark_arrived",
    "mark_fulfilled",
    "mark_no_show",
    "move_series",
    "next_free",
    "offer",
    "preview_series",
    "record_no_show",
    "release",
    "reschedule",
    "reserve",
    "set_out",
    "withdraw_offer",
]
