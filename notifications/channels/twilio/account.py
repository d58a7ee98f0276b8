"""Twilio, as it is configured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from notifications.channels.base import Channel
from notifications.channels.provider import Host
from notifications.channels.receipt import Receipt, Webhook
from notifications.channels.twilio.channel import TwilioSms
from notifications.channels.twilio.client import OFFICIAL, PooledHttpClient
from notifications.channels.twilio.webhook import status_receipts
from notifications.environment import all_or_none

SANDBOX = {
    "TWILIO_ACCOUNT_SID": "AC" + "5a" * 16,
    "TWILIO_AUTH_TOKEN": "demo-twilio-token",
    "TWILIO_FROM": "SKTINH",
}


@dataclass(frozen=True)
class TwilioAccount:
    account_sid: str
    auth_token: str
    sender: str
    base_url: str = OFFICIAL

    def connect(self, host: Host) -> Channel:
        client = PooledHttpClient(self.base_url, timeout=host.timeout)
        return TwilioSms(self.account_sid, self.auth_token, self.sender, host.public_base_url, client)

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        return status_receipts(webhook, self.auth_token)


def read(environ: Mapping[str, str]) -> TwilioAccount | None:
    values = all_or_none(environ, "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")
    if values is None:
        return None
    account_sid, auth_token, sender = values
    return TwilioAccount(account_sid, auth_token, sender, environ.get("TWILIO_BASE_URL") or OFFICIAL)


def sandbox(url: str) -> Mapping[str, str]:
    return {**SANDBOX, "TWILIO_BASE_URL": url}
