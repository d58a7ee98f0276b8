"""Who may look after a facility's webhooks. The resource is the facility's id."""

from collections.abc import Mapping

from telehealth.core.permit import Rule, at_facility
from telehealth.core.principal import Role

RULES: Mapping[str, Rule] = {
    "webhook.read": at_facility(Role.FACILITY_ADMIN, Role.INTEGRATOR),
    "webhook.change": at_facility(Role.FACILITY_ADMIN, Role.INTEGRATOR),
}
