"""Words of nodes and of what they settle."""

from enum import StrEnum


class Reason(StrEnum):
    """Why the centre could not take something as a node handed it in."""

    APPOINTMENT_OVER = "appointment-over"
    APPOINTMENT_MOVED = "appointment-moved"
    APPOINTMENT_UNKNOWN = "appointment-unknown"
    NOT_THIS_FACILITY = "not-this-facility"
    NUMBER_NOT_LENT = "number-not-lent"
    NEWER_HERE = "newer-here"
    DOES_NOT_FIT = "does-not-fit"
    TAKEN_BACK = "taken-back"


class Outcome(StrEnum):
    """What became of it."""

    APPLIED = "applied"
    DISMISSED = "dismissed"


class Account(StrEnum):
    """What became of a number."""

    GIVEN = "given"
    WEB = "web"
    HELD = "held"
    RETURNED = "returned"
    UNKNOWN = "unknown"
