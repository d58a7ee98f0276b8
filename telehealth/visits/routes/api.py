"""The visits API: what moves a visit on, the worklist of what did not fit, visits and their repair."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint

from telehealth.booking.attempts import attempted
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.queries import facility_by_code
from telehealth.queueing.queries import queue_by_id
from telehealth.visits import queries, services
from telehealth.visits.queries import EventView, Journey, VisitView
from telehealth.visits.rules import Path
from telehealth.visits.schemas import (
    EndVisitSchema,
    JourneySchema,
    MoveVisitSchema,
    OutForTestsListSchema,
    VisitEventAnswerSchema,
    VisitEventDismissSchema,
    VisitEventListSchema,
    VisitEventSchema,
    VisitEventsQuerySchema,
    VisitEventStateSchema,
    VisitListSchema,
    VisitPathSchema,
    VisitPathStateSchema,
    VisitQuerySchema,
    VisitSchema,
)
from telehealth.visits.services import Answer, NewEvent, OrderRef
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import cipher, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.requests import if_match

api = Blueprint("visits-api", __name__, url_prefix="/api/v1", description="Visits and what moves them on")


@api.post("/facilities/<string:code>/visit-events")
@located("visits-api.show_event", "event_id")
@guarded("visit.tell")
@api.arguments(VisitEventSchema)
@api.response(201, VisitEventAnswerSchema)
@attempted
def tell(body: dict[str, Any], code: str) -> Answer:
    """Say that tests were ordered, paid, performed, that a result is ready, of a prescription, a discharge.

    In any order and as often as one likes: an event counts once by `source` and `event_id`, and the same one
    again gets the same answer. What does not fit yet is kept and tried again.
    """
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit.tell", facility_id)
        return services.receive(session, principal(), facility_id, _event(body), now=now(), cipher=cipher())


@api.get("/facilities/<string:code>/visit-events")
@guarded("visit-event.settle")
@api.arguments(VisitEventsQuerySchema, location="query")
@api.response(200, VisitEventListSchema)
def list_events(query: dict[str, Any], code: str) -> dict[str, Any]:
    """List events; with `state=pending` the worklist of what does not fit, the oldest first."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit-event.settle", facility_id)
        return {"items": queries.events(session, facility_id, query["state"])}


@api.get("/visit-events/<uuid:event_id>")
@guarded("visit.tell")
@api.response(200, VisitEventStateSchema)
def show_event(event_id: UUID) -> EventView:
    """Show what became of an event."""
    with unit_of_work() as session:
        found = queries.event_by_id(session, event_id)
        permit("visit.tell", found.facility_id)
        return found


@api.post("/visit-events/<uuid:event_id>/retry")
@guarded("visit-event.settle")
@api.arguments(EndVisitSchema)
@api.response(200, VisitEventStateSchema)
@attempted
def retry_event(_body: dict[str, Any], event_id: UUID) -> EventView:
    """Apply an event if it fits by now."""
    with unit_of_work() as session:
        permit("visit-event.settle", queries.event_by_id(session, event_id).facility_id)
        services.retry(session, principal(), event_id, now=now(), cipher=cipher())
        return queries.event_by_id(session, event_id)


@api.post("/visit-events/<uuid:event_id>/dismiss")
@guarded("visit-event.settle")
@api.arguments(VisitEventDismissSchema)
@api.response(200, VisitEventStateSchema)
@attempted
def dismiss_event(body: dict[str, Any], event_id: UUID) -> EventView:
    """Take an event off the worklist, for a reason."""
    with unit_of_work() as session:
        permit("visit-event.settle", queries.event_by_id(session, event_id).facility_id)
        services.dismiss(session, principal(), event_id, body["reason"].strip(), now=now())
        return queries.event_by_id(session, event_id)


@api.get("/facilities/<string:code>/visits/<string:visit_code>")
@guarded("visit.read")
@api.arguments(VisitQuerySchema, location="query")
@api.response(200, VisitSchema)
def show_visit(query: dict[str, Any], code: str, visit_code: str) -> VisitView:
    """Show a visit by its code: the numbers so far, the tests, what comes next."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit.read", facility_id)
        day = query["date"] or business_date(now())
        return queries.visit_by_code(session, facility_id, visit_code, day)


@api.get("/facilities/<string:code>/visits")
@guarded("visit.repair")
@api.response(200, VisitListSchema)
def list_stranded(code: str) -> dict[str, Any]:
    """List today's open visits that stand in no line and wait for no result."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit.repair", facility_id)
        return {"items": queries.nowhere(session, facility_id, now())}


