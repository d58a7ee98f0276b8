"""The queueing API."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Response, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.booking.attempts import attempted
from telehealth.booking.once import keeps_its_own_keys
from telehealth.core.clock import business_date
from telehealth.core.errors import BadRequest, NotFound
from telehealth.core.ids import new_id
from telehealth.directory import queries as directory
from telehealth.queueing import queries, services
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.explanation import Explanation
from telehealth.queueing.queries import Between, FollowView, Line, QueueView
from telehealth.queueing.schemas import (
    BetweenQuerySchema,
    BetweenSchema,
    CallSchema,
    CheckInSchema,
    CodeCheckInSchema,
    EmptySchema,
    ExplanationSchema,
    FollowSchema,
    LineSchema,
    PressSchema,
    PrioritySchema,
    QueueListSchema,
    QueueSchema,
    QueuesQuerySchema,
    TicketSchema,
    TicketStateSchema,
    TransferSchema,
    WhyQuerySchema,
)
from telehealth.queueing.services import TicketState, TicketView
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import cipher, now, outbox, permit, principal, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.requests import if_match

api = Blueprint("queueing-api", __name__, url_prefix="/api/v1", description="Queues and tickets")

MAX_KEY = 200


@api.get("/queues")
@public
@api.arguments(QueuesQuerySchema, location="query")
@api.response(200, QueueListSchema)
def list_queues(query: dict[str, Any]) -> dict[str, Any]:
    """List a facility's queues: how many wait, who is called."""
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, query["facility"])
        found = queries.queues_of(session, facility.id)
        return {"items": [_summary(_line(session, queue)) for queue in found]}


@api.get("/queues/<uuid:queue_id>")
@public
@api.response(200, QueueSchema)
def show_queue(queue_id: UUID) -> dict[str, Any]:
    """Show how a queue stands."""
    with unit_of_work() as session:
        return _summary(_line(session, _queue(session, queue_id)))


@api.get("/queues/<uuid:queue_id>/line")
@guarded("queue.line")
@api.response(200, LineSchema)
def show_line(queue_id: UUID) -> dict[str, Any]:
    """Show everybody in a queue in the order they will be called, and why."""
    with unit_of_work() as session:
        queue = _queue(session, queue_id)
        permit("queue.line", queue.facility_id)
        line = _line(session, queue)
        return _summary(line) | {
            "tickets": line.waiting,
            "called": line.called,
            "serving": line.serving,
            "parked": line.parked,
        }


@api.get("/queues/<uuid:queue_id>/why")
@guarded("queue.line")
@api.arguments(BetweenQuerySchema, location="query")
@api.response(200, BetweenSchema)
def why_between(query: dict[str, Any], queue_id: UUID) -> Between:
    """Say which of any two numbers is called first, and why; 404 where neither of them waits."""
    with unit_of_work() as session:
        queue = _queue(session, queue_id)
        permit("queue.line", queue.facility_id)
        found = _line(session, queue).between(query["one"], query["other"], now())
    if found is None:
        raise NotFound
    return found


@api.post("/queues/<uuid:queue_id>/tickets")
@located("queueing-api.follow", "public_token", "public_token")
@keeps_its_own_keys
@guarded("ticket.issue")
@api.arguments(PressSchema())  # made once: a press is the busiest request there is
@api.response(201, TicketSchema)
@attempted
def take_number(body: dict[str, Any], queue_id: UUID) -> TicketView:
    """Give the next number. The same Idempotency-Key gives the same number again."""
    with unit_of_work() as session:
        at = queries.approach(session, queue_id, business_date(now()), now())
        if at is None:
            raise NotFound
        permit("ticket.issue", at.queue.facility_id)
        return services.take_number(
            session,
            principal(),
            at,
            priority=body["priority"],
            purpose=body["purpose"],
            press_key=press_key(),
            now=now(),
            cipher=cipher(),
        )


@api.post("/queues/<uuid:queue_id>/call-next")
@guarded("queue.call")
@api.arguments(CallSchema)
@api.response(200, TicketStateSchema)
@attempted
def call_next(body: dict[str, Any], queue_id: UUID) -> TicketState:
    """Call whoever is next."""
    with unit_of_work() as session:
        permit("queue.call", _queue(session, queue_id).facility_id)
        return services.call_next(
            session,
            principal(),
            queue_id,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            service_point_id=body["service_point_id"],
        )


@api.post("/tickets/<uuid:ticket_id>/<any(recall, skip, park, return, start, done, here, 'undo-call'):step>")
@api.doc(parameters=[IF_MATCH])
@guarded("ticket.step")
@api.arguments(EmptySchema)
@api.response(200, TicketStateSchema)
@attempted
def take_step(_body: dict[str, Any], ticket_id: UUID, step: str) -> TicketState:
    """Move a ticket on. Needs If-Match."""
    with unit_of_work() as session:
        permit("ticket.step", queries.facility_of_ticket(session, ticket_id))
        return services.take(
            session, principal(), ticket_id, step, now=now(), cipher=cipher(), version=if_match()
        )


