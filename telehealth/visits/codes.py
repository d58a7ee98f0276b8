"""The code systems of visits, which rules and pages speak too."""

from enum import StrEnum


class EventKind(StrEnum):
    """What moves a visit on, as the hospital's system or a button says it."""

    TESTS_ORDERED = "tests-ordered"
    PAID = "paid"
    PERFORMED = "performed"
    RESULT_READY = "result-ready"
    PRESCRIBED = "prescribed"
    DISCHARGED = "discharged"


class Category(StrEnum):
    """What an order asks for (FHIR ServiceRequest.category, the part that has a place to go to)."""

    LABORATORY = "laboratory"
    IMAGING = "imaging"


class Coverage(StrEnum):
    """Who pays, as far as the path needs to know."""

    INSURED = "insured"
    SELF_PAY = "self-pay"


class TestsFirst(StrEnum):
    """Which of several tests comes first."""

    SHORTEST = "shortest"
    LABORATORY = "laboratory-first"
    IMAGING = "imaging-first"


class ResultsAt(StrEnum):
    """Where results go: to the room by the system, or the person fetches them at a desk."""

    ROOM = "room"
    DESK = "desk"


class EventState(StrEnum):
    """What became of an event. `pending`: it does not fit yet, is kept, and stands in the worklist."""

    APPLIED = "applied"
    PENDING = "pending"
    DISMISSED = "dismissed"


class Unfit(StrEnum):
    """Why an event does not fit yet."""

    UNKNOWN_VISIT = "unknown-visit"
    VISIT_OVER = "visit-over"
    UNKNOWN_ORDER = "unknown-order"
    ORDER_OF_ANOTHER = "order-of-another"
    NOTHING_TO_PAY = "nothing-to-pay"


class EndReason(StrEnum):
    """How a visit ended."""

    COMPLETE = "complete"
    DESK = "desk"
    DAY_OVER = "day-over"
