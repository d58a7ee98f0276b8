"""What the operators' page may refuse."""

from telehealth.core.errors import Conflict, NotFound, Unprocessable


class NotDeadAnyMore(Conflict):
    """Somebody was first: it has been sent again, laid to rest, or forgotten."""

    code = "message-not-dead"


class MessageOutdated(Conflict):
    """What it says is not true any more, or its time is over."""

    code = "message-outdated"


class ProviderUnknown(NotFound):
    """No provider of that name is at work here."""

    code = "provider-unknown"


class TextUnknown(NotFound):
    """There is no such text."""

    code = "text-unknown"


class ReasonMissing(Unprocessable):
    """Whoever changes a provider says why."""

    code = "reason-missing"


class NothingToLookFor(Unprocessable):
    """Neither a booking code nor a phone."""

    code = "nothing-to-look-for"
