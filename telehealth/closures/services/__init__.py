"""Closing sessions, caring for everybody in them, and opening them again."""

from telehealth.closures.services.acting import Means, Step, act, finish, plan
from telehealth.closures.services.calling import note_call
from telehealth.closures.services.opening import Order, Preview, close, preview
from telehealth.closures.services.undoing import finish_undoing, reopen, stand_again, undo

__all__ = [
    "Means",
    "Order",
    "Preview",
    "Step",
    "act",
    "close",
    "finish",
    "finish_undoing",
    "note_call",
    "plan",
    "preview",
    "reopen",
    "stand_again",
    "undo",
]
