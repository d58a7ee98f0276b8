"""What setting the limits against touts may refuse."""

from telehealth.core.errors import Unprocessable


class BadLimits(Unprocessable):
    """A limit is no whole number from 1 to 500."""

    code = "bad-limits"
