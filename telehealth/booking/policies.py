"""Who may book, see and change appointments."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})
_CARE = RECEPTION | {Role.PRACTITIONER}
_MACHINES = frozenset({Role.KIOSK, Role.INTEGRATOR})


@dataclass(frozen=True, slots=True)
class AppointmentScope:
    """What the rules need to know of an appointment."""

    facility_id: UUID
    patient_id: UUID | None = None
    account_id: UUID | None = None
    practitioner_id: UUID | None = None


def _own_or_there(principal: Principal, resource: AppointmentScope | None) -> bool:
    if resource is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return resource.patient_id in principal.patient_ids or resource.account_id == principal.id
    return resource.facility_id in principal.facilities(*_CARE, *_MACHINES)


def _there(principal: Principal, resource: AppointmentScope | None) -> bool:
    return resource is not None and resource.facility_id in principal.facilities(*_CARE)


RULES: Rules = {
    "booking.hold": Rule(_FAMILY | RECEPTION),
    "booking.book": Rule(_FAMILY | _CARE | {Role.INTEGRATOR}),
    "booking.list": Rule(_FAMILY | _CARE),
    "booking.day": Rule(_CARE, _there),
    "booking.read": Rule(_FAMILY | _CARE | _MACHINES, _own_or_there),
    "booking.cancel": Rule(_FAMILY | RECEPTION, _own_or_there),
    "booking.reschedule": Rule(_FAMILY | RECEPTION, _own_or_there),
    "booking.no_show": Rule(_CARE, _there),
    "booking.confirm_coverage": Rule(RECEPTION, _there),
}
