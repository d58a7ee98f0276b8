"""Reading a request and writing an answer."""

import re
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from flask import Response, jsonify, request
from marshmallow import Schema

from telehealth.core.clock import PROVINCE_TZ
from telehealth.core.errors import (
    BadRequest,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    UnsupportedMedia,
)

JsonResponse = tuple[Response, int]
Loaded = TypeVar("Loaded")

_VERSION = re.compile(r"[0-9]{1,9}")


def json_body(schema: type[Schema]) -> dict[str, Any]:
    """Return the validated body. Raises UnsupportedMedia, BadRequest or ValidationError."""
    if not request.is_json:
        raise UnsupportedMedia
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise BadRequest
    loaded: dict[str, Any] = schema().load(body)
    return loaded


def query_args(schema: type[Schema]) -> dict[str, Any]:
    """Return the validated query string. Raises ValidationError."""
    loaded: dict[str, Any] = schema().load(request.args.to_dict())
    return loaded


def json_response(schema: type[Schema], value: object, *, status: int = 200) -> JsonResponse:
    """Serialise a value."""
    return jsonify(schema().dump(value)), status


def if_match() -> int:
    """Return the version the caller changes. Raises PreconditionRequired or PreconditionFailed."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired
    version = version_number(given.strip().removeprefix("W/").strip('"'))
    if version is None:
        raise PreconditionFailed
    return version


def version_number(text: str) -> int | None:
    """Return the version a header or a form names, or None: other scripts have digits too."""
    return int(text) if _VERSION.fullmatch(text) else None


def path_uuid(value: str) -> UUID:
    """Return the identifier in a path. Raises NotFound: an odd one names nothing."""
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound from error


def local_path(target: str | None) -> str | None:
    """Return a path on this site to go on to, or None for anything a browser might take elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    if any(ord(char) < 0x20 or char == "\\" for char in target):
        return None
    return target


def rfc3339(instant: datetime) -> str:
    """Return the instant with the province's offset, as the API writes it."""
    return instant.astimezone(PROVINCE_TZ).isoformat(timespec="seconds")
