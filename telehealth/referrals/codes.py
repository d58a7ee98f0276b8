"""The code systems of service requests. FHIR ServiceRequest (R4) where it has one."""

from enum import StrEnum


class RequestKind(StrEnum):
    """What paper it is: phiếu chuyển cơ sở KCB, or phiếu hẹn khám lại."""

    REFERRAL = "referral"
    REEXAMINATION = "reexamination"


class RequestStatus(StrEnum):
    """FHIR RequestStatus. `on-hold`: deferred, because there was no time to book."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    REVOKED = "revoked"
    ENTERED_IN_ERROR = "entered-in-error"


OPEN = frozenset({RequestStatus.DRAFT, RequestStatus.ACTIVE, RequestStatus.ON_HOLD})


class RequestPriority(StrEnum):
    """FHIR RequestPriority; `stat` goes to the emergency room and is not booked."""

    ROUTINE = "routine"
    URGENT = "urgent"
    ASAP = "asap"


class RequestOrigin(StrEnum):
    """Whether the slip was made here, or is a paper that somebody typed in."""

    ISSUED = "issued"
    PAPER = "paper"


class OwnerRole(StrEnum):
    """Who must act on an open request, at the owner's facility (the province has none)."""

    DESK = "desk"
    FACILITY_ADMIN = "facility-admin"
    PROVINCE = "province-officer"


class DateDecision(StrEnum):
    """What staff said of a day other than the paper's."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class EventKind(StrEnum):
    """What happened to a request."""

    ISSUED = "issued"
    ENTERED = "entered"
    PRESENTED = "presented"
    BOOKED = "booked"
    RELEASED = "released"
    DEFERRED = "deferred"
    ESCALATED = "escalated"
    REMINDED = "reminded"
    LAPSED = "lapsed"
    RETURNED = "returned"
    HANDED_OVER = "handed-over"
    REVOKED = "revoked"
    DATE_ACCEPTED = "date-accepted"
    DATE_REFUSED = "date-refused"
    COMPLETED = "completed"
