"""Why boards say no."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class NoSuchArea(NotFound):
    """The facility has no board of that name."""

    code = "board-area-unknown"


class AreaCodeTaken(Conflict):
    """Another area of the facility has this address."""

    code = "board-area-taken"


class BadDays(Unprocessable):
    """The days are in the wrong order, or too many."""

    code = "board-bad-days"
