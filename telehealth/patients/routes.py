"""The signed-in person and family, for programs."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask.views import MethodView
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.accounts.contacts import Contact
from telehealth.accounts.queries import account_names, contact_of_account
from telehealth.audit.queries import events_of_patient
from telehealth.core.principal import PrincipalKind
from telehealth.identification.numbers import compact, national_id_warnings, valid_national_id
from telehealth.patients import queries, schemas, services
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.policies import registering_facility
from telehealth.patients.queries import PatientView
from telehealth.web.api import ETAG, ID, IF_MATCH, Link, links, located
from telehealth.web.context import cipher, may, now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import t
from telehealth.web.requests import if_match

api = Blueprint("patients-api", __name__, url_prefix="/api/v1", description="People and families")


_ONE = "/api/v1/patients/{patient_id}"
_KNOWN = {"patient_id": ID}
_NEXT = links(
    201,
    show=Link("get", _ONE, _KNOWN),
    change=Link("patch", _ONE, {**_KNOWN, "header.If-Match": ETAG}),
    trail=Link("get", f"{_ONE}/trail", _KNOWN),
    leave=Link("delete", _ONE, _KNOWN),
)


@api.route("/patients")
class Patients(MethodView):
    """The people an account looks after."""

    @guarded("patient.list")
    @api.response(200, schemas.PatientList)
    def get(self) -> dict[str, Any]:
        """List the signed-in person and family."""
        with unit_of_work() as work:
            found = services.family(work, principal(), now=now(), cipher=cipher())
        return {"items": [_body(view) for view in found]}

    @located("patients-api.OnePatient", "patient_id")
    @api.doc(**_NEXT)
    @guarded("patient.register")
    @api.arguments(schemas.Registration)
    @api.response(201, schemas.PatientBody)
    def post(self, body: dict[str, Any]) -> Response:
        """Register a person; the first one of an account is its owner."""
        permit("patient.register")
        warnings = _warnings(body)
        facility_id = registering_facility(principal(), body.pop("facility_id", None))
        with unit_of_work() as work:
            patient_id = services.register(
                work, principal(), schemas.new_patient(body), now=now(), cipher=cipher()
            )
            if facility_id is not None:
                services.link_facility(work, patient_id, facility_id, now())
            view = _seen(patient_id)
        return _answer(view, 201, warnings)


@api.route("/patients/<uuid:patient_id>")
class OnePatient(MethodView):
    """One person."""

    @guarded("patient.read")
    @api.response(200, schemas.PatientBody)
    def get(self, patient_id: UUID) -> Response:
        """Show a person. The ETag is the version that changes name."""
        with unit_of_work() as work:
            view = _permitted("patient.read", patient_id)
            services.note_read(work, principal(), view.id, now=now())
        return _answer(view, 200)

    @api.doc(parameters=[IF_MATCH])
    @guarded("patient.change")
    @api.arguments(schemas.PatientChange)
    @api.response(200, schemas.PatientBody)
    def patch(self, body: dict[str, Any], patient_id: UUID) -> Response:
        """Change what is named. Needs If-Match."""
        version = if_match()
        with unit_of_work() as work:
            view = _permitted("patient.change", patient_id)
            services.change(work, principal(), view.id, body, version=version, now=now(), cipher=cipher())
            view = _seen(view.id)
        return _answer(view, 200, _warnings(body | {"sex": view.sex, "birth_date": view.birth_date}))

    @guarded("patient.leave")
    @api.response(204)
    def delete(self, patient_id: UUID) -> None:
        """Stop acting for a person. Nothing of theirs is deleted."""
        with unit_of_work() as work:
            view = _permitted("patient.leave", patient_id)
            services.leave(work, principal(), view.id, now=now())


@api.post("/patients/own")
@guarded("patient.take-over")
@api.arguments(schemas.OwnRecord)
@api.response(200, schemas.PatientBody)
def take_over(body: dict[str, Any]) -> Response:
    """Take over one's own record at 18: with the telephone that stands in it, the name and date of birth."""
    with unit_of_work() as work:
        patient_id = services.take_over(
            work, principal(), own_contact(work), **body, now=now(), cipher=cipher()
        )
        view = _seen(patient_id)
    return _answer(view, 200)


def own_contact(work: Session) -> Contact | None:
    """Return where the signed-in account is reached; the sign-in has proven it."""
    actor = principal()
    return None if actor.id is None else contact_of_account(work, actor.id, cipher())


@api.get("/patients/<uuid:patient_id>/trail")
@guarded("patient.trail")
@api.response(200, schemas.Trail)
def trail(patient_id: UUID) -> dict[str, Any]:
    """Show who looked at a person's data."""
    with unit_of_work() as work:
        view = _permitted("patient.trail", patient_id)
        events = events_of_patient(work, view.id)
        staff = {
            event.actor_id
            for event in events
            if event.actor_id is not None and event.actor_kind == PrincipalKind.STAFF.value
        }
        names = account_names(work, staff)
    return {
        "items": [
            {
                "at": event.at,
                "actor_kind": event.actor_kind,
                "actor": names.get(event.actor_id) if event.actor_id else None,
                "action": event.action,
            }
            for event in events
        ]
    }


def _seen(patient_id: UUID) -> PatientView:
    view = queries.patient(session(), patient_id, cipher())
    if view is None:
        raise PatientNotFound
    return view


def _permitted(action: str, patient_id: UUID) -> PatientView:
    """Return a person the caller may do this to; for anybody else there is no such person."""
    view = _seen(patient_id)
    if not may(action, view.scope):
        raise PatientNotFound
    return view


def _body(view: PatientView) -> dict[str, Any]:
    return {name: value for name, value in asdict(view).items() if name != "facility_ids"}


def _warnings(body: dict[str, Any]) -> list[str]:
    number = compact(body.get("national_id") or "")
    birth = body.get("birth_date") or (str(body["birth_year"]) if body.get("birth_year") else None)
    if not valid_national_id(number):
        return []
    return [t(key) for key in national_id_warnings(number, body.get("sex", "unknown"), birth)]


def _answer(view: PatientView, status: int, warnings: list[str] | None = None) -> Response:
    response = jsonify(schemas.PatientBody().dump({**_body(view), "warnings": warnings or []}))
    response.status_code = status
    response.set_etag(str(view.version))
    return response
