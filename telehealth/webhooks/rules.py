"""Pure rules: what a body says and how it is signed, when to try again, which addresses may be called."""

import base64
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

LIFETIME = timedelta(days=3)
OVERLAP = timedelta(days=7)
KEPT_DELIVERED = timedelta(days=30)
KEPT_DEAD = timedelta(days=90)
LONGEST_URL = 500
LEASE = timedelta(minutes=2)
_WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)  # seconds
_PREFIX = "whsec_"

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many tries: from seconds to eight hours."""
    return timedelta(seconds=_WAITS[min(attempts, len(_WAITS)) - 1])


def written_secret(raw: bytes) -> str:
    """Return a secret as people copy it (Standard Webhooks: `whsec_` and base64)."""
    return _PREFIX + base64.b64encode(raw).decode()


def body_of(event: str, sequence: int, subject: UUID, data: Mapping[str, Any], at: datetime) -> bytes:
    """Return what is sent: what happened to which record and when, and nobody's name."""
    said = {
        "type": event,
        "timestamp": at.isoformat(),
        "sequence": sequence,
        "data": {"id": str(subject), **data},
    }
    return json.dumps(said, separators=(",", ":")).encode()


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, as Standard Webhooks signs."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{identifier}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers(secrets: Iterable[str], identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery; during a rotation each valid secret signs."""
    signatures = [signature(secret, identifier, timestamp, body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


@dataclass(frozen=True, slots=True)
class Target:
    """Where a delivery goes, read from its address."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Self | None":
        """Return the parts of an http or https address, or None of anything else."""
        if len(url) > LONGEST_URL or not url.isascii() or any(ord(char) <= 32 for char in url):
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            return None
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(secure, parts.hostname, port or (443 if secure else 80), path)

    @property
    def authority(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reach:
    """Which machines may be called: any in the open internet by https, and the networks that are allowed.

    Without it whoever may name an address could make us call any machine of ours (OWASP ASVS 5.0 1.3.6).
    """

    networks: Sequence[Network] = ()

    def allows(self, address: Address, *, secure: bool) -> bool:
        """Tell whether an address may be called."""
        plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
        if any(plain in network for network in self.networks):
            return True
        return secure and plain.is_global and not plain.is_multicast

    def allowed(self, target: Target, addresses: Iterable[str]) -> str | None:
        """Return the address to call of those that a name stands for; None when any of them may not be."""
        found = [ip_address(address) for address in addresses]
        if not found or not all(self.allows(address, secure=target.secure) for address in found):
            return None
        return str(found[0])
