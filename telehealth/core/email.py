"""E-mail addresses, as far as a letter needs them."""

import re
import unicodedata

LONGEST = 254  # RFC 5321, 4.5.3.1.3
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)


def normalise_email(value: str) -> str | None:
    """Return an address in small letters, as it is written and found again, or None.

    Big and small letters before the @ could differ by the letter of RFC 5321; no provider does that.
    """
    candidate = unicodedata.normalize("NFKC", value).strip().lower()
    return candidate if len(candidate) <= LONGEST and _ADDRESS.fullmatch(candidate) else None


def masked_email(address: str) -> str:
    """Return an address by which its owner knows it: `l••••@example.org`."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}••••@{domain}"
