"""The waiting room at a service's release hour: whether there is one, and how fast it lets people in."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from telehealth.admission import queries as admission
from telehealth.admission.models import ReleasePolicy
from telehealth.admission.schemas import ReleaseTermsSchema
from telehealth.admission.services import Terms, arrange
from telehealth.core.errors import NotFound, Unprocessable, http_status
from telehealth.schedule_editor import forms, presentation, queries
from telehealth.schedule_editor.queries import Offered
from telehealth.schedule_editor.routes.blueprint import Errors, Values, frame, pages, place
from telehealth.web.context import now, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

_NUMBERS = tuple(ReleaseTermsSchema().fields)
_USUAL = Terms(rate_per_minute=60)


@pages.get("/waiting-rooms/<uuid:service_id>")
@guarded("admission.arrange")
def waiting_room(service_id: UUID) -> str:
    """Show how the waiting room of a service is arranged."""
    facility_id = place("admission.arrange")
    service = _service(facility_id, service_id)
    return _page(
        facility_id, service, _values(admission.arranged(session(), facility_id).get(service_id)), {}
    )


@pages.post("/waiting-rooms/<uuid:service_id>")
@guarded("admission.arrange")
def arrange_waiting_room(service_id: UUID) -> ResponseReturnValue:
    """Give a service a waiting room, or let places be taken as ever."""
    facility_id = place("admission.arrange")
    service = _service(facility_id, service_id)
    try:
        terms = _asked()
    except Unprocessable as error:
        page = _page(facility_id, service, forms.form_values(request.form), form_errors(error))
        return page, http_status(error)
    with unit_of_work() as work:
        arrange(work, principal(), service_id, facility_id, terms, now=now())
    flash(t("editor-waiting-room-saved"), "success")
    return redirect(url_for("schedule_editor.rules"), 303)


def _asked() -> Terms | None:
    """Return the terms of the form, None for no waiting room. Raises Unprocessable."""
    if request.form.get("on") == "no":
        return None
    if request.form.get("on") != "yes":
        raise Unprocessable({"on": ["schedule-choice-missing"]})
    given = {name: request.form.get(name, "").strip() for name in _NUMBERS}
    empty = {name: ["field-required"] for name, value in given.items() if not value}
    if empty:
        raise Unprocessable(empty)
    try:
        return Terms(**ReleaseTermsSchema().load(given))
    except ValidationError as error:
        raise Unprocessable(error.messages_dict) from None


def _service(facility_id: UUID, service_id: UUID) -> Offered:
    found = queries.services(session(), facility_id).get(service_id)
    if found is None:
        raise NotFound
    return found


def _values(row: ReleasePolicy | None) -> Values:
    shown = _USUAL if row is None else row
    return {
        "on": ["no" if row is None else "yes"],
        **{name: [str(getattr(shown, name))] for name in _NUMBERS},
    }


def _page(facility_id: UUID, service: Offered, values: Values, errors: Errors) -> str:
    policy = queries.policies(session(), facility_id).get(service.id)
    return render_template(
        "schedule_editor/waiting_room.html",
        **frame(facility_id, "rules"),
        service=service,
        release=presentation.release_words(policy),
        values=values,
        errors=errors,
    )
