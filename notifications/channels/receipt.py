"""What a provider tells us after a send, as its webhook brings it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class BadReceipt(Exception):
    """Not a receipt: unsigned, wrongly signed, too old or unreadable. Answer 403 and keep nothing."""


class Told(StrEnum):
    """`CLAIMED`: an unsigned call says that the message did not arrive. It is kept, and moves nothing until
    the provider has been asked (`Confirming`)."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class Webhook:
    """One call as it came. `headers` have lower-case names; `url` is the public address that was called, with
    its query; `token` is the last part of the path where a provider's address has one."""

    headers: Mapping[str, str]
    body: bytes
    url: str
    token: str = ""


@dataclass(frozen=True)
class Receipt:
    """One event. `key` is our own key of the send, where the provider returns it; `raw` has no phone."""

    provider: str
    event_key: str
    told: Told
    key: UUID | None
    ref: str | None
    code: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A kept receipt that nobody has confirmed yet. `ref` is the reference that the call named, `recorded`
    the one that the provider gave us when we sent, if it did."""

    provider: str
    key: UUID | None
    ref: str
    recorded: str | None = None


_PHONE_FIELDS = frozenset({"To", "From", "phone", "recipient", "sender", "phonenumber"})


def without_phones(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _PHONE_FIELDS}


def key_of(text: str) -> UUID | None:
    """Our key, or None for what is none of ours."""
    try:
        return UUID(text)
    except ValueError:
        return None
