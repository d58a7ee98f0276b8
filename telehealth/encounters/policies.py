"""Who may read and write a visit."""

from typing import Any

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Principal, Role


def works_there(principal: Principal, facility_id: Any) -> bool:
    """Tell whether the practitioner works at the visit's facility."""
    return principal.has(Role.PRACTITIONER, facility_id)


RULES: Rules = {
    "encounter.note": Rule(frozenset({Role.PRACTITIONER}), works_there),
}
