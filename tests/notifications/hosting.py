"""What a host application gives the package: its cryptography, and here a policy in a hurry."""

import hmac
import os
from datetime import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from notifications.policy import Policy

QUICK = Policy(
    lease=4.0,
    timeout=2.0,
    safety=0.1,
    grace=0.4,
    doubt_hold=0.4,
    urgent_doubt_hold=0.4,
    retry_base=0.05,
    threads=8,
    quiet_from=time.max,
    quiet_to=time.min,
)


class OwnSealer:
    """What a host's cryptography does, in ten lines."""

    def __init__(self) -> None:
        self._aead = AESGCM(b"k" * 32)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        return self._aead.decrypt(bytes(sealed[:12]), bytes(sealed[12:]), context)

    def index(self, value: bytes, context: bytes) -> bytes:
        return hmac.digest(b"i" * 32, context + b"\0" + value, "sha256")
