"""Who works at a desk. The resource is the facility's id."""

from collections.abc import Mapping

from telehealth.core.permit import Rule, at_facility
from telehealth.core.principal import Role

RECEPTION = frozenset({Role.DESK, Role.FACILITY_ADMIN})


RULES: Mapping[str, Rule] = {
    "desk.enter": Rule(RECEPTION),
    "desk.use": at_facility(*RECEPTION),
}
