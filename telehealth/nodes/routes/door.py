"""What nodes ask of the centre. A node shows its token; nobody signs in."""

# mypy: disable-error-code="untyped-decorator"

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.accounts.authentication import presented_token
from telehealth.accounts.errors import TooManySignIns
from telehealth.accounts.rules import address_key, device_code_limits
from telehealth.accounts.services.devices import redeem_device_code
from telehealth.accounts.services.limits import spend
from telehealth.booking.routes import json_only
from telehealth.nodes import schemas
from telehealth.nodes.bundle import bundle, devices
from telehealth.nodes.services import duty
from telehealth.nodes.services.duty import NodeAtDoor
from telehealth.nodes.services.settling import settle
from telehealth.settings import random_base64
from telehealth.web.context import cipher, now, outbox, unit_of_work
from telehealth.web.guard import public

door = Blueprint("nodes-door", __name__, url_prefix="/api/v1/nodes", description="What nodes ask")


@door.post("/enrolments")
@public
@json_only
@door.arguments(schemas.NodeEnrolSchema())
@door.response(201, schemas.NodeEnrolledSchema)
def enrol(asked: dict[str, Any]) -> dict[str, Any]:
    """Become a facility's node by the code that its administrator was shown."""
    with unit_of_work() as work:
        spend(work, device_code_limits(address_key(request.remote_addr)), now=now(), refusal=TooManySignIns)
        made = duty.enrol(work, asked["code"], asked["facility"], now=now(), cipher=cipher())
    return asdict(made) | {"ticket_key": random_base64(cipher().ticket_key)}


@door.post("/reports")
@public
@json_only
@door.arguments(schemas.NodeReportSchema())
@door.response(200, schemas.NodeStandingSchema)
def report(asked: dict[str, Any]) -> dict[str, Any]:
    """Say how the node is; hear whether it has the day, and what time it is here."""
    with unit_of_work() as work:
        stands = duty.hear(work, _node(work), asked, now=now())
    return asdict(stands) | {"now": now()}


@door.get("/bundle")
@public
@door.response(200, schemas.NodeBundleSchema)
def fetch() -> Response:
    """Fetch the facility's slice of today and tomorrow; 304 while it is still that of If-None-Match."""
    with unit_of_work() as work:
        found = bundle(work, _node(work).facility_id, now=now(), cipher=cipher())
    answer = jsonify({"tag": found.tag, "parts": found.parts})
    answer.set_etag(found.tag)
    return answer


@door.post("/settlements")
@public
@json_only
@door.arguments(schemas.NodeSettlementSchema())
@door.response(200, schemas.NodeSettledSchema)
def take(asked: dict[str, Any]) -> dict[str, Any]:
    """Take in a batch of what the node did; the same batch again changes nothing."""
    with unit_of_work() as work:
        last = settle(
            work,
            _node(work).id,
            asked["number"],
            asked["epoch"],
            asked["entries"],
            clock_ahead_ms=asked["clock_ahead_ms"],
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    return {"last_batch": last}


@door.post("/devices")
@public
@json_only
@door.arguments(schemas.NodeDeviceCodeSchema())
@door.response(201, schemas.NodeDeviceSchema)
def enrol_device(asked: dict[str, Any]) -> dict[str, Any]:
    """Redeem a code that was entered at the node, for a device of its facility."""
    with unit_of_work() as work:
        node = _node(work)
        made = redeem_device_code(
            work,
            code=asked["code"],
            ip=request.remote_addr,
            now=now(),
            cipher=cipher(),
            kinds=asked["kinds"],
            facility_id=node.facility_id,
        )
        parts = devices(work, node.facility_id, now=now(), cipher=cipher())
    return asdict(made) | {"parts": parts}


@door.post("/leases")
@public
@json_only
@door.arguments(schemas.NodeLendSchema())
@door.response(201, schemas.NodeLentSchema)
def lend(asked: dict[str, Any]) -> dict[str, Any]:
    """Lend the node on duty a block of numbers."""
    with unit_of_work() as work:
        lent = duty.lend(
            work,
            _node(work),
            asked["queue_id"],
            asked["business_date"],
            asked["size"],
            asked["request_id"],
            now=now(),
            cipher=cipher(),
        )
        first = duty.first_number(work, lent.queue.id, lent.business_date)
    return {
        "id": lent.id,
        "queue_id": lent.queue.id,
        "first": lent.first,
        "last": lent.last,
        "counter_first": first,
    }


@door.post("/leases/<uuid:lease_id>/return")
@public
@json_only
@door.arguments(schemas.NodeRestSchema())
@door.response(204)
def give_back(asked: dict[str, Any], lease_id: UUID) -> Response:
    """Say what of a block was never given, and never will be."""
    with unit_of_work() as work:
        duty.take_rest(work, _node(work), lease_id, asked["used_to"], asked["spoilt"], now=now())
    return Response(status=204)


def _node(work: Session) -> NodeAtDoor:
    return duty.enter(work, presented_token(), now())
