"""The code systems of booking, which other features speak too."""

from enum import StrEnum


class AppointmentStatus(StrEnum):
    """FHIR AppointmentStatus, with `held` (FHIR pending) and `expired` for holds."""

    HELD = "held"
    EXPIRED = "expired"
    BOOKED = "booked"
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NOSHOW = "noshow"


class CoverageBasis(StrEnum):
    """On what ground the patient expects insurance to pay; the product never computes it."""

    REGISTERED_HERE = "registered-here"
    REFERRAL_SLIP = "referral-slip"
    REEXAMINATION_SLIP = "reexamination-slip"
    LISTED_DISEASE = "listed-disease"
    EMERGENCY = "emergency"
    TEMPORARY_RESIDENCE = "temporary-residence"
    ELSEWHERE = "elsewhere"
    NONE = "none"


class CancelReason(StrEnum):
    """Why an appointment was given up (e-RS keeps such codes per role)."""

    PATIENT = "patient"
    PATIENT_BETTER = "patient-better"
    PATIENT_ELSEWHERE = "patient-elsewhere"
    PATIENT_NO_TRANSPORT = "patient-no-transport"
    PRACTITIONER_AWAY = "practitioner-away"
    FACILITY = "facility"
    ENTERED_IN_ERROR = "entered-in-error"
    NOT_CONFIRMED = "not-confirmed"
    DEPOSIT_UNPAID = "deposit-unpaid"


class OfferState(StrEnum):
    """What became of another time that the hospital offered."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class PriceClass(StrEnum):
    """Which of a service's prices applies; the product shows it and computes nothing."""

    INSURED = "insured"
    SELF = "self"
    ON_REQUEST = "on_request"
    AFTER_HOURS = "after_hours"


class RestrictionGrade(StrEnum):
    """What missed appointments lead to, in order; never anything for emergency care or walking in."""

    NOTED = "noted"
    MUST_CONFIRM = "must-confirm"
    DESK_ONLY = "desk-only"
