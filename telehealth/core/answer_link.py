"""Answer links: short signed addresses by which people answer a message without signing in.

Text form: a letter for the purpose, then 24 bytes in base64url: the id of what is answered (16) and the
first 8 bytes of an HMAC-SHA256 (RFC 2104) over purpose, id and the instant that it is about. 33 characters,
since a short message has room for a link of 60. Nothing is stored: a link to an appointment that has moved
bears another instant, and so answers no more.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Self
from uuid import UUID

from telehealth.core.crypto import derive_key


class Purpose(StrEnum):
    """What a link answers; the value is the last part of the address that its button posts to."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    ON_MY_WAY = "on-my-way"
    ACCEPT_OFFER = "accept-offer"
    DECLINE_OFFER = "decline-offer"
    MESSAGES = "messages"
    VISIT = "visit"  # of an invitee, about the instant of inviting: the page always tells how things stand
    PLACE = "place"
    LEAVE_WAITLIST = "leave-waitlist"


TOKEN_LENGTH = 33
_ID_BYTES, _MAC_BYTES = 16, 8
_LETTERS = {
    Purpose.CONFIRM: "c",
    Purpose.CANCEL: "x",
    Purpose.ON_MY_WAY: "w",
    Purpose.ACCEPT_OFFER: "o",
    Purpose.DECLINE_OFFER: "d",
    Purpose.MESSAGES: "m",
    Purpose.VISIT: "v",
    Purpose.PLACE: "p",
    Purpose.LEAVE_WAITLIST: "l",
}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}
LETTERS = "".join(_PURPOSES)


def letters(*purposes: Purpose) -> str:
    """Return the letters that tokens of these purposes begin with."""
    return "".join(_LETTERS[purpose] for purpose in purposes)


@dataclass(frozen=True, slots=True)
class AnswerLink:
    """A token taken apart. It proves nothing until `AnswerLinks.signed` has said so."""

    purpose: Purpose
    subject: UUID
    mac: bytes

    @classmethod
    def parse(cls, token: str) -> Self | None:
        """Return the parts of a token, or None for what has not its one form."""
        purpose = _PURPOSES.get(token[:1])
        if purpose is None or len(token) != TOKEN_LENGTH or not token.isascii():
            return None
        try:
            raw = base64.b64decode(token[1:], altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        return cls(purpose, UUID(bytes=raw[:_ID_BYTES]), raw[_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class AnswerLinks:
    """Writes links, and tells ours from others."""

    base_url: str
    key: bytes

    @classmethod
    def of(cls, secret_key: str, base_url: str) -> Self:
        """Return the writer whose key comes from the product's secret and serves this purpose only."""
        return cls(base_url, _signing_key(secret_key))

    def token(self, purpose: Purpose, subject: UUID, about: datetime) -> str:
        """Return the token that answers `subject` (an appointment or an offer) as it is at `about`.

        `about` is the appointment's start, or the offer's expiry.
        """
        signed = subject.bytes + self._mac(purpose, subject, about)
        return _LETTERS[purpose] + base64.urlsafe_b64encode(signed).decode()

    def address(self, purpose: Purpose, subject: UUID, about: datetime) -> str:
        """Return the whole address, for a message."""
        return f"{self.base_url}/j/{self.token(purpose, subject, about)}"

    def signed(self, link: AnswerLink, about: datetime) -> bool:
        """Tell, in constant time, whether we wrote the link about that instant."""
        return hmac.compare_digest(link.mac, self._mac(link.purpose, link.subject, about))

    def _mac(self, purpose: Purpose, subject: UUID, about: datetime) -> bytes:
        text = f"{_LETTERS[purpose]}|{subject.hex}|{int(about.timestamp())}"
        return hmac.digest(self.key, text.encode(), hashlib.sha256)[:_MAC_BYTES]


@lru_cache(maxsize=4)
def _signing_key(secret_key: str) -> bytes:
    return derive_key(secret_key.encode(), "answer-link:v1")
