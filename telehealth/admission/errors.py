"""Why the waiting room says no."""

from telehealth.core.errors import NotFound


class NoWaitingRoom(NotFound):
    """No release of that service is near: places are taken as ever."""

    code = "no-waiting-room"
