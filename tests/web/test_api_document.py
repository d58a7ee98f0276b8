"""The OpenAPI document and the refusals tell a new integrator how to come in."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient


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
