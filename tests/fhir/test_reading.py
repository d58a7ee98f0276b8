"""The directory, schedules and slots: what everybody may read."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.fhir.codes import DIRECTORY, Kind
from tests.booking.clinic import DOCTORS, FACILITIES, Employee, Person, service_id, statements
from tests.fhir.speaking import Speaker, code_of, matches

TOMORROW = "2026-12-01T00:00:00+07:00"


def test_the_capability_statement_names_what_is_served(anyone: Speaker):
    said = anyone.get("metadata").json
    resources = {item["type"]: item for item in said["rest"][0]["resource"]}
    assert set(resources) == {kind.value for kind in Kind}
    assert [item["name"] for item in resources["Appointment"]["operation"]] == ["find", "hold", "book"]


def test_every_search_parameter_it_names_is_understood(anyone: Speaker, lan: Person, web: FlaskClient):
    said = anyone.get("metadata").json
    values = {"token": "internal", "string": "Thử", "date": "ge2026-12-01"}
    for resource in said["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            speaker = Speaker(web, lan.token)
            named = parameter["name"]
            kind = {"actor": "Practitioner", "schedule.actor": "Practitioner"}.get(named, named.title())
            value = values.get(parameter["type"], f"{kind}/{DOCTORS['an']}")
            strict = {"Prefer": "handling=strict"}
            answer = speaker.get(resource["type"], strict, **{named: value})
            narrow = code_of(answer) if answer.status_code == 400 else None
            assert answer.status_code == 200 or narrow == "fhir-too-broad" or named == "status", answer.json
            if narrow is None:
                assert speaker.get(resource["type"], strict, nonsense="1").status_code == 400


def test_a_bundle_names_only_the_parameters_that_were_used(anyone: Speaker, clinic: None):
    links = anyone.get("Practitioner", nonsense="1", name="Lê", _count=1).json["link"]
    addresses = {link["relation"]: link["url"] for link in links}
    assert "nonsense" not in "".join(addresses.values())
    assert "name=" in addresses["self"]
    assert "_count=1" in addresses["self"]


@pytest.mark.parametrize("kind", [kind for kind in DIRECTORY if kind is not Kind.SLOT])
def test_what_a_search_finds_can_be_read(anyone: Speaker, clinic: None, kind: Kind):
    asked = {"actor": f"Practitioner/{DOCTORS['an']}"} if kind is Kind.SCHEDULE else {}
    found = anyone.found(kind, **asked)
    assert found
    for resource in found:
        assert anyone.get(f"{kind}/{resource['id']}").json == resource


def test_a_list_comes_in_pages_that_hold_each_record_once(anyone: Speaker, clinic: None):
    seen: list[str] = []
    answer = anyone.get("Practitioner", _count=2)
    while True:
        assert answer.json["total"] == 3
        seen += [resource["id"] for resource in matches(answer)]
        links = {link["relation"]: link["url"] for link in answer.json["link"]}
        if "next" not in links:
            break
        assert links["next"].startswith("http://localhost/fhir/R4/Practitioner?")
        answer = anyone.get(links["next"].partition("/fhir/R4/")[2])
    assert sorted(seen) == sorted(str(key) for key in DOCTORS.values())


def test_organizations_are_found_by_code_and_by_name_without_marks(anyone: Speaker, clinic: None):
    by_code = anyone.found("Organization", identifier="77002")
    by_name = anyone.found("Organization", name="benh vien thu 77002")
    assert [item["id"] for item in by_code] == [item["id"] for item in by_name] == [str(FACILITIES["77002"])]


def test_an_unchanged_record_is_not_sent_twice(anyone: Speaker, clinic: None):
    path = f"Organization/{FACILITIES['77001']}"
    etag = anyone.get(path).headers["ETag"]
    assert anyone.get(path, {"If-None-Match": etag}).status_code == 304
    assert anyone.get(path, {"If-None-Match": 'W/"other"'}).status_code == 200


def test_slots_say_how_they_stand(web: FlaskClient, anyone: Speaker, lan: Person, minh: Person):
    schedule = anyone.found("Schedule", actor=f"Practitioner/{DOCTORS['an']}", date="2026-12-01")[0]
    about = {"schedule": f"Schedule/{schedule['id']}"}
    slots = anyone.found("Slot", **about)
    assert len(slots) == 12
    assert {slot["status"] for slot in slots} == {"free"}
    speaker = Speaker(web, lan.token)
    assert speaker.book(f"Slot/{slots[0]['id']}", lan.patient_id).status_code == 200
    assert Speaker(web, minh.token).hold(f"Slot/{slots[1]['id']}").status_code == 200
    after = [slot["status"] for slot in anyone.found("Slot", **about)]
    assert after[:3] == ["busy", "busy-tentative", "free"]
    assert [slot["id"] for slot in anyone.found("Slot", status="busy", **about)] == [slots[0]["id"]]
    assert anyone.get(f"Slot/{slots[1]['id']}").json["status"] == "busy-tentative"


def test_a_slot_that_is_not_for_online_booking_is_unavailable(anyone: Speaker, clinic: None):
    desk_only = f"HealthcareService/{service_id('77001', 'desk-only')}"
    schedule = anyone.found("Schedule", actor=desk_only, date="2026-12-01")[0]
    slots = anyone.found("Slot", schedule=f"Schedule/{schedule['id']}")
    assert {slot["status"] for slot in slots} == {"busy-unavailable"}


def test_a_time_is_the_provinces_with_its_offset(anyone: Speaker, clinic: None):
    schedule = anyone.found("Schedule", actor=f"Practitioner/{DOCTORS['an']}", date="2026-12-01")[0]
    assert schedule["planningHorizon"]["start"] == "2026-12-01T08:00:00+07:00"


def test_people_are_seen_only_by_those_whose_they_are(
    web: FlaskClient, lan: Person, minh: Person, desk: Employee, system: Callable[..., Speaker]
):
    own = Speaker(web, lan.token).found("Patient")
    assert [item["id"] for item in own] == [str(lan.patient_id)]
    assert Speaker(web, lan.token).get(f"Patient/{minh.patient_id}").status_code == 404
    his = system()
    assert his.get(f"Patient/{lan.patient_id}").json["name"][0]["text"] == "Trần Thị Lan"
    assert his.get(f"Patient/{minh.patient_id}").status_code == 404
    assert his.found("Patient", _id=f"{lan.patient_id},{minh.patient_id}") == own
    assert code_of(his.get("Patient")) == "fhir-too-broad"
    assert code_of(system(scopes=("booking.read",)).get(f"Patient/{lan.patient_id}")) == "forbidden"


def test_refusals_are_outcomes_with_our_code_in_the_asked_language(anyone: Speaker, clinic: None):
    missing = anyone.get("Organization/00000000-0000-0000-0000-000000000000", {"Accept-Language": "en"})
    assert (missing.status_code, code_of(missing)) == (404, "not-found")
    assert missing.json["issue"][0]["details"]["text"] == "Not found, or not yours to see."
    assert code_of(anyone.get("Appointment")) == "not-signed-in"
    assert code_of(anyone.get("Encounter")) == "not-found"
    assert code_of(anyone.post("metadata", {})) == "method-not-allowed"
    bad = anyone.get("Schedule", actor=f"Practitioner/{DOCTORS['an']}", date="never")
    assert (bad.status_code, code_of(bad)) == (400, "fhir-bad-parameter")


LISTS = {
    "Organization": {},
    "HealthcareService": {},
    "PractitionerRole": {},
    "Schedule": {"actor": f"Location/{FACILITIES['77001']}"},
    "Appointment": {},
    "Patient": {},
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_costs_the_same_few_statements_however_long_it_is(
    engine: Engine, web: FlaskClient, lan: Person, kind: str
):
    speaker = Speaker(web, lan.token)
    counts = []
    for length in (1, 50):
        with statements(engine) as seen:
            speaker.found(kind, _count=length, **LISTS[kind])
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 9
