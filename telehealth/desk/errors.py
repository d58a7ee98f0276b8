"""What the desk may refuse."""

from collections.abc import Sequence
from uuid import UUID

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class NothingTyped(Unprocessable):
    """The box was empty."""

    code = "desk-nothing-typed"


class NotThisDesk(NotFound):
    """The appointment is neither at this facility nor booked by this desk."""

    code = "desk-not-this-desk"


class NoService(Unprocessable):
    """It was not said for which service."""

    code = "desk-no-service"


class NoQueue(Unprocessable):
    """It was not said for which queue a number is."""

    code = "desk-no-queue"


class NobodyAsked(Unprocessable):
    """It was not said who asked for the booking."""

    code = "desk-nobody-asked"


class NoReason(Unprocessable):
    """It was not said why somebody is put beside the others."""

    code = "desk-no-reason"


class BookedThatDay(Conflict):
    """The person has that service already that day (`already`), and it was not said that this is meant."""

    code = "desk-booked-that-day"

    def __init__(self, already: Sequence[UUID]) -> None:
        super().__init__()
        self.already = already


class VersionGone(Conflict):
    """Somebody else changed it meanwhile."""

    code = "desk-changed"
