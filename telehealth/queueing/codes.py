"""The code systems of queues, which rules and pages speak too."""

from enum import StrEnum


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    DONE = "done"
    MISSED = "missed"
    CANCELLED = "cancelled"


class PriorityClass(StrEnum):
    """Law on Medical Examination and Treatment 15/2023, article 3(2)."""

    NONE = "none"
    UNDER_6 = "under-6"
    PREGNANT = "pregnant"
    DISABILITY = "disability"
    AGED_75 = "aged-75"
    MERIT = "merit"


class PriorityBasis(StrEnum):
    """Why a class was set: said by the person, computed, or seen by a member of staff."""

    DECLARED = "declared"
    BIRTH_DATE = "birth-date"
    DOCUMENT = "document"
    SEEN = "seen"


class PauseReason(StrEnum):
    """Why nobody is called for a while."""

    BREAK = "break"
    EMERGENCY = "emergency"
    MEETING = "meeting"
    EQUIPMENT = "equipment"
    OTHER = "other"


class Purpose(StrEnum):
    """What a person who takes a number came for, as the kiosk's first page asks."""

    APPOINTMENT = "appointment"
    REEXAMINATION = "reexamination"
    INSURED = "insured"
    SELF_PAY = "self-pay"
    FAMILY = "family"
    FOREIGNER = "foreigner"
    OTHER = "other"


class PrintStatus(StrEnum):
    """What became of the slip; a number stands whether or not paper came out."""

    UNPRINTED = "unprinted"
    PRINTED = "printed"
    FAILED = "failed"


class BoardEventKind(StrEnum):
    """What a board is told: a number called, or called by mistake; one that did not come, one that is back;
    that an area is arranged anew.
    """

    CALLED = "called"
    WITHDRAWN = "withdrawn"
    MISSED = "missed"
    RETURNED = "returned"
    AREA = "area"


class StaffCallKind(StrEnum):
    """Why a kiosk calls for people."""

    EMERGENCY = "emergency"
    HELP = "help"
    PRINTER = "printer"


class LeaseholderKind(StrEnum):
    """Who gives out numbers of a lease: a kiosk in a cut, a hospital's node, the desk from a printed list."""

    KIOSK = "kiosk"
    NODE = "node"
    PAPER = "paper"


class LeaseEnd(StrEnum):
    """Who said what became of a lease: its holder, or the desk for it."""

    RETURNED = "returned"
    ENTERED = "entered"


class HandedInReason(StrEnum):
    """Why a number that was given out is for the desk to look at."""

    OUTSIDE_LEASE = "outside-lease"
    NUMBER_TAKEN = "number-taken"
    PRESS_REUSED = "press-reused"
    DEVICE_REVOKED = "device-revoked"
    APPOINTMENT_UNCLEAR = "appointment-unclear"


class NumberFate(StrEnum):
    """What became of a number of the day's counter. Elsewhere: on a node, one that was never lent to it."""

    ISSUED = "issued"
    LEASED = "leased"
    UNUSED = "unused"
    SPOILT = "spoilt"
    HANDED_IN = "handed-in"
    OWED = "owed"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"
