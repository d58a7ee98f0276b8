"""The kinds of message, what each may say, how urgent it is and which channels it tries in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LANGUAGES = ("vi", "en")
CHANNELS = ("zalo", "sms")


class Priority:
    """Smaller goes first."""

    OTP = 0
    URGENT = 1
    NORMAL = 3
    REMINDER = 5


class Doubt(StrEnum):
    """What to do when nobody can say whether a message was sent, and the provider can be neither asked nor
    trusted to drop a second copy."""

    OTHER_CHANNEL = "other_channel"
    KEEP_SILENT = "keep_silent"


@dataclass(frozen=True)
class Kind:
    """`params` are all the words a message of this kind may carry: none names a person or an illness."""

    name: str
    params: frozenset[str]
    channels: tuple[str, ...] = CHANNELS
    priority: int = Priority.NORMAL
    doubt: Doubt = Doubt.OTHER_CHANNEL


def _kind(
    name: str, params: str, channels: tuple[str, ...] = CHANNELS, priority: int = Priority.NORMAL
) -> Kind:
    return Kind(name, frozenset(params.split()), channels, priority)


# A code by SMS reaches every phone in seconds; Zalo first would cost those without it the wait for the SMS.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("otp", "code minutes", ("sms", "zalo"), Priority.OTP),
        _kind("staff-reset", "code minutes", ("sms", "zalo"), Priority.OTP),
        _kind("appointment-booked", "facility time date code link"),
        _kind("appointment-reminder-day", "facility time date code link", priority=Priority.REMINDER),
        _kind("appointment-reminder-hours", "facility time date code link", priority=Priority.REMINDER),
        _kind("appointment-cancelled", "facility time date code", priority=Priority.URGENT),
        _kind("appointment-moved", "facility time date code link", priority=Priority.URGENT),
        _kind("turn-near", "facility number room", priority=Priority.URGENT),
        _kind("video-join", "facility time date link", priority=Priority.URGENT),
    )
}
