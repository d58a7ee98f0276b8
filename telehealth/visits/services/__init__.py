"""Writing visits: handing on, what is said of them, setting them right."""

from telehealth.visits.services.events import (
    CONSOLE,
    CONSOLE_ORDERS,
    Answer,
    NewEvent,
    OrderRef,
    dismiss,
    receive,
    retry,
)
from telehealth.visits.services.path import OutpatientPath, end_day
from telehealth.visits.services.repair import finish, move, name_the_person, set_path

__all__ = [
    "CONSOLE",
    "CONSOLE_ORDERS",
    "Answer",
    "NewEvent",
    "OrderRef",
    "OutpatientPath",
    "dismiss",
    "end_day",
    "finish",
    "move",
    "name_the_person",
    "receive",
    "retry",
    "set_path",
]
