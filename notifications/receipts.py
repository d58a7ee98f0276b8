"""What providers tell us afterwards. `parse` is pure and checks the signature; `apply` moves messages on.

Receipts come late, twice and out of order; none of that moves a notification backwards.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

from sqlalchemy.orm import Session
from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from notifications.ids import new_id
from notifications.kinds import KINDS
from notifications.states import State, may


class BadReceipt(Exception):
    """Not a receipt: unsigned, wrongly signed, too old or unreadable. Answer 403 and keep nothing."""


class Told(StrEnum):
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class Receipt:
    """One event. `key` is our own key of the send, where the provider returns it; `raw` has no phone."""

    provider: str
    event_key: str
    told: Told
    key: UUID | None
    ref: str | None
    code: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WebhookSecrets:
    """None: this provider is not configured, and nothing that claims to come from it is believed."""

    twilio_auth_token: str | None
    zalo_app_id: str | None
    zalo_oa_secret: str | None


# Zalo repeats an event for almost two hours and counts the tries in a header.
_FIRST_TRY_AGE = timedelta(minutes=5)
_LAST_TRY_AGE = timedelta(hours=3)

_TWILIO_TOLD = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Told.ACCEPTED),
    **dict.fromkeys(("delivered", "read"), Told.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "canceled"), Told.UNDELIVERED),
}
_PHONE_FIELDS = frozenset({"To", "From", "phone", "recipient", "sender"})


def parse(
    provider: str,
    headers: Mapping[str, str],
    raw_body: bytes,
    url: str,
    secrets: WebhookSecrets,
    *,
    now: datetime,
) -> list[Receipt]:
    """The receipts in one webhook call. `url` is the public address that was called, with its query.

    Raises BadReceipt. An event that is no receipt (a follower, a chat message) gives an empty list.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    match provider:
        case "twilio":
            return _twilio(lowered, raw_body, url, secrets.twilio_auth_token)
        case "zalo":
            return _zalo(lowered, raw_body, secrets, now)
    raise BadReceipt(f"no provider {provider!r} sends receipts")


def _twilio(headers: Mapping[str, str], raw_body: bytes, url: str, auth_token: str | None) -> list[Receipt]:
    if not auth_token:
        raise BadReceipt("Twilio is not configured")
    try:
        fields = dict(parse_qsl(raw_body.decode("utf-8"), keep_blank_values=True))
    except UnicodeDecodeError:
        raise BadReceipt("the body is not a form") from None
    validator = RequestValidator(auth_token)
    algorithm = get_signature_algorithm(headers.get(SIGNATURE_SETTINGS_HEADER.lower(), ""))
    signature = headers.get(SIGNATURE_HEADER.lower(), "")
    if not validator.validate(url, fields, signature, algorithm):
        raise BadReceipt("the signature is wrong")
    sid, status = fields.get("MessageSid"), fields.get("MessageStatus", "")
    told = _TWILIO_TOLD.get(status)
    if sid is None or told is None:
        return []
    key = parse_qs(urlsplit(url).query).get("key", [""])[0]
    return [
        Receipt(
            provider="twilio",
            event_key=f"{sid}:{status}",
            told=told,
            key=_uuid(key),
            ref=sid,
            code=fields.get("ErrorCode"),
            raw=_without_phones(fields),
        )
    ]


def _zalo(
    headers: Mapping[str, str], raw_body: bytes, secrets: WebhookSecrets, now: datetime
) -> list[Receipt]:
    if not secrets.zalo_app_id or not secrets.zalo_oa_secret:
        raise BadReceipt("Zalo is not configured")
    try:
        event = json.loads(raw_body)
        timestamp = str(event["timestamp"])
        sent_at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadReceipt("the body is not an event") from None
    expected = zalo_mac(secrets.zalo_app_id, raw_body, timestamp, secrets.zalo_oa_secret)
    if not hmac.compare_digest(expected, headers.get("x-zevent-signature", "").removeprefix("mac=")):
        raise BadReceipt("the signature is wrong")
    allowed = _FIRST_TRY_AGE if headers.get("num_retry", "0") in {"", "0"} else _LAST_TRY_AGE
    if abs(now - sent_at) > allowed:
        raise BadReceipt("the event is too old")
    return _zalo_receipts(event)


def _zalo_receipts(event: dict[str, Any]) -> list[Receipt]:
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
            key=_uuid(str(message.get("tracking_id", ""))),
            ref=str(ref),
            raw=_without_phones(event),
        )
    ]


def zalo_mac(app_id: str, raw_body: bytes, timestamp: str, oa_secret: str) -> str:
    """Zalo's signature: a plain SHA-256 over the bytes as they came; a re-written JSON gives another one."""
    return sha256(app_id.encode() + raw_body + timestamp.encode() + oa_secret.encode()).hexdigest()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _without_phones(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _PHONE_FIELDS}


