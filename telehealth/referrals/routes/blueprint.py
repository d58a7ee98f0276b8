"""The staff's pages of slips hang off this."""

from typing import Any

import segno
from flask import Blueprint, request
from markupsafe import Markup

from telehealth.core.errors import BadRequest, Forbidden
from telehealth.core.principal import Role
from telehealth.core.text import whole_number
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityView
from telehealth.web.context import principal, session

pages = Blueprint("slips", __name__, url_prefix="/staff/slips", template_folder="../templates")

CARE = (Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN)


def own_facilities() -> list[FacilityView]:
    """Return where the caller works; the first is the one shown. Raises Forbidden."""
    own = directory.facilities_by_id(session(), sorted(principal().facilities(*CARE)))
    if not own:
        raise Forbidden
    asked = request.values.get("facility", "")
    return sorted(own.values(), key=lambda place: (place.code != asked, place.name))


def frame(current: str, place: FacilityView | None = None) -> dict[str, Any]:
    """Return what the frame of a page shows."""
    if place is not None:
        return {"facility": place, "others": [], "current": current}
    own = own_facilities()
    return {"facility": own[0], "others": own[1:], "current": current}


def version() -> int:
    """Return the version that a form changes. Raises BadRequest."""
    given = whole_number(request.form.get("version", ""))
    if given is None:
        raise BadRequest
    return given


def drawn(code: str) -> Markup:
    """Draw a booking code; the kiosk and the desk read exactly that."""
    made = segno.make(code, error="m", micro=False)
    return Markup(made.svg_inline(scale=5, border=2, omitsize=True, title=code))  # noqa: S704  our own drawing
