"""The JSON API: OpenAPI 3.1 from the schemas, our problem documents for every refusal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from apispec import BasePlugin
from flask_smorest import Api
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields

PROBLEM = "application/problem+json"

IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The version that is changed, as its ETag says: 428 without, 412 when it has another.",
    "schema": {"type": "string"},
}
"""For `@api.doc(parameters=[IF_MATCH])` at every operation that changes a record with a version."""

_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of the answer that the caller has; 304 when there is none newer.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key and body give the first answer again; for callers who are signed in.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_CONDITIONAL = {"get": _IF_NONE_MATCH, "post": _IDEMPOTENCY_KEY}

_ANY = (400, 401, 403, 404, 410, 422, 429, 503)
_CHANGE = (409, 412, 413, 415, 423, 428)


class RequestSchema(Schema):
    """What a caller sends: a field we do not know is refused, never ignored (ASVS 15.3.3)."""

    class Meta:
        unknown = RAISE


class QuerySchema(Schema):
    """What a caller asks in the address; unknown parameters (tracking of links) are left out."""

    class Meta:
        unknown = EXCLUDE


class ProblemSchema(Schema):
    """RFC 9457 problem document; a refusal may add members of its own, as 3.2 allows."""

    class Meta:
        unknown = INCLUDE

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String(metadata={"description": "Stable; programs branch on it."})
    detail = fields.String(metadata={"description": "For people, in the asked language."})
    fields_ = fields.Dict(data_key="fields", metadata={"description": "Field name to messages."})
    request_id = fields.String()


ID = "$response.body#/id"
ETAG = "$response.header.ETag"


@dataclass(frozen=True, slots=True)
class Link:
    """What may be asked next with what an answer holds (an OpenAPI link); `path` as the document has it."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | None = None

    def written(self) -> dict[str, Any]:
        """Return the link object."""
        pointer = self.path.replace("~", "~0").replace("/", "~1")
        said: dict[str, Any] = {
            "operationRef": f"#/paths/{pointer}/{self.method}",
            "parameters": dict(self.parameters),
        }
        return said if self.body is None else said | {"requestBody": dict(self.body)}


def links(status: int, **targets: Link) -> dict[str, Any]:
    """Return what `@api.doc(**...)` takes to name an answer's links."""
    return {"responses": {str(status): {"links": {name: link.written() for name, link in targets.items()}}}}


class RefusalsPlugin(BasePlugin):
    """Writes into the document what holds for every operation: conditional headers, and refusals by status.

    A single `default` answer would tell a program nothing of what it has to expect.
    """

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **_kwargs: Any
    ) -> None:
        """Name the refusals that the operation's own decorators left out."""
        for method, operation in (operations or {}).items():
            if method in _CONDITIONAL:
                operation.setdefault("parameters", []).append(_CONDITIONAL[method])
            if method == "get":
                operation["responses"].setdefault(304, {"description": HTTPStatus.NOT_MODIFIED.phrase})
            for status in _refusals(method):
                operation["responses"].setdefault(status, HTTPStatus(status).name)


def _refusals(method: str) -> Iterator[int]:
    yield from _ANY
    if method != "get":
        yield from _CHANGE


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest without its error bodies: web/errors.py answers every refusal."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _init_spec(self, **options: Any) -> None:
        super()._init_spec(extra_plugins=[RefusalsPlugin()], **options)

    def _register_responses(self) -> None:
        """Describe each refusal as the problem document it is."""
        for status in HTTPStatus:
            content = {PROBLEM: {"schema": self.ERROR_SCHEMA}}
            answer = {"description": status.phrase, "content": content}
            self.spec.components.response(status.name, answer, lazy=True)

    def _register_error_handlers(self, **_options: Any) -> None:
        """Leave refusals to web/errors.py."""
