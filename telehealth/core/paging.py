"""Cursor paging: a page ends with the key of its last row."""

import base64
import binascii
import json
from typing import Any

from telehealth.core.errors import BadRequest

MAX_LIMIT = 100


class BadCursor(BadRequest):
    """The cursor was not made by us."""

    code = "bad-cursor"


def encode_cursor(*key: Any) -> str:
    """Return an opaque cursor of JSON-able key parts."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> list[Any]:
    """Return the key parts. Raises BadCursor."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not isinstance(key, list) or len(key) != parts:
        raise BadCursor
    return key
