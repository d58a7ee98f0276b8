"""Who may give, call and follow numbers. The resource is a facility's id; web numbers ask for a person's."""

from uuid import UUID

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Principal, Role

_CALLERS = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)
_ISSUERS = (*_CALLERS, Role.KIOSK)


def _family(principal: Principal, patient_id: UUID | None) -> bool:
    return principal.acts_for(patient_id, "web-number.take")


RULES: Rules = {
    "queue.read": Rule(public=True),
    "queue.line": at_facility(*_CALLERS),
    "queue.call": at_facility(*_CALLERS),
    "queue.pause": at_facility(*_CALLERS),
    "queue.arrange": at_facility(Role.DESK, Role.FACILITY_ADMIN),
    "queue.configure": at_facility(Role.FACILITY_ADMIN),
    "ticket.priority": at_facility(*_CALLERS),
    "ticket.issue": at_facility(*_ISSUERS),
    "ticket.print": at_facility(*_ISSUERS),
    "ticket.step": at_facility(*_CALLERS),
    "lease.read": at_facility(*_CALLERS),
    "lease.settle": at_facility(Role.DESK, Role.FACILITY_ADMIN),
    "ticket.follow": Rule(public=True),
    "web-number.take": Rule(frozenset({Role.PATIENT, Role.GUARDIAN}), _family),
    "appointment.check-in": at_facility(*_ISSUERS),
    "clinic.use": at_facility(*_CALLERS),
    "staff-call.answer": at_facility(*_CALLERS),
}
