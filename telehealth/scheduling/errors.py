"""Why a slot is not one."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class SlotUnknown(NotFound):
    """No clinic session has such a slot."""

    code = "slot-unknown"


class SlotInPast(Conflict):
    """The slot has begun."""

    code = "slot-in-past"


class SlotTooSoon(Conflict):
    """Less time is left than this door needs."""

    code = "slot-too-soon"


class SlotTooFar(Conflict):
    """Bookings for that day are not open yet."""

    code = "slot-too-far"


class SlotClosed(Conflict):
    """The session takes no bookings."""

    code = "slot-closed"


class BadRange(Unprocessable):
    """The period asked for ends before it begins, or is too long."""

    code = "bad-range"
