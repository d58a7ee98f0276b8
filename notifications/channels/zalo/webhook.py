"""Zalo's events, among them the news that a message has arrived."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook, key_of, without_phones

# Zalo repeats an event for almost two hours and counts the tries in a header.
_FIRST_TRY_AGE = timedelta(minutes=5)
_LAST_TRY_AGE = timedelta(hours=3)


def verified_event(webhook: Webhook, app_id: str, oa_secret: str, *, now: datetime) -> dict[str, Any]:
    """The event in a call that bears Zalo's signature and is not too old. Raises BadReceipt."""
    try:
        event = json.loads(webhook.body)
        timestamp = str(event["timestamp"])
        sent_at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        raise BadReceipt("the body is not an event") from None
    expected = mac(app_id, webhook.body, timestamp, oa_secret)
    given = webhook.headers.get("x-zevent-signature", "").removeprefix("mac=")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise BadReceipt("the signature is wrong")
    allowed = _FIRST_TRY_AGE if webhook.headers.get("num_retry", "0") in {"", "0"} else _LAST_TRY_AGE
    if abs(now - sent_at) > allowed:
        raise BadReceipt("the event is too old")
    return dict(event)


def message_receipts(event: dict[str, Any]) -> list[Receipt]:
    """A template message's arrival; chat messages bear the same event name but no delivery time."""
    message = event.get("message")
    if event.get("event_name") != "user_received_message" or not isinstance(message, dict):
        return []
    ref = message.get("msg_id")
    if ref is None or "delivery_time" not in message:
        return []
    return [
        Receipt(
            provider="zalo",
            event_key=f"{ref}:delivered",
            told=Told.DELIVERED,
            key=key_of(str(message.get("tracking_id", ""))),
            ref=str(ref),
            raw=without_phones(event),
        )
    ]


def mac(app_id: str, raw_body: bytes, timestamp: str, oa_secret: str) -> str:
    """Zalo's signature: a plain SHA-256 over the bytes as they came; a re-written JSON gives another one."""
    return sha256(app_id.encode() + raw_body + timestamp.encode() + oa_secret.encode()).hexdigest()
