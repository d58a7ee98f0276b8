"""eSMS.vn, as it is configured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from notifications.channels.base import Channel
from notifications.channels.esms.channel import EsmsBrandname
from notifications.channels.esms.webhook import CallbackToken, status_receipts
from notifications.channels.provider import Host
from notifications.channels.receipt import Receipt, Webhook
from notifications.environment import BadNotificationSettings, all_or_none, pairs

OFFICIAL = "https://rest.esms.vn"
LONGEST_BRANDNAME = 11

SANDBOX = {
    "ESMS_API_KEY": "demo-esms-key",
    "ESMS_SECRET_KEY": "demo-esms-secret",
    "ESMS_BRANDNAME": "SOYTETINH",
}


@dataclass(frozen=True)
class EsmsAccount:
    """`brandname` is what the phone shows as the sender; `template_ids` maps "kind.language" to the id under
    which the networks registered the text."""

    api_key: str
    secret_key: str
    brandname: str
    base_url: str = OFFICIAL
    template_ids: tuple[tuple[str, str], ...] = ()

    def connect(self, host: Host) -> Channel:
        return EsmsBrandname(
            api_key=self.api_key,
            secret_key=self.secret_key,
            brandname=self.brandname,
            base_url=self.base_url,
            public_base_url=host.public_base_url,
            timeout=host.timeout,
        )

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        return status_receipts(webhook, CallbackToken(self.secret_key))


def read(environ: Mapping[str, str]) -> EsmsAccount | None:
    values = all_or_none(environ, "ESMS_API_KEY", "ESMS_SECRET_KEY", "ESMS_BRANDNAME")
    if values is None:
        return None
    api_key, secret_key, brandname = values
    if len(brandname) > LONGEST_BRANDNAME or not brandname.isascii():
        raise BadNotificationSettings("ESMS_BRANDNAME: the networks show at most 11 letters without accents")
    return EsmsAccount(
        api_key=api_key,
        secret_key=secret_key,
        brandname=brandname,
        base_url=environ.get("ESMS_BASE_URL") or OFFICIAL,
        template_ids=tuple(pairs(environ, "ESMS_TEMPLATE_IDS", "otp.vi=12640,otp.en=12641", "=").items()),
    )


def sandbox(url: str) -> Mapping[str, str]:
    return {**SANDBOX, "ESMS_BASE_URL": url}
