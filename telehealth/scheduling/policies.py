"""Who may look for slots, and who sees and changes a schedule (the resource is its facility's id)."""

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Role
from telehealth.scheduling.codes import ExceptionKind

DESK_DAYS_AHEAD = 28
"""A desk changes days up to so many ahead; the administrator any."""

DESK_KINDS = frozenset({ExceptionKind.LEAVE, ExceptionKind.CLOSED, ExceptionKind.EXTRA})

_RECEPTION = (Role.DESK, Role.FACILITY_ADMIN)

RULES: Rules = {
    "scheduling.search": Rule(public=True),
    "schedule.enter": Rule(frozenset(_RECEPTION)),
    "schedule.read": at_facility(*_RECEPTION),
    "schedule.adjust": at_facility(*_RECEPTION),
    "schedule.change": at_facility(Role.FACILITY_ADMIN),
    "schedule.import": at_facility(Role.FACILITY_ADMIN, Role.INTEGRATOR),
}
