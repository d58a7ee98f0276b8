"""Who works at a desk. The resource is the facility's id."""

from collections.abc import Mapping
from uuid import UUID

from telehealth.core.permit import Rule
from telehealth.core.principal import Principal, Role

RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


def _here(principal: Principal, facility_id: UUID | None) -> bool:
    return facility_id is not None and facility_id in principal.facilities(*RECEPTION)


RULES: Mapping[str, Rule] = {
    "desk.enter": Rule(RECEPTION),
    "desk.use": Rule(RECEPTION, _here),
}
