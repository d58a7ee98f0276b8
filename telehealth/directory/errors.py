"""The directory's refusals."""

from telehealth.core.errors import NotFound, Unprocessable


class NoSuchFacility(NotFound):
    """No facility in service has this code."""

    code = "no-such-facility"


class OddCalendarDay(Unprocessable):
    """A day that works like another needs the weekday, and no other day may have one."""

    code = "odd-calendar-day"


class BadPlace(Unprocessable):
    """`near` is not `latitude,longitude`."""

    code = "bad-place"
