"""Who may do what with accounts."""

from collections.abc import Mapping
from uuid import UUID

from telehealth.core.permit import Rule
from telehealth.core.principal import Principal, Role

_PEOPLE = frozenset({Role.PATIENT, Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER})
_STAFF = _PEOPLE - {Role.PATIENT}
_EVERYONE = frozenset(Role) - {Role.SYSTEM}


def _at_own_facility(principal: Principal, facility_id: UUID | None) -> bool:
    return facility_id is not None and facility_id in principal.facilities(Role.FACILITY_ADMIN)


RULES: Mapping[str, Rule] = {
    "session.end": Rule(_EVERYONE),
    "session.list-own": Rule(_PEOPLE),
    "account.change-own": Rule(_STAFF),
    "staff.list": Rule(frozenset({Role.FACILITY_ADMIN}), _at_own_facility),
    "staff.change": Rule(frozenset({Role.FACILITY_ADMIN}), _at_own_facility),
    "device.list": Rule(frozenset({Role.FACILITY_ADMIN}), _at_own_facility),
    "device.change": Rule(frozenset({Role.FACILITY_ADMIN}), _at_own_facility),
}
