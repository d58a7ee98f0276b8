"""The official account's conversations: the same account and tokens as its template messages."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifications.channels.base import Channel
from notifications.channels.provider import Host
from notifications.channels.zalo import account as zalo
from notifications.channels.zalo.account import ZaloAccount
from notifications.channels.zalo_chat.channel import ZaloConsultationMessages

OPENAPI = "https://openapi.zalo.me"


@dataclass(frozen=True)
class ZaloChatAccount:
    official: ZaloAccount
    base_url: str = OPENAPI

    def connect(self, host: Host) -> Channel:
        return ZaloConsultationMessages(
            self.official.tokens(host),
            self.base_url,
            timeout=host.timeout,
            proof_secret=self.official.proof_secret,
        )


def read(environ: Mapping[str, str]) -> ZaloChatAccount | None:
    official = zalo.read(environ)
    if official is None:
        return None
    return ZaloChatAccount(official, environ.get("ZALO_OPENAPI_URL") or OPENAPI)


def sandbox(url: str) -> Mapping[str, str]:
    return {**zalo.sandbox(url), "ZALO_OPENAPI_URL": url}
