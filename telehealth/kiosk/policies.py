"""Who may use a kiosk, and who reads what people say there. The resource is a facility's id."""

from telehealth.core.permit import Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "kiosk.use": at_facility(Role.KIOSK),
    "feedback.give": at_facility(Role.KIOSK),
    "feedback.read": at_facility(Role.DESK, Role.FACILITY_ADMIN),
}
