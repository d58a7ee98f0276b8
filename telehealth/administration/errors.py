"""What administration may refuse."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class UnreadableTable(Unprocessable):
    """The file is no table of people."""

    code = "unreadable-table"


class StaffNotFound(NotFound):
    """Nobody by that name works at the facility."""

    code = "staff-not-found"


class NotOnYourself(Conflict):
    """An administrator cannot take their own rights away."""

    code = "not-on-yourself"