@api.post("/tickets/<uuid:ticket_id>/priority")
@api.doc(parameters=[IF_MATCH])
@guarded("ticket.priority")
@api.arguments(PrioritySchema)
@api.response(200, TicketStateSchema)
def grant_priority(body: dict[str, Any], ticket_id: UUID) -> TicketState:
    """Confirm, set or take away a statutory class. Needs If-Match."""
    with unit_of_work() as session:
        permit("ticket.priority", queries.facility_of_ticket(session, ticket_id))
        return services.grant_priority(
            session,
            principal(),
            ticket_id,
            body["priority"],
            basis=body["basis"],
            now=now(),
            version=if_match(),
        )


@api.post("/tickets/<uuid:ticket_id>/transfer")
@located("queueing-api.follow", "public_token", "public_token")
@api.doc(parameters=[IF_MATCH])
@guarded("ticket.step")
@api.arguments(TransferSchema)
@api.response(201, TicketSchema)
@attempted
def transfer(body: dict[str, Any], ticket_id: UUID) -> TicketView:
    """Move a person to another queue of the facility, with a new number there. Needs If-Match."""
    with unit_of_work() as session:
        permit("ticket.step", queries.facility_of_ticket(session, ticket_id))
        return services.transfer(
            session,
            principal(),
            ticket_id,
            body["queue_id"],
            now=now(),
            cipher=cipher(),
            version=if_match(),
        )


@api.get("/tickets/<string:public_token>")
@public
@api.response(200, FollowSchema)
def follow(public_token: str) -> FollowView:
    """Show a ticket to whoever holds its slip."""
    with unit_of_work() as session:
        found = queries.follow(session, public_token, now())
        if found is None:
            raise NotFound
        return found


@api.get("/tickets/<string:public_token>/why")
@public
@api.arguments(WhyQuerySchema, location="query")
@api.response(200, ExplanationSchema)
def why(query: dict[str, Any], public_token: str) -> Explanation:
    """Say why another number is called before the slip's; 404 for one that is not there."""
    with unit_of_work() as session:
        found = queries.follow(session, public_token, now())
        answer = found.line.why(found.ticket_id, query["number"], now()) if found else None
    if answer is None:
        raise NotFound
    return answer


@api.post("/appointments/<uuid:appointment_id>/check-in")
@located("queueing-api.follow", "public_token", "public_token")
@api.doc(parameters=[IF_MATCH])
@keeps_its_own_keys
@guarded("appointment.check-in")
@api.arguments(CheckInSchema)
@api.response(201, TicketSchema)
@attempted
def check_in(body: dict[str, Any], appointment_id: UUID) -> TicketView:
    """Check a patient in and give a number; again, the same number. Needs If-Match of the appointment."""
    with unit_of_work() as session:
        permit("appointment.check-in", queries.facility_of_appointment(session, appointment_id))
        return _check_in(session, appointment_id, body["priority"], version=if_match())


@api.post("/check-ins")
@located("queueing-api.follow", "public_token", "public_token")
@keeps_its_own_keys
@guarded("appointment.check-in")
@api.arguments(CodeCheckInSchema)
@api.response(201, TicketSchema)
@attempted
def check_in_by_code(body: dict[str, Any]) -> TicketView:
    """Check in by the booking code, or by the slip of a number from the web.

    A device stands at its own facility; staff of several name one.
    """
    with unit_of_work() as session:
        facility_id = _where(session, body["facility"])
        permit("appointment.check-in", facility_id)
        arrived = services.arrive_by_slip(
            session, principal(), body["code"], facility_id, now=now(), cipher=cipher()
        )
        if arrived is not None:
            return arrived
        appointment_id = services.find_by_code(session, body["code"], facility_id)
        return _check_in(session, appointment_id, body["priority"])


def _check_in(
    session: Session, appointment_id: UUID, priority: PriorityClass, *, version: int | None = None
) -> TicketView:
    return services.check_in(
        session,
        principal(),
        appointment_id,
        press_key=press_key(),
        now=now(),
        cipher=cipher(),
        priority=priority,
        version=version,
    )


def press_key() -> str:
    """Return the key of this press; without one each request is a press of its own."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY or not key.isascii() or not (key.isprintable()):
        raise BadRequest
    return key or str(new_id())


def _where(session: Session, code: str | None) -> UUID:
    if code is not None:
        return directory.facility_by_code(session, code).id
    own = principal().facilities()
    if len(own) != 1:
        raise BadRequest
    return next(iter(own))


def _queue(session: Session, queue_id: UUID) -> QueueView:
    queue = queries.queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    return queue


def _line(session: Session, queue: QueueView) -> Line:
    return queries.line(session, queue, business_date(now()), now())


def _summary(line: Line) -> dict[str, Any]:
    return {
        "id": line.queue.id,
        "code": line.queue.code,
        "name": line.queue.name,
        "kind": line.queue.kind,
        "waiting": len(line.waiting),
        "now_calling": line.last_calls[-1].number_text if line.last_calls else None,
        "wait_range_minutes": line.wait(len(line.waiting), now()),
    }


@api.after_request
def _tag(response: Response) -> Response:
    """Say which version a ticket is at."""
    body = response.get_json(silent=True) if response.mimetype == "application/json" else None
    if isinstance(body, dict) and "version" in body:
        response.headers["ETag"] = f'"{body["version"]}"'
    return response
