"""The webhooks API."""

# mypy: disable-error-code="untyped-decorator"

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.directory.queries import facility_by_code
from telehealth.web.api import ETAG, ID, IF_MATCH, Link, links, located
from telehealth.web.context import cipher, may, now, permit, principal, settings, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.requests import if_match
from telehealth.webhooks import queries, services
from telehealth.webhooks.codes import SubscriptionState
from telehealth.webhooks.errors import SubscriptionUnknown
from telehealth.webhooks.queries import DeliveryPage, SubscriptionView
from telehealth.webhooks.rules import Reach
from telehealth.webhooks.schemas import (
    DeliveryListSchema,
    DeliveryQuerySchema,
    ReplayedSchema,
    SubscribeSchema,
    SubscriptionChangeSchema,
    SubscriptionListSchema,
    SubscriptionSchema,
    SubscriptionsQuerySchema,
    TriedSchema,
)
from telehealth.webhooks.services import Change, NewSubscription

api = Blueprint("webhooks-api", __name__, url_prefix="/api/v1", description="Telling other systems")


def reach() -> Reach:
    """Return which machines may be called."""
    return Reach(settings().webhook_networks)


@api.get("/webhooks")
@guarded("webhook.read")
@api.arguments(SubscriptionsQuerySchema, location="query")
@api.response(200, SubscriptionListSchema)
def list_subscriptions(asked: dict[str, Any]) -> dict[str, Any]:
    """List a facility's subscriptions."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, asked["facility"]).id
        permit("webhook.read", facility_id)
        return {"items": queries.subscriptions(session, facility_id)}


_ONE = "/api/v1/webhooks/{subscription_id}"
_KNOWN = {"subscription_id": ID}
_VERSIONED = {**_KNOWN, "header.If-Match": ETAG}
_NEXT = links(
    201,
    show=Link("get", _ONE, _KNOWN),
    change=Link("patch", _ONE, _VERSIONED),
    end=Link("delete", _ONE, _VERSIONED),
    test=Link("post", f"{_ONE}/test", _KNOWN),
    rotate=Link("post", f"{_ONE}/secret", _KNOWN),
    deliveries=Link("get", f"{_ONE}/deliveries", _KNOWN),
    replay=Link("post", f"{_ONE}/replay", _KNOWN),
)


@api.post("/webhooks")
@located("webhooks-api.show_subscription", "subscription_id")
@api.doc(**_NEXT)
@guarded("webhook.change")
@api.arguments(SubscribeSchema)
@api.response(201, SubscriptionSchema)
def subscribe(body: dict[str, Any]) -> Response:
    """Subscribe; the answer holds the secret that signs, this once."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, body["facility"]).id
        permit("webhook.change", facility_id)
        wanted = NewSubscription(facility_id, body["name"], body["url"], body["events"])
        made, secret = services.subscribe(
            session, principal(), wanted, reach=reach(), now=now(), cipher=cipher()
        )
        view = permitted(session, made, "webhook.change")
    return _answer(view, 201, secret=secret)


@api.get("/webhooks/<uuid:subscription_id>")
@guarded("webhook.read")
@api.response(200, SubscriptionSchema)
def show_subscription(subscription_id: UUID) -> Response:
    """Show a subscription."""
    with unit_of_work() as session:
        return _answer(permitted(session, subscription_id, "webhook.read"))


@api.patch("/webhooks/<uuid:subscription_id>")
@api.doc(parameters=[IF_MATCH])
@guarded("webhook.change")
@api.arguments(SubscriptionChangeSchema)
@api.response(200, SubscriptionSchema)
def change_subscription(body: dict[str, Any], subscription_id: UUID) -> Response:
    """Change what is named. Needs If-Match."""
    state = SubscriptionState(body.pop("state")) if "state" in body else None
    change = Change(version=if_match(), state=state, **body)
    return _answer(_changed(subscription_id, change))


@api.delete("/webhooks/<uuid:subscription_id>")
@api.doc(parameters=[IF_MATCH])
@guarded("webhook.change")
@api.response(204)
def end_subscription(subscription_id: UUID) -> None:
    """End a subscription; what was sent stays to be seen for a while. Needs If-Match."""
    _changed(subscription_id, Change(version=if_match(), state=SubscriptionState.ENDED))


@api.post("/webhooks/<uuid:subscription_id>/secret")
@guarded("webhook.change")
@api.response(200, SubscriptionSchema)
def rotate_secret(subscription_id: UUID) -> Response:
    """Make a new secret, shown this once; for a week the one before signs too."""
    with unit_of_work() as session:
        permitted(session, subscription_id, "webhook.change")
        secret = services.rotate(session, principal(), subscription_id, now=now(), cipher=cipher())
        view = permitted(session, subscription_id, "webhook.change")
    return _answer(view, secret=secret)


@api.post("/webhooks/<uuid:subscription_id>/test")
@guarded("webhook.change")
@api.response(202, TriedSchema)
def test_subscription(subscription_id: UUID) -> dict[str, UUID]:
    """Send a delivery that only says that it arrives."""
    with unit_of_work() as session:
        permitted(session, subscription_id, "webhook.change")
        return {"id": services.try_out(session, principal(), subscription_id, now=now())}


@api.get("/webhooks/<uuid:subscription_id>/deliveries")
@guarded("webhook.read")
@api.arguments(DeliveryQuerySchema, location="query")
@api.response(200, DeliveryListSchema)
def list_deliveries(asked: dict[str, Any], subscription_id: UUID) -> DeliveryPage:
    """List deliveries, the newest first."""
    with unit_of_work() as session:
        permitted(session, subscription_id, "webhook.read")
        return queries.deliveries(session, subscription_id, **asked)


@api.post("/webhooks/<uuid:subscription_id>/replay")
@guarded("webhook.change")
@api.response(202, ReplayedSchema)
def replay_dead(subscription_id: UUID) -> dict[str, int]:
    """Send everything again that was given up."""
    return _replayed(subscription_id, None)


@api.post("/webhooks/<uuid:subscription_id>/deliveries/<uuid:delivery_id>/replay")
@guarded("webhook.change")
@api.response(202, ReplayedSchema)
def replay_delivery(subscription_id: UUID, delivery_id: UUID) -> dict[str, int]:
    """Send one delivery again, under its id and number."""
    return _replayed(subscription_id, delivery_id)


def permitted(session: Session, subscription_id: UUID, action: str) -> SubscriptionView:
    """Return a subscription the caller may do this to; for anybody else there is none."""
    view = queries.subscription(session, subscription_id)
    if view is None or not may(action, view.facility_id):
        raise SubscriptionUnknown
    return view


def _changed(subscription_id: UUID, change: Change) -> SubscriptionView:
    with unit_of_work() as session:
        permitted(session, subscription_id, "webhook.change")
        services.change(session, principal(), subscription_id, change, reach=reach(), now=now())
        return permitted(session, subscription_id, "webhook.change")


def _replayed(subscription_id: UUID, delivery_id: UUID | None) -> dict[str, int]:
    with unit_of_work() as session:
        permitted(session, subscription_id, "webhook.change")
        count = services.replay(session, principal(), subscription_id, now=now(), delivery_id=delivery_id)
    return {"count": count}


def _answer(view: SubscriptionView, status: int = 200, **more: str) -> Response:
    answer = jsonify(SubscriptionSchema().dump(asdict(view) | more))
    answer.status_code = status
    answer.set_etag(str(view.version))
    return answer
