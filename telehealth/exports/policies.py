"""Who may take lists along. The resource is the facility's id."""

from collections.abc import Mapping

from telehealth.core.permit import Rule, at_facility
from telehealth.core.principal import Role

RULES: Mapping[str, Rule] = {
    "export.enter": Rule(frozenset({Role.DESK, Role.FACILITY_ADMIN})),
    "export.appointments": at_facility(Role.DESK, Role.FACILITY_ADMIN, Role.INTEGRATOR),
    "export.sessions": at_facility(Role.DESK, Role.FACILITY_ADMIN, Role.INTEGRATOR),
    "export.queues": at_facility(Role.DESK, Role.FACILITY_ADMIN, Role.INTEGRATOR),
    "export.rosters": at_facility(Role.FACILITY_ADMIN, Role.INTEGRATOR),
}
