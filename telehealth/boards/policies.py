"""Who arranges boards, watches a hall and reads its figures. The resource is a facility's id."""

from telehealth.core.permit import Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "board.arrange": at_facility(Role.FACILITY_ADMIN),
    "hall.watch": at_facility(Role.DESK, Role.FACILITY_ADMIN),
    "hall.figures": at_facility(Role.DESK, Role.FACILITY_ADMIN),
}
