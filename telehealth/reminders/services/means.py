"""What writing a message takes."""

from dataclasses import dataclass

from notifications import Outbox
from telehealth.core.crypto import FieldCipher


@dataclass(frozen=True, slots=True)
class Means:
    """The keys, the outbox, and the address that links begin with."""

    cipher: FieldCipher
    outbox: Outbox
    base_url: str
