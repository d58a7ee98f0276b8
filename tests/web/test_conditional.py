"""Conditional requests and keys: what programs may send along with any request."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.booking.clinic import DOCTORS, Person
from tests.booking.conftest import clinic, lan, set_database_clock, web

__all__ = ["clinic", "lan", "set_database_clock", "web"]

PERSON = {"full_name": "Trần Văn Bảo", "birth_year": 2016, "sex": "male", "relation": "child"}


def people(engine: Engine) -> int:
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        return connection.execute(text("SELECT count(*) FROM patient")).scalar_one()


def test_a_list_that_has_not_changed_is_not_sent_again(web: FlaskClient):
    first = web.get("/api/v1/facilities")
    again = web.get("/api/v1/facilities", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert web.get("/api/v1/practitioners", headers={"If-None-Match": first.headers["ETag"]}).data


def test_a_record_that_has_changed_is_sent_again(web: FlaskClient, lan: Person):
    path = f"/api/v1/patients/{lan.patient_id}"
    etag = web.get(path, headers=lan.headers).headers["ETag"]
    assert web.get(path, headers=lan.headers | {"If-None-Match": etag}).status_code == 304
    changed = web.patch(path, json={"sex": "female"}, headers=lan.headers | {"If-Match": etag})
    assert changed.status_code == 200
    assert web.get(path, headers=lan.headers | {"If-None-Match": etag}).json["sex"] == "female"


def test_a_key_registers_a_person_once(web: FlaskClient, lan: Person, engine: Engine):
    headers = lan.headers | {"Idempotency-Key": "one person"}
    assert web.post("/api/v1/patients", json=PERSON, headers=headers).json["code"] == "bad-idempotency-key"
    headers["Idempotency-Key"] = "one-person"
    before = people(engine)
    first = web.post("/api/v1/patients", json=PERSON, headers=headers)
    again = web.post("/api/v1/patients", json=PERSON, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json, first.headers["ETag"]) == (again.json, again.headers["ETag"])
    assert people(engine) == before + 1
    other = web.post("/api/v1/patients", json=PERSON | {"sex": "female"}, headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency-key-reused")


def test_a_key_cancels_once_and_answers_alike(web: FlaskClient, lan: Person):
    slot = web.get("/api/v1/slots", query_string={"practitioner": str(DOCTORS["an"])}).json["items"][-1]
    wanted = {"slot_id": slot["id"], "patient_id": str(lan.patient_id)}
    booked = web.post("/api/v1/appointments", json=wanted, headers=lan.headers)
    keyed = lan.headers | {"Idempotency-Key": "k", "If-Match": booked.headers.get("ETag", '"1"')}
    path = f"/api/v1/appointments/{booked.json['id']}/cancel"
    first, again = (web.post(path, json={}, headers=keyed) for _ in range(2))
    assert (first.status_code, first.json["status"]) == (200, "cancelled")
    assert (again.status_code, again.data) == (200, first.data)
    late = web.post(path, json={}, headers=lan.headers | {"If-Match": '"1"'})
    assert late.status_code == 412


def test_a_refusal_is_not_kept_under_the_key(web: FlaskClient, lan: Person):
    slot = web.get("/api/v1/slots", query_string={"practitioner": str(DOCTORS["an"])}).json["items"][-1]
    keyed = lan.headers | {"Idempotency-Key": "k2"}
    wrong = web.post("/api/v1/holds", json={"slot_id": "nothing.1"}, headers=keyed)
    assert wrong.status_code == 404
    right = web.post("/api/v1/holds", json={"slot_id": slot["id"]}, headers=keyed)
    assert right.status_code == 201
    assert web.post("/api/v1/holds", json={"slot_id": slot["id"]}, headers=keyed).json == right.json


def test_nobodys_key_keeps_nothing(web: FlaskClient, engine: Engine):
    for _ in range(2):
        web.post("/api/v1/otp", json={"phone": "0912000001"}, headers={"Idempotency-Key": "k"})
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM idempotency")).scalar_one() == 0


def operations(app: Flask) -> dict[str, Any]:
    paths = app.extensions["smorest"].spec.to_dict()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, item in paths.items()
        for method, operation in item.items()
        if method in ("get", "post", "patch", "delete", "put")
    }


def test_the_document_names_the_headers_that_count(app: Flask):
    def headers(operation: dict[str, Any]) -> set[str]:
        return {item["name"] for item in operation.get("parameters", []) if item.get("in") == "header"}

    found = {name: headers(operation) for name, operation in operations(app).items()}
    assert {
        name for name, given in found.items() if name.startswith("POST") and "Idempotency-Key" not in given
    } == set()
    assert {
        name for name, given in found.items() if name.startswith("GET") and "If-None-Match" not in given
    } == set()
    changed = {name for name, given in found.items() if "If-Match" in given}
    assert {
        "PATCH /api/v1/patients/{patient_id}",
        "POST /api/v1/appointments/{appointment_id}/cancel",
        "POST /api/v1/appointments/{appointment_id}/check-in",
        "POST /api/v1/tickets/{ticket_id}/transfer",
    } <= changed
