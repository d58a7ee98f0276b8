"""Identifiers: keys nobody guesses, names nobody mistypes."""

import secrets
from uuid import UUID, uuid4, uuid5

_NAMESPACE = UUID("6f1c1f0e-6d1b-5d0e-9a51-2f6a2b8f7c11")
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_id() -> UUID:
    """Return a fresh random identifier. It is a key, never a capability."""
    return uuid4()


def derived_id(*parts: object) -> UUID:
    """Return the identifier that these parts always give (uuid5)."""
    return uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts))


def new_secret() -> str:
    """Return an unguessable URL-safe capability of 192 bits."""
    return secrets.token_urlsafe(24)


def new_code(length: int) -> str:
    """Return a random code of letters and digits that are not mistaken for one another."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))
