"""From settings to the channels that a dispatcher uses."""

from collections.abc import Mapping

from sqlalchemy import Engine

from notifications.channels.base import Channel
from notifications.channels.twilio.channel import TwilioSms
from notifications.channels.twilio.client import PooledHttpClient
from notifications.channels.zalo.channel import ZaloTemplateMessages
from notifications.channels.zalo.tokens import ZaloTokens
from notifications.sealing import Sealer
from notifications.settings import NotificationSettings


def zalo_tokens(settings: NotificationSettings, engine: Engine, sealer: Sealer) -> ZaloTokens | None:
    zalo = settings.zalo
    if zalo is None:
        return None
    return ZaloTokens(
        engine,
        sealer,
        app_id=zalo.app_id,
        app_secret=zalo.app_secret,
        oauth_url=zalo.oauth_url,
        bootstrap_refresh_token=zalo.bootstrap_refresh_token,
    )


def channels(
    settings: NotificationSettings, tokens: ZaloTokens | None, *, timeout: float = 10.0
) -> Mapping[str, Channel]:
    """The configured channels by name. `timeout`: seconds a provider may take to answer."""
    found: dict[str, Channel] = {}
    if settings.zalo is not None and tokens is not None:
        found["zalo"] = ZaloTemplateMessages(
            tokens, settings.zalo.base_url, dict(settings.zalo.template_ids), timeout=timeout
        )
    twilio = settings.twilio
    if twilio is not None:
        found["sms"] = TwilioSms(
            twilio.account_sid,
            twilio.auth_token,
            twilio.sender,
            settings.public_base_url,
            PooledHttpClient(twilio.base_url, timeout=timeout),
        )
    return found
