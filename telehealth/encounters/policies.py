"""Who may read and write a visit."""

from telehealth.core.permit import Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "encounter.note": at_facility(Role.PRACTITIONER),
}
