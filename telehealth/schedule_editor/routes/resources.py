"""Rooms and devices."""

from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.schedule_editor import forms, queries
from telehealth.schedule_editor.routes.blueprint import (
    Errors,
    Values,
    decide,
    editor,
    frame,
    pages,
    place,
    version,
)
from telehealth.schedule_editor.services import edit
from telehealth.scheduling import editing
from telehealth.scheduling.codes import ResourceKind
from telehealth.scheduling.models import Resource
from telehealth.web.context import now, session
from telehealth.web.guard import guarded


@pages.get("/resources")
@guarded("schedule.enter")
def resources() -> str:
    """List rooms and devices."""
    facility_id = place()
    return render_template(
        "schedule_editor/resources.html",
        **frame(facility_id, "resources"),
        resources=queries.resources(session(), facility_id),
    )


@pages.get("/resources/new")
@guarded("schedule.change")
def new_resource() -> str:
    """Show the empty form of a room or device."""
    given = {"kind": [ResourceKind.ROOM.value], "lanes": ["1"]}
    return _page(place("schedule.change"), None, given, {})


@pages.post("/resources")
@guarded("schedule.change")
def add_resource() -> ResponseReturnValue:
    """Show what a new room or device does, or add it."""
    facility_id = place("schedule.change")
    return decide(
        facility_id,
        "resources",
        lambda: edit(editing.add_resource, editor(facility_id), forms.read_resource(request.form), now=now()),
        lambda errors: _page(facility_id, None, forms.form_values(request.form), errors),
        url_for("schedule_editor.resources"),
    )


@pages.get("/resources/<uuid:resource_id>")
@guarded("schedule.change")
def show_resource(resource_id: UUID) -> str:
    """Show a room or device to change it."""
    facility_id = place("schedule.change")
    row = queries.resource(session(), facility_id, resource_id)
    values = {
        "kind": [row.kind],
        "code": [row.code],
        "name": [row.name],
        "lanes": [str(row.lanes)],
        "active": ["yes"] if row.active else [],
        "version": [str(row.version)],
    }
    return _page(facility_id, row, values, {})


@pages.post("/resources/<uuid:resource_id>")
@guarded("schedule.change")
def change_resource(resource_id: UUID) -> ResponseReturnValue:
    """Show what changing a room or device does, or do it."""
    facility_id = place("schedule.change")
    row = queries.resource(session(), facility_id, resource_id)
    return decide(
        facility_id,
        "resources",
        lambda: edit(
            editing.change_resource,
            editor(facility_id),
            resource_id,
            version(),
            forms.read_resource(request.form),
            active=request.form.get("active") == "yes",
            now=now(),
        ),
        lambda errors: _page(facility_id, row, forms.form_values(request.form), errors),
        url_for("schedule_editor.resources"),
    )


def _page(facility_id: UUID, row: Resource | None, values: Values, errors: Errors) -> str:
    return render_template(
        "schedule_editor/resource.html",
        **frame(facility_id, "resources"),
        resource=row,
        values=values,
        errors=errors,
    )
