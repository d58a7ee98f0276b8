"""Looking for a free slot."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from telehealth.directory.queries import facility_by_code
from telehealth.scheduling.errors import BadRange
from telehealth.scheduling.presentation import slot_json
from telehealth.scheduling.queries import SlotQuery
from telehealth.scheduling.schemas import SlotListSchema, SlotQuerySchema
from telehealth.scheduling.services import find_slots
from telehealth.web.context import now, unit_of_work
from telehealth.web.guard import public
from telehealth.web.localization import current_locale
from telehealth.web.requests import rfc3339

api = Blueprint("scheduling-api", __name__, url_prefix="/api/v1", description="Free slots")


@api.get("/slots")
@public
@api.arguments(SlotQuerySchema(), location="query")
@api.response(200, SlotListSchema)
def list_slots(asked: dict[str, Any]) -> Response:
    """List the earliest free slots, over the whole province when no facility is named."""
    if asked["from_"] is not None and asked["to"] is not None and asked["to"] <= asked["from_"]:
        raise BadRange
    with unit_of_work() as session:
        facility_id = None if asked["facility"] is None else facility_by_code(session, asked["facility"]).id
        query = SlotQuery(
            service_code=asked["service"],
            facility_id=facility_id,
            practitioner_id=asked["practitioner"],
            modality=asked["modality"],
            from_=asked["from_"],
            to=asked["to"],
            limit=asked["limit"],
        )
        slots = find_slots(session, query, now=now())
    locale = current_locale()
    return jsonify(items=[slot_json(slot, locale) for slot in slots], as_of=rfc3339(now()))
