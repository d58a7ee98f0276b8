"""Who may look for slots: everybody."""

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Role

RULES: Rules = {
    "scheduling.search": Rule(public=True),
    "scheduling.change": Rule(roles=frozenset({Role.FACILITY_ADMIN, Role.PROVINCE_OFFICER, Role.SYSTEM})),
}
