"""Who may administer. The resource is a facility's id."""

from collections.abc import Mapping
from uuid import UUID

from telehealth.core.permit import Rule
from telehealth.core.principal import Principal, Role


def _own(principal: Principal, facility_id: UUID | None) -> bool:
    return facility_id is not None and facility_id in principal.facilities(Role.FACILITY_ADMIN)


RULES: Mapping[str, Rule] = {
    "administration.enter": Rule(frozenset({Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER})),
    "administration.trail": Rule(frozenset({Role.FACILITY_ADMIN}), _own),
    "administration.province": Rule(frozenset({Role.PROVINCE_OFFICER})),
}
