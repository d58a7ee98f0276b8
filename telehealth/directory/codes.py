"""The directory's code systems, which other features speak too."""

from enum import StrEnum


class CareLevel(StrEnum):
    """Law on Medical Examination and Treatment 15/2023, article 104."""

    INITIAL = "initial"
    BASIC = "basic"
    SPECIALISED = "specialised"


class FacilityKind(StrEnum):
    """What sort of facility."""

    HOSPITAL = "hospital"
    CENTRE = "centre"
    STATION = "station"


class Modality(StrEnum):
    """How patient and practitioner meet."""

    IN_PERSON = "in-person"
    VIDEO = "video"


class ServicePointKind(StrEnum):
    """What people do at a point; `clinic` is the roster's room."""

    REGISTRATION = "registration"
    CLINIC = "clinic"
    CASHIER = "cashier"
    SAMPLING = "sampling"
    IMAGING = "imaging"
    RESULTS = "results"
    PHARMACY = "pharmacy"
    EMERGENCY = "emergency"
