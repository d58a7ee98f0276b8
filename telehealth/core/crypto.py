"""Field encryption: AES-256-GCM values and a keyed blind index to find them again.

A sealed value is `0x01 | key id (1 byte) | nonce (12) | ciphertext and tag`. The context (table,
column and row id) is authenticated, so that a value copied to another row does not open
(trust.md 15; NIST SP 800-38D). Keys of values and of indexes are separate and derived per
context with HKDF (RFC 5869).
"""

import base64
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TICKET_TOKEN = b"ticket.public_token"
_VERSION = 1
_NONCE = 12


class CannotOpen(Exception):
    """The value was sealed with another key, for another row, or was changed."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose (HKDF-SHA256)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)


@dataclass(frozen=True, slots=True)
class FieldCipher:
    """Seals, opens and indexes. `keys` maps a key id (1-255) to 32 bytes; the highest seals.

    `given_ticket_key`: on a node, the centre's key of the addresses on slips, so that both write the same.
    """

    keys: Mapping[int, bytes]
    index_key: bytes
    given_ticket_key: bytes | None = None

    @classmethod
    def parse(cls, keys: str, index_key: str) -> Self:
        """Read `1:<base64>,2:<base64>` and a base64 index key. Raises ValueError."""
        parsed = {}
        for item in keys.split(","):
            key_id, _, encoded = item.strip().partition(":")
            parsed[int(key_id)] = base64.b64decode(encoded, validate=True)
        index = base64.b64decode(index_key, validate=True)
        if any(len(key) != 32 for key in [*parsed.values(), index]) or not parsed:
            msg = "field keys are 32 bytes each"
            raise ValueError(msg)
        return cls(keys=parsed, index_key=index)

    @property
    def ticket_key(self) -> bytes:
        """Return the key of the addresses on slips: whoever has it can write those, and open nothing."""
        return self.given_ticket_key or _index_key(self.index_key, TICKET_TOKEN)

    def ticket_token(self, ticket_id: bytes) -> bytes:
        """Return the 16 bytes of a ticket's address."""
        return hmac.digest(self.ticket_key, ticket_id, "sha256")[:16]

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt for one row's column."""
        key_id = max(self.keys)
        nonce = os.urandom(_NONCE)
        return bytes((_VERSION, key_id)) + nonce + _aead(self.keys[key_id]).encrypt(nonce, plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises CannotOpen."""
        version, key_id, nonce, body = sealed[0], sealed[1], sealed[2 : 2 + _NONCE], sealed[2 + _NONCE :]
        key = self.keys.get(key_id)
        if version != _VERSION or key is None:
            raise CannotOpen
        try:
            return _aead(key).decrypt(nonce, body, context)
        except InvalidTag as error:
            raise CannotOpen from error

    def index(self, value: bytes, context: bytes) -> bytes:
        """Return the 16-byte blind index of a normalised value for one column."""
        return hmac.digest(_index_key(self.index_key, context), value, "sha256")[:16]

    def seal_text(self, value: str | None, context: str) -> bytes | None:
        """Encrypt text; nothing stays nothing."""
        return None if value is None else self.seal(value.encode(), context.encode())

    def open_text(self, sealed: bytes | None, context: str) -> str | None:
        """Decrypt text; nothing stays nothing. Raises CannotOpen."""
        return None if sealed is None else self.open(bytes(sealed), context.encode()).decode()

    def index_text(self, value: str, context: str) -> bytes:
        """Return the blind index of normalised text, for example `patient_identifier.cccd`."""
        return self.index(value.encode(), context.encode())


def token_hash(token: str) -> bytes:
    """Return what is stored of a bearer capability of 128 bits and more (ASVS 6.5.2)."""
    return sha256(token.encode()).digest()


@lru_cache(maxsize=64)
def _aead(key: bytes) -> AESGCM:
    return AESGCM(key)


@lru_cache(maxsize=64)
def _index_key(index_key: bytes, context: bytes) -> bytes:
    return derive_key(index_key, "index:" + context.decode())
