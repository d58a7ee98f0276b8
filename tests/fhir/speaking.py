"""Speaking FHIR in tests: every answer is read by the models of `fhir.resources`."""

from dataclasses import dataclass
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

JSON = "application/fhir+json"


@dataclass(frozen=True)
class Speaker:
    """A program that speaks FHIR, with a token or without."""

    web: FlaskClient
    token: str | None

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> TestResponse:
        return checked(
            self.web.get(f"/fhir/R4/{path}", query_string=query or None, headers=self._headers(headers))
        )

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
        answer = self.web.post(
            f"/fhir/R4/{path}", json=body, headers=self._headers(headers), content_type=JSON
        )
        return checked(answer)

    def found(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """What a search or $find answers, without what it says besides."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.json
        return matches(answer)

    def hold(self, target: str, headers: dict[str, str] | None = None) -> TestResponse:
        return self.post("Appointment/$hold", parameters(**{"appointment-reference": target}), headers)

    def book(self, target: str, patient_id: object, headers: dict[str, str] | None = None) -> TestResponse:
        asked = {"appointment-reference": target, "patient-reference": f"Patient/{patient_id}"}
        return self.post("Appointment/$book", parameters(**asked), headers)

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        own = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"Accept": JSON, **own, **(more or {})}


def checked(answer: TestResponse) -> TestResponse:
    """An answer that is FHIR, whatever its status."""
    if answer.status_code == 304:
        return answer
    assert answer.mimetype == JSON, (answer.status_code, answer.data[:300])
    get_fhir_model_class(answer.json["resourceType"]).model_validate(answer.json)
    return answer


def matches(answer: TestResponse) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in answer.json.get("entry", []) if entry["search"]["mode"] == "match"]


def parameters(**named: str) -> dict[str, Any]:
    """A Parameters resource of references."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name, "valueReference": {"reference": value}} for name, value in named.items()
        ],
    }


def code_of(answer: TestResponse) -> str:
    """Our stable code in an OperationOutcome."""
    assert answer.json["resourceType"] == "OperationOutcome", answer.json
    code: str = answer.json["issue"][0]["details"]["coding"][0]["code"]
    return code
