"""What turning messages on may refuse."""

from telehealth.core.errors import Unavailable, Unprocessable


class NoPush(Unavailable):
    """This installation has no key for signing push messages."""

    code = "no-push"


class UnknownPushService(Unprocessable):
    """The browser's address for messages is not one of a push service we know."""

    code = "unknown-push-service"
