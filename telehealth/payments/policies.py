"""Who may see and settle payments. The resource is a facility's id, or an appointment's scope."""

from telehealth.booking.policies import RECEPTION
from telehealth.booking.policies import RULES as BOOKING
from telehealth.core.permit import Rule, Rules, at_facility
from telehealth.core.principal import Role

RULES: Rules = {
    "payments.read": Rule(BOOKING["booking.read"].roles, BOOKING["booking.read"].when),
    "payments.settle": at_facility(*RECEPTION),
    "payments.configure": at_facility(Role.FACILITY_ADMIN),
}
