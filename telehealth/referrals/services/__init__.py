"""Writing service requests. Locks: what booking locks, then the request."""

from telehealth.referrals.services.caring import (
    decide_day,
    defer,
    escalate_overdue,
    give_back,
    hand_over,
    note_lapsed,
    revoke,
)
from telehealth.referrals.services.means import Means, found_request
from telehealth.referrals.services.trail import note
from telehealth.referrals.services.using import Use, book, other_day, slots_for
from telehealth.referrals.services.writing import Asked, Issue, Issued, Paper, enter, issue

__all__ = [
    "Asked",
    "Issue",
    "Issued",
    "Means",
    "Paper",
    "Use",
    "book",
    "decide_day",
    "defer",
    "enter",
    "escalate_overdue",
    "found_request",
    "give_back",
    "hand_over",
    "issue",
    "note",
    "note_lapsed",
    "other_day",
    "revoke",
    "slots_for",
]
