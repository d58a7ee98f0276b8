"""Only listed conditions are treated by video; the refusal comes with times in person."""

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.booking.conditions import conditions_of
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import Person


def video_slot(web: FlaskClient) -> str:
    found = web.get("/api/v1/slots?service=internal&facility=77002&modality=video").json
    return found["items"][0]["id"]


def test_a_condition_that_is_not_listed_is_refused_with_times_in_person(
    web: FlaskClient, engine: Engine, lan: Person
):
    body = {"slot_id": video_slot(web), "patient_id": str(lan.patient_id), "condition": "I21.0"}
    refused = web.post("/api/v1/appointments", json=body, headers=lan.headers)
    assert (refused.status_code, refused.json["code"]) == (422, "remote-not-allowed")
    assert {slot["modality"] for slot in refused.json["alternatives"]} == {"in-person"}
    with system_unit_of_work(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM appointment")) == 0


def test_a_listed_condition_is_booked_and_kept_sealed(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person
):
    body = {"slot_id": video_slot(web), "patient_id": str(lan.patient_id), "condition": "e669"}
    made = web.post("/api/v1/appointments", json=body, headers=lan.headers)
    assert made.status_code == 201, made.json
    with system_unit_of_work(engine) as session:
        (kept,) = conditions_of(session, [made.json["id"]], settings.cipher).values()
        sealed = session.scalar(text("SELECT code_sealed FROM appointment_condition"))
    assert (kept.icd10, kept.consultation_only) == ("E66.9", False)
    assert b"E66" not in bytes(sealed)


def test_advice_may_be_asked_for_anything_and_nothing_stated_is_advice(
    web: FlaskClient, engine: Engine, settings: Settings, lan: Person, minh: Person
):
    for person, more in ((lan, {"condition": "I21", "consultation": True}), (minh, {})):
        body = {"slot_id": video_slot(web), "patient_id": str(person.patient_id), **more}
        made = web.post("/api/v1/appointments", json=body, headers=person.headers)
        assert made.status_code == 201, made.json
        with system_unit_of_work(engine) as session:
            (kept,) = conditions_of(session, [made.json["id"]], settings.cipher).values()
        assert (kept.icd10, kept.consultation_only) == (more.get("condition"), True)
