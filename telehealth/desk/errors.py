"""What the desk may refuse."""

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


class VersionGone(Conflict):
    """Somebody else changed it meanwhile."""

    code = "desk-changed"
