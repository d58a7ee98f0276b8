"""Why a slot is not one."""

from telehealth.core.errors import Conflict, NotFound, PreconditionRequired, Unprocessable


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


class ScheduleInPast(Conflict):
    """What has been worked stays as it was: changes begin today or later."""

    code = "schedule-in-past"


class ScheduleEnded(Conflict):
    """It holds no more on the day it was to be changed from."""

    code = "schedule-ended"


class PractitionerElsewhere(Conflict):
    """Rostered at another facility at the same time (Law 15/2023, articles 36 to 38)."""

    code = "practitioner-elsewhere"


class SessionCannotOpen(Conflict):
    """The doctor is on leave then, or has a session of the same service that begins at that minute."""

    code = "session-cannot-open"


class PreviewStale(Conflict):
    """What the change would do is not any more what was shown."""

    code = "preview-stale"


class BeyondDeskDays(Conflict):
    """A desk changes the coming weeks; what lies beyond is the administrator's."""

    code = "beyond-desk-days"


class PreviewRequired(PreconditionRequired):
    """A change of the schedule names the preview that was seen."""

    code = "preview-required"
