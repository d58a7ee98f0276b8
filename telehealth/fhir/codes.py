"""What the facade serves and by which parameters: the router and the CapabilityStatement read this."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """The resource types of the facade."""

    ORGANIZATION = "Organization"
    LOCATION = "Location"
    HEALTHCARE_SERVICE = "HealthcareService"
    PRACTITIONER = "Practitioner"
    PRACTITIONER_ROLE = "PractitionerRole"
    PATIENT = "Patient"
    SCHEDULE = "Schedule"
    SLOT = "Slot"
    APPOINTMENT = "Appointment"


DIRECTORY = (
    Kind.ORGANIZATION,
    Kind.LOCATION,
    Kind.HEALTHCARE_SERVICE,
    Kind.PRACTITIONER,
    Kind.PRACTITIONER_ROLE,
    Kind.SCHEDULE,
    Kind.SLOT,
)
"""What everybody may read, as the public directory and the free slots are."""

SEARCH: Mapping[Kind, Mapping[str, str]] = {
    Kind.ORGANIZATION: {"_id": "token", "identifier": "token", "name": "string"},
    Kind.LOCATION: {"_id": "token", "identifier": "token", "name": "string", "organization": "reference"},
    Kind.HEALTHCARE_SERVICE: {
        "_id": "token",
        "service-type": "token",
        "organization": "reference",
        "location": "reference",
    },
    Kind.PRACTITIONER: {"_id": "token", "identifier": "token", "name": "string"},
    Kind.PRACTITIONER_ROLE: {
        "_id": "token",
        "practitioner": "reference",
        "organization": "reference",
        "specialty": "token",
    },
    Kind.PATIENT: {"_id": "token", "identifier": "token"},
    Kind.SCHEDULE: {"_id": "token", "actor": "reference", "date": "date", "service-type": "token"},
    Kind.SLOT: {
        "schedule": "reference",
        "start": "date",
        "status": "token",
        "service-type": "token",
        "schedule.actor": "reference",
        "appointment-type": "token",
    },
    Kind.APPOINTMENT: {
        "_id": "token",
        "identifier": "token",
        "patient": "reference",
        "practitioner": "reference",
        "location": "reference",
        "actor": "reference",
        "date": "date",
        "status": "token",
        "_lastUpdated": "date",
    },
}
PAGING = frozenset({"_count", "_cursor", "_format", "lang"})

FIND = frozenset(
    {
        "start",
        "end",
        "specialty",
        "visit-type",
        "practitioner",
        "organization",
        "location-reference",
        "patient-reference",
        "modality",
    }
)


class SlotStatus(StrEnum):
    """FHIR SlotStatus, as far as a ledger of claims can tell."""

    FREE = "free"
    BUSY = "busy"
    TENTATIVE = "busy-tentative"
    UNAVAILABLE = "busy-unavailable"
