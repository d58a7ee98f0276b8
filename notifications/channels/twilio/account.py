"""Twilio, as it is configured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from notifications.channels.base import Channel
from notifications.channels.provider import Host
from notifications.channels.receipt import Receipt, Webhook
from notifications.channels.twilio.channel import Sender, TwilioSms
from notifications.channels.twilio.client import OFFICIAL, PooledHttpClient
from notifications.channels.twilio.webhook import status_receipts
from notifications.environment import all_or_none, switch

SANDBOX = {
    "TWILIO_ACCOUNT_SID": "AC" + "5a" * 16,
    "TWILIO_AUTH_TOKEN": "demo-twilio-token",
    "TWILIO_FROM": "SKTINH",
}


@dataclass(frozen=True)
class TwilioAccount:
    account_sid: str
    auth_token: str
    sender: Sender
    base_url: str = OFFICIAL

    def connect(self, host: Host) -> Channel:
        client = PooledHttpClient(self.base_url, timeout=host.timeout)
        return TwilioSms(self.account_sid, self.auth_token, self.sender, host.public_base_url, client)

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        return status_receipts(webhook, self.auth_token)


def read(environ: Mapping[str, str]) -> TwilioAccount | None:
    """TWILIO_FROM may be left out where a Messaging Service picks the sender."""
    service = environ.get("TWILIO_MESSAGING_SERVICE_SID", "")
    named = ("TWILIO_FROM",) if not service or environ.get("TWILIO_FROM") else ()
    values = all_or_none(environ, "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", *named)
    if values is None:
        return None
    account_sid, auth_token, *name = values
    sender = Sender(
        name=name[0] if name else None,
        messaging_service_sid=service or None,
        redacts=switch(environ, "TWILIO_MESSAGE_REDACTION", default=True),
    )
    return TwilioAccount(account_sid, auth_token, sender, environ.get("TWILIO_BASE_URL") or OFFICIAL)


def sandbox(url: str) -> Mapping[str, str]:
    return {**SANDBOX, "TWILIO_BASE_URL": url}
