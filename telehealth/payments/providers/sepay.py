"""SePay: one call for each transfer, signed with HMAC-SHA256 over time and body.

Source: developer.sepay.vn, pages on authentication and security of its webhooks (2026): headers
`X-SePay-Timestamp` (Unix seconds, at most five minutes off) and `X-SePay-Signature: sha256=<hex>` over
`{timestamp}.{body}`; the call is repeated seven times unless it is answered with 200 and `{"success": true}`.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest, new
from typing import Any

from telehealth.core.clock import PROVINCE_TZ
from telehealth.payments.errors import BadTransfer, UnsignedTransfer
from telehealth.payments.providers.call import Call, Incoming

_LONGEST_AGO = timedelta(minutes=5)
_MOST = 2_000_000_000


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what the header must say."""
    return "sha256=" + new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


def read(call: Call, secret: str, now: datetime) -> tuple[Incoming, ...]:
    """Return the transfer, or nothing when money went out. Raises UnsignedTransfer, BadTransfer."""
    timestamp = call.headers.get("x-sepay-timestamp", "")
    given = call.headers.get("x-sepay-signature", "")
    if not compare_digest(given.encode(), signature(secret, timestamp, call.body).encode()):
        raise UnsignedTransfer
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise UnsignedTransfer
    if abs(now.timestamp() - int(timestamp)) > _LONGEST_AGO.total_seconds():
        raise UnsignedTransfer
    try:
        return _transfer(json.loads(call.body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTransfer from error


def _transfer(said: dict[str, Any]) -> tuple[Incoming, ...]:
    if said["transferType"] != "in":
        return ()
    amount = int(said["transferAmount"])
    if not 0 < amount <= _MOST:
        raise ValueError(amount)
    at = datetime.strptime(said["transactionDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=PROVINCE_TZ)
    return (
        Incoming(
            ref=str(int(said["id"])),
            account_no=str(said["accountNumber"]),
            amount_vnd=amount,
            content=str(said.get("content") or "")[:500],
            booked_at=at,
        ),
    )
