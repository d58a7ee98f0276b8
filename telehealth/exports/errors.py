"""Why a list cannot be given."""

from telehealth.core.errors import Unprocessable


class BadSpan(Unprocessable):
    """The days are in the wrong order, or too many."""

    code = "export-bad-span"
