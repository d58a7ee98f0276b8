"""Who tells of transfers: one module each, by the name that the webhook's address carries.

A provider is `read(call, secret, now)`: it checks the signature and returns the incoming transfers.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from telehealth.payments.providers import sepay
from telehealth.payments.providers.call import Call, Incoming

PROVIDERS: Mapping[str, Callable[[Call, str, datetime], tuple[Incoming, ...]]] = {"sepay": sepay.read}
