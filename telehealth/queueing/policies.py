"""Who may give, call and follow numbers. The resource is a facility's id."""

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Role

_CALLERS = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
_ISSUERS = (*_CALLERS, Role.KIOSK)


RULES: Rules = {
    "queue.read": Rule(public=True),
    "queue.line": at_facility(*_CALLERS),
    "queue.call": at_facility(*_CALLERS),
    "ticket.issue": at_facility(*_ISSUERS),
    "ticket.print": at_facility(*_ISSUERS),
    "ticket.step": at_facility(*_CALLERS),
    "ticket.follow": Rule(public=True),
    "appointment.check-in": at_facility(*_ISSUERS),
    "clinic.use": at_facility(*_CALLERS),
    "staff-call.answer": at_facility(*_CALLERS),
}
