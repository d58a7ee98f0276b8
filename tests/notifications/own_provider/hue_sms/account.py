"""The gateway, as it is configured here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest, digest

from hue_sms.channel import GatewaySms
from notifications.channels.base import Channel
from notifications.channels.provider import Host
from notifications.channels.receipt import BadReceipt, Receipt, Told, Webhook, key_of
from notifications.environment import all_or_none

_TOLD = {"arrived": Told.DELIVERED, "failed": Told.UNDELIVERED}


@dataclass(frozen=True)
class GatewayAccount:
    url: str
    secret: str

    def connect(self, host: Host) -> Channel:
        return GatewaySms(self.url, self.secret, host.public_base_url, host.timeout)

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        """POST /webhooks/hue-sms, signed over the raw body."""
        expected = digest(self.secret.encode(), webhook.body, "sha256").hex()
        if not compare_digest(expected.encode(), webhook.headers.get("x-signature", "").encode()):
            raise BadReceipt("the signature is wrong")
        event = json.loads(webhook.body)
        ref, told = str(event["number"]), _TOLD[event["state"]]
        return [Receipt("hue-sms", f"{ref}:{told}", told, key=key_of(event["ours"]), ref=ref)]


def read(environ: Mapping[str, str]) -> GatewayAccount | None:
    values = all_or_none(environ, "HUE_SMS_URL", "HUE_SMS_SECRET")
    return GatewayAccount(*values) if values else None


def sandbox(_url: str) -> Mapping[str, str]:
    """The sandbox does not speak this gateway's language: in the demo it is left out."""
    return {}
