"""Who may have an address for their calendar."""

from collections.abc import Mapping

from telehealth.core.permit import Rule
from telehealth.core.principal import Role

RULES: Mapping[str, Rule] = {"calendar.manage": Rule(frozenset({Role.PATIENT}))}
