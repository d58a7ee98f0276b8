"""Who looks after the messages: the province's own people, over all its facilities."""

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Role

_OPERATORS = frozenset({Role.PROVINCE_OFFICER})

RULES: Rules = {
    "messages.watch": Rule(_OPERATORS),
    "messages.operate": Rule(_OPERATORS),
    "messages.trace": Rule(_OPERATORS),
}
