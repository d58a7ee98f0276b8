"""Who invites to a visit: who may change the appointment. The resource is its AppointmentScope."""

from telehealth.booking.policies import RECEPTION, AppointmentScope
from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role


def _changes_it(principal: Principal, resource: AppointmentScope | None) -> bool:
    if resource is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return principal.acts_for(resource.patient_id, "booking.book")
    return principal.holds_at(resource.facility_id, *RECEPTION)


RULES: Rules = {
    "invitation.change": Rule(frozenset({Role.PATIENT, Role.GUARDIAN}) | RECEPTION, _changes_it),
}
