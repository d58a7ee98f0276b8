"""Why a slip cannot be used that way."""

from telehealth.core.errors import Conflict, Unprocessable


class BadRequestFields(Unprocessable):
    """Something on the slip is missing or cannot be."""


class SlipSpent(Conflict):
    """The slip has its one appointment."""

    code = "slip-spent"


class RequestClosed(Conflict):
    """The request is completed or was revoked."""

    code = "request-closed"


class SlipKnown(Conflict):
    """A slip of that number and place is in the system already."""

    code = "slip-known"


class VisitHasSlip(Conflict):
    """The visit has its slip to come again; there is one after each."""

    code = "visit-has-slip"


class SlipElsewhere(Conflict):
    """The slip names another facility or service."""

    code = "slip-elsewhere"


class OutsideValidity(Unprocessable):
    """The day lies outside the slip's days; `until` says when they end."""

    code = "slip-outside-validity"


class DateShifted(Conflict):
    """The day is another than the paper's; whoever books must say that they know."""

    code = "slip-date-shifted"


class SlotsAvailable(Unprocessable):
    """There are times to book while the slip is good, so it is not deferred (NHS e-RS)."""

    code = "slots-available"


class NoReferrer(Conflict):
    """A paper from outside has nobody here to go back to."""

    code = "no-referrer"


class NothingToDecide(Conflict):
    """The day is the paper's, or has been decided about."""

    code = "nothing-to-decide"
