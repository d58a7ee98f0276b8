"""The kinds of message, what each may say, how urgent it is and which channels it tries in which order."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LANGUAGES = ("vi", "en")
CHANNELS = ("zalo", "sms", "email", "push", "call-list", "zalo-chat")

# The order that is tried; each falls back to the next that the person has.
_ELECTRONIC = ("zalo", "sms", "email")
# What somebody must hear of in any case ends on the list of those to be telephoned.
_CERTAIN = (*_ELECTRONIC, "call-list")


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
    """`params` are all the words a message of this kind may carry: none names a person or an illness.

    `copies`: channels that get a second copy, beside the first that is accepted. `mutable`: people may switch
    it off, and it stops when the budget is used up. `at_night`: may arrive between 21:00 and 07:00.
    """

    name: str
    params: frozenset[str]
    channels: tuple[str, ...] = _ELECTRONIC
    priority: int = Priority.NORMAL
    doubt: Doubt = Doubt.OTHER_CHANNEL
    copies: tuple[str, ...] = ("push",)
    mutable: bool = False
    at_night: bool = True

    @property
    def urgent(self) -> bool:
        return self.priority == Priority.URGENT


def _code(name: str) -> Kind:
    """A code by SMS reaches every phone in seconds; Zalo first would cost those without it the wait.

    E-mail is for those who have no telephone here.
    """
    return Kind(name, frozenset({"code", "minutes"}), ("sms", "zalo", "email"), Priority.OTP, copies=())


def _told(name: str, params: str) -> Kind:
    """The answer to what somebody has just done."""
    return Kind(name, frozenset(params.split()))


def _reminder(name: str, params: str) -> Kind:
    return Kind(name, frozenset(params.split()), priority=Priority.REMINDER, mutable=True, at_night=False)


def _urgent(name: str, params: str, channels: tuple[str, ...] = _CERTAIN) -> Kind:
    return Kind(name, frozenset(params.split()), channels, Priority.URGENT)


def _reply(name: str, params: str = "") -> Kind:
    """An answer in the conversation that somebody has begun; better none than two."""
    return Kind(
        name, frozenset(params.split()), ("zalo-chat",), doubt=Doubt.KEEP_SILENT, copies=(), mutable=False
    )


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _code("otp"),
        _code("staff-reset"),
        _told("appointment-booked", "facility time date code link"),
        _told("series-booked", "facility number time date code link"),
        _reminder("appointment-reminder-day", "facility time date code link"),
        _reminder("appointment-reminder-hours", "facility time date code link"),
        _urgent("appointment-cancelled", "facility time date code"),
        _urgent("appointment-moved", "facility time date code link"),
        Kind("appointment-offer", frozenset({"facility", "time", "date", "code", "link"}), at_night=False),
        # The waitlist decides when to offer: at night only what begins early next morning.
        _urgent("waitlist-offer", "facility time date until link", _ELECTRONIC),
        _urgent("visit-confirm", "facility time date until link"),
        _urgent("deposit-due", "facility time date link"),
        Kind("visit-missed", frozenset({"facility", "time", "date", "link"}), at_night=False),
        _urgent("appointment-disrupted", "facility time date code link"),
        _urgent("appointment-replacement", "facility time date code link"),
        _told("appointment-stands", "facility time date code link"),
        _told("delegation-given", "date link"),
        Kind("guardianship-ends", frozenset({"date", "link"}), at_night=False),
        _told("visit-invitation", "facility time date link"),
        _urgent("visit-invitation-moved", "facility time date link", _ELECTRONIC),
        _urgent("visit-invitation-cancelled", "facility time date", _ELECTRONIC),
        Kind("turn-near", frozenset({"facility", "number", "room"}), priority=Priority.URGENT, mutable=True),
        Kind(
            "leave-home-now",
            frozenset({"facility", "number", "room"}),
            priority=Priority.URGENT,
            mutable=True,
        ),
        _urgent("ticket-slip", "facility number room link", _ELECTRONIC),
        Kind("zalo-link", frozenset({"code", "minutes"}), ("sms",), Priority.OTP, copies=()),
        _reply("chat-help", "link"),
        _reply("chat-share", "link"),
        _reply("chat-code"),
        _reply("chat-code-wrong"),
        _reply("chat-linked"),
        _reply("chat-stopped", "link"),
        _reply("chat-resumed"),
        _urgent("video-join", "facility time date link", _ELECTRONIC),
        Kind(
            "operator-alarm",
            frozenset({"name", "since", "link"}),
            ("sms", "email", "zalo"),
            Priority.URGENT,
            copies=(),
        ),
    )
}
# A code opens something for some minutes only: whoever still wants it asks for another.
CODES = frozenset(kind.name for kind in KINDS.values() if kind.priority == Priority.OTP)
