"""Who may see and change people."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule
from telehealth.core.principal import Principal, PrincipalKind, Role


@dataclass(frozen=True, slots=True)
class PatientScope:
    """What the rules need to know of a person: who it is and which facilities know them."""

    patient_id: UUID
    facility_ids: frozenset[UUID] = frozenset()


_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})
_CARE = _RECEPTION | {Role.PRACTITIONER, Role.INTEGRATOR}


def _own_or_known(principal: Principal, resource: PatientScope | None) -> bool:
    if resource is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return resource.patient_id in principal.patient_ids
    return bool(principal.facilities(*_CARE) & resource.facility_ids)


def _own_or_received(principal: Principal, resource: PatientScope | None) -> bool:
    if resource is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return resource.patient_id in principal.patient_ids
    return bool(principal.facilities(*_RECEPTION) & resource.facility_ids)


RULES: Mapping[str, Rule] = {
    "patient.list": Rule(_FAMILY),
    "patient.register": Rule(_FAMILY | _RECEPTION),
    "patient.read": Rule(_FAMILY | _CARE, _own_or_known),
    "patient.change": Rule(_FAMILY | _RECEPTION, _own_or_received),
    "patient.trail": Rule(_FAMILY | {Role.FACILITY_ADMIN}, _own_or_known),
    "patient.leave": Rule(_FAMILY, _own_or_known),
}
