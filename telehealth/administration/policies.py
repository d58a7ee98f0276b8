"""Who may administer. The resource is a facility's id."""

from collections.abc import Mapping

from telehealth.core.permit import Rule, at_facility
from telehealth.core.principal import Role

RULES: Mapping[str, Rule] = {
    "administration.enter": Rule(frozenset({Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER})),
    "administration.trail": at_facility(Role.FACILITY_ADMIN),
    "administration.province": Rule(frozenset({Role.PROVINCE_OFFICER})),
}
