"""The document's links followed: hold, book, move, cancel; subscribe, try, end. No crash, no surprise.

Each step takes what the step before answered; the rest of a request is made up, or names something known.
"""

import json
from dataclasses import dataclass, field
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
CHAINS = r"/api/v1/(holds|appointments|patients|webhooks)"


@dataclass
class Walk:
    """One role's way along the links: what it knows, what went well, what was wrong."""

    town: Town
    role: str
    slots: list[str]
    tags: dict[str, str] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    asked: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.town.tokens[self.role]}"}

    def aim(self, case: Any) -> None:
        """Let a request name what there is, where it names anything."""
        self.asked += 1
        patient_id = str(self.town.lan.patient_id)
        known = {"patient_id": patient_id, "slot_id": self.slots[self.asked * 7 % len(self.slots)]}
        known |= {"facility": "77001", "url": LISTENING}
        tag = self.tags.get(next(iter((case.path_parameters or {}).values()), ""))
        if tag is not None and "If-Match" in (case.headers or {}):
            case.headers["If-Match"] = tag
        if not isinstance(case.body, dict):
            return
        case.body |= {name: value for name, value in known.items() if name in case.body}
        if "hold_id" in case.body:
            case.body = {"hold_id": case.body["hold_id"], "patient_id": patient_id}
        elif case.operation.label == "POST /api/v1/appointments":
            case.body = {"slot_id": known["slot_id"], "patient_id": patient_id}

    def judge(self, case: Any, response: Response) -> None:
        """Hold the answer against the document, and remember the version it names."""
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            self.wrong += [f"{self.role} {case.operation.label}: {each.message}" for each in group.exceptions]
        if "etag" in response.headers and response.content.startswith(b"{"):
            self.tags[str(json.loads(response.content).get("id"))] = response.headers["etag"][0]
        if response.status_code < 300:
            self.succeeded.add(case.operation.label)


def follow(town: Town, app: Flask, role: str, scenarios: int, steps: int) -> Walk:
    """Follow links as one role."""
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    schema = document.include(path_regex=CHAINS).exclude(
        method="DELETE", path_regex="patients"
    )  # the end of all
    walk = Walk(town, role, [slot["id"] for slot in town.slots(limit=100)])

    class Followed(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Any) -> None:
            walk.aim(case)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": walk.headers}

        def validate_response(self, response: Response, case: Any, **_rest: Any) -> None:
            walk.judge(case, response)

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
    return walk


@pytest.mark.parametrize("role", ROLES)
def test_links_lead_where_the_document_says(lived_in: Town, app: Flask, role: str) -> None:
    assert follow(lived_in, app, role, scenarios=8, steps=8).wrong == []


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", [*ROLES, Role.PRACTITIONER.value, "kiosk", "minh"])
def test_links_lead_there_however_long_they_are_followed(lived_in: Town, app: Flask, role: str) -> None:
    walk = follow(lived_in, app, role, scenarios=120, steps=12)
    assert walk.wrong == []
    assert walk.succeeded
