"""Who may wait, and who may act for those who do."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, PrincipalKind, Role

_FAMILY = frozenset({Role.PATIENT, Role.GUARDIAN})
RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


@dataclass(frozen=True, slots=True)
class EntryScope:
    """What the rules need to know of an entry."""

    patient_id: UUID
    facility_id: UUID | None
    desk_id: UUID | None


def _theirs(principal: Principal, entry: EntryScope | None) -> bool:
    """The family's own; staff where it is waited for, or where it was put on the list."""
    if entry is None:
        return False
    if principal.kind is PrincipalKind.PATIENT:
        return entry.patient_id in principal.patient_ids
    places = (entry.facility_id, entry.desk_id)
    return any(principal.holds_at(place, *RECEPTION) for place in places)


def _there(principal: Principal, facility_id: UUID | None) -> bool:
    return principal.holds_at(facility_id, *RECEPTION)


RULES: Rules = {
    "waitlist.join": Rule(_FAMILY | RECEPTION),
    "waitlist.list": Rule(_FAMILY | RECEPTION),
    "waitlist.line": Rule(RECEPTION, _there),
    "waitlist.read": Rule(_FAMILY | RECEPTION, _theirs),
    "waitlist.answer": Rule(_FAMILY | RECEPTION, _theirs),
    "waitlist.leave": Rule(_FAMILY | RECEPTION, _theirs),
}
