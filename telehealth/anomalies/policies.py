"""Who oversees bookings: a facility's administrator there, the province everywhere (resource None)."""

from uuid import UUID

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, Role


def _oversees(principal: Principal, facility_id: UUID | None) -> bool:
    if facility_id is None:
        return principal.has(Role.PROVINCE_OFFICER)
    return principal.has(Role.PROVINCE_OFFICER) or principal.holds_at(facility_id, Role.FACILITY_ADMIN)


RULES: Rules = {
    "identity-limits.change": Rule(frozenset({Role.PROVINCE_OFFICER})),
    "anomalies.read": Rule(frozenset({Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER}), _oversees),
}
