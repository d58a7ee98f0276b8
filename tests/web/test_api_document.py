"""The OpenAPI document and the refusals tell a new integrator how to come in."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema, fields

from telehealth.web.api import ItemCount
from telehealth.web.field_messages import field_text


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return app.extensions["smorest"].spec.to_dict()


def values_of(key: str, node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(key, value)


def test_each_operation_names_its_scope_or_is_open(document: dict[str, Any]):
    paths = document["paths"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert paths["/api/v1/appointments"]["post"]["security"] == [{"bearer": ["booking.book"]}]
    assert paths["/api/v1/patients/{patient_id}"]["get"]["security"] == [{"bearer": ["patient.read"]}]
    assert paths["/api/v1/slots"]["get"]["security"] == []
    assert all("security" in each for item in paths.values() for each in item.values() if "responses" in each)


def test_the_document_says_how_to_begin(document: dict[str, Any], client: FlaskClient):
    said = document["info"]["description"]
    for word in ("POST /api/v1/sessions", "Idempotency-Key", "If-Match", "Retry-After", "cursor"):
        assert word in said
    page = client.get("/api/docs").text
    assert "booking.book" in page
    assert "GET /<wbr>api/<wbr>v1/<wbr>slots</code>" in page, "a long path finds a place to break on a phone"


def test_patterns_are_those_of_json_schema(document: dict[str, Any]):
    patterns = [each for each in values_of("pattern", document) if isinstance(each, str)]
    assert patterns
    assert [each for each in patterns if re.search(r"\\[AZz]", each)] == []


@pytest.mark.parametrize("path", ["/api/v1/appointments", "/fhir/R4/Appointment"])
def test_a_401_says_which_scheme_signs_in(client: FlaskClient, path: str):
    refused = client.get(path)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


WITHOUT_ADDRESS = {
    "/api/v1/appointments/{appointment_id}/invitees": "a list beside the appointment",
    "/api/v1/appointments/{appointment_id}/offers": "shown with the appointment",
    "/api/v1/calendar-feed": "the address it was sent to",
    "/api/v1/delegations": "read as a list",
    "/api/v1/devices": "nobody reads a device",
    "/api/v1/facilities/{code}/nodes": "a code, told once",
    "/api/v1/feedback": "read as a list",
    "/api/v1/kiosk/leases": "its machine keeps it",
    "/api/v1/nodes/devices": "its node keeps it",
    "/api/v1/nodes/enrolments": "its node keeps it",
    "/api/v1/nodes/leases": "its node keeps it",
    "/api/v1/passkeys": "read as a list",
    "/api/v1/passkeys/sessions": "read as a list",
    "/api/v1/push/subscriptions": "its browser keeps it",
    "/api/v1/queues/{queue_id}/number-lists": "printed once",
    "/api/v1/services/{service_id}/waiting-room": "the address it was sent to",
    "/api/v1/sessions": "read as a list",
    "/api/v1/staff-calls": "read on the desk's page",
}


def test_what_is_made_names_its_address(document: dict[str, Any]):
    made = {path: item["post"]["responses"] for path, item in document["paths"].items() if "post" in item}
    answers = {path: found["201"] for path, found in made.items() if "201" in found}
    silent = {path for path, answer in answers.items() if "Location" not in answer.get("headers", {})}
    assert silent == WITHOUT_ADDRESS.keys()


def test_a_facilitys_day_names_both_scopes(document: dict[str, Any], client: FlaskClient):
    day = document["paths"]["/api/v1/appointments"]["get"]
    assert day["security"] == [{"bearer": ["booking.list", "booking.day"]}]
    assert "booking.day" in client.get("/api/docs").text


@pytest.mark.parametrize(
    ("language", "said"), [("vi", "Cần từ 1 đến 7 mục."), ("en", "This list needs from 1 to 7.")]
)
def test_a_list_is_not_counted_in_characters(app: Flask, language: str, said: str):
    class Week(Schema):
        weekdays = fields.List(fields.Integer(), validate=ItemCount(1, 7))

    with app.test_request_context(f"/?lang={language}"):
        assert [field_text(each) for each in Week().validate({"weekdays": []})["weekdays"]] == [said]


def test_the_document_counts_items_of_lists(document: dict[str, Any]):
    weekdays = document["components"]["schemas"]["NewSchedule"]["properties"]["weekdays"]
    assert (weekdays["minItems"], weekdays["maxItems"]) == (1, 7)


def test_headers_stand_where_they_are_honoured(document: dict[str, Any]):
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            said = {each.get("name") for each in item[method].get("parameters", [])}
            assert ("Idempotency-Key" in said) == (method == "post"), (method, path)
            if method == "patch" or "Needs If-Match" in item[method].get("summary", ""):
                assert "If-Match" in said, (method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/payments/{payment_id}/refund"),
        ("put", "/api/v1/facilities/{code}/bank-account"),
        ("put", "/api/v1/facilities/{code}/services/{service_code}/deposit"),
        ("delete", "/api/v1/facilities/{code}/services/{service_code}/deposit"),
    ],
)
def test_what_changes_money_names_the_version_that_it_asks_for(
    document: dict[str, Any], method: str, path: str
):
    assert "If-Match" in {each["name"] for each in document["paths"][path][method]["parameters"]}


def test_an_answer_with_links_keeps_its_schema(document: dict[str, Any]):
    for path, item in document["paths"].items():
        for operation in (each for each in item.values() if "responses" in each):
            for answer in operation["responses"].values():
                assert "links" not in answer or answer["content"], path
