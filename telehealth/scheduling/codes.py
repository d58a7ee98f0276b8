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


class Door(StrEnum):
    """What a place is taken through: the counter is desk and kiosk, a referral comes from a care level.

    A schedule may keep places for a door; what is unused falls to all doors at its time.
    """

    ONLINE = "online"
    COUNTER = "counter"
    REFERRAL_INITIAL = "referral-initial"
    REFERRAL_BASIC = "referral-basic"
    REFERRAL_SPECIALISED = "referral-specialised"


class SessionMode(StrEnum):
    """Whether a patient is given a minute, or a window in which several come and are called by number."""

    SLOT = "slot"
    SESSION = "session"


class ScheduleOrigin(StrEnum):
    """Who wrote a roster line: the province's files, which own what they wrote, or people in the editor."""

    IMPORT = "import"
    EDITOR = "editor"


class ResourceKind(StrEnum):
    """What else than people a slot may need."""

    ROOM = "room"
    DEVICE = "device"


class RosterChangeReason(StrEnum):
    """Why a clinic session with bookings no longer fits the roster."""

    REMOVED = "removed"
    CHANGED = "changed"
