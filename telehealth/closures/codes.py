"""The code systems of closures."""

from enum import StrEnum


class ClosureKind(StrEnum):
    """Whose sessions close: a practitioner's, a facility's, or everybody's on a newly declared holiday."""

    PRACTITIONER = "practitioner"
    FACILITY = "facility"
    HOLIDAY = "holiday"


class ClosurePlan(StrEnum):
    """What is done for those who have a place: offer another, move at once, or cancel."""

    OFFER = "offer"
    MOVE = "move"
    CANCEL = "cancel"


class ClosureReason(StrEnum):
    """Why; patients are told no more than that the doctor is away or the place closed."""

    CALLED_AWAY = "called-away"
    SICK = "sick"
    DUTY = "duty"
    EQUIPMENT = "equipment"
    WEATHER = "weather"
    HOLIDAY = "holiday"
    OTHER = "other"


class ClosureState(StrEnum):
    """How far a closure has come."""

    RUNNING = "running"
    FINISHED = "finished"
    UNDOING = "undoing"
    UNDONE = "undone"


class ItemState(StrEnum):
    """What the service has done for one person. How they stand now is `Standing`."""

    WAITING = "waiting"
    OFFERED = "offered"
    TOLD = "told"
    MOVED = "moved"
    CANCELLED = "cancelled"
    SETTLED = "settled"
    STANDS = "stands"


class Standing(StrEnum):
    """How one person stands now: what was done, what they answered, what became of the appointment.

    `told`: no equivalent was found, they choose themselves. `settled`: another time, or seen, by other doors.
    `unreached`: the old time has passed without an answer. `stands`: the old time could be kept after all.
    """

    WAITING = "waiting"
    OFFERED = "offered"
    TOLD = "told"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    UNANSWERED = "unanswered"
    MOVED = "moved"
    CANCELLED = "cancelled"
    SETTLED = "settled"
    UNREACHED = "unreached"
    STANDS = "stands"


class Reach(StrEnum):
    """Whether the message has come to the person, as its delivery says."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    NO_PHONE = "no-phone"


class Equivalence(StrEnum):
    """How near another place is to the old one, the nearest first."""

    SAME_DAY = "same-day"
    SAME_DOCTOR = "same-doctor"
    SAME_FACILITY = "same-facility"
    ELSEWHERE = "elsewhere"


class CallOutcome(StrEnum):
    """What a person said on the telephone."""

    AGREED = "agreed"
    OTHER_TIME = "other-time"
    CANCELLED = "cancelled"
    NO_ANSWER = "no-answer"
