"""Sealing a message for one browser (RFC 8291): push services carry what they cannot read."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPusher

from notifications.channels.base import Subscription


def encrypted(body: bytes, to: Subscription) -> bytes:
    """The body for this browser alone, by aes128gcm; its keys must be `usable`."""
    keys = {"p256dh": to.p256dh, "auth": to.auth}
    return bytes(WebPusher({"endpoint": to.endpoint, "keys": keys}).encode(body)["body"])


def usable(p256dh: str, auth: str) -> bool:
    """Whether these are a point of P-256 and a secret of 16 bytes, in base64url."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(p256dh))
        return len(decoded(auth)) == 16
    except ValueError:
        return False


def decoded(text: str) -> bytes:
    """Base64url, padded or not. Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
