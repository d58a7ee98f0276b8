"""Which providers to speak to, and as whom: read once from the environment, odd values refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from notifications.channels.twilio.client import OFFICIAL
from notifications.receipts import WebhookSecrets

ZALO_MESSAGES = "https://business.openapi.zalo.me"
ZALO_OAUTH = "https://oauth.zaloapp.com"


class BadNotificationSettings(Exception):
    """A setting is missing or cannot be used; the text says which and why."""


@dataclass(frozen=True)
class TwilioAccount:
    account_sid: str
    auth_token: str
    sender: str
    base_url: str = OFFICIAL


@dataclass(frozen=True)
class ZaloAccount:
    """`bootstrap_refresh_token` is what an administrator got by authorising the application once."""

    app_id: str
    app_secret: str
    oa_secret: str
    bootstrap_refresh_token: str
    base_url: str = ZALO_MESSAGES
    oauth_url: str = ZALO_OAUTH
    template_ids: tuple[tuple[str, str], ...] = ()


SANDBOX_TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC" + "5a" * 16,
    "TWILIO_AUTH_TOKEN": "demo-twilio-token",
    "TWILIO_FROM": "SKTINH",
}
SANDBOX_ZALO = {
    "ZALO_APP_ID": "4200000000000000042",
    "ZALO_APP_SECRET": "demo-zalo-application",
    "ZALO_OA_SECRET": "demo-zalo-account",
    "ZALO_REFRESH_TOKEN": "demo-zalo-first-refresh",
}


@dataclass(frozen=True)
class NotificationSettings:
    """A provider that is not configured is None, and its channel is left out."""

    public_base_url: str
    twilio: TwilioAccount | None
    zalo: ZaloAccount | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, sandbox_url: str | None = None) -> Self:
        """Read TWILIO_* and ZALO_*. With `sandbox_url` what is missing points there.

        Raises BadNotificationSettings, also when a production (no sandbox) uses the sandbox's secrets.
        """
        if sandbox_url is not None:
            environ = _sandbox_defaults(sandbox_url) | dict(environ)
        else:
            _refuse_sandbox_secrets(environ)
        public = environ.get("PUBLIC_BASE_URL") or f"http://127.0.0.1:{environ.get('PORT', '8000')}"
        return cls(public_base_url=public.rstrip("/"), twilio=_twilio(environ), zalo=_zalo(environ))

    def webhook_secrets(self) -> WebhookSecrets:
        """What the webhooks' signatures are checked with; an absent provider's checks never pass."""
        twilio, zalo = self.twilio, self.zalo
        return WebhookSecrets(
            twilio_auth_token=twilio.auth_token if twilio else None,
            zalo_app_id=zalo.app_id if zalo else None,
            zalo_oa_secret=zalo.oa_secret if zalo else None,
        )


def _sandbox_defaults(url: str) -> dict[str, str]:
    places = {"TWILIO_BASE_URL": url, "ZALO_BASE_URL": url, "ZALO_OAUTH_URL": url}
    return {**SANDBOX_TWILIO, **SANDBOX_ZALO, **places}


def _refuse_sandbox_secrets(environ: Mapping[str, str]) -> None:
    for name, value in (SANDBOX_TWILIO | SANDBOX_ZALO).items():
        if value.startswith("demo-") and environ.get(name) == value:
            raise BadNotificationSettings(f"{name} is the sandbox's secret: production needs its own")


def _twilio(environ: Mapping[str, str]) -> TwilioAccount | None:
    values = _all_or_none(environ, "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")
    if values is None:
        return None
    account_sid, auth_token, sender = values
    return TwilioAccount(account_sid, auth_token, sender, environ.get("TWILIO_BASE_URL") or OFFICIAL)


def _zalo(environ: Mapping[str, str]) -> ZaloAccount | None:
    values = _all_or_none(environ, "ZALO_APP_ID", "ZALO_APP_SECRET", "ZALO_OA_SECRET", "ZALO_REFRESH_TOKEN")
    if values is None:
        return None
    app_id, app_secret, oa_secret, refresh_token = values
    return ZaloAccount(
        app_id=app_id,
        app_secret=app_secret,
        oa_secret=oa_secret,
        bootstrap_refresh_token=refresh_token,
        base_url=environ.get("ZALO_BASE_URL") or ZALO_MESSAGES,
        oauth_url=environ.get("ZALO_OAUTH_URL") or ZALO_OAUTH,
        template_ids=_template_ids(environ.get("ZALO_TEMPLATE_IDS", "")),
    )


def _all_or_none(environ: Mapping[str, str], *names: str) -> list[str] | None:
    values = [environ.get(name, "") for name in names]
    if not any(values):
        return None
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise BadNotificationSettings(
            f"{' and '.join(missing)}: not set, although {names[0][:6]}... are used"
        )
    return values


def _template_ids(text: str) -> tuple[tuple[str, str], ...]:
    """Read "otp.vi=300001,otp.en=300002"."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(not name or not value for name, _, value in pairs):
        raise BadNotificationSettings("ZALO_TEMPLATE_IDS must look like otp.vi=300001,otp.en=300002")
    return tuple((name, value) for name, _, value in pairs)
