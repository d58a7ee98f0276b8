"""Why attendance says no."""

from telehealth.core.errors import NotFound


class MissUnknown(NotFound):
    """No missed appointment by that name that the caller may see."""

    code = "miss-unknown"
