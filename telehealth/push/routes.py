"""Turning messages in a browser on and off."""

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.views import MethodView
from flask_smorest import Blueprint as ApiBlueprint

from notifications.subscriptions import Offered, Subscriptions
from telehealth.core.errors import Unauthenticated
from telehealth.push import schemas
from telehealth.push.configuration import push_account, push_key, read_settings
from telehealth.push.errors import UnknownPushService
from telehealth.web.context import cipher, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.security import csrf_token

api = ApiBlueprint("push-api", __name__, url_prefix="/api/v1/push", description="Messages in the browser")
pages = Blueprint("push", __name__, template_folder="templates")
pages.record_once(read_settings)
pages.add_app_template_global(push_key)


@api.get("/key")
@guarded("push.subscribe")
@api.response(200, schemas.PushKey)
def key() -> dict[str, Any]:
    """Give what a browser subscribes under."""
    by_cookie = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    return {"key": push_account().public_key, "csrf_token": csrf_token() if by_cookie else None}


@api.route("/subscriptions")
class BrowserSubscriptions(MethodView):
    """The browsers that get the caller's messages."""

    @guarded("push.subscribe")
    @api.arguments(schemas.OfferedSubscription)
    @api.response(201, schemas.KeptSubscription)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Have messages in this browser too; one that another person had them in becomes one's own."""
        permit("push.subscribe")
        account = push_account()
        if not account.services.allow(body["endpoint"]):
            raise UnknownPushService({"endpoint": ["push-unknown-service"]})
        offered = Offered(
            body["endpoint"],
            **body["keys"],
            under=account.public_key,
            user_agent=request.user_agent.string or None,
        )
        with unit_of_work() as session:
            identifier = Subscriptions(cipher()).subscribe(
                session, _me(), offered, sign_in=principal().session_id, now=now()
            )
        return {"id": identifier}

    @guarded("push.subscribe")
    @api.arguments(schemas.Endpoint)
    @api.response(204)
    def delete(self, body: dict[str, Any]) -> None:
        """Have no more messages in this browser; no matter whether it had any."""
        permit("push.subscribe")
        with unit_of_work() as session:
            Subscriptions(cipher()).unsubscribe(session, _me(), body["endpoint"])


def _me() -> UUID:
    actor = principal()
    if actor.id is None:
        raise Unauthenticated
    return actor.id
