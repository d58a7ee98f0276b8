"""Missed appointments over HTTP: the API, and the family's page."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session

from telehealth.attendance import queries, services
from telehealth.attendance.codes import Excuse
from telehealth.attendance.errors import MissUnknown
from telehealth.attendance.presentation import attendance_json, miss_json, standing_of_person, standing_text
from telehealth.attendance.schemas import AttendanceSchema, ExcuseSchema, MissSchema
from telehealth.audit.services import Entry, record
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.presentation import appointment_json
from telehealth.booking.routes import json_only
from telehealth.booking.schemas import AppointmentSchema
from telehealth.core.errors import NotFound
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.queries import patient
from telehealth.web.api import IF_MATCH
from telehealth.web.context import cipher, may, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale
from telehealth.web.requests import if_match

api = ApiBlueprint("attendance-api", __name__, url_prefix="/api/v1", description="Missed appointments")
pages = Blueprint("attendance", __name__, template_folder="templates")
pages.add_app_template_filter(standing_text, "standing_text")
pages.add_app_template_filter(standing_of_person, "standing_of_person")


@api.get("/patients/<uuid:patient_id>/attendance")
@guarded("attendance.read")
@api.response(200, AttendanceSchema)
def show(patient_id: UUID) -> Response:
    """Show what somebody missed, what follows from it and until when."""
    with unit_of_work() as session:
        person = patient(session, patient_id, cipher())
        if person is None:
            raise PatientNotFound
        permit("attendance.read", person.scope)
        (found,) = queries.attendance_of(session, [person.id], now=now())
        record(session, principal(), Entry("attendance.read", "Patient", person.id, person.id), now=now())
    return jsonify(attendance_json(found, current_locale()))


@api.post("/appointments/<uuid:appointment_id>/no-show/excuse")
@guarded("attendance.excuse")
@json_only
@api.arguments(ExcuseSchema())
@api.response(200, MissSchema)
def excuse(asked: dict[str, Any], appointment_id: UUID) -> Response:
    """Let a missed appointment not count: illness, our delay, a disaster, or an appeal that was heard."""
    return jsonify(miss_json(excused(appointment_id, Excuse(asked["reason"])), current_locale()))


@api.post("/appointments/<uuid:appointment_id>/confirm")
@api.doc(parameters=[IF_MATCH])
@guarded("attendance.confirm")
@api.response(200, AppointmentSchema)
def confirm(appointment_id: UUID) -> Response:
    """Record that the patient will come, as said by telephone or here. Needs If-Match."""
    version = if_match()

    def unit() -> Response:
        with unit_of_work() as session:
            view = bookings.appointment(session, appointment_id)
            if view is None:
                raise NotFound
            permit("attendance.confirm", view.scope)
            said = booking.confirm(session, principal(), appointment_id, version=version, now=now())
        answer = jsonify(appointment_json(said, principal(), now(), current_locale(), may))
        answer.set_etag(str(said.version))
        return answer

    return attempt(unit)


@pages.get("/missed")
@guarded("attendance.mine")
def mine() -> ResponseReturnValue:
    """Show the family what was missed, what follows from it and until when."""
    with unit_of_work() as session:
        found = queries.attendance_of(session, sorted(principal().patient_ids), now=now())
        _note(session, *[view.patient_id for view in found])
    return render_template(
        "attendance/mine.html", people=[view for view in found if view.misses or view.standing]
    )


def excused(appointment_id: UUID, reason: Excuse) -> queries.MissView:
    """Excuse as whoever is signed in. Raises MissUnknown, Forbidden."""

    def unit() -> queries.MissView:
        with unit_of_work() as session:
            found = queries.miss(session, appointment_id)
            if found is None:
                raise MissUnknown
            permit("attendance.excuse", AppointmentScope(found.facility_id, found.patient_id))
            return services.excuse(session, principal(), appointment_id, reason, now=now())

    return attempt(unit)


def _note(session: Session, *patient_ids: UUID) -> None:
    entries = [Entry("attendance.read", "Patient", each, each) for each in patient_ids]
    record(session, principal(), *entries, now=now())
