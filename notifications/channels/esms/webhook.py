"""eSMS's callbacks: an unsigned GET whose only proof is the secret in the address that we gave it."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook, without_phones

STATUS_FIELDS = ("SendStatus", "SendSuccess", "SendFailed")

_MAC_BYTES = 16
_SENT, _REFUSED = 5, 4


class CallbackToken:
    """A secret for each send that no table has to hold: our key, and its MAC under the account's secret."""

    def __init__(self, secret_key: str) -> None:
        self._secret = secret_key.encode()

    def issue(self, key: UUID) -> str:
        return urlsafe_b64encode(key.bytes + self._mac(key)).decode().rstrip("=")

    def key(self, token: str) -> UUID:
        """The key that a token was issued for. Raises BadReceipt."""
        try:
            content = urlsafe_b64decode(token.encode("ascii") + b"==")
            key = UUID(bytes=content[:16])
        except ValueError:
            raise BadReceipt("the address has no token") from None
        if not hmac.compare_digest(content[16:], self._mac(key)):
            raise BadReceipt("the token is wrong")
        return key

    def _mac(self, key: UUID) -> bytes:
        return hmac.digest(self._secret, b"esms callback" + key.bytes, "sha256")[:_MAC_BYTES]


def status_receipts(webhook: Webhook, tokens: CallbackToken) -> list[Receipt]:
    """Good news is believed by the token; bad news is only a claim until eSMS has been asked."""
    key = tokens.key(webhook.token)
    fields = dict(parse_qsl(urlsplit(webhook.url).query, keep_blank_values=True))
    if fields.get("RequestId") not in {None, "", str(key)}:
        raise BadReceipt("the token belongs to another message")
    ref = fields.get("SMSID")
    told = told_by(fields)
    if not ref or told is None:
        return []
    believed = Told.CLAIMED if told is Told.UNDELIVERED else told
    return [
        Receipt(
            provider="esms",
            event_key=f"{ref}:{believed}",
            told=believed,
            key=key,
            ref=ref,
            code=fields.get("SendStatus"),
            raw=without_phones(fields),
        )
    ]


def told_by(fields: Mapping[str, object]) -> Told | None:
    """What the fields mean, in a callback and in the status API alike: a status of 5 says only that eSMS is
    done, 4 that it refused, 1, 2 and 7 that it still waits."""
    status, success, failed = (_number(fields.get(name)) for name in STATUS_FIELDS)
    if status is None:
        return None
    if status == _REFUSED:
        return Told.UNDELIVERED
    if status != _SENT:
        return Told.ACCEPTED
    if failed:
        return Told.UNDELIVERED
    return Told.DELIVERED if success else Told.ACCEPTED


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None
