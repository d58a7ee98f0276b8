"""The JSON API: OpenAPI 3.1 from the schemas, our problem documents for every refusal."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, cast

from apispec import BasePlugin
from flask import current_app, url_for
from flask_smorest import Api
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields, validate

from telehealth.web.guard import SCOPES

PROBLEM = "application/problem+json"
BEARER = "bearer"
DESCRIPTION = """\
Sign in with `POST /api/v1/sessions` and send `Authorization: Bearer <token>`. Another system sends the
`client_id` and `client_secret` that the operator gave it; its token lasts an hour. Each operation names the
scopes without which a key does not come in.

A refusal is `application/problem+json` (RFC 9457): branch on `code`, show `detail`, which is Vietnamese, or
English with `Accept-Language: en`. `fields` says what is wrong with which field, `request_id` names the
request in our log. 429 and 503 say in `Retry-After` how many seconds to wait.

An `Idempotency-Key` makes a repeated POST safe. A change of a record names its version: send the ETag you
have as `If-Match` (428 without, 412 when it is another). A GET with `If-None-Match` answers 304 when nothing
has changed. Lists take `limit` and `cursor`; `next` is the cursor of the page that follows, null on the last.

Instants are RFC 3339 with an offset; days and opening hours are those of Asia/Ho_Chi_Minh. Fields that we do
not know are refused in a body and passed over in an address.
"""
_BEARER_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "The `token` that POST /api/v1/sessions answers. What an operation lists are the scopes"
    " without all of which another system's key does not come in; people need none.",
}

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


class ItemCount(validate.Length):
    """How many items a list may have: `Length` in words that do not speak of characters."""

    message_min = "Fewer than {min} items."
    message_max = "More than {max} items."
    message_all = "Must have between {min} and {max} items."
    message_equal = "Must have {equal} items."


ID = "$response.body#/id"
ETAG = "$response.header.ETag"


_LOCATED = "__located__"
_LOCATION = {
    "required": True,
    "description": "Where what was made can be read.",
    "schema": {"type": "string", "format": "uri-reference"},
}

View = TypeVar("View", bound=Callable[..., Any])


def located(endpoint: str, variable: str, member: str = "id") -> Callable[[View], View]:
    """Say in `Location` where what a POST has made can be read (RFC 9110 15.3.2).

    `endpoint` shows it; the answer's `member` fills the `variable` of its path. Stands right below the
    route, so that every answer 201 passes.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered(*args: Any, **kwargs: Any) -> Any:
            answer = current_app.make_response(view(*args, **kwargs))
            if answer.status_code == HTTPStatus.CREATED:
                key = answer.get_json()[member]
                answer.headers["Location"] = url_for(endpoint, **{variable: key})
            return answer

        setattr(answered, _LOCATED, True)
        return cast("View", answered)

    return decorate


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
    return {"responses": {status: {"links": {name: link.written() for name, link in targets.items()}}}}


class RefusalsPlugin(BasePlugin):
    """Writes into the document what holds for every operation: conditional headers, and refusals by status.

    A single `default` answer would tell a program nothing of what it has to expect.
    """

    def __init__(self, views: Mapping[str, Any]) -> None:
        super().__init__()
        self.views = views

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        """Name the refusals that the operation's own decorators left out, and who may come in."""
        for method, operation in (operations or {}).items():
            view = self.views[given["rule"].endpoint]
            operation.setdefault("security", _security(view, method))
            if getattr(_handler(view, method), _LOCATED, False):
                operation["responses"][201].setdefault("headers", {})["Location"] = _LOCATION
            if method in _CONDITIONAL:
                operation.setdefault("parameters", []).append(_CONDITIONAL[method])
            if method == "get":
                operation["responses"].setdefault(304, {"description": HTTPStatus.NOT_MODIFIED.phrase})
            for status in _refusals(method):
                operation["responses"].setdefault(status, HTTPStatus(status).name)


def _security(view: Any, method: str) -> list[dict[str, list[str]]]:
    """Return nothing for what is open to all, else the token and the scopes of the view's guard."""
    scopes = getattr(_handler(view, method), SCOPES, ())
    return [{BEARER: list(scopes)}] if scopes else []


def _handler(view: Any, method: str) -> Any:
    """Return what answers the method: the view, or its class's function."""
    return getattr(getattr(view, "view_class", None), method, view)


def _pattern(_converter: Any, field: fields.Field[Any], **_kwargs: Any) -> dict[str, str]:
    r"""Write the ends of a pattern as JSON Schema does: there `\A` and `\Z` are letters."""
    for validator in field.validators:
        if isinstance(validator, validate.Regexp):
            ends = str(validator.regex.pattern).replace(r"\A", "^").replace(r"\Z", "$")
            return {"pattern": ends}
    return {}


def _refusals(method: str) -> Iterator[int]:
    yield from _ANY
    if method != "get":
        yield from _CHANGE


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest without its error bodies: web/errors.py answers every refusal."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _init_spec(self, **options: Any) -> None:
        super()._init_spec(extra_plugins=[RefusalsPlugin(self._app.view_functions)], **options)
        self.spec.components.security_scheme(BEARER, _BEARER_SCHEME)
        self.ma_plugin.converter.add_attribute_function(_pattern)

    def _register_responses(self) -> None:
        """Describe each refusal as the problem document it is."""
        for status in HTTPStatus:
            content = {PROBLEM: {"schema": self.ERROR_SCHEMA}}
            answer = {"description": status.phrase, "content": content}
            self.spec.components.response(status.name, answer, lazy=True)

    def _register_error_handlers(self, **_options: Any) -> None:
        """Leave refusals to web/errors.py."""
