"""The code systems of scheduling, which other features speak too."""

from enum import StrEnum


class ExceptionKind(StrEnum):
    """What an exception does to the roster."""

    LEAVE = "leave"
    EXTRA = "extra"
    CLOSED = "closed"
    WORKS_LIKE = "works-like"


class SessionStatus(StrEnum):
    """Whether a clinic session takes bookings."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Channel(StrEnum):
    """The door a booking comes through; only `online` is bound by the online quota."""

    ONLINE = "online"
    DESK = "desk"
    KIOSK = "kiosk"
    REFERRAL = "referral"


class RosterChangeReason(StrEnum):
    """Why a clinic session with bookings no longer fits the roster."""

    REMOVED = "removed"
    CHANGED = "changed"
