"""Numbers that were lent, by the API."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.booking.once import keeps_its_own_keys
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.core.ids import new_id
from telehealth.directory import queries as directory
from telehealth.queueing import leased, queries
from telehealth.queueing.codes import LeaseholderKind
from telehealth.queueing.routes.api import press_key
from telehealth.queueing.schemas import (
    DayNumbersSchema,
    DayQuerySchema,
    DismissSchema,
    EmptySchema,
    LentSchema,
    NumberListSchema,
    NumberListWantedSchema,
    TallySchema,
)
from telehealth.queueing.services import leases
from telehealth.queueing.services.leases import Leaseholder, Tally
from telehealth.web.context import cipher, now, permit, principal, unit_of_work
from telehealth.web.guard import guarded

api = Blueprint("lent-api", __name__, url_prefix="/api/v1", description="Numbers that were lent")


@api.get("/queues/<uuid:queue_id>/numbers")
@guarded("lease.read")
@api.arguments(DayQuerySchema, location="query")
@api.response(200, DayNumbersSchema)
def account(query: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Account for every number of a queue's day."""
    day = query["date"] or business_date(now())
    with unit_of_work() as session:
        _queue(session, queue_id, "lease.read")
        numbers = leased.numbers_of_the_day(session, queue_id, day, now())
    return {"business_date": day, "spans": numbers.spans, "explained": not numbers.unexplained}


@api.get("/facilities/<string:code>/number-leases")
@guarded("lease.read")
@api.response(200, LentSchema)
def lent(code: str) -> dict[str, Any]:
    """List today's leases, older ones that nobody accounted for, and what waits for the desk."""
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, code)
        permit("lease.read", facility.id)
        return {
            "leases": leased.leases_of(session, facility.id, business_date(now())),
            "handed_in": leased.handed_in(session, facility.id, cipher()),
        }


@api.post("/queues/<uuid:queue_id>/number-lists")
@keeps_its_own_keys
@guarded("lease.settle")
@api.arguments(NumberListWantedSchema)
@api.response(201, NumberListSchema)
def make_list(body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Lend numbers to a printed list. The same Idempotency-Key gives the same list again."""
    with unit_of_work() as session:
        _queue(session, queue_id, "lease.settle")
        holder = Leaseholder(LeaseholderKind.PAPER, principal().id or new_id())
        lease = leases.lease_block(
            session,
            principal(),
            queue_id,
            holder,
            body["size"],
            request_id=press_key(),
            now=now(),
            cipher=cipher(),
        )
        due = leased.appointments_of(session, lease.queue, lease.business_date)
    return {
        "id": lease.id,
        "queue_id": lease.queue.id,
        "business_date": lease.business_date,
        "first": lease.first,
        "last": lease.last,
        "appointments": due,
    }


@api.post("/number-leases/<uuid:lease_id>/tally")
@guarded("lease.settle")
@api.arguments(TallySchema)
@api.response(204)
def enter_tally(body: dict[str, Any], lease_id: UUID) -> None:
    """Enter what was given out of a block by hand, and end its lease."""
    tally = Tally(
        body["used_to"],
        frozenset(body["spoilt"]),
        frozenset(body["seen"]),
        body["began_at"],
        body["until"],
    )
    with unit_of_work() as session:
        lease = leases.lease(session, lease_id, cipher())
        permit("lease.settle", lease.queue.facility_id)
        leases.enter_used(session, principal(), lease_id, tally, now=now(), cipher=cipher())


@api.post("/handed-in-numbers/<uuid:entry_id>/settle")
@guarded("lease.settle")
@api.arguments(EmptySchema)
@api.response(204)
def settle(_body: dict[str, Any], entry_id: UUID) -> None:
    """Write a number of the worklist as a ticket; where it cannot be, it stays there with the reason."""
    with unit_of_work() as session:
        permit("lease.settle", leased.facility_of_handed_in(session, entry_id))
        leases.settle_handed_in(session, principal(), entry_id, now=now(), cipher=cipher())


@api.post("/handed-in-numbers/<uuid:entry_id>/dismiss")
@guarded("lease.settle")
@api.arguments(DismissSchema)
@api.response(204)
def dismiss(body: dict[str, Any], entry_id: UUID) -> None:
    """Close a number of the worklist without a ticket."""
    with unit_of_work() as session:
        permit("lease.settle", leased.facility_of_handed_in(session, entry_id))
        leases.dismiss_handed_in(session, principal(), entry_id, body["reason"], now=now())


def _queue(session: Session, queue_id: UUID, action: str) -> None:
    queue = queries.queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    permit(action, queue.facility_id)
