"""The same key gives the same answer, and does the thing once (IETF draft idempotency-key-header).

Only what succeeded is remembered: a refusal rolls everything back, and a retry is a new try.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from telehealth.booking.errors import BadKey, KeyReused
from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import Principal

KEPT = timedelta(days=7)
_FORGET = """DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency WHERE created_at < %s
     ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED))"""
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_REMEMBER = "SELECT * FROM remember_request(%s, %s, %s, %s, %s)"
_STORE = """UPDATE idempotency SET status = %(status)s, response_sealed = %(sealed)s
WHERE principal = %(principal)s AND route = %(route)s AND key = %(key)s"""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One write request of one principal, by the key its sender chose."""

    principal: str
    route: str
    key: str
    request_hash: bytes

    @classmethod
    def of(cls, principal: Principal, route: str, key: str, body: bytes) -> "RequestKey":
        """Return the key of a request. Raises BadKey."""
        if not _KEY.fullmatch(key):
            raise BadKey
        return cls(f"{principal.kind}:{principal.id}", route, key, sha256(body).digest())

    @property
    def context(self) -> str:
        """Return what the stored answer is sealed for."""
        return f"idempotency.response_sealed:{self.principal}:{self.route}:{self.key}"


def remember(session: Session, key: RequestKey, *, now: datetime, cipher: FieldCipher) -> bytes | None:
    """Return None for a new key, the stored answer for a known one. Raises KeyReused.

    Waits for a request with the same key that is under way.
    """
    found = (
        session.connection()
        .exec_driver_sql(_REMEMBER, (key.principal, key.route, key.key, key.request_hash, now))
        .one()
    )
    if found.fresh:
        return None
    return replayed(key, found.request_hash, found.response_sealed, cipher)


def replayed(key: RequestKey, request_hash: bytes, sealed: bytes, cipher: FieldCipher) -> bytes:
    """Return the stored answer of the same request. Raises KeyReused for another."""
    if bytes(request_hash) != key.request_hash:
        raise KeyReused
    return cipher.open(bytes(sealed), key.context.encode())


def store(session: Session, key: RequestKey, *, status: int, answer: bytes, cipher: FieldCipher) -> None:
    """Keep the answer with the key, sealed."""
    session.connection().exec_driver_sql(
        _STORE,
        {
            "status": status,
            "sealed": cipher.seal(answer, key.context.encode()),
            "principal": key.principal,
            "route": key.route,
            "key": key.key,
        },
    )


def forget(session: Session, *, now: datetime, limit: int = 5000) -> int:
    """Delete answers that nobody asks for again, the oldest first; return how many."""
    return session.connection().exec_driver_sql(_FORGET, (now - KEPT, limit)).rowcount
