"""What inviting may refuse."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class InviteeUnknown(NotFound):
    """No such invitation, or not one of this appointment."""

    code = "invitee-unknown"


class OnlyVideo(Conflict):
    """Only to a video visit that is still to come somebody is invited."""

    code = "invitation-only-video"


class TooManyInvitees(Conflict):
    """More than fit into one conversation."""

    code = "too-many-invitees"


class BadInvitee(Unprocessable):
    """Something about the invited person cannot be right."""

    code = "bad-invitee"
