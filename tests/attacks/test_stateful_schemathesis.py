"""The document's links followed: hold, book, move, cancel; subscribe, try, end. No crash, no surprise.

Each step takes what the step before answered; the rest of a request is made up, or names something known.
"""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response

from telehealth.core.principal import Role
from tests.attacks.test_schemathesis import CHECKS
from tests.attacks.town import Town

ROLES = ("lan", "desk", "facility-admin", "integrator")
LISTENING = "https://93.184.215.14/hook"


def follow(town: Town, app: Flask, role: str, scenarios: int, steps: int) -> tuple[list[str], set[str]]:
    """Follow links as one role; return what was wrong, and which operations succeeded."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    wrong: list[str] = []
    succeeded: set[str] = set()
    slots = [slot["id"] for slot in town.slots(limit=100)]

    class Followed(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Any) -> None:
            known = {
                "patient_id": str(town.lan.patient_id),
                "slot_id": slots[len(succeeded) * 7 % len(slots)],
                "facility": "77001",
                "url": LISTENING,
            }
            if isinstance(case.body, dict):
                case.body |= {name: value for name, value in known.items() if name in case.body}
                if "hold_id" in case.body:
                    case.body = {"hold_id": case.body["hold_id"], "patient_id": known["patient_id"]}
                elif case.operation.label == "POST /api/v1/appointments":
                    case.body = {"slot_id": known["slot_id"], "patient_id": known["patient_id"]}

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {town.tokens[role]}"}}

        def validate_response(self, response: Response, case: Any, **_rest: Any) -> None:
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as group:
                wrong.extend(f"{role} {case.operation.label}: {each.message}" for each in group.exceptions)
            if response.status_code < 300:
                succeeded.add(case.operation.label)

    Followed.run(
        settings=settings(
            max_examples=scenarios,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
    return wrong, succeeded


@pytest.mark.parametrize("role", ROLES)
def test_links_lead_where_the_document_says(lived_in: Town, app: Flask, role: str) -> None:
    wrong, _succeeded = follow(lived_in, app, role, scenarios=6, steps=6)
    assert wrong == []


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", [*ROLES, Role.PRACTITIONER.value, "kiosk", "minh"])
def test_links_lead_there_however_long_they_are_followed(lived_in: Town, app: Flask, role: str) -> None:
    wrong, succeeded = follow(lived_in, app, role, scenarios=120, steps=12)
    assert wrong == []
    if role == "lan":
        assert {
            "POST /api/v1/holds",
            "POST /api/v1/appointments",
            "POST /api/v1/appointments/{appointment_id}/cancel",
        } <= succeeded
