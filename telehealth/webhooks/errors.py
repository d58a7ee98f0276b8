"""Why a subscription cannot be."""

from telehealth.core.errors import Conflict, NotFound, PreconditionFailed, Unprocessable


class SubscriptionUnknown(NotFound):
    """No such subscription that this caller may see."""

    code = "webhook-unknown"


class SubscriptionEnded(Conflict):
    """It is over; a new one is made instead."""

    code = "webhook-ended"


class TargetRefused(Unprocessable):
    """The address is none that we may call."""

    code = "webhook-target-refused"


class SubscriptionChanged(PreconditionFailed):
    """Somebody changed it meanwhile."""

    code = "stale-version"
