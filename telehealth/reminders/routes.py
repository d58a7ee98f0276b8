"""Where message providers tell what became of a message. The signature is all that guards these routes."""

from collections.abc import Sequence
from typing import cast

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from notifications import receipts, zalo_contacts
from notifications.channels.conversation import Heard
from notifications.channels.provider import Account, Conversing, Listening
from notifications.channels.receipt import BadReceipt, Webhook
from notifications.settings import NotificationSettings
from telehealth.core.errors import NotFound
from telehealth.core.uow import unit_of_work
from telehealth.reminders.errors import UnsignedWebhook
from telehealth.web.context import cipher, now, session
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


@blueprint.post("/<provider>")
@blueprint.route("/<provider>/<token>", methods=["GET", "POST"])
@public
def receive(provider: str, token: str = "") -> Response:
    """Take what a provider calls back with; Zalo wants its answer within two seconds.

    A provider that calls by GET (eSMS) signs nothing: its token is the signature.
    """
    configured = _settings().configured.get(provider)
    if configured is None or not isinstance(configured.account, Listening):
        raise NotFound
    webhook = _webhook(request.get_data(cache=False), token)
    try:
        found = configured.account.receipts(webhook, now=now())
        heard = _heard(configured.account, webhook)
    except BadReceipt as error:
        raise UnsignedWebhook from error
    with unit_of_work(session()) as transaction:
        receipts.apply(transaction, found, now=now())
        zalo_contacts.record(transaction, heard, cipher(), now=now())
    return Response(status=204)


def _heard(account: Account, webhook: Webhook) -> Sequence[Heard]:
    """Return what people did; a worker acts on it, not this request."""
    return account.heard(webhook, now=now()) if isinstance(account, Conversing) else ()


def _webhook(body: bytes, token: str) -> Webhook:
    """The call, under the address that the provider called and not the one that a proxy passed on."""
    url = _settings().public_base_url + request.full_path.removesuffix("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Webhook(headers=headers, body=body, url=url, token=token)


def _settings() -> NotificationSettings:
    return cast("NotificationSettings", current_app.extensions[_EXTENSION])
