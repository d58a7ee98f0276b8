"""Who may delegate and take back. The resource is the delegation."""

from typing import Any

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


def _its_people(principal: Principal, delegation: Any) -> bool:
    """Tell whether it was given for the principal's people, or to them, or is known to their desk."""
    if delegation is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return delegation.patient_id in principal.patient_ids or delegation.account_id == principal.id
    return any(principal.holds_at(place, *_RECEPTION) for place in delegation.known_at)


RULES: Rules = {
    "delegation.list": Rule(_FAMILY | _RECEPTION),
    "delegation.give": Rule(_FAMILY | _RECEPTION),
    "delegation.revoke": Rule(_FAMILY | _RECEPTION, _its_people),
}
