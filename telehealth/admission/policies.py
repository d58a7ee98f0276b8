"""Who waits, and who says which releases have a waiting room."""

from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "admission.wait": Rule(frozenset({Role.PATIENT, Role.GUARDIAN})),
    "admission.arrange": at_facility(Role.FACILITY_ADMIN),
}
