"""Who may have messages in the browser."""

from collections.abc import Mapping

from telehealth.core.permit import Rule
from telehealth.core.principal import Role

RULES: Mapping[str, Rule] = {"push.subscribe": Rule(frozenset({Role.PATIENT}))}
