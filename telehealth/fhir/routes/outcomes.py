"""Every refusal below /fhir as an OperationOutcome, with our stable code and its translated text."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response, json, request

from telehealth.fhir.resources import Address, Issue, outcome
from telehealth.fhir.routes.blueprint import FHIR_JSON, ROOT, address, fhir
from telehealth.web.api import PROBLEM

_ISSUE_TYPES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    410: "deleted",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    423: "lock-error",
    428: "required",
    429: "throttled",
    503: "transient",
}


@fhir.after_app_request
def as_outcome(response: Response) -> Response:
    """Say a problem document in FHIR's words; its status and headers stay."""
    if not request.path.startswith(f"{ROOT}/") or response.mimetype != PROBLEM:
        return response
    problem = response.get_json()
    said = outcome(_issues(problem, response.status_code, address()), address())
    response.set_data(json.dumps(said))
    response.mimetype = FHIR_JSON
    return response


def _issues(problem: Mapping[str, Any], status: int, at: Address) -> Iterator[Issue]:
    severity = "fatal" if status >= 500 else "error"
    kind = _ISSUE_TYPES.get(status, "exception" if status >= 500 else "processing")
    yield Issue(
        severity,
        kind,
        problem["code"],
        problem["detail"],
        diagnostics=problem.get("request_id"),
        extension=[
            {"url": at.extension("alternative"), "valueReference": {"reference": f"Slot/{slot['id']}"}}
            for slot in problem.get("alternatives", [])
        ],
    )
    for field, text in _fields(problem.get("fields", {})):
        yield Issue(severity, kind, problem["code"], text, field=field)


def _fields(fields: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        path = f"{above}.{name}" if above else str(name)
        if isinstance(value, Mapping):
            yield from _fields(value, path)
        else:
            yield path, " ".join(str(text) for text in value)
