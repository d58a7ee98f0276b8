"""Reading a request and writing an answer."""

from datetime import datetime

from flask import request

from telehealth.core.clock import PROVINCE_TZ
from telehealth.core.errors import PreconditionFailed, PreconditionRequired
from telehealth.core.text import whole_number


def if_match() -> int:
    """Return the version the caller changes. Raises PreconditionRequired or PreconditionFailed."""
    version = whole_number(if_match_text())
    if version is None:
        raise PreconditionFailed
    return version


def if_match_text() -> str:
    """Return the ETag of what the caller changes, without its quotes. Raises PreconditionRequired."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired
    return given.strip().removeprefix("W/").strip('"')


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