_TARGET = """
SELECT n.id, n.kind, n.state, n.channel AS last_channel, sent.channel, sent.attempt, sent.idem_key,
       n.expires_at > %(now)s AS alive
FROM (
  SELECT notification_id, channel, attempt, idem_key FROM notifications.outbox WHERE idem_key = %(key)s
  UNION ALL
  SELECT notification_id, channel, attempt, idem_key FROM notifications.delivery_attempt
  WHERE idem_key = %(key)s AND provider = %(provider)s
  UNION ALL
  SELECT notification_id, channel, attempt, idem_key FROM notifications.delivery_attempt
  WHERE provider = %(provider)s AND provider_ref = %(ref)s
) sent JOIN notifications.notification n ON n.id = sent.notification_id
LIMIT 1
"""
_LOCK_ITEM = """
SELECT lease_owner IS NOT NULL AS leased, idem_key, in_doubt FROM notifications.outbox
WHERE notification_id = %(id)s FOR UPDATE
"""
_LOCK_STATE = "SELECT state FROM notifications.notification WHERE id = %(id)s FOR UPDATE"
_KEEP = """
INSERT INTO notifications.receipt
  (provider, event_key, idem_key, provider_ref, status, code, raw, notification_id, received_at)
VALUES (%(provider)s, %(event_key)s, %(key)s, %(ref)s, %(told)s, %(code)s, %(raw)s::jsonb, %(id)s, %(now)s)
ON CONFLICT (provider, event_key) DO NOTHING RETURNING id
"""
_MOVE = """
UPDATE notifications.notification
SET state = %(state)s, provider_ref = coalesce(%(ref)s, provider_ref), updated_at = %(now)s WHERE id = %(id)s
"""
_DROP = "DELETE FROM notifications.outbox WHERE notification_id = %(id)s AND lease_owner IS NULL"
_LOG = """
INSERT INTO notifications.delivery_attempt
  (notification_id, idem_key, attempt, channel, provider, outcome, provider_ref, at)
VALUES (%(id)s, %(idem_key)s, %(attempt)s, %(channel)s, %(provider)s, 'receipt', %(ref)s, %(now)s)
ON CONFLICT (provider, provider_ref) WHERE provider_ref IS NOT NULL DO NOTHING
"""
_FALL_BACK = """
INSERT INTO notifications.outbox (notification_id, channel, priority, due_at, idem_key)
VALUES (%(id)s, %(channel)s, %(priority)s, %(now)s, %(new_key)s)
ON CONFLICT (notification_id) DO NOTHING
"""


def apply(session: Session, receipts: Iterable[Receipt], *, now: datetime) -> int:
    """Record receipts in the caller's transaction and move their messages on; returns how many were new."""
    return sum(_apply(session, receipt, now) for receipt in receipts)


def _apply(session: Session, receipt: Receipt, now: datetime) -> bool:
    connection = session.connection()
    about = {"key": receipt.key, "provider": receipt.provider, "ref": receipt.ref, "now": now}
    target: Any = connection.exec_driver_sql(_TARGET, about).one_or_none()
    kept = about | {
        "event_key": receipt.event_key,
        "told": receipt.told,
        "code": receipt.code,
        "raw": json.dumps(dict(receipt.raw), ensure_ascii=False),
        "id": target.id if target else None,
    }
    if connection.exec_driver_sql(_KEEP, kept).one_or_none() is None:
        return False
    if target is not None:
        _move(session, receipt, target, now)
    return True


def _move(session: Session, receipt: Receipt, target: Any, now: datetime) -> None:
    """Lock as the dispatcher does, first the outbox, then the notification."""
    connection = session.connection()
    item: Any = connection.exec_driver_sql(_LOCK_ITEM, {"id": target.id}).one_or_none()
    state = State(connection.exec_driver_sql(_LOCK_STATE, {"id": target.id}).scalar_one())
    after = _after(receipt.told, state, target, item)
    if after is None:
        return
    values = {
        "id": target.id,
        "state": after,
        "ref": receipt.ref,
        "now": now,
        "provider": receipt.provider,
        "channel": target.channel,
        "attempt": target.attempt,
        "idem_key": target.idem_key,
    }
    connection.exec_driver_sql(_MOVE, values)
    connection.exec_driver_sql(_LOG, values)
    connection.exec_driver_sql(_DROP, values)
    if after is State.FALLING_BACK:
        kind = KINDS[target.kind]
        following = kind.channels[kind.channels.index(target.channel) + 1]
        queued = {"channel": following, "priority": kind.priority, "new_key": new_id(now)}
        connection.exec_driver_sql(_FALL_BACK, values | queued)


def _after(told: Told, state: State, target: Any, item: Any) -> State | None:
    """The state that a receipt leads to, or None when it changes nothing any more."""
    overtaken = item is not None and item.idem_key != target.idem_key
    if told is Told.DELIVERED:
        return State.DELIVERED if may(state, State.DELIVERED) else None
    if overtaken or target.last_channel not in {None, target.channel}:
        return None
    if told is Told.ACCEPTED:
        return State.ACCEPTED if state in {State.IN_DOUBT, State.SENDING} else None
    if not may(state, State.UNDELIVERED):
        return None
    kind = KINDS[target.kind]
    last = target.channel not in kind.channels or target.channel == kind.channels[-1]
    return State.UNDELIVERED if last or not target.alive or item is not None else State.FALLING_BACK
