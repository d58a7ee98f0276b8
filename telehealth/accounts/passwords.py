"""Password hashes: argon2id, few at a time so that a storm of sign-ins cannot eat the memory.

46 MiB, one pass, one lane: the first setting of the OWASP Password Storage Cheat Sheet, about a
third of the time of RFC 9106's second one, on cores that also serve pages.
"""

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from telehealth.accounts.rules import clean_password
from telehealth.core.errors import Unavailable

_AT_ONCE = 2
_PATIENCE_SECONDS = 5.0

_hasher = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
_slots = threading.BoundedSemaphore(_AT_ONCE)


def hash_password(password: str) -> str:
    """Return the argon2id hash. Raises Unavailable when too many wait."""
    with _Slot():
        return _hasher.hash(clean_password(password))


def matches(stored: str | None, password: str) -> bool:
    """Tell whether a password fits; without a stored hash the same work is done for nothing."""
    with _Slot():
        try:
            _hasher.verify(stored or _nobodys_hash(), clean_password(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


class _Slot:
    def __enter__(self) -> None:
        if not _slots.acquire(timeout=_PATIENCE_SECONDS):
            raise Unavailable

    def __exit__(self, *_exc: object) -> None:
        _slots.release()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash("a password that nobody has")
