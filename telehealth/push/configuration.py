"""The key and the services of push, from the settings, once for each application."""

from typing import cast

from flask import current_app
from flask.blueprints import BlueprintSetupState

from notifications.channels.push.account import PushAccount
from notifications.settings import NotificationSettings
from telehealth.push.errors import NoPush

_EXTENSION = "push_account"


def read_settings(state: BlueprintSetupState) -> None:
    """Read once, so that an odd key stops the start."""
    settings = state.app.extensions["telehealth"].settings
    found = NotificationSettings.from_environ(settings.environ, sandbox_url=settings.sandbox_url)
    configured = found.configured.get("push")
    state.app.extensions[_EXTENSION] = None if configured is None else configured.account


def push_account() -> PushAccount:
    """Return whom push messages are signed as. Raises NoPush."""
    found = current_app.extensions[_EXTENSION]
    if found is None:
        raise NoPush
    return cast("PushAccount", found)


def push_key() -> str | None:
    """Return the key that browsers subscribe under, or None where push is not set up."""
    found = cast("PushAccount | None", current_app.extensions[_EXTENSION])
    return None if found is None else found.public_key
