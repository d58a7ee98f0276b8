"""Doubles and merging, for programs."""

from typing import Any
from uuid import UUID

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.identities import queries, schemas, services
from telehealth.identities.errors import BadMerge
from telehealth.identities.queries import Described, Doubles
from telehealth.identities.services import Merge
from telehealth.patients import queries as patients
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.policies import registering_facility
from telehealth.patients.queries import PatientView
from telehealth.patients.schemas import new_patient
from telehealth.patients.services import note_read
from telehealth.web.context import cipher, now, outbox, permit, principal, unit_of_work
from telehealth.web.guard import guarded

api = Blueprint("identities-api", __name__, url_prefix="/api/v1", description="Doubles and merged records")


@api.post("/patients/duplicates")
@guarded("identity.doubles")
@api.arguments(schemas.DoublesRequest)
@api.response(200, schemas.DoublesBody)
def duplicates(body: dict[str, Any]) -> Doubles:
    """Say who might be the same person, before somebody is registered twice."""
    facility_id = _facility("identity.doubles", body.pop("facility_id", None))
    with unit_of_work() as work:
        described = Described.of(new_patient(body), cipher())
        found = queries.possible_doubles(work, facility_id, described, cipher())
        seen = [view.id for view in found.candidates]
        note_read(work, principal(), *seen, now=now(), facility_id=facility_id, why="patient.double")
    return found


@api.post("/patients/<uuid:patient_id>/merge")
@guarded("identity.merge")
@api.arguments(schemas.MergeRequest)
@api.response(200, schemas.PatientBody)
def merge(body: dict[str, Any], patient_id: UUID) -> PatientView:
    """Make this record and another one, both known here, the record of one person. It is not undone."""
    facility_id = _facility("identity.merge", body.get("facility_id"))
    if not body["same_person"]:
        raise BadMerge({"same_person": ["identities-same-missing"]})
    with unit_of_work() as work:
        for known in (patient_id, body["merged_id"]):
            _known_here(work, known, facility_id)
        services.merge(
            work,
            principal(),
            Merge(patient_id, body["merged_id"], facility_id, body["keep"]),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
        return _known_here(work, patient_id, facility_id)


def _facility(action: str, named: UUID | None) -> UUID:
    facility_id = registering_facility(principal(), named)
    permit(action, facility_id)
    if facility_id is None:
        raise PatientNotFound
    return facility_id


def _known_here(work: Session, patient_id: UUID, facility_id: UUID) -> PatientView:
    view = patients.patient(work, patient_id, cipher())
    if view is None or view.id != patient_id or facility_id not in view.facility_ids:
        raise PatientNotFound
    return view
