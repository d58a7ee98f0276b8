"""The administrator's pages: who is told what, and whether it arrives."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.errors import DomainError, Unprocessable, http_status
from telehealth.core.principal import Role
from telehealth.core.text import clean, whole_number
from telehealth.directory import queries as directory
from telehealth.web.context import cipher, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t
from telehealth.webhooks import queries, services
from telehealth.webhooks.codes import Event, SubscriptionState
from telehealth.webhooks.routes.api import permitted, reach
from telehealth.webhooks.services import Change, NewSubscription

pages = Blueprint("webhook_pages", __name__, template_folder="../templates", url_prefix="/admin")

_SHOWN = 50
_LONGEST_NAME = 80


@pages.get("/facilities/<uuid:facility_id>/webhooks")
@guarded("webhook.read")
def home(facility_id: UUID) -> str:
    """Show the facility's subscriptions, and a form for another."""
    permit("webhook.read", facility_id)
    return _home(facility_id, {}, {"events": [event.value for event in Event]})


@pages.post("/facilities/<uuid:facility_id>/webhooks")
@guarded("webhook.change")
def subscribe(facility_id: UUID) -> ResponseReturnValue:
    """Add a subscription and show its secret, once."""
    permit("webhook.change", facility_id)
    known = {event.value for event in Event}
    form: dict[str, Any] = {
        "name": clean(request.form.get("name", ""))[:_LONGEST_NAME],
        "url": request.form.get("url", "").strip(),
        "events": [event for event in request.form.getlist("events") if event in known],
    }
    try:
        if not form["name"]:
            raise Unprocessable({"name": ["webhooks-name-missing"]})
        if not form["events"]:
            raise Unprocessable({"events": ["webhooks-events-missing"]})
        with unit_of_work() as work:
            wanted = NewSubscription(facility_id, **form)
            made, secret = services.subscribe(
                work, principal(), wanted, reach=reach(), now=now(), cipher=cipher()
            )
    except DomainError as error:
        return _home(facility_id, form_errors(error, "url"), form), http_status(error)
    return _one(facility_id, made, secret=secret)


@pages.get("/facilities/<uuid:facility_id>/webhooks/<uuid:subscription_id>")
@guarded("webhook.read")
def show(facility_id: UUID, subscription_id: UUID) -> str:
    """Show a subscription and its newest deliveries."""
    return _one(facility_id, subscription_id)


@pages.post("/facilities/<uuid:facility_id>/webhooks/<uuid:subscription_id>/secret")
@guarded("webhook.change")
def rotate(facility_id: UUID, subscription_id: UUID) -> str:
    """Make a new secret and show it, once."""
    with unit_of_work() as work:
        permitted(work, subscription_id, "webhook.change")
        secret = services.rotate(work, principal(), subscription_id, now=now(), cipher=cipher())
    return _one(facility_id, subscription_id, secret=secret)


@pages.post("/facilities/<uuid:facility_id>/webhooks/<uuid:subscription_id>/test")
@guarded("webhook.change")
def test(facility_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """Send a test."""
    with unit_of_work() as work:
        permitted(work, subscription_id, "webhook.change")
        services.try_out(work, principal(), subscription_id, now=now())
    flash(t("webhooks-test-sent"), "success")
    return _back(facility_id, subscription_id)


@pages.post("/facilities/<uuid:facility_id>/webhooks/<uuid:subscription_id>/replay")
@guarded("webhook.change")
def replay(facility_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """Send again what was given up."""
    with unit_of_work() as work:
        permitted(work, subscription_id, "webhook.change")
        count = services.replay(work, principal(), subscription_id, now=now())
    flash(t("webhooks-replayed", count=count), "success")
    return _back(facility_id, subscription_id)


@pages.post(
    "/facilities/<uuid:facility_id>/webhooks/<uuid:subscription_id>/<any(active, paused, ended):state>"
)
@guarded("webhook.change")
def set_state(facility_id: UUID, subscription_id: UUID, state: str) -> ResponseReturnValue:
    """Pause, resume or end a subscription."""
    version = whole_number(request.form.get("version", "")) or 0
    with unit_of_work() as work:
        permitted(work, subscription_id, "webhook.change")
        change = Change(version=version, state=SubscriptionState(state))
        services.change(work, principal(), subscription_id, change, reach=reach(), now=now())
    flash(t(f"webhooks-now-{state}"), "success")
    if state == SubscriptionState.ENDED:
        return redirect(url_for("webhook_pages.home", facility_id=facility_id))
    return _back(facility_id, subscription_id)


def _home(facility_id: UUID, errors: dict[str, Any], form: dict[str, Any]) -> str:
    return render_template(
        "webhooks/home.html",
        **_frame(facility_id),
        subscriptions=queries.subscriptions(session(), facility_id),
        events=[{"value": event.value, "title": t(f"webhooks-event-{_key(event)}")} for event in Event],
        form=form,
        errors=errors,
    )


def _one(facility_id: UUID, subscription_id: UUID, *, secret: str | None = None) -> str:
    view = permitted(session(), subscription_id, "webhook.read")
    return render_template(
        "webhooks/one.html",
        **_frame(facility_id),
        subscription=view,
        events=[t(f"webhooks-event-{_key(event)}") for event in Event if event.value in view.events],
        deliveries=queries.deliveries(session(), subscription_id, limit=_SHOWN).items,
        secret=secret,
    )


def _key(event: Event) -> str:
    return event.value.replace(".", "-")


def _frame(facility_id: UUID) -> dict[str, Any]:
    own = principal().facilities(Role.FACILITY_ADMIN)
    places = directory.facilities_by_id(session(), list(own | {facility_id}))
    return {
        "facility": places[facility_id],
        "others": [place for place in places.values() if place.id != facility_id],
        "current": "webhooks",
    }


def _back(facility_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("webhook_pages.show", facility_id=facility_id, subscription_id=subscription_id))
