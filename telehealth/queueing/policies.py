"""Who may give, call and follow numbers. The resource is a facility's id."""

from typing import Any

from telehealth.core.permit import Relation, Rule, Rules
from telehealth.core.principal import Principal, Role

_CALLERS = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
_ISSUERS = (*_CALLERS, Role.KIOSK)


def _there(*roles: Role) -> Relation:
    def works_there(principal: Principal, facility_id: Any) -> bool:
        return any(principal.has(role, facility_id) for role in roles)

    return works_there


def _at_facility(*roles: Role) -> Rule:
    return Rule(frozenset(roles), _there(*roles))


RULES: Rules = {
    "queue.read": Rule(public=True),
    "queue.line": _at_facility(*_CALLERS),
    "queue.call": _at_facility(*_CALLERS),
    "ticket.issue": _at_facility(*_ISSUERS),
    "ticket.print": _at_facility(*_ISSUERS),
    "ticket.step": _at_facility(*_CALLERS),
    "ticket.follow": Rule(public=True),
    "appointment.check-in": _at_facility(*_ISSUERS),
    "kiosk.use": _at_facility(Role.KIOSK),
    "clinic.use": _at_facility(*_CALLERS),
    "staff-call.answer": _at_facility(*_CALLERS),
}
