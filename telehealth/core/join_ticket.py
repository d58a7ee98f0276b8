"""The JoinTicket: the one thing that opens a room.

Web issues it, realtime checks it; nothing else passes between them through the browser. It is signed with
HMAC-SHA256 under a key that serves this purpose only, lives for minutes, and is bound to one room, one role
and one participant. The display name rides inside it because the realtime process reads no patient table.

Text form: ``v1.<base64url of compact JSON>.<base64url of the MAC over "v1.<payload>">``.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from telehealth.core.crypto import derive_key

VERSION = "v1"
LIFETIME = timedelta(minutes=2)
CLOCK_SKEW = timedelta(seconds=30)
MAX_TEXT = 2048
MAX_NAME = 120


class ParticipantRole(StrEnum):
    """What a person is in a room; it decides the seat, the politeness and what they may do."""

    PATIENT = "patient"
    GUARDIAN = "guardian"
    PRACTITIONER = "practitioner"


@dataclass(frozen=True, slots=True)
class JoinTicket:
    """One person's right to enter one room, once issued and not yet expired."""

    jti: UUID
    room_id: UUID
    participant_id: UUID
    role: ParticipantRole
    display_name: str
    issued_at: datetime
    expires_at: datetime


class TicketRefused(Exception):
    """The ticket does not open anything; `code` says why and is part of the protocol."""

    code: ClassVar[str]


class TicketMalformed(TicketRefused):
    """Not a ticket of a version we know."""

    code = "ticket-malformed"


class TicketForged(TicketRefused):
    """The signature does not fit."""

    code = "ticket-forged"


class TicketExpired(TicketRefused):
    """It was good once; the page has to ask for a new one."""

    code = "ticket-expired"


def signing_key(secret_key: str) -> bytes:
    """Derive the ticket key from the product's secret, so that no other signature can pass for a ticket."""
    return derive_key(secret_key.encode(), f"join-ticket:{VERSION}")


def issue(
    *,
    jti: UUID,
    room_id: UUID,
    participant_id: UUID,
    role: ParticipantRole,
    display_name: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> JoinTicket:
    """Make a ticket that is good from `now` for `lifetime`; the display name is cut to `MAX_NAME`."""
    issued_at = now.astimezone(UTC).replace(microsecond=0)
    return JoinTicket(
        jti=jti,
        room_id=room_id,
        participant_id=participant_id,
        role=role,
        display_name=display_name.strip()[:MAX_NAME],
        issued_at=issued_at,
        expires_at=issued_at + lifetime,
    )


def encode(ticket: JoinTicket, key: bytes) -> str:
    """Return the signed text form."""
    claims = {
        "jti": str(ticket.jti),
        "room": str(ticket.room_id),
        "sub": str(ticket.participant_id),
        "role": ticket.role.value,
        "name": ticket.display_name,
        "iat": int(ticket.issued_at.timestamp()),
        "exp": int(ticket.expires_at.timestamp()),
    }
    payload = _to_base64(json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{VERSION}.{payload}.{_to_base64(_mac(payload, key))}"


def decode(text: str, key: bytes) -> JoinTicket:
    """Return the ticket if it is genuine, whatever its age; see `check_time`.

    Raises TicketMalformed or TicketForged. The signature is compared in constant time and before
    anything inside is read.
    """
    payload, mac = _split(text)
    if not hmac.compare_digest(mac, _mac(payload, key)):
        raise TicketForged
    return _from_claims(payload)


def check_time(ticket: JoinTicket, now: datetime) -> None:
    """Raise TicketExpired outside the ticket's life; a start up to `CLOCK_SKEW` ahead is forgiven."""
    if not ticket.issued_at - CLOCK_SKEW <= now < ticket.expires_at:
        raise TicketExpired


def verify(text: str, key: bytes, now: datetime) -> JoinTicket:
    """Return a genuine ticket that is good at `now`; raise TicketRefused otherwise."""
    ticket = decode(text, key)
    check_time(ticket, now)
    return ticket


def _split(text: str) -> tuple[str, bytes]:
    if len(text) > MAX_TEXT or not text.isascii():
        raise TicketMalformed
    version, _, rest = text.partition(".")
    payload, _, mac = rest.partition(".")
    if version != VERSION or not payload:
        raise TicketMalformed
    return payload, _from_base64(mac)


def _from_claims(payload: str) -> JoinTicket:
    try:
        claims: dict[str, Any] = json.loads(_from_base64(payload))
        return JoinTicket(
            jti=UUID(claims["jti"]),
            room_id=UUID(claims["room"]),
            participant_id=UUID(claims["sub"]),
            role=ParticipantRole(claims["role"]),
            display_name=str(claims["name"]),
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise TicketMalformed from error


def _mac(payload: str, key: bytes) -> bytes:
    return hmac.digest(key, f"{VERSION}.{payload}".encode(), hashlib.sha256)


def _to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TicketMalformed from error
