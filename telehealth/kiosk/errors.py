"""Why the kiosk cannot go on with a person."""

from telehealth.core.errors import Conflict, Gone, NotFound, TooMany, Unprocessable


class CannotRead(Unprocessable):
    """What was scanned or typed says nothing about who is there; `fields` says why."""

    code = "kiosk-cannot-read"


class NobodyKnown(NotFound):
    """The number belongs to nobody we know; staff register the person."""

    code = "kiosk-nobody-known"


class NoAppointmentToday(NotFound):
    """Nobody with this number has an appointment here today."""

    code = "kiosk-no-appointment"


class PassOver(Gone):
    """The person was shown too long ago: whoever presses now may be somebody else."""

    code = "kiosk-pass-over"


class RoomClosed(Conflict):
    """The room takes no more people today."""

    code = "kiosk-room-closed"


class TooManyLookUps(TooMany):
    """One machine looked for too many people."""

    code = "kiosk-too-many"
