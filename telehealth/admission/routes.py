"""The waiting room over HTTP: the API, and a page that updates by itself without scripts."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, jsonify, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint

from telehealth.admission import queries, services
from telehealth.admission.errors import NoWaitingRoom
from telehealth.admission.queries import RoomView
from telehealth.admission.rules import Standing
from telehealth.admission.schemas import (
    ReleaseRoomListSchema,
    ReleaseRoomSchema,
    ReleaseRoomsQuerySchema,
    ReleaseTermsSchema,
    WaitingRoomSchema,
)
from telehealth.admission.services import Terms
from telehealth.booking.routes import json_only
from telehealth.core.errors import NotFound
from telehealth.directory.queries import ServiceView, service
from telehealth.web.context import now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import t
from telehealth.web.requests import rfc3339

api = ApiBlueprint("admission-api", __name__, url_prefix="/api/v1", description="Waiting rooms of releases")
pages = Blueprint("admission", __name__, template_folder="templates", url_prefix="/book/waiting-room")
_AGAIN_SECONDS = {Standing.EARLY: 15, Standing.DRAWING: 2, Standing.WAITING: 5}


@api.get("/services/<uuid:service_id>/waiting-room")
@guarded("admission.wait")
@api.response(200, WaitingRoomSchema)
def show_room(service_id: UUID) -> Response:
    """Show one's place; 404 while places are taken as ever."""
    return jsonify(_json(_room(service_id)))


@api.post("/services/<uuid:service_id>/waiting-room")
@guarded("admission.wait")
@api.response(201, WaitingRoomSchema)
def enter_room(service_id: UUID) -> Response:
    """Take a place in the line: one for each account."""
    answer = jsonify(_json(_entered(service_id)))
    answer.status_code = 201
    return answer


@api.delete("/services/<uuid:service_id>/waiting-room/place")
@guarded("admission.wait")
@api.response(204)
def leave_room(service_id: UUID) -> Response:
    """Give up one's place in the line."""
    _left(service_id)
    return Response(status=204)


@api.get("/waiting-rooms")
@guarded("admission.arrange")
@api.arguments(ReleaseRoomsQuerySchema(), location="query")
@api.response(200, ReleaseRoomListSchema)
def list_rooms(asked: dict[str, Any]) -> Response:
    """List the services of a facility that have a waiting room, and how each is arranged."""
    permit("admission.arrange", asked["facility"])
    rows = queries.arranged(session(), asked["facility"]).values()
    return jsonify(items=ReleaseRoomSchema(many=True).dump(rows))


@api.put("/services/<uuid:service_id>/waiting-room")
@guarded("admission.arrange")
@json_only
@api.arguments(ReleaseTermsSchema())
@api.response(204)
def arrange(asked: dict[str, Any], service_id: UUID) -> Response:
    """Give the service a waiting room at its release hour."""
    return _arranged(service_id, Terms(**asked))


@api.delete("/services/<uuid:service_id>/waiting-room")
@guarded("admission.arrange")
@api.response(204)
def disband(service_id: UUID) -> Response:
    """Let places be taken as ever, also at the release hour."""
    return _arranged(service_id, None)


@pages.get("/<uuid:service_id>")
@guarded("admission.wait")
def room(service_id: UUID) -> ResponseReturnValue:
    """Show one's place and when one's turn is; the page comes again by itself."""
    try:
        found = _room(service_id)
    except NoWaitingRoom:
        return redirect(url_for("portal.services"), 303)
    answer = make_response(render_template("admission/room.html", room=found))
    if found.standing in _AGAIN_SECONDS:
        answer.headers["Refresh"] = str(_AGAIN_SECONDS[found.standing])
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.post("/<uuid:service_id>")
@guarded("admission.wait")
def enter(service_id: UUID) -> ResponseReturnValue:
    """Take a place in the line."""
    try:
        _entered(service_id)
    except NoWaitingRoom:
        return redirect(url_for("portal.services"), 303)
    return redirect(url_for("admission.room", service_id=service_id), 303)


@pages.post("/<uuid:service_id>/leave")
@guarded("admission.wait")
def leave(service_id: UUID) -> ResponseReturnValue:
    """Give up one's place in the line."""
    try:
        _left(service_id)
    except NoWaitingRoom:
        return redirect(url_for("portal.services"), 303)
    flash(t("admission-left"), "success")
    return redirect(url_for("admission.room", service_id=service_id), 303)


def _room(service_id: UUID) -> RoomView:
    with unit_of_work() as work:
        found = queries.room(work, service_id, principal().id, now=now())
    if found is None:
        raise NoWaitingRoom
    return found


def _entered(service_id: UUID) -> RoomView:
    with unit_of_work() as work:
        return services.enter(work, principal(), service_id, now=now())


def _left(service_id: UUID) -> None:
    with unit_of_work() as work:
        services.leave(work, principal(), service_id, now=now())


def _arranged(service_id: UUID, terms: Terms | None) -> Response:
    found: ServiceView | None = service(session(), service_id)
    if found is None:
        raise NotFound
    permit("admission.arrange", found.facility_id)
    with unit_of_work() as work:
        services.arrange(work, principal(), service_id, found.facility_id, terms, now=now())
    return Response(status=204)


def _json(found: RoomView) -> dict[str, Any]:
    return {
        "service_id": str(found.service_id),
        "opens_at": rfc3339(found.opens_at),
        "standing": found.standing.value,
        "ahead": found.ahead,
        "admit_at": None if found.admit_at is None else rfc3339(found.admit_at),
        "lapses_at": None if found.lapses_at is None else rfc3339(found.lapses_at),
    }
