"""The official account at Zalo, as it is configured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from notifications.channels.base import Channel
from notifications.channels.conversation import Heard
from notifications.channels.provider import Host
from notifications.channels.receipt import Receipt, Webhook
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.channels.zalo.journal import TokenJournal
from notifications.channels.zalo.tokens import ZaloTokens
from notifications.channels.zalo.webhook import deeds, message_receipts, verified_event
from notifications.environment import all_or_none, pairs, switch
from notifications.templates import CATALOGUE

MESSAGES = "https://business.openapi.zalo.me"
OAUTH = "https://oauth.zaloapp.com"

SANDBOX = {
    "ZALO_APP_ID": "4200000000000000042",
    "ZALO_APP_SECRET": "demo-zalo-application",
    "ZALO_OA_SECRET": "demo-zalo-account",
    "ZALO_REFRESH_TOKEN": "demo-zalo-first-refresh",
}


@dataclass(frozen=True)
class ZaloAccount:
    """`bootstrap_refresh_token` is what an administrator got by authorising the application once;
    `template_ids` maps "kind.language" to the id under which Zalo approved the text. `proven`: the
    application is set to ask for a proof of its secret with each call. `journal`: a file where new tokens
    wait for their commit."""

    app_id: str
    app_secret: str
    oa_secret: str
    bootstrap_refresh_token: str
    base_url: str = MESSAGES
    oauth_url: str = OAUTH
    template_ids: tuple[tuple[str, str], ...] = ()
    proven: bool = False
    journal: Path | None = None

    def connect(self, host: Host) -> Channel:
        return ZaloTemplateMessages(
            self.tokens(host),
            self.base_url,
            dict(self.template_ids),
            timeout=host.timeout,
            proof_secret=self.proof_secret,
        )

    @property
    def proof_secret(self) -> str | None:
        return self.app_secret if self.proven else None

    def tokens(self, host: Host) -> ZaloTokens:
        return ZaloTokens(
            host.engine,
            host.sealer,
            app_id=self.app_id,
            app_secret=self.app_secret,
            oauth_url=self.oauth_url,
            bootstrap_refresh_token=self.bootstrap_refresh_token,
            timeout=host.timeout,
            journal=TokenJournal(self.journal),
        )

    def receipts(self, webhook: Webhook, *, now: datetime) -> Sequence[Receipt]:
        return message_receipts(verified_event(webhook, self.app_id, self.oa_secret, now=now))

    def heard(self, webhook: Webhook, *, now: datetime) -> Sequence[Heard]:
        return deeds(verified_event(webhook, self.app_id, self.oa_secret, now=now))


def read(environ: Mapping[str, str]) -> ZaloAccount | None:
    values = all_or_none(environ, "ZALO_APP_ID", "ZALO_APP_SECRET", "ZALO_OA_SECRET", "ZALO_REFRESH_TOKEN")
    if values is None:
        return None
    app_id, app_secret, oa_secret, refresh_token = values
    template_ids = pairs(environ, "ZALO_TEMPLATE_IDS", "otp.vi=300001,otp.en=300002", "=")
    return ZaloAccount(
        app_id=app_id,
        app_secret=app_secret,
        oa_secret=oa_secret,
        bootstrap_refresh_token=refresh_token,
        base_url=environ.get("ZALO_BASE_URL") or MESSAGES,
        oauth_url=environ.get("ZALO_OAUTH_URL") or OAUTH,
        template_ids=tuple(template_ids.items()),
        proven=switch(environ, "ZALO_APPSECRET_PROOF"),
        journal=_journal(environ),
    )


def _journal(environ: Mapping[str, str]) -> Path | None:
    """ZALO_TOKEN_JOURNAL, else a file in VAR_DIR; without either there is none."""
    named, state = environ.get("ZALO_TOKEN_JOURNAL", ""), environ.get("VAR_DIR", "")
    if named:
        return Path(named)
    return Path(state) / "zalo-tokens" if state else None


def sandbox(url: str) -> Mapping[str, str]:
    """The sandbox knows every text by the id in its file; Zalo itself knows none of these."""
    known = {f"{each.kind}.{each.language}": each.zalo.template_id for each in CATALOGUE}
    ids = ",".join(f"{text}={known_as}" for text, known_as in known.items() if known_as)
    return {**SANDBOX, "ZALO_BASE_URL": url, "ZALO_OAUTH_URL": url, "ZALO_TEMPLATE_IDS": ids}