@api.post("/visits/<uuid:visit_id>/move")
@api.doc(parameters=[IF_MATCH])
@guarded("visit.move")
@api.arguments(MoveVisitSchema)
@api.response(200, VisitSchema)
@attempted
def move_visit(body: dict[str, Any], visit_id: UUID) -> VisitView:
    """Send somebody to another station. Needs If-Match."""
    with unit_of_work() as session:
        permit("visit.move", queries.facility_of_visit(session, visit_id))
        services.move(
            session, principal(), visit_id, body["queue_id"], now=now(), cipher=cipher(), version=if_match()
        )
        return queries.visit_view(session, visit_id)


@api.post("/visits/<uuid:visit_id>/end")
@api.doc(parameters=[IF_MATCH])
@guarded("visit.repair")
@api.arguments(EndVisitSchema)
@api.response(200, VisitSchema)
@attempted
def end_visit(_body: dict[str, Any], visit_id: UUID) -> VisitView:
    """End a visit whatever was still to come. Needs If-Match."""
    with unit_of_work() as session:
        permit("visit.repair", queries.facility_of_visit(session, visit_id))
        services.finish(session, principal(), visit_id, now=now(), version=if_match())
        return queries.visit_view(session, visit_id)


@api.get("/queues/<uuid:queue_id>/visits")
@guarded("visit.read")
@api.response(200, OutForTestsListSchema)
def list_out(queue_id: UUID) -> dict[str, Any]:
    """List whom a room sent out for tests; of a sampling or imaging station, whose results are awaited."""
    with unit_of_work() as session:
        queue = queue_by_id(session, queue_id)
        if queue is None:
            raise NotFound
        permit("visit.read", queue.facility_id)
        if queue.kind is ServicePointKind.CLINIC:
            return {"items": queries.out_for_tests(session, queue.id, now())}
        return {"items": queries.awaiting_results(session, queue, now())}


@api.get("/tickets/<string:public_token>/visit")
@public
@api.response(200, JourneySchema)
def follow(public_token: str) -> Journey:
    """Show the visit to whoever holds one of its slips. No test is named."""
    with unit_of_work() as session:
        found = queries.journey(session, public_token, now())
        if found is None:
            raise NotFound
        return found


@api.get("/facilities/<string:code>/visit-path")
@guarded("visit-path.change")
@api.response(200, VisitPathStateSchema)
def show_path(code: str) -> Response:
    """Show a facility's rule."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit-path.change", facility_id)
        return _path(queries.path_of(session, facility_id), queries.path_version(session, facility_id))


@api.put("/facilities/<string:code>/visit-path")
@api.doc(parameters=[IF_MATCH])
@guarded("visit-path.change")
@api.arguments(VisitPathSchema)
@api.response(200, VisitPathStateSchema)
def change_path(body: dict[str, Any], code: str) -> Response:
    """Change a facility's rule. Needs If-Match."""
    with unit_of_work() as session:
        facility_id = facility_by_code(session, code).id
        permit("visit-path.change", facility_id)
        path = Path(
            pays_before_tests=frozenset(body["pays_before_tests"]),
            settles_at_end=frozenset(body["settles_at_end"]),
            tests=body["tests"],
            results=body["results"],
            places_ahead=body["places_ahead"],
        )
        services.set_path(session, principal(), facility_id, path, version=if_match(), now=now())
        return _path(queries.path_of(session, facility_id), queries.path_version(session, facility_id))


def _path(path: Path, version: int) -> Response:
    answer = jsonify(
        {
            "stations": sorted(each.value for each in path.stations),
            "pays_before_tests": sorted(each.value for each in path.pays_before_tests),
            "settles_at_end": sorted(each.value for each in path.settles_at_end),
            "tests": path.tests.value,
            "results": path.results.value,
            "places_ahead": path.places_ahead,
            "version": version,
        }
    )
    answer.headers["ETag"] = f'"{version}"'
    return answer


def _event(body: dict[str, Any]) -> NewEvent:
    return NewEvent(
        source=body["source"],
        event_id=body["event_id"],
        kind=body["kind"],
        occurred_at=body["occurred_at"],
        code=body["visit"]["code"],
        day=body["visit"]["date"],
        appointment=body["visit"]["appointment"],
        orders=tuple(
            OrderRef(each["identifier"]["system"], each["identifier"]["value"], each["category"])
            for each in body["orders"]
        ),
        medicines=body["medicines"],
        insured=body["insured"],
        room=body["room"],
    )


@api.after_request
def _tag(response: Response) -> Response:
    """Say which version a visit is at."""
    body = response.get_json(silent=True) if response.mimetype == "application/json" else None
    if isinstance(body, dict) and "version" in body and "code" in body:
        response.headers["ETag"] = f'"{body["version"]}"'
    return response
