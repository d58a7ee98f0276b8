"""The desk and missed appointments: how a person stands, what does not count, a word by telephone."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.attendance import queries
from telehealth.attendance.codes import Excuse
from telehealth.attendance.routes import excused
from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.core.errors import BadRequest, DomainError, Forbidden, NotFound, http_status
from telehealth.desk import services
from telehealth.desk.frame import desk_here, frame, known_person
from telehealth.web.context import now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded
from telehealth.web.localization import t

missed = Blueprint("desk-missed", __name__, template_folder="templates", url_prefix="/desk")


@missed.get("/people/<uuid:patient_id>/missed")
@guarded("attendance.read")
def show(patient_id: UUID) -> ResponseReturnValue:
    """Show what a person missed, what follows from it and until when."""
    return _page(patient_id)


@missed.post("/people/<uuid:patient_id>/missed/<uuid:appointment_id>/excuse")
@guarded("attendance.excuse")
def excuse(patient_id: UUID, appointment_id: UUID) -> ResponseReturnValue:
    """Let one of them not count."""
    given = request.form.get("reason", "")
    if given not in set(Excuse):
        raise BadRequest
    try:
        excused(appointment_id, Excuse(given))
    except DomainError as refusal:
        return _page(patient_id, error_text(refusal)), http_status(refusal)
    flash(t("desk-missed-excused"), "success")
    return redirect(url_for("desk-missed.show", patient_id=patient_id), 303)


@missed.post("/appointments/<uuid:appointment_id>/confirm")
@guarded("attendance.confirm")
def confirm(appointment_id: UUID) -> ResponseReturnValue:
    """Record that the patient will come, as said by telephone."""
    desk = desk_here()

    def unit() -> None:
        with unit_of_work() as session:
            view = services.appointment(session, desk, appointment_id)
            permit("attendance.confirm", view.scope)
            booking.confirm(session, principal(), view.id, version=view.version, now=now())

    try:
        attempt(unit)
        flash(t("desk-confirmed"), "success")
    except (NotFound, Forbidden):
        raise
    except DomainError as refusal:
        flash(error_text(refusal), "error")
    return redirect(url_for("desk.show", appointment_id=appointment_id), 303)


def _page(patient_id: UUID, refusal: str | None = None) -> str:
    desk = desk_here()
    with unit_of_work() as session:
        person = known_person(session, patient_id)
        (found,) = queries.attendance_of(session, [person.id], now=now())
        entry = Entry("attendance.read", "Patient", person.id, person.id, desk.facility_id)
        record(session, principal(), entry, now=now())
    return render_template(
        "desk/missed.html",
        **frame(desk),
        person=person,
        attendance=found,
        excuses=[reason.value for reason in Excuse],
        refusal=refusal,
    )
