"""What a form of the desk gives, read."""

from uuid import UUID

from flask import request

from telehealth.core.errors import BadRequest
from telehealth.core.text import whole_number


def version_of() -> int:
    """Return which version of the thing the page showed. Raises BadRequest."""
    version = whole_number(request.form.get("version", ""))
    if version is None:
        raise BadRequest
    return version


def uuid_of(given: str) -> UUID:
    """Read an id that a form gives. Raises BadRequest."""
    try:
        return UUID(given)
    except ValueError as error:
        raise BadRequest from error
