"""Writing the waitlist. Locks: patient (advisory), entry, offer, then those of booking."""

from telehealth.waitlist.services.answering import accept, decline, give_up_place
from telehealth.waitlist.services.joining import Join, join, leave
from telehealth.waitlist.services.offering import close_overdue, look_over, offer_places

__all__ = [
    "Join",
    "accept",
    "close_overdue",
    "decline",
    "give_up_place",
    "join",
    "leave",
    "look_over",
    "offer_places",
]
