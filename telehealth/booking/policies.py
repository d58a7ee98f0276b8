"""Who may book, see and change appointments."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role
from telehealth.scheduling.codes import Channel

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})
CARE = RECEPTION | {Role.PRACTITIONER}
_MACHINES = frozenset({Role.KIOSK, Role.INTEGRATOR})


@dataclass(frozen=True, slots=True)
class AppointmentScope:
    """What the rules need to know of an appointment."""

    facility_id: UUID
    patient_id: UUID | None = None
    account_id: UUID | None = None
    practitioner_id: UUID | None = None


def _family_or(action: str, *roles: Role) -> Rule:
    """The family, whom the patient lets do this action, and who has one of the roles at the facility.

    Where a patient is set, acting for the patient decides; the account only while nobody is named.
    """

    def own_or_there(principal: Principal, resource: AppointmentScope | None) -> bool:
        if resource is None:
            return False
        if principal.kind is not PrincipalKind.PATIENT:
            return principal.holds_at(resource.facility_id, *roles)
        if resource.patient_id is not None:
            return principal.acts_for(resource.patient_id, action)
        return resource.account_id is not None and resource.account_id == principal.id

    return Rule(_FAMILY | set(roles), own_or_there)


def _there(*roles: Role) -> Rule:
    def works_there(principal: Principal, resource: AppointmentScope | None) -> bool:
        return resource is not None and principal.holds_at(resource.facility_id, *roles)

    return Rule(frozenset(roles), works_there)


_CHANNELS = {
    PrincipalKind.PATIENT: Channel.ONLINE,
    PrincipalKind.STAFF: Channel.DESK,
    PrincipalKind.KIOSK: Channel.KIOSK,
    PrincipalKind.INTEGRATOR: Channel.REFERRAL,
}


def channel_of(principal: Principal) -> Channel:
    """Return the door that a principal comes by over the API."""
    return _CHANNELS[principal.kind]


def _reception_or_their_own(principal: Principal, resource: AppointmentScope | None) -> bool:
    if resource is None:
        return False
    if principal.holds_at(resource.facility_id, *RECEPTION):
        return True
    return (
        principal.holds_at(resource.facility_id, Role.PRACTITIONER)
        and principal.practitioner_id is not None
        and principal.practitioner_id == resource.practitioner_id
    )


_OVERBOOK = Rule(CARE, _reception_or_their_own)


def may_overbook(principal: Principal, scope: AppointmentScope) -> bool:
    """Tell whether somebody may book beside those who have a slot, or against a rule, and say why."""
    return principal.has_any(_OVERBOOK.roles) and _OVERBOOK.when(principal, scope)


RULES: Rules = {
    "booking.hold": Rule(_FAMILY | RECEPTION | {Role.INTEGRATOR}),
    "booking.book": Rule(_FAMILY | CARE | {Role.INTEGRATOR}),
    "booking.overbook": _OVERBOOK,
    "booking.list": Rule(_FAMILY | CARE | {Role.INTEGRATOR}),
    "booking.day": _there(*CARE, Role.INTEGRATOR),
    "booking.read": _family_or("booking.read", *CARE, *_MACHINES),
    "booking.cancel": _family_or("booking.cancel", *RECEPTION, Role.INTEGRATOR),
    "booking.reschedule": _family_or("booking.reschedule", *RECEPTION, Role.INTEGRATOR),
    "booking.confirm": _family_or("booking.confirm"),
    "booking.offer": _there(*RECEPTION),
    "booking.no_show": _there(*CARE),
    "booking.confirm_coverage": _there(*RECEPTION),
    "series.book": _there(*CARE),
    "series.read": _family_or("booking.read", *CARE),
    "series.change": _there(*CARE),
}
