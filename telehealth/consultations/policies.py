"""Who may enter and end a consultation. The resource is the consultation."""

from typing import Any

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, Role

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})


def is_its_practitioner(principal: Principal, consultation: Any) -> bool:
    """Tell whether this is the practitioner the patient booked."""
    return principal.practitioner_id is not None and (
        principal.practitioner_id == consultation.practitioner_id
    )


def takes_part(principal: Principal, consultation: Any) -> bool:
    """Tell whether the principal is the practitioner, the patient, or acts for the patient."""
    return is_its_practitioner(principal, consultation) or principal.acts_for(
        consultation.patient_id, "room.join"
    )


RULES: Rules = {
    "room.join": Rule(_FAMILY | {Role.PRACTITIONER}, takes_part),
    "room.end": Rule(frozenset({Role.PRACTITIONER}), is_its_practitioner),
}
