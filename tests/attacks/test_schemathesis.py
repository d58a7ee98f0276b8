"""The OpenAPI document put to the test: every role, made-up requests, no crash and no surprise."""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.attacks.town import Town

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ROLES = (
    "anonymous",
    "lan",
    "desk",
    "practitioner",
    "facility-admin",
    "province-officer",
    "kiosk",
    "integrator",
)
LAST = ("DELETE /api/v1/patients/{patient_id}", "DELETE /api/v1/sessions")  # they end what the rest needs


@pytest.fixture(scope="module")
def operations(app: Flask) -> list[Any]:
    """Every operation of the document; those that take away what others need come last."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    found = [operation.ok() for operation in schema.get_all_operations()]
    return sorted(found, key=lambda operation: LAST.index(operation.label) if operation.label in LAST else -1)


@pytest.fixture(scope="module")
def strategies(operations: list[Any]) -> dict[str, Any]:
    """Requests as the document describes them, and requests that break it."""
    return {
        operation.label: st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
        for operation in operations
    }


def attack(town: Town, role: str, operation: Any, cases: Any, examples: int) -> list[str]:
    """Send made-up requests of an operation as one role; return what was wrong."""
    found: list[str] = []
    token = town.tokens.get(role)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    real_path, real_body = known(town, operation.path)

    @seed(ROLES.index(role))
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans(), version=st.sampled_from((None, '"1"', '"9"', "x")))
    def send(case: Any, real: bool, version: str | None) -> None:
        if real:
            case.path_parameters = {**(case.path_parameters or {}), **real_path}
            if isinstance(case.body, dict):
                case.body = {**case.body, **{name: real_body[name] for name in real_body & case.body.keys()}}
        response = case.call(headers=headers | ({"If-Match": version} if version else {}))
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            sent = f"{case.formatted_path} {case.query!r:.300} {case.body!r:.300}"
            found.extend(f"{role} {operation.label}: {each.message}\n<- {sent}" for each in group.exceptions)

    send()
    return found


def known(town: Town, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Values for a path and for a body that name something."""
    records = town.records
    real = {
        "appointment_id": records["next appointment"]["id"],
        "hold_id": records["hold"]["id"],
        "ticket_id": records["ticket"]["id"],
        "queue_id": records["queues"]["P1"],
        "public_token": records["ticket"]["public_token"],
        "patient_id": str(town.lan.patient_id),
        "code": "77001",
    }
    body = {name: real[name] for name in ("hold_id", "patient_id", "queue_id")}
    body |= {"slot_id": town.records["free slot"], "phone": "0912000001", "full_name": "Lê Thị Mơ"}
    return {name: value for name, value in real.items() if f"{{{name}}}" in path}, body


def attack_all(
    town: Town, role: str, operations: list[Any], strategies: dict[str, Any], examples: int
) -> list[str]:
    """Attack every operation."""
    return [
        wrong
        for operation in operations
        for wrong in attack(town, role, operation, strategies[operation.label], examples)
    ]


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_in_the_document(
    lived_in: Town, operations: list[Any], strategies: dict[str, Any], role: str
) -> None:
    assert attack_all(lived_in, role, operations, strategies, examples=2) == []


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_in_the_document_however_often_we_ask(
    lived_in: Town, operations: list[Any], strategies: dict[str, Any], role: str
) -> None:
    assert attack_all(lived_in, role, operations, strategies, examples=40) == []
