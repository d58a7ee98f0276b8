"""Zalo's events, among them the news that a message has arrived."""

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from notifications.channels.conversation import Deed, Heard, Intent
from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook, key_of, without_phones
from notifications.templates.segments import unaccented

# Zalo repeats an event for almost two hours and counts the tries in a header. What somebody else repeats
# meanwhile changes nothing, since every event is kept once.
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
    oldest = _FIRST_TRY_AGE if _is_first_try(webhook.headers) else _LAST_TRY_AGE
    if not -_FIRST_TRY_AGE <= now - sent_at <= oldest:
        raise BadReceipt("the event is too old")
    return dict(event)


def _is_first_try(headers: Mapping[str, str]) -> bool:
    """Many servers drop a header with an underscore in its name, or write a dash: without it nobody knows."""
    return headers.get("num_retry", headers.get("num-retry")) == "0"


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


_FOLLOWING = {"follow": Deed.FOLLOWED, "unfollow": Deed.UNFOLLOWED}
_STOP = frozenset({"tuchoi", "tu choi", "stop", "huy tin", "huytin", "ngung nhac"})
_RESUME = frozenset({"nhan", "nhan tin", "nhan lai", "start"})
_CODE = re.compile(r"\d{3} ?\d{3}")


def deeds(event: dict[str, Any]) -> list[Heard]:
    """What a person has done towards the official account; nothing of events that we do not act on."""
    name, at = event.get("event_name"), datetime.fromtimestamp(int(event["timestamp"]) / 1000, UTC)
    person = _field(event, "follower" if name in _FOLLOWING else "sender", "id")
    if not person:
        return []
    if name in _FOLLOWING:
        return [Heard(_FOLLOWING[str(name)], person, at)]
    if name == "user_submit_info":
        return [Heard(Deed.SHARED, person, at, phone=_field(event, "info", "phone"))]
    if name == "user_send_text":
        text = plain(_field(event, "message", "text"))
        digits = text.replace(" ", "") if _CODE.fullmatch(text) else None
        which = _field(event, "message", "msg_id")
        return [Heard(Deed.WROTE, person, at, which, intent=intent_of(text), digits=digits)]
    return []


def intent_of(text: str) -> Intent:
    """What a plain text asks for: a few whole words, since a sentence may mean anything."""
    if _CODE.fullmatch(text):
        return Intent.CODE
    if text in _STOP:
        return Intent.STOP
    return Intent.RESUME if text in _RESUME else Intent.OTHER


def plain(text: str) -> str:
    """Small letters and digits without accents, as people type on small phones in one way or another."""
    letters = unaccented(text).lower()
    return " ".join("".join(sign if sign.isalnum() else " " for sign in letters).split())


def _field(event: Mapping[str, Any], group: str, name: str) -> str:
    """One field inside a group, as text that can be stored; empty when there is something else."""
    found = event.get(group)
    value = found.get(name) if isinstance(found, dict) else None
    written = str(value) if isinstance(value, str | int) else ""
    return written.encode(errors="ignore").decode()


def mac(app_id: str, raw_body: bytes, timestamp: str, oa_secret: str) -> str:
    """Zalo's signature: a plain SHA-256 over the bytes as they came; a re-written JSON gives another one."""
    return sha256(app_id.encode() + raw_body + timestamp.encode() + oa_secret.encode()).hexdigest()
