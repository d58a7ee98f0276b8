"""What went wrong with a form, as its page shows it."""

from typing import Any

from telehealth.core.errors import DomainError, Unprocessable
from telehealth.web.errors import error_text, translated_fields


def form_errors(error: DomainError, field: str = "") -> dict[str, Any]:
    """Return texts by field; a refusal that names no field belongs to `field` ("": to the whole form)."""
    if isinstance(error, Unprocessable) and error.fields:
        return translated_fields(error.fields)
    return {field: error_text(error)}
