"""Refusals to HTTP: problem+json (RFC 9457) for programs, a page for people."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, jsonify, redirect, render_template, request, url_for
from marshmallow import ValidationError
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from telehealth.core.errors import DomainError, TooMany, Unauthenticated, Unprocessable, http_status
from telehealth.web.context import principal
from telehealth.web.field_messages import field_text
from telehealth.web.localization import has_message, t

log = logging.getLogger(__name__)

_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELLED = "57014"

_PROGRAM_PATHS = ("/api/", "/webhooks/", "/fhir/", "/metrics")
_STAFF_PATHS = ("/admin", "/clinic", "/desk", "/feedback", "/hall")

_HTTP_CODES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "timeout",
    413: "too-large",
    414: "bad-request",
    415: "unsupported-media",
    422: "invalid",
    429: "too-many",
    431: "too-large",
}


def wants_problem() -> bool:
    """Tell whether the caller is a program."""
    if request.path.startswith(_PROGRAM_PATHS) or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best in ("application/json", "application/problem+json")


def problem(
    status: int, code: str, detail: str, *, fields: Mapping[str, Any] | None = None, **extra: Any
) -> Response:
    """Return a problem document."""
    body = {"type": "about:blank", "code": code, "title": code, "status": status, "detail": detail, **extra}
    if fields:
        body["fields"] = fields
    if "request_id" in g:
        body["request_id"] = g.request_id
    response = jsonify(body)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def error_text(error: DomainError) -> str:
    """Return a refusal in the language of the request."""
    return t(f"error-{error.code}", **error.params)


def init_errors(app: Flask) -> None:
    """Teach the application how to refuse."""
    app.register_error_handler(DomainError, _domain)
    app.register_error_handler(ValidationError, _validation)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(DataError, _unstorable)
    app.register_error_handler(UnicodeEncodeError, _unstorable)
    app.register_error_handler(OverflowError, _unstorable)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(RecursionError, _too_deep)
    app.register_error_handler(Exception, _bug)


def _domain(error: DomainError) -> Response:
    status = http_status(error)
    if isinstance(error, Unauthenticated) and request.method == "GET" and not wants_problem():
        return _to_sign_in()
    fields = translated_fields(error.fields) if isinstance(error, Unprocessable) else None
    response = _answer(status, error.code, error_text(error), fields=fields, **error.extra)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    if status == 401 and request.path.startswith(_PROGRAM_PATHS):
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1: a 401 says how to sign in
    return response


def _to_sign_in() -> Response:
    door = "accounts.staff_sign_in" if request.path.startswith(_STAFF_PATHS) else "accounts.sign_in"
    answer: Any = redirect(url_for(door, next=request.full_path.rstrip("?")))
    return answer  # type: ignore[no-any-return]


def _validation(error: ValidationError) -> Response:
    messages: Any = error.normalized_messages()  # type: ignore[no-untyped-call]
    fields = translated_fields(messages.get("json", messages) if isinstance(messages, dict) else {})
    return _answer(422, "invalid", t("error-invalid"), fields=fields)


def translated_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Translate every message key of a field; texts that are no keys stay."""
    return {
        str(name): translated_fields(value)
        if isinstance(value, Mapping)
        else [field_text(str(key)) for key in (value if isinstance(value, list) else [value])]
        for name, value in fields.items()
    }


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400 and error.response is not None:
        return error.response  # type: ignore[return-value]
    data = getattr(error, "data", None)
    if status == 422 and isinstance(data, dict):
        return _answer(422, "invalid", t("error-invalid"), fields=translated_fields(_webargs_fields(data)))
    code = _HTTP_CODES.get(status, f"http-{status}")
    response = _answer(status, code, t(f"error-{code}"))
    allow = getattr(error, "valid_methods", None)
    if status == 405 and allow:
        response.headers["Allow"] = ", ".join(allow)
    return response


def _webargs_fields(data: Mapping[str, Any]) -> Mapping[str, Any]:
    messages = data.get("messages", {})
    if isinstance(messages, Mapping):
        for place in ("json", "query", "form"):
            if isinstance(messages.get(place), Mapping):
                return messages[place]  # type: ignore[no-any-return]
        return messages
    return {}


def _database(error: DBAPIError) -> Response:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, OperationalError) or state in (_LOCK_NOT_AVAILABLE, _QUERY_CANCELLED):
        log.warning("database busy or away: %s", state)
        return _busy(error)
    if isinstance(error, DataError):  # a value no column can hold, for example text with a NUL
        return _answer(400, "bad-request", t("error-bad-request"))
    return _bug(error)


def _busy(error: Exception) -> Response:
    response = _answer(503, "unavailable", t("error-unavailable"))
    response.headers["Retry-After"] = "2"
    return response


def _unstorable(error: Exception) -> Response:
    """Refuse what nothing holds: NUL, half a surrogate pair, a number too large, a day before year 1."""
    log.warning("a value that cannot be stored: %s, request %s", type(error).__name__, g.get("request_id"))
    return _answer(400, "bad-request", t("error-bad-request"))


def _too_deep(error: RecursionError) -> Response:
    """Answer JSON nested so deeply that it cannot be read."""
    return _answer(400, "bad-request", t("error-bad-request"))


def _bug(error: Exception) -> Response:
    # The text of an exception may hold what a person typed: only its kind and place are logged.
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("bug: %s at %s, request %s", type(error).__name__, where, g.get("request_id"))
    return _answer(500, "internal", t("error-internal"))


def _answer(
    status: int, code: str, detail: str, *, fields: Mapping[str, Any] | None = None, **extra: Any
) -> Response:
    if wants_problem():
        return problem(status, code, detail, fields=fields, **extra)
    _know_principal()
    title = f"error-title-{code}"
    page = render_template(
        "error.html",
        status=status,
        code=code,
        title=t(title) if has_message("vi", title) else t("error-title"),
        detail=detail,
        fields=fields or {},
        request_id=g.get("request_id"),
    )
    return Response(page, status=status, mimetype="text/html")


def _know_principal() -> None:
    """Ask who acts once more; with the database away the page is drawn for nobody in particular."""
    try:
        principal()
    except SQLAlchemyError:
        log.warning("the error page is drawn without knowing who asked")
