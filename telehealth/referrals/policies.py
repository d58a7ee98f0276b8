"""Who may make, see, use and see to a slip."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Principal, PrincipalKind, Role

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
_RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})
_CARE = _RECEPTION | {Role.PRACTITIONER}
_PROVINCE = frozenset({Role.PROVINCE_OFFICER})


@dataclass(frozen=True, slots=True)
class RequestScope:
    """What the rules need to know of a request: whose it is, and which facilities have to do with it.

    `entered_by`: the account that typed a paper in.
    """

    patient_ids: frozenset[UUID]
    facility_ids: frozenset[UUID]
    requester_id: UUID | None = None
    entered_by: UUID | None = None


def _family_or_there(principal: Principal, resource: RequestScope | None) -> bool:
    if resource is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return bool(resource.patient_ids & principal.patient_ids)
    return _there(principal, resource)


def _there(principal: Principal, resource: RequestScope | None) -> bool:
    return resource is not None and any(principal.holds_at(place, *_CARE) for place in resource.facility_ids)


def _who_made_it(principal: Principal, resource: RequestScope | None) -> bool:
    """The facility that wrote the slip, or whoever typed the paper in."""
    if resource is None:
        return False
    if resource.requester_id is not None:
        return principal.holds_at(resource.requester_id, *_CARE)
    if principal.kind is PrincipalKind.PATIENT:
        return resource.entered_by is not None and resource.entered_by == principal.id
    return _there(principal, resource)


RULES: Rules = {
    "referral.issue": at_facility(Role.PRACTITIONER),
    "referral.list": Rule(_FAMILY | _CARE),
    "referral.read": Rule(_FAMILY | _CARE, _family_or_there),
    "referral.book": Rule(_FAMILY | _CARE, _family_or_there),
    "referral.defer": Rule(_FAMILY | _CARE, _family_or_there),
    "referral.return": Rule(_CARE, _there),
    "referral.revoke": Rule(_FAMILY | _CARE, _who_made_it),
    "referral.watch": Rule(_PROVINCE),
    "referral.hand_over": Rule(_PROVINCE),
    "referral.rules": Rule(_CARE | _PROVINCE),
    "slip.enter": Rule(_FAMILY | _CARE),
    "slip.decide": Rule(_CARE, _there),
}
