"""The CapabilityStatement: written from the same tables that the router reads."""

from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from flask import Response

from telehealth.fhir.codes import DIRECTORY, SEARCH, Kind
from telehealth.fhir.routes.blueprint import FHIR_JSON, address, fhir
from telehealth.web.guard import public

_SINCE = "2026-11-22"
_IHE = "https://profiles.ihe.net/ITI/Scheduling/OperationDefinition"
_OPERATIONS = ("find", "hold", "book")


@fhir.get("/metadata")
@public
def metadata() -> Response:
    """Say what the facade serves, and how."""
    statement = CapabilityStatement.model_validate(
        {
            "status": "active",
            "date": _SINCE,
            "kind": "instance",
            "fhirVersion": "4.3.0",
            "format": ["json", FHIR_JSON],
            "software": {"name": "telehealth"},
            "implementation": {"description": "Appointments of the province", "url": address().base},
            "rest": [
                {
                    "mode": "server",
                    "security": {"description": "Bearer tokens; the directory and free times are public."},
                    "resource": [_resource(kind) for kind in Kind],
                }
            ],
        }
    )
    return Response(statement.model_dump_json(), mimetype=FHIR_JSON)


def _resource(kind: Kind) -> dict[str, Any]:
    said: dict[str, Any] = {
        "type": kind.value,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned" if kind in (Kind.APPOINTMENT, Kind.PATIENT) else "no-version",
        "readHistory": False,
        "conditionalRead": "not-match",
        "searchParam": [{"name": name, "type": type_} for name, type_ in SEARCH[kind].items()],
    }
    if kind not in DIRECTORY:
        said["documentation"] = "Needs a bearer token; one sees one's own, or one's own facility's."
    if kind is Kind.APPOINTMENT:
        said["operation"] = [
            {"name": name, "definition": f"{_IHE}/appointment-{name}"} for name in _OPERATIONS
        ]
    return said
