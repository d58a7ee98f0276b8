"""The waitlist for programs."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint

from telehealth.audit.services import Entry, record
from telehealth.booking.presentation import appointment_json
from telehealth.booking.routes import json_only
from telehealth.booking.schemas import AppointmentSchema
from telehealth.core.errors import Forbidden
from telehealth.core.principal import PrincipalKind
from telehealth.directory.queries import FacilityView, facility_by_code
from telehealth.waitlist import queries, services
from telehealth.waitlist.errors import BadWish
from telehealth.waitlist.policies import RECEPTION
from telehealth.waitlist.presentation import entry_json
from telehealth.waitlist.queries import EntryView
from telehealth.waitlist.routes.common import accept_place, decline_place, readable
from telehealth.waitlist.rules import Wish
from telehealth.waitlist.schemas import JoinSchema, WaitlistEntrySchema, WaitlistQuerySchema, WaitlistSchema
from telehealth.waitlist.services import Join
from telehealth.web.api import located
from telehealth.web.context import may, now, outbox, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale

api = Blueprint("waitlist-api", __name__, url_prefix="/api/v1", description="Waiting for a place")


@api.post("/waitlist")
@located("waitlist-api.show_entry", "entry_id")
@guarded("waitlist.join")
@json_only
@api.arguments(JoinSchema())
@api.response(201, WaitlistEntrySchema)
def join(asked: dict[str, Any]) -> Response:
    """Wait for a place. Who waits for the service already changes what they wait for."""
    with unit_of_work() as session:
        place = facility_by_code(session, asked["facility"]) if asked["facility"] else None
        wanted = Join(asked["patient_id"], _wish(asked, place), asked["coverage_basis"], _desk(place))
        view = services.join(session, principal(), wanted, now=now())
        events = queries.events_of(session, [view.id])
    answer = jsonify(entry_json(view, events[view.id], current_locale()))
    answer.status_code = 201
    return answer


@api.get("/waitlist")
@guarded("waitlist.list")
@api.arguments(WaitlistQuerySchema(), location="query")
@api.response(200, WaitlistSchema)
def list_entries(asked: dict[str, Any]) -> Response:
    """List for whom the family waits, or (staff) who waits at a facility, in the order of the line."""
    with unit_of_work() as session:
        if asked["facility"] is None:
            found = queries.entries_of(session, principal(), now=now(), patient_id=asked["patient_id"])
        else:
            place = facility_by_code(session, asked["facility"])
            permit("waitlist.line", place.id)
            found = queries.line_of(session, place.id, now=now())
        events = queries.events_of(session, [view.id for view in found])
        record(session, principal(), *[_seen(view, "waitlist.list") for view in found], now=now())
    return jsonify(items=[entry_json(view, events[view.id], current_locale()) for view in found])


@api.get("/waitlist/<uuid:entry_id>")
@guarded("waitlist.read")
@api.response(200, WaitlistEntrySchema)
def show_entry(entry_id: UUID) -> Response:
    """Show an entry: how many wait before it, what was offered, why places went to the next."""
    with unit_of_work() as session:
        view = readable(session, entry_id, "waitlist.read")
        events = queries.events_of(session, [view.id], most=50)
        record(session, principal(), _seen(view, "waitlist.read"), now=now())
    return jsonify(entry_json(view, events[view.id], current_locale()))


@api.delete("/waitlist/<uuid:entry_id>")
@guarded("waitlist.leave")
@api.response(204)
def leave(entry_id: UUID) -> Response:
    """Wait no longer. An open offer goes to the next in line."""
    with unit_of_work() as session:
        readable(session, entry_id, "waitlist.leave")
        services.leave(session, principal(), entry_id, now=now(), outbox=outbox())
    return Response(status=204)


@api.post("/waitlist/offers/<uuid:offer_id>/accept")
@guarded("waitlist.answer")
@api.response(200, AppointmentSchema)
def accept(offer_id: UUID) -> Response:
    """Take the place that is offered: it is booked, or a later appointment is moved to it."""
    view = accept_place(offer_id)
    answer = jsonify(appointment_json(view, principal(), now(), current_locale(), may))
    answer.set_etag(str(view.version))
    return answer


@api.post("/waitlist/offers/<uuid:offer_id>/decline")
@guarded("waitlist.answer")
@api.response(200, WaitlistEntrySchema)
def decline(offer_id: UUID) -> Response:
    """Leave the place to the next in line, and wait on."""
    return jsonify(entry_json(decline_place(offer_id), (), current_locale()))


def _wish(asked: dict[str, Any], place: FacilityView | None) -> Wish:
    bound = (asked["bound_from"], asked["bound_to"])
    if (bound[0] is None) != (bound[1] is None):
        raise BadWish({"bound_to": ["field-waitlist-bound"]})
    return Wish(
        service_code=asked["service"],
        first_day=asked["from_"],
        last_day=asked["to"],
        facility_id=None if place is None else place.id,
        area=asked["area"],
        practitioner_id=asked["practitioner"],
        modality=asked["modality"],
        weekdays=tuple(sorted(set(asked["weekdays"]))),
        from_minute=_minute(asked["from_time"]),
        to_minute=_minute(asked["to_time"]),
        bound=None if bound[0] is None else bound,
    )


def _desk(place: FacilityView | None) -> UUID | None:
    """Return whose desk asks: that of the facility itself, else the employee's own. None for a family."""
    if principal().kind is PrincipalKind.PATIENT:
        return None
    own = sorted(principal().facilities(*RECEPTION))
    if place is not None and place.id in own:
        return place.id
    if not own:
        raise Forbidden
    return own[0]


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _seen(view: EntryView, action: str) -> Entry:
    return Entry(action, "WaitlistEntry", view.id, view.patient_id, view.wish.facility_id or view.desk_id)
