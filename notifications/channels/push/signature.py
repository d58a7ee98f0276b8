"""Voluntary application server identification (RFC 8292): who we are, signed for one service at a time."""

import base64
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from notifications.channels.push.encryption import decoded

# Services refuse what is valid for more than a day; half of it leaves room for clocks that differ.
_VALID = timedelta(hours=12)
_RENEWED = timedelta(hours=6)


class BadKey(ValueError):
    """Not a private key of the curve P-256."""


class Signer:
    """`private_key`: 32 bytes in base64url; `subject`: a mailto: or https: address of the operator."""

    def __init__(self, private_key: str, subject: str) -> None:
        self._vapid = Vapid02(_parsed(private_key))
        point = self._vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        # What browsers subscribe under, in base64url.
        self.public_key = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        self._subject = subject
        self._signed: dict[str, tuple[datetime, str]] = {}

    def authorization(self, address: str, now: datetime) -> str:
        """The Authorization header for an address; one signature serves a service for hours."""
        parts = urlsplit(address)
        audience = f"{parts.scheme}://{parts.netloc}"
        signed = self._signed.get(audience)
        if signed is None or not timedelta() <= now - signed[0] < _RENEWED:
            claims = {"aud": audience, "sub": self._subject, "exp": int((now + _VALID).timestamp())}
            signed = (now, str(self._vapid.sign(claims)["Authorization"]))
            self._signed[audience] = signed
        return signed[1]


def _parsed(private_key: str) -> ec.EllipticCurvePrivateKey:
    try:
        raw = decoded(private_key)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise BadKey("a VAPID private key is 32 bytes in base64url")
    try:
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    except ValueError as error:
        raise BadKey("not a private key of P-256") from error
