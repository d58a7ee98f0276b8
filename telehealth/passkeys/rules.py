"""Where passkeys can be used, and how often they may be tried."""

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from telehealth.accounts.rules import Limit

CHALLENGE_LIFETIME = timedelta(minutes=5)
MOST = 10
LONGEST_NAME = 60


def relying_party(base_url: str) -> str | None:
    """Return the name that passkeys are bound to, or None where browsers refuse: no HTTPS, or no name."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host == "localhost":
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if parts.scheme == "https" and host else None
    return None


def challenge_limits(address: str) -> tuple[Limit, ...]:
    """Return the limits on beginning to sign in, for one address."""
    return (Limit(f"passkey:address:10m:{address}", 120, 600),)
