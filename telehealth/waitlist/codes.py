"""The code systems of the waitlist."""

from enum import StrEnum


class EntryState(StrEnum):
    """What became of somebody's waiting. One waits, or is offered a place; the rest are ends."""

    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    LEFT = "left"
    OVER = "over"


class PlaceOfferState(StrEnum):
    """What became of a place that was offered. `gone`: somebody else had it when it was accepted."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    GONE = "gone"
    WITHDRAWN = "withdrawn"


class EventKind(StrEnum):
    """What an entry can tell of itself."""

    JOINED = "joined"
    CHANGED = "changed"
    OFFERED = "offered"
    PASSED_OVER = "passed-over"
    DECLINED = "declined"
    LAPSED = "lapsed"
    GONE = "gone"
    BOOKED = "booked"
    LEFT = "left"
    OVER = "over"


class PassedOver(StrEnum):
    """Why a place went to the next in line."""

    NOT_YOUR_TIME = "not-your-time"
    OUTSIDE_VALIDITY = "outside-validity"
    OTHER_DOCTOR = "other-doctor"
    OTHER_WAY = "other-way"
    OTHER_DOOR = "other-door"
    BUSY = "busy"
    HAVE_EARLIER = "have-earlier"
    NO_PHONE = "no-phone"
    ANSWERED = "answered"
    DESK_ONLY = "desk-only"


WAITS = (EntryState.WAITING, EntryState.OFFERED)
