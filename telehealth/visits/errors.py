"""Why a visit is not moved."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class VisitUnknown(NotFound):
    """No visit of the day has this code here."""

    code = "visit-unknown"


class VisitOver(Conflict):
    """The visit has ended."""

    code = "visit-over"


class EventReused(Unprocessable):
    """One event id came with two different contents."""

    code = "event-reused"


class EventSettled(Conflict):
    """The event is applied or dismissed already."""

    code = "event-settled"
