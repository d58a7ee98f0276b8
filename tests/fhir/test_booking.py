"""$find, $hold and $book, as IHE Scheduling has them (ITI-115, 116, 117)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.booking.clinic import DOCTORS, FACILITIES, NOW, Employee, Person
from tests.conftest import MovableClock
from tests.fhir.speaking import Speaker, code_of, matches

TOMORROW = "2026-12-01T00:00:00+07:00"
AFTER_TOMORROW = "2026-12-02T00:00:00+07:00"


def proposals(speaker: Speaker, **query: object) -> list[dict]:
    return speaker.found("Appointment/$find", **({"start": TOMORROW, "specialty": "internal"} | query))


@pytest.mark.parametrize(
    ("fhir", "ours"),
    [
        ({"start": TOMORROW}, {"from": TOMORROW}),
        ({"start": TOMORROW, "end": AFTER_TOMORROW}, {"from": TOMORROW, "to": AFTER_TOMORROW}),
        ({"specialty": "http://any|internal"}, {"service": "internal"}),
        ({"visit-type": "desk-only"}, {"service": "desk-only"}),
        ({"organization": f"Organization/{FACILITIES['77002']}"}, {"facility": "77002"}),
        ({"location-reference": f"Location/{FACILITIES['77001']}"}, {"facility": "77001"}),
        ({"practitioner": f"Practitioner/{DOCTORS['binh']}"}, {"practitioner": str(DOCTORS["binh"])}),
        ({"modality": "VR"}, {"modality": "video"}),
    ],
)
def test_find_answers_what_the_slots_answer(web: FlaskClient, anyone: Speaker, clinic: None, fhir, ours):
    listed = web.get("/api/v1/slots", query_string={**ours, "limit": 100}).json["items"]
    found = anyone.found("Appointment/$find", _count=100, **fhir)
    assert [(item["id"], item["start"], item["end"]) for item in found] == [
        (item["id"], item["start"], item["end"]) for item in listed
    ]
    assert {item["status"] for item in found} <= {"proposed"}


def test_find_takes_parameters_in_a_body_too(anyone: Speaker, clinic: None):
    asked = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "start", "valueDateTime": TOMORROW},
            {"name": "practitioner", "valueReference": {"reference": f"Practitioner/{DOCTORS['an']}"}},
            {"name": "_count", "valueString": "3"},
        ],
    }
    found = matches(anyone.post("Appointment/$find", asked))
    assert [item["start"][11:16] for item in found] == ["08:00", "08:10", "08:20"]


def test_several_practitioners_are_any_of_them(anyone: Speaker, clinic: None):
    both = f"{DOCTORS['an']},Practitioner/{DOCTORS['binh']}"
    found = proposals(anyone, practitioner=both, _count=100)
    actors = {item["participant"][0]["actor"]["reference"] for item in found}
    assert actors == {f"Practitioner/{DOCTORS['an']}", f"Practitioner/{DOCTORS['binh']}"}


def test_a_patient_finds_holds_books_moves_and_cancels(web: FlaskClient, lan: Person, engine):
    speaker = Speaker(web, lan.token)
    first, second = proposals(speaker, practitioner=f"Practitioner/{DOCTORS['an']}")[:2]
    held = speaker.hold(f"Appointment/{first['id']}")
    assert held.status_code == 200, held.json
    pending = matches(held)[0]
    assert pending["status"] == "pending"
    until = datetime.fromisoformat(pending["extension"][0]["valueInstant"])
    assert NOW + timedelta(seconds=290) < until <= NOW + timedelta(seconds=330)
    assert first["id"] not in {item["id"] for item in proposals(speaker, _count=100)}

    booked = speaker.book(f"Appointment/{pending['id']}", lan.patient_id)
    assert booked.status_code == 200, booked.json
    appointment = matches(booked)[0]
    assert (appointment["id"], appointment["status"]) == (pending["id"], "booked")
    assert speaker.get(f"Appointment/{pending['id']}").json == appointment
    assert speaker.found("Appointment", patient=f"Patient/{lan.patient_id}") == [appointment]

    moved = {**appointment, "slot": [{"reference": f"Slot/{second['id']}"}]}
    after = matches(speaker.post("Appointment/$book", moved))[0]
    assert (after["id"], after["start"]) == (appointment["id"], second["start"])
    stale = speaker.post("Appointment/$book", {**moved, "status": "cancelled"})
    assert (stale.status_code, code_of(stale)) == (412, "stale-version")

    reason = {"coding": [{"code": "patient-better"}]}
    gone = speaker.post("Appointment/$book", {**after, "status": "cancelled", "cancelationReason": reason})
    cancelled = matches(gone)[0]
    assert cancelled["status"] == "cancelled"
    assert cancelled["cancelationReason"]["coding"][0]["code"] == "patient-better"


def test_a_proposed_appointment_is_booked_without_a_hold(web: FlaskClient, lan: Person):
    speaker = Speaker(web, lan.token)
    proposal = proposals(speaker)[0]
    assert speaker.get(f"Appointment/{proposal['id']}").json == proposal
    booked = matches(speaker.book(f"Appointment/{proposal['id']}", lan.patient_id))[0]
    assert booked["status"] == "booked"
    assert code_of(speaker.get(f"Appointment/{proposal['id']}")) == "fhir-not-offered"


def test_a_comment_is_as_long_as_a_reason_may_be_at_any_door(web: FlaskClient, lan: Person):
    speaker = Speaker(web, lan.token)
    proposal = proposals(speaker)[0]
    patient = {"actor": {"reference": f"Patient/{lan.patient_id}"}, "status": "accepted"}
    wanted = proposal | {"participant": [*proposal["participant"], patient]}
    refused = speaker.post("Appointment/$book", wanted | {"comment": "x" * 501})
    assert (refused.status_code, code_of(refused)) == (422, "invalid")
    assert matches(speaker.post("Appointment/$book", wanted | {"comment": "x" * 500}))


def test_a_time_that_is_gone_is_refused_with_the_next_free_ones(web: FlaskClient, lan: Person, minh: Person):
    proposal = proposals(Speaker(web, lan.token), practitioner=f"Practitioner/{DOCTORS['an']}")[0]
    Speaker(web, lan.token).book(f"Appointment/{proposal['id']}", lan.patient_id)
    refused = Speaker(web, minh.token).book(f"Appointment/{proposal['id']}", minh.patient_id)
    assert (refused.status_code, code_of(refused)) == (409, "slot-taken")
    others = [item["valueReference"]["reference"] for item in refused.json["issue"][0]["extension"]]
    assert len(others) == 3
    assert f"Slot/{proposal['id']}" not in others


def test_a_hold_that_has_run_out_is_not_booked(
    web: FlaskClient, lan: Person, clock: MovableClock, set_database_clock: Callable[[datetime], None]
):
    speaker = Speaker(web, lan.token)
    pending = matches(speaker.hold(f"Appointment/{proposals(speaker)[0]['id']}"))[0]
    set_database_clock(clock.forward(minutes=6))
    refused = speaker.book(f"Appointment/{pending['id']}", lan.patient_id)
    assert (refused.status_code, code_of(refused)) == (409, "hold-expired")


def test_a_hold_is_given_back_by_cancelling_it(web: FlaskClient, lan: Person):
    speaker = Speaker(web, lan.token)
    proposal = proposals(speaker)[0]
    pending = matches(speaker.hold(f"Appointment/{proposal['id']}"))[0]
    gone = matches(speaker.post("Appointment/$book", {**pending, "status": "cancelled"}))[0]
    assert gone["status"] == "cancelled"
    assert proposal["id"] in {item["id"] for item in proposals(speaker)}


def test_a_change_without_a_version_is_refused(web: FlaskClient, lan: Person):
    speaker = Speaker(web, lan.token)
    booked = matches(speaker.book(f"Slot/{proposals(speaker)[0]['id']}", lan.patient_id))[0]
    version = booked.pop("meta")["versionId"]
    nameless = speaker.post("Appointment/$book", {**booked, "status": "cancelled"})
    assert (nameless.status_code, code_of(nameless)) == (428, "version-required")
    told = {"If-Match": f'W/"{version}"'}
    assert speaker.post("Appointment/$book", {**booked, "status": "cancelled"}, told).status_code == 200


def test_a_hospitals_system_books_for_those_it_knows_and_sees_its_own_house_only(
    web: FlaskClient, lan: Person, minh: Person, desk: Employee, system: Callable[..., Speaker]
):
    his, other = system(), system("77002")
    proposal = proposals(his, organization=f"Organization/{FACILITIES['77001']}")[0]
    pending = matches(his.hold(f"Appointment/{proposal['id']}"))[0]
    booked = matches(his.book(f"Appointment/{pending['id']}", lan.patient_id))[0]
    assert his.found("Appointment", identifier=booked["identifier"][0]["value"]) == [booked]
    assert other.get(f"Appointment/{booked['id']}").status_code == 404
    assert other.found("Appointment") == []
    assert code_of(his.book(f"Slot/{proposals(his)[2]['id']}", minh.patient_id)) == "patient-unknown"
    elsewhere = proposals(his, organization=f"Organization/{FACILITIES['77002']}")[0]
    assert code_of(his.book(f"Slot/{elsewhere['id']}", lan.patient_id)) == "forbidden"
    reader = system(scopes=("booking.read", "booking.list", "booking.day"))
    assert reader.found("Appointment") == [booked]
    assert code_of(reader.hold(f"Slot/{proposal['id']}")) == "forbidden"


def test_a_house_lists_by_day_by_change_and_by_status(
    web: FlaskClient, lan: Person, desk: Employee, system: Callable[..., Speaker]
):
    his = system()
    booked = matches(his.book(f"Slot/{proposals(his)[0]['id']}", lan.patient_id))[0]
    assert his.found("Appointment", date="2026-12-01", status="booked") == [booked]
    assert his.found("Appointment", date="2026-12-02") == []
    assert his.found("Appointment", status="noshow,cancelled") == []
    assert his.found("Appointment", _lastUpdated="ge2026-11-30") == [booked]
    assert his.found("Appointment", practitioner=f"Practitioner/{DOCTORS['chi']}") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": "x"},
        {"resourceType": "Parameters", "parameter": [{"name": "appointment-reference"}]},
        {"resourceType": "Appointment"},
        {"resourceType": "Appointment", "status": "arrived", "participant": [{"status": "accepted"}]},
        {"resourceType": "Patient"},
    ],
)
def test_a_body_that_is_no_such_resource_is_refused(web: FlaskClient, lan: Person, body: dict):
    speaker = Speaker(web, lan.token)
    for operation in ("$hold", "$book"):
        refused = speaker.post(f"Appointment/{operation}", body)
        assert (refused.status_code, code_of(refused)) == (422, "fhir-invalid-resource"), refused.json


def test_only_json_is_read(web: FlaskClient, lan: Person):
    answer = web.post("/fhir/R4/Appointment/$hold", data="<x/>", headers=lan.headers)
    assert (answer.status_code, code_of(answer)) == (415, "unsupported-media")
