"""Patient: one's own family, or those whom the caller's facility knows."""

from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from telehealth.core.errors import NotFound
from telehealth.core.principal import PrincipalKind
from telehealth.fhir import resources
from telehealth.fhir.asking import Asked, as_uuid
from telehealth.fhir.codes import Kind
from telehealth.fhir.errors import TooBroad
from telehealth.fhir.queries import Found
from telehealth.fhir.routes.blueprint import address, fhir, many, one, search_of
from telehealth.patients.queries import PatientView, known_by_number, patient, patients_by_ids, patients_of
from telehealth.patients.services import note_read
from telehealth.web.context import cipher, may, now, principal, unit_of_work
from telehealth.web.guard import guarded


@fhir.get("/Patient")
@guarded("patient.read")
def search_patients() -> Response:
    """Search one's own family; or, by id or by exact number, people the caller's facility knows."""
    question = search_of(Kind.PATIENT)
    with unit_of_work() as session:
        found = [view for view in _found(session, question) if may("patient.read", view.scope)]
        shown = found[: question.count()]
        note_read(session, principal(), *[view.id for view in shown], now=now())
    page = Found([view.id for view in shown], len(found))
    return many([resources.patient(view, address()) for view in shown], page)


@fhir.get("/Patient/<identifier>")
@guarded("patient.read")
def read_patient(identifier: str) -> Response:
    """Show a person."""
    wanted = as_uuid(identifier)
    with unit_of_work() as session:
        view = None if wanted is None else patient(session, wanted, cipher())
        if view is None or not may("patient.read", view.scope):
            raise NotFound
        note_read(session, principal(), view.id, now=now())
    return one(resources.patient(view, address()))


def _found(session: Session, question: Asked) -> list[PatientView]:
    if question.all("_id") or question.all("identifier"):
        found = patients_by_ids(session, _ids(session, question), cipher())
        return [found[key] for key in sorted(found)]
    if principal().kind is not PrincipalKind.PATIENT:
        raise TooBroad(name="identifier")
    return patients_of(session, principal(), cipher())


def _ids(session: Session, question: Asked) -> set[UUID]:
    by_id = set(question.uuids("_id"))
    by_number = {
        found
        for token in question.all("identifier")
        for found in known_by_number(session, *_number(token), cipher())
    }
    if question.all("_id") and question.all("identifier"):
        return by_id & by_number
    return by_id | by_number


def _number(token: str) -> tuple[str, str]:
    system, _bar, value = token.rpartition("|")
    return system.rpartition("/")[2] or "national-id", value
