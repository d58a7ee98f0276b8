"""Who may see and settle missed appointments."""

from telehealth.booking.policies import AppointmentScope
from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role
from telehealth.patients.policies import PatientScope

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


def _of_their_people(principal: Principal, patient: PatientScope | None) -> bool:
    if patient is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return patient.patient_id in principal.patient_ids
    return any(principal.holds_at(facility_id, *_RECEPTION) for facility_id in patient.facility_ids)


def _there(principal: Principal, appointment: AppointmentScope | None) -> bool:
    return appointment is not None and principal.holds_at(appointment.facility_id, *_RECEPTION)


def _theirs_or_there(principal: Principal, appointment: AppointmentScope | None) -> bool:
    if appointment is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return appointment.patient_id in principal.patient_ids
    return _there(principal, appointment)


RULES: Rules = {
    "attendance.mine": Rule(_FAMILY),
    "attendance.read": Rule(_FAMILY | _RECEPTION, _of_their_people),
    "attendance.excuse": Rule(_RECEPTION, _there),
    "attendance.confirm": Rule(_FAMILY | _RECEPTION, _theirs_or_there),
}
