"""Only a desk that knows both records makes them one. The resource is the facility's id."""

from telehealth.core.permit import Rules, at_facility
from telehealth.core.principal import Role

_RECEPTION = (Role.DESK, Role.FACILITY_ADMIN)

RULES: Rules = {
    "identity.doubles": at_facility(*_RECEPTION),
    "identity.merge": at_facility(*_RECEPTION),
}
