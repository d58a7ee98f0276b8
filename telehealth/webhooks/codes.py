"""The code systems of webhooks."""

from enum import StrEnum


class Event(StrEnum):
    """What a hospital's system may hear of. The database's triggers write these."""

    BOOKED = "appointment.booked"
    MOVED = "appointment.moved"
    CANCELLED = "appointment.cancelled"
    ARRIVED = "appointment.arrived"
    FULFILLED = "appointment.fulfilled"
    NOSHOW = "appointment.noshow"
    SESSION_CLOSED = "session.closed"
    SESSION_OPENED = "session.opened"


TEST = "webhook.test"


class SubscriptionState(StrEnum):
    """A paused one keeps collecting; an ended one is over."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class DeliveryState(StrEnum):
    """Whether a delivery is still to be sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
