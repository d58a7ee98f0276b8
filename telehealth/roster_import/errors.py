"""Why a file is not taken in."""

from telehealth.core.errors import TooLarge, Unprocessable


class NoFile(Unprocessable):
    """Nothing was sent."""

    code = "roster-no-file"


class FileTooLarge(TooLarge):
    """More bytes than any roster needs."""

    code = "roster-file-too-large"


class RosterRefused(Unprocessable):
    """The file has faults; `extra["findings"]` names every one with its line."""

    code = "roster-refused"
