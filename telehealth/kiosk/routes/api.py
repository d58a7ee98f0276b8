"""The kiosk's API: what its pages do, for programs on the machine."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import url_for
from flask_smorest import Blueprint

from telehealth.booking.attempts import attempted
from telehealth.booking.once import keeps_its_own_keys
from telehealth.core.errors import NotFound
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.kiosk import queries, services
from telehealth.kiosk.passes import Pass, open_pass, seal
from telehealth.kiosk.schemas import (
    FeedbackListSchema,
    FeedbackMadeSchema,
    FeedbackQuerySchema,
    KioskCheckInSchema,
    KioskNumberSchema,
    OpinionSchema,
    RoomListSchema,
    ScanSchema,
    SeenSchema,
    StaffCallMadeSchema,
    StaffCallSchema,
)
from telehealth.kiosk.services import Kiosk, Opinion, Seen, Wish
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.queueing.queries import StaffCallView
from telehealth.queueing.routes.api import press_key
from telehealth.queueing.schemas import EmptySchema, PrintSchema, TicketSchema
from telehealth.queueing.services import TicketView
from telehealth.web.api import located
from telehealth.web.context import cipher, now, outbox, permit, principal, session, settings, unit_of_work
from telehealth.web.guard import guarded

api = Blueprint("kiosk-api", __name__, url_prefix="/api/v1", description="Kiosks")


@api.post("/kiosk/identify")
@guarded("kiosk.use")
@api.arguments(ScanSchema)
@api.response(200, SeenSchema)
def identify(body: dict[str, Any]) -> dict[str, Any]:
    """Tell who is there from what was scanned or typed. The answer masks everybody."""
    kiosk = _kiosk()
    with unit_of_work() as work:
        seen = services.identify(work, kiosk, body["text"], ahead=body["ahead"], now=now(), cipher=cipher())
    return {
        "people": [_person(kiosk, each, seen) for each in seen.people],
        "new": None if seen.new is None else _sealed(kiosk, Pass(person=seen.new)),
        "ticket": seen.ticket,
        "warnings": list(seen.warnings),
    }


@api.post("/kiosk/check-ins")
@located("queueing-api.follow", "public_token", "public_token")
@keeps_its_own_keys
@guarded("kiosk.use")
@api.arguments(KioskCheckInSchema)
@api.response(201, TicketSchema)
@attempted
def check_in(body: dict[str, Any]) -> TicketView:
    """Check in to an appointment that was shown. The same Idempotency-Key gives the same number again."""
    kiosk = _kiosk()
    held = open_pass(body["who"], kiosk.device_id, now=now(), cipher=cipher())
    with unit_of_work() as work:
        return services.check_in(
            work, kiosk, held, body["appointment"], press_key=press_key(), now=now(), cipher=cipher()
        )


@api.post("/kiosk/numbers")
@located("queueing-api.follow", "public_token", "public_token")
@keeps_its_own_keys
@guarded("kiosk.use")
@api.arguments(KioskNumberSchema)
@api.response(201, TicketSchema)
@attempted
def take_number(body: dict[str, Any]) -> TicketView:
    """Give a walk-in a number. The same Idempotency-Key gives the same number again."""
    kiosk = _kiosk()
    given = body["who"]
    held = open_pass(given, kiosk.device_id, now=now(), cipher=cipher()) if given else None
    wish = Wish(body["purpose"], body["priority"], body["queue_id"], body["phone"])
    with unit_of_work() as work:
        return services.take_number(
            work, kiosk, held, wish, press_key=press_key(), now=now(), cipher=cipher()
        )


@api.get("/kiosk/rooms")
@guarded("kiosk.use")
@api.response(200, RoomListSchema)
def rooms() -> dict[str, Any]:
    """List the rooms that take people now, from today's roster."""
    return {"items": queries.rooms_today(session(), _kiosk().facility_id, now())}


@api.post("/staff-calls")
@guarded("kiosk.use")
@api.arguments(StaffCallSchema)
@api.response(201, StaffCallMadeSchema)
def call_staff(body: dict[str, Any]) -> StaffCallView:
    """Call people to this machine; it shows on their consoles until somebody goes.

    Until then a further press of the kind gives the same call with one press more.
    """
    kiosk = _kiosk()
    with unit_of_work() as work:
        call_id = queueing.call_staff(
            work,
            principal(),
            kiosk.facility_id,
            body["kind"],
            now=now(),
            pressed_at=body["pressed_at"],
        )
        return queues.staff_call(work, call_id)


@api.post("/tickets/<uuid:ticket_id>/print-status")
@guarded("ticket.print")
@api.arguments(PrintSchema)
@api.response(204)
def note_print(body: dict[str, Any], ticket_id: UUID) -> None:
    """Say what became of the slip; where none came out, staff are told and the number is sent."""
    with unit_of_work() as work:
        permit("ticket.print", queues.facility_of_ticket(work, ticket_id))
        services.note_print(
            work,
            principal(),
            ticket_id,
            body["status"],
            slip_url=settings().slip_base_url + url_for("queueing.follow", public_token=""),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )


@api.post("/feedback")
@guarded("feedback.give")
@api.arguments(OpinionSchema)
@api.response(201, FeedbackMadeSchema)
def give_feedback(body: dict[str, Any]) -> dict[str, UUID]:
    """Keep an opinion, or a complaint that wants an answer."""
    kiosk = _kiosk()
    opinion = Opinion(body["rating"], body["topics"], body["phone"])
    with unit_of_work() as work:
        return {"id": services.give_feedback(work, kiosk, opinion, now=now(), cipher=cipher())}


@api.get("/feedback")
@guarded("feedback.read")
@api.arguments(FeedbackQuerySchema, location="query")
@api.response(200, FeedbackListSchema)
def list_feedback(query: dict[str, Any]) -> dict[str, Any]:
    """List what nobody has dealt with, complaints first."""
    facility = directory.facility_by_code(session(), query["facility"])
    permit("feedback.read", facility.id)
    return {"items": queries.open_feedback(session(), facility.id, cipher())}


@api.post("/feedback/<uuid:feedback_id>/handled")
@guarded("feedback.read")
@api.arguments(EmptySchema)
@api.response(204)
def handle_feedback(_body: dict[str, Any], feedback_id: UUID) -> None:
    """Note that somebody dealt with it."""
    with unit_of_work() as work:
        permit("feedback.read", queries.facility_of_feedback(work, feedback_id))
        services.handle_feedback(work, principal(), feedback_id, now=now())


def _person(kiosk: Kiosk, each: queries.PersonAtKiosk, seen: Seen) -> dict[str, Any]:
    own = [due for due in seen.due if due.person.id == each.id]
    held = Pass(patient_id=each.id, appointments=frozenset(due.id for due in own))
    return {
        "name": each.name,
        "birth_year": each.birth_year,
        "who": _sealed(kiosk, held),
        "appointments": own,
    }


def _sealed(kiosk: Kiosk, held: Pass) -> str:
    return seal(held, kiosk.device_id, now=now(), cipher=cipher())


def _kiosk() -> Kiosk:
    facility_id = next(iter(principal().facilities(Role.KIOSK)), None)
    if facility_id is None:
        raise NotFound
    permit("kiosk.use", facility_id)
    return Kiosk.of(principal(), facility_id)
