"""Who may see and change people."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule
from telehealth.core.principal import Principal, PrincipalKind, Role
from telehealth.patients.errors import BadPatient


@dataclass(frozen=True, slots=True)
class PatientScope:
    """What the rules need to know of a person: who it is and which facilities know them."""

    patient_id: UUID
    facility_ids: frozenset[UUID] = frozenset()


_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})
_CARE = _RECEPTION | {Role.PRACTITIONER, Role.INTEGRATOR}


def _family_or(*roles: Role) -> Rule:
    """The family, and who has one of the roles at a facility that knows the person."""

    def own_or_known(principal: Principal, resource: PatientScope | None) -> bool:
        if resource is None:
            return False
        if principal.kind is PrincipalKind.PATIENT:
            return resource.patient_id in principal.patient_ids
        return any(principal.holds_at(place, *roles) for place in resource.facility_ids)

    return Rule(_FAMILY | set(roles), own_or_known)


RULES: Mapping[str, Rule] = {
    "patient.list": Rule(_FAMILY),
    "patient.register": Rule(_FAMILY | _RECEPTION),
    "patient.take-over": Rule(_FAMILY),
    "patient.read": _family_or(*_CARE),
    "patient.change": _family_or(*_RECEPTION),
    "patient.trail": _family_or(Role.FACILITY_ADMIN),
    "patient.leave": _family_or(),
}


def registering_facility(principal: Principal, named: UUID | None) -> UUID | None:
    """Return the facility that knows whom the principal registers; None for a family's own people.

    Who receives people at several facilities names one. Raises BadPatient.
    """
    if principal.kind is PrincipalKind.STAFF and named is None:
        own = principal.facilities(*_RECEPTION)
        if len(own) != 1:
            raise BadPatient({"facility_id": ["patients-facility-missing"]})
        return next(iter(own))
    if named is not None and not principal.holds_at(named, *_RECEPTION):
        raise BadPatient({"facility_id": ["patients-facility-wrong"]})
    return named
