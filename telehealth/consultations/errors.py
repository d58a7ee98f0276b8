"""Why a consultation room stays shut."""

from telehealth.core.errors import Conflict, Forbidden, Gone


class NotByVideo(Conflict):
    """The appointment is in person."""

    code = "not-by-video"


class NotBooked(Conflict):
    """The appointment was cancelled, is only held, or is over."""

    code = "appointment-not-booked"


class RoomNotOpenYet(Conflict):
    """Too early; `time` says when to come back."""

    code = "room-not-open-yet"


class RoomOver(Gone):
    """The consultation has ended, or its time is over."""

    code = "room-over"


class NotInThisRoom(Forbidden):
    """Neither the patient, nor somebody who acts for them, nor their practitioner."""

    code = "not-in-this-room"


class JoinLinkGone(Gone):
    """The link was never ours, is too old, or belongs to another time."""

    code = "join-link-gone"
