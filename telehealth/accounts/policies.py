"""Who may do what with accounts."""

from collections.abc import Mapping

from telehealth.core.permit import Rule, at_facility
from telehealth.core.principal import Role

_PEOPLE = frozenset({Role.PATIENT, Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER})
_STAFF = _PEOPLE - {Role.PATIENT}
_EVERYONE = frozenset(Role) - {Role.SYSTEM}


RULES: Mapping[str, Rule] = {
    "session.end": Rule(_EVERYONE, scoped=False),
    "session.list-own": Rule(_PEOPLE),
    "session.prove": Rule(frozenset({Role.PATIENT})),
    "account.change-own": Rule(_STAFF),
    "staff.list": at_facility(Role.FACILITY_ADMIN),
    "staff.change": at_facility(Role.FACILITY_ADMIN),
    "device.list": at_facility(Role.FACILITY_ADMIN),
    "device.change": at_facility(Role.FACILITY_ADMIN),
}
