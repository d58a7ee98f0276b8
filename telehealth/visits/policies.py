"""Who may see and move visits. The resource is the facility's id."""

from uuid import UUID

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Principal, Role

_STAFF = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
_DESK = (Role.DESK, Role.FACILITY_ADMIN)


def _tells_of(principal: Principal, facility_id: UUID | None) -> bool:
    """Staff of the facility, and its own system: one of the whole province has no patients of its own."""
    own = facility_id in principal.facilities(Role.INTEGRATOR)
    return own or principal.holds_at(facility_id, *_STAFF)


RULES: Rules = {
    "visit.read": at_facility(*_STAFF),
    "visit.follow": Rule(public=True),
    "visit.move": at_facility(*_STAFF),
    "visit.tell": Rule(frozenset({*_STAFF, Role.INTEGRATOR}), _tells_of),
    "visit.repair": at_facility(*_DESK),
    "visit-event.settle": at_facility(*_DESK),
    "visit-path.change": at_facility(Role.FACILITY_ADMIN),
}
