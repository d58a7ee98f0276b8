"""Nodes over the API, for administrators and the desk; and how this node is."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint

from telehealth.booking.attempts import attempted
from telehealth.booking.routes import json_only
from telehealth.directory.queries import facility_by_code
from telehealth.nodes import queries, schemas
from telehealth.nodes.services import duty, worklist
from telehealth.web.context import cipher, now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded, public

api = Blueprint("nodes-api", __name__, url_prefix="/api/v1", description="The node in a hospital's network")


@api.get("/node")
@public
@api.response(200, schemas.ThisNodeSchema)
def show_here() -> queries.HereView:
    """Show how this node is: its line, what is unsettled, numbers left. At the centre there is none: 404."""
    return queries.here(session(), now())


@api.get("/facilities/<string:code>/nodes")
@guarded("node.watch")
@api.response(200, schemas.NodeListSchema)
def list_nodes(code: str) -> dict[str, Any]:
    """Show where a facility's queues are run, and its nodes."""
    facility_id = facility_by_code(session(), code).id
    permit("node.watch", facility_id)
    home = queries.home_of(session(), facility_id)
    found = queries.nodes_of(session(), facility_id)
    return {"at_node": home.at_node, "epoch": home.epoch, "heard_at": home.heard_at, "items": found}


@api.post("/facilities/<string:code>/nodes")
@guarded("node.arrange")
@json_only
@api.arguments(schemas.NewNodeSchema())
@api.response(201, schemas.NodeCodeSchema)
def announce(asked: dict[str, Any], code: str) -> dict[str, str]:
    """Announce a node; the code makes one machine it, within half an hour."""
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        permit("node.arrange", facility_id)
        given = duty.announce_node(work, principal(), facility_id, asked["name"], now=now(), cipher=cipher())
    return {"code": given}


@api.post("/nodes/<uuid:node_id>/duty")
@guarded("node.arrange")
@api.response(200, schemas.NodeDutySchema)
@attempted
def give_duty(node_id: UUID) -> dict[str, int]:
    """Let a node run its facility's queues from now on."""
    with unit_of_work() as work:
        permit("node.arrange", queries.facility_of_node(work, node_id))
        return {"epoch": duty.give_duty(work, principal(), node_id, now=now())}


@api.post("/nodes/<uuid:node_id>/revoke")
@guarded("node.arrange")
@api.response(204)
@attempted
def revoke(node_id: UUID) -> Response:
    """Refuse a node from now on; its facility is the centre's again."""
    with unit_of_work() as work:
        permit("node.arrange", queries.facility_of_node(work, node_id))
        duty.revoke(work, principal(), node_id, now=now())
    return Response(status=204)


@api.post("/facilities/<string:code>/nodes/take-back")
@guarded("node.arrange")
@api.response(200, schemas.NodeDutySchema)
@attempted
def take_back(code: str) -> dict[str, int]:
    """Let the centre run the queues again; what the node has not settled goes to the worklist."""
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        permit("node.arrange", facility_id)
        return {"epoch": duty.take_back(work, principal(), facility_id, now=now())}


@api.get("/facilities/<string:code>/node-exceptions")
@guarded("node.settle")
@api.response(200, schemas.NodeExceptionListSchema)
def list_exceptions(code: str) -> dict[str, Any]:
    """List what a node handed in and what did not fit."""
    facility_id = facility_by_code(session(), code).id
    permit("node.settle", facility_id)
    return {"items": queries.open_exceptions(session(), facility_id, cipher())}


@api.post("/node-exceptions/<uuid:exception_id>/apply")
@guarded("node.settle")
@api.response(204)
@attempted
def take_in(exception_id: UUID) -> Response:
    """Take it in after all, if it fits by now."""
    with unit_of_work() as work:
        permit("node.settle", queries.facility_of_exception(work, exception_id))
        worklist.take_in_after_all(work, principal(), exception_id, now=now(), cipher=cipher())
    return Response(status=204)


@api.post("/node-exceptions/<uuid:exception_id>/dismiss")
@guarded("node.settle")
@json_only
@api.arguments(schemas.NodeDismissSchema())
@api.response(204)
@attempted
def dismiss(asked: dict[str, Any], exception_id: UUID) -> Response:
    """Take it off the list, for a reason."""
    with unit_of_work() as work:
        permit("node.settle", queries.facility_of_exception(work, exception_id))
        worklist.dismiss(work, principal(), exception_id, asked["note"], now=now())
    return Response(status=204)
