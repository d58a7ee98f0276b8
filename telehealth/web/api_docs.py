"""The API as a page for people, drawn from the same OpenAPI document that programs read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template

from telehealth.web.guard import public

blueprint = Blueprint("api_docs", __name__)

_METHODS = ("get", "post", "put", "patch", "delete")
_REFUSED = "400"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, as the page shows it."""

    method: str
    path: str
    summary: str
    parameters: list[Mapping[str, Any]]
    body: list[tuple[str, str, bool]]
    answers: list[tuple[str, str]]
    refusals: list[str]
    scopes: list[str]


@blueprint.get("/api/docs")
@public
def docs() -> str:
    """Show every operation, grouped by feature."""
    spec = current_app.extensions["smorest"].spec.to_dict()
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _operations(spec):
        groups.setdefault(tag, []).append(operation)
    info = spec["info"]
    return render_template(
        "api_docs.html", groups=groups, version=info["version"], said=info["description"].split("\n\n")
    )


def _operations(spec: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, item in sorted(spec["paths"].items()):
        for method in _METHODS:
            if method in item:
                yield _operation(spec, path, method, item[method], item.get("parameters", []))


def _operation(
    spec: Mapping[str, Any], path: str, method: str, found: Mapping[str, Any], shared: list[Any]
) -> tuple[str, Operation]:
    tag = (found.get("tags") or ["other"])[0].removesuffix("-api")
    return tag, Operation(
        method=method.upper(),
        path=path,
        summary=found.get("summary") or found.get("description", ""),
        parameters=[p for p in [*shared, *found.get("parameters", [])] if "name" in p],
        body=_body(spec, found),
        answers=[
            (status, answer.get("description", ""))
            for status, answer in found["responses"].items()
            if status < _REFUSED
        ],
        refusals=sorted(status for status in found["responses"] if status >= _REFUSED),
        scopes=[scope for ways in found.get("security", []) for scopes in ways.values() for scope in scopes],
    )


def _body(spec: Mapping[str, Any], found: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    content = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _resolved(spec, content.get("schema", {}))
    needed = set(schema.get("required", []))
    return [
        (name, _kind(_resolved(spec, value)), name in needed)
        for name, value in schema.get("properties", {}).items()
    ]


def _resolved(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = spec["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "object")
    names = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{names} ({schema['format']})" if "format" in schema else names
