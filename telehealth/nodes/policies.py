"""Who puts nodes into use, and who looks after what they settle. The resource is a facility's id."""

from telehealth.core.permit import Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "node.arrange": at_facility(Role.FACILITY_ADMIN),
    "node.watch": at_facility(Role.DESK, Role.FACILITY_ADMIN),
    "node.settle": at_facility(Role.DESK, Role.FACILITY_ADMIN),
}
