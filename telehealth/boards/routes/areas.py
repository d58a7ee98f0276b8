"""Arranging areas: which queues and rooms a board shows, how long, how loud and in which languages."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.boards import queries, services
from telehealth.boards.forms import as_sent, as_stored, read_area
from telehealth.boards.services import Arrangement
from telehealth.booking.attempts import attempt
from telehealth.core.errors import DomainError, http_status
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.queries import queues_of
from telehealth.web.context import now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

areas = Blueprint("board_areas", __name__, template_folder="../templates", url_prefix="/admin")
_USUAL = {"languages": "vi-en", "dialect": "south", "least_seconds": 6, "volume": 80}


@areas.get("/facilities/<uuid:facility_id>/boards")
@guarded("board.arrange")
def overview(facility_id: UUID) -> str:
    """List a facility's areas, with the addresses of their boards."""
    permit("board.arrange", facility_id)
    found = queries.areas_of(session(), facility_id)
    return render_template("boards/areas.html", **_frame(facility_id), areas=found)


@areas.route("/facilities/<uuid:facility_id>/boards/new", methods=["GET", "POST"])
@guarded("board.arrange")
def create(facility_id: UUID) -> ResponseReturnValue:
    """Make an area."""
    permit("board.arrange", facility_id)
    if request.method != "POST":
        return _form(facility_id, None, _USUAL, {})
    try:
        wanted = read_area(request.form)
        attempt(lambda: _open(facility_id, wanted))
    except DomainError as error:
        return _form(facility_id, None, as_sent(request.form), form_errors(error, "code")), http_status(error)
    flash(t("boards-area-saved", name=wanted.name), "success")
    return redirect(url_for("board_areas.overview", facility_id=facility_id), 303)


@areas.route("/boards/<uuid:area_id>", methods=["GET", "POST"])
@guarded("board.arrange")
def edit(area_id: UUID) -> ResponseReturnValue:
    """Change an area; its screens follow at once."""
    area = queries.area_by_id(session(), area_id)
    permit("board.arrange", area.facility_id)
    if request.method != "POST":
        return _form(area.facility_id, area_id, as_stored(area), {})
    try:
        wanted = read_area(request.form, area.code)
        attempt(lambda: _change(area_id, wanted))
    except DomainError as error:
        shown = {**as_sent(request.form), "code": area.code}
        return _form(area.facility_id, area_id, shown, form_errors(error)), http_status(error)
    flash(t("boards-area-saved", name=wanted.name), "success")
    return redirect(url_for("board_areas.overview", facility_id=area.facility_id), 303)


@areas.post("/boards/<uuid:area_id>/close")
@guarded("board.arrange")
def close(area_id: UUID) -> ResponseReturnValue:
    """Take an area away."""
    with unit_of_work() as work:
        area = queries.area_by_id(work, area_id)
        permit("board.arrange", area.facility_id)
        services.close_area(work, principal(), area_id, now=now())
    flash(t("boards-area-closed", name=area.name), "success")
    return redirect(url_for("board_areas.overview", facility_id=area.facility_id), 303)


def _open(facility_id: UUID, wanted: Arrangement) -> None:
    with unit_of_work() as work:
        services.open_area(work, principal(), facility_id, wanted, now=now())


def _change(area_id: UUID, wanted: Arrangement) -> None:
    with unit_of_work() as work:
        services.change_area(work, principal(), area_id, wanted, now=now())


def _form(facility_id: UUID, area_id: UUID | None, form: dict[str, Any], errors: dict[str, Any]) -> str:
    points = directory.service_points(session(), facility_id)
    return render_template(
        "boards/area_form.html",
        **_frame(facility_id),
        area_id=area_id,
        form=form,
        errors=errors,
        queues=queues_of(session(), facility_id),
        rooms=[point for point in points if point.kind != ServicePointKind.EMERGENCY],
    )


def _frame(facility_id: UUID) -> dict[str, Any]:
    own = directory.facilities_by_id(session(), list(principal().facilities(Role.FACILITY_ADMIN)))
    return {
        "facility": own[facility_id],
        "others": [place for place in own.values() if place.id != facility_id],
        "current": "boards",
    }
