"""Where message providers tell what became of a message. The signature is all that guards these routes."""

from typing import cast

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from notifications import receipts
from notifications.settings import NotificationSettings
from telehealth.core.uow import unit_of_work
from telehealth.reminders.errors import UnsignedWebhook
from telehealth.web.context import now, session
from telehealth.web.guard import public

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

_EXTENSION = "notification_settings"


@blueprint.record_once
def _read_settings(state: BlueprintSetupState) -> None:
    """Read once, so that a half-configured provider stops the start and not a receipt."""
    settings = state.app.extensions["telehealth"].settings
    state.app.extensions[_EXTENSION] = NotificationSettings.from_environ(
        settings.environ, sandbox_url=settings.sandbox_url
    )


@blueprint.post("/twilio")
@public
def twilio() -> Response:
    """Take a status callback."""
    return _take("twilio")


@blueprint.post("/zalo")
@public
def zalo() -> Response:
    """Take an event of the official account; Zalo wants its answer within two seconds."""
    return _take("zalo")


def _take(provider: str) -> Response:
    known = cast("NotificationSettings", current_app.extensions[_EXTENSION])
    # The address that the provider called, not the one that a proxy passed on.
    url = known.public_base_url + request.full_path.removesuffix("?")
    body = request.get_data(cache=False)
    try:
        found = receipts.parse(provider, dict(request.headers), body, url, known.webhook_secrets(), now=now())
    except receipts.BadReceipt as error:
        raise UnsignedWebhook from error
    with unit_of_work(session()) as transaction:
        receipts.apply(transaction, found, now=now())
    return Response(status=204)
