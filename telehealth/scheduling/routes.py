"""Looking for a free slot."""

# mypy: disable-error-code="untyped-decorator"

from datetime import timedelta
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from telehealth.core.clock import business_date
from telehealth.core.paging import encode_cursor
from telehealth.directory.queries import facility_by_code
from telehealth.scheduling.calendar import DaysQuery, free_days, read_days_cursor
from telehealth.scheduling.errors import BadRange
from telehealth.scheduling.presentation import days_json, slot_json
from telehealth.scheduling.queries import SlotQuery
from telehealth.scheduling.schemas import DaysQuerySchema, DaysSchema, SlotListSchema, SlotQuerySchema
from telehealth.scheduling.services import find_slots
from telehealth.web.context import now, unit_of_work
from telehealth.web.guard import public
from telehealth.web.localization import current_locale
from telehealth.web.requests import rfc3339

DAYS_SHOWN, MAX_DAYS = 30, 62

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
            near=asked["near"],
            radius_km=asked["radius_km"],
        )
        slots = find_slots(session, query, now=now())
    locale = current_locale()
    return jsonify(items=[slot_json(slot, locale) for slot in slots], as_of=rfc3339(now()))


@api.get("/slots/days")
@public
@api.arguments(DaysQuerySchema(), location="query")
@api.response(200, DaysSchema)
def list_days(asked: dict[str, Any]) -> Response:
    """Count the places that practitioners have left on each day, for a calendar of at most 62 days."""
    first = asked["from_"] or business_date(now())
    last = asked["to"] or first + timedelta(days=DAYS_SHOWN - 1)
    if not first <= last < first + timedelta(days=MAX_DAYS):
        raise BadRange
    with unit_of_work() as session:
        facility_id = None if asked["facility"] is None else facility_by_code(session, asked["facility"]).id
        query = DaysQuery(
            first=first,
            last=last,
            facility_id=facility_id,
            practitioner_id=asked["practitioner"],
            service_code=asked["service"],
            modality=asked["modality"],
            limit=asked["limit"],
            after=None if not asked["cursor"] else read_days_cursor(asked["cursor"]),
        )
        counted = free_days(session, query, now=now())
    last_seen = counted[-1] if len(counted) == query.limit else None
    return jsonify(
        items=[days_json(item) for item in counted],
        next_cursor=last_seen and encode_cursor(last_seen.name_sort, str(last_seen.practitioner.id)),
        as_of=rfc3339(now()),
    )
