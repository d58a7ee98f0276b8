"""What the package asks of its host's cryptography: no address or parameter is stored in clear."""

from typing import Protocol


class Sealer(Protocol):
    """Authenticated encryption plus a keyed blind index.

    `context` is bound to the result: opening with another context fails, and equal values have
    different indexes under different contexts.
    """

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises an exception when `sealed` was changed or belongs to another context."""
        ...

    def index(self, value: bytes, context: bytes) -> bytes: ...


RECIPIENT = b"notifications.recipient"
PARAMS = b"notifications.params"
ADDRESS = b"notifications.address"
TOKEN = b"notifications.token"
ZALO_PERSON = b"notifications.zalo_person"
ZALO_EVENT = b"notifications.zalo_event"
SUBSCRIPTION = b"notifications.subscription"
ENDPOINT = b"notifications.endpoint"
