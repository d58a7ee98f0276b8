"""Who closes sessions and works on their lists. The resource is a facility's id; None is the province."""

from uuid import UUID

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Principal, Role

_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


def _there_or_province(principal: Principal, facility_id: UUID | None) -> bool:
    if facility_id is None:
        return principal.has(Role.PROVINCE_OFFICER)
    return principal.holds_at(facility_id, *_RECEPTION)


RULES: Rules = {
    "closures.enter": Rule(_RECEPTION | {Role.PROVINCE_OFFICER}),
    "closures.open": Rule(_RECEPTION | {Role.PROVINCE_OFFICER}, _there_or_province),
    "closures.open-all": Rule(
        frozenset({Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER}),
        lambda principal, facility_id: (
            principal.has(Role.PROVINCE_OFFICER)
            if facility_id is None
            else principal.holds_at(facility_id, Role.FACILITY_ADMIN)
        ),
    ),
    "closures.read": Rule(_RECEPTION | {Role.PROVINCE_OFFICER}, _there_or_province),
    "closures.call": at_facility(*_RECEPTION),
    "closures.province": Rule(frozenset({Role.PROVINCE_OFFICER})),
}
