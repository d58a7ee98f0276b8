"""The code systems of the kiosk."""

from enum import StrEnum


class FeedbackTopic(StrEnum):
    """What people say something about."""

    WAITING = "waiting"
    ATTITUDE = "attitude"
    PROCEDURE = "procedure"
    PRICE = "price"
    CLEANLINESS = "cleanliness"
    OTHER = "other"


class FeedbackKind(StrEnum):
    """Whether somebody only says it or wants an answer."""

    FEEDBACK = "feedback"
    COMPLAINT = "complaint"
