"""Writing the waitlist. Locks: patient (advisory), entry, offer, then those of booking."""

from telehealth.waitlist.services.answering import Means, accept, decline, give_up_place, later_visit
from telehealth.waitlist.services.joining import Join, join, leave
from telehealth.waitlist.services.offering import Sender, close_overdue, look_over, offer_places

__all__ = [
    "Join",
    "Means",
    "Sender",
    "accept",
    "close_overdue",
    "decline",
    "give_up_place",
    "join",
    "later_visit",
    "leave",
    "look_over",
    "offer_places",
]
