"""Who may see and move visits. The resource is the facility's id."""

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Role

_STAFF = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
_DESK = (Role.DESK, Role.FACILITY_ADMIN)

RULES: Rules = {
    "visit.read": at_facility(*_STAFF),
    "visit.follow": Rule(public=True),
    "visit.move": at_facility(*_STAFF),
    "visit.tell": at_facility(*_STAFF, Role.INTEGRATOR),
    "visit.repair": at_facility(*_DESK),
    "visit-event.settle": at_facility(*_DESK),
    "visit-path.change": at_facility(Role.FACILITY_ADMIN),
}
