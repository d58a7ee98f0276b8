"""Booking policies of services and daily limits of doctors."""

from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.admission import queries as admission
from telehealth.schedule_editor import forms, presentation, queries
from telehealth.schedule_editor.routes.blueprint import (
    Errors,
    decide,
    editor,
    frame,
    pages,
    place,
    version,
)
from telehealth.schedule_editor.services import Edit, edit
from telehealth.scheduling import editing
from telehealth.scheduling.drafts import PolicyDraft
from telehealth.web.context import now, session
from telehealth.web.guard import guarded


@pages.get("/rules")
@guarded("schedule.enter")
def rules() -> str:
    """Show the booking policies of services and the daily limits of doctors."""
    return _page(place(), {})


@pages.post("/rules/services/<uuid:service_id>")
@guarded("schedule.change")
def set_policy(service_id: UUID) -> ResponseReturnValue:
    """Show what a service's policy does, or set it; one with nothing in it is cleared."""
    facility_id = place("schedule.change")

    def asked() -> Edit:
        draft = forms.read_policy(request.form)
        if draft == PolicyDraft() and version():
            return edit(editing.clear_policy, editor(facility_id), service_id, version(), now=now())
        return edit(editing.set_policy, editor(facility_id), service_id, version(), draft, now=now())

    return decide(
        facility_id,
        "rules",
        asked,
        lambda errors: _page(facility_id, errors),
        url_for("schedule_editor.rules"),
    )


@pages.post("/rules/doctors/<uuid:practitioner_id>")
@guarded("schedule.change")
def set_limit(practitioner_id: UUID) -> ResponseReturnValue:
    """Show what a doctor's daily limit does, or set it; an empty one is lifted."""
    facility_id = place("schedule.change")

    def asked() -> Edit:
        fields = forms.Fields(request.form)
        per_day = fields.perhaps_number("per_day")
        fields.done()
        if per_day is None:
            return edit(editing.clear_limit, editor(facility_id), practitioner_id, version(), now=now())
        return edit(editing.set_limit, editor(facility_id), practitioner_id, version(), per_day, now=now())

    return decide(
        facility_id,
        "rules",
        asked,
        lambda errors: _page(facility_id, errors),
        url_for("schedule_editor.rules"),
    )


def _page(facility_id: UUID, errors: Errors) -> str:
    people = queries.people(session(), facility_id)
    return render_template(
        "schedule_editor/rules.html",
        **frame(facility_id, "rules"),
        services=queries.services(session(), facility_id),
        policies=queries.policies(session(), facility_id),
        people=[person for person in people.values() if person.own],
        limits=queries.limits(session(), facility_id),
        waiting_rooms=admission.arranged(session(), facility_id),
        who=presentation.who,
        minute=forms.written_minute,
        errors=errors,
    )
