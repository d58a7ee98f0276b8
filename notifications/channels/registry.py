"""The providers that this installation knows: our folders, and those that a province names."""

import importlib
from collections.abc import Mapping, Sequence

from notifications.channels import call_list, email, esms, push, twilio, zalo, zalo_chat
from notifications.channels.provider import Provider
from notifications.environment import BadNotificationSettings

BUILT_IN: tuple[Provider, ...] = (
    zalo.PROVIDER,
    zalo_chat.PROVIDER,
    twilio.PROVIDER,
    esms.PROVIDER,
    email.PROVIDER,
    push.PROVIDER,
    call_list.PROVIDER,
)


def providers(environ: Mapping[str, str]) -> Sequence[Provider]:
    """Ours and those of NOTIFICATION_PROVIDERS ("hue_sms.vnpt,hue_sms.viettel": modules with a PROVIDER)."""
    named = [name.strip() for name in environ.get("NOTIFICATION_PROVIDERS", "").split(",") if name.strip()]
    return (*BUILT_IN, *(_named(name) for name in named))


def _named(module: str) -> Provider:
    try:
        found = importlib.import_module(module).PROVIDER
    except (ImportError, AttributeError) as error:
        raise BadNotificationSettings(
            f"NOTIFICATION_PROVIDERS: {module} has no PROVIDER ({error})"
        ) from error
    if not isinstance(found, Provider):
        raise BadNotificationSettings(f"NOTIFICATION_PROVIDERS: {module}.PROVIDER is not a Provider")
    return found
