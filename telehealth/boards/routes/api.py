"""Boards, halls and figures over the API."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint

from telehealth.boards import queries, services
from telehealth.boards.figures import figures, total
from telehealth.boards.hall import Hall, hall
from telehealth.boards.queries import AreaView, BoardState
from telehealth.boards.schemas import (
    AreaFieldsSchema,
    AreaListSchema,
    AreaSchema,
    BoardQuerySchema,
    BoardSchema,
    FiguresListSchema,
    FiguresQuerySchema,
    HallSchema,
    NewAreaSchema,
)
from telehealth.boards.services import Arrangement
from telehealth.boards.spans import days
from telehealth.booking.attempts import attempted
from telehealth.booking.routes import json_only
from telehealth.core.clock import business_date
from telehealth.directory.queries import facility_by_code
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded, public
from telehealth.web.requests import if_match

api = Blueprint("boards-api", __name__, url_prefix="/api/v1", description="Boards, halls and their figures")


@api.get("/facilities/<string:code>/board")
@public
@api.arguments(BoardQuerySchema(), location="query")
@api.response(200, BoardSchema)
def show_board(asked: dict[str, Any], code: str) -> BoardState:
    """Show what the board of a facility, or of one of its areas, shows now; the stream goes on from `seq`."""
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        area = queries.area(work, facility_id, asked["area"]) if asked["area"] else None
        return queries.board_state(work, facility_id, area, now())


@api.get("/facilities/<string:code>/board-areas")
@public
@api.response(200, AreaListSchema)
def list_areas(code: str) -> dict[str, Any]:
    """List the areas of a facility that have boards of their own."""
    found = queries.areas_of(session(), facility_by_code(session(), code).id)
    return {"items": [_area(each) for each in found]}


@api.post("/facilities/<string:code>/board-areas")
@located("boards-api.show_area", "area_id")
@guarded("board.arrange")
@json_only
@api.arguments(NewAreaSchema())
@api.response(201, AreaSchema)
@attempted
def create_area(asked: dict[str, Any], code: str) -> Response:
    """Give an area boards of its own at `/board/{facility}/{code}`."""
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        permit("board.arrange", facility_id)
        made = services.open_area(work, principal(), facility_id, _wanted(asked), now=now())
        return _tagged(queries.area_by_id(work, made), 201)


@api.get("/board-areas/<uuid:area_id>")
@public
@api.response(200, AreaSchema)
def show_area(area_id: UUID) -> Response:
    """Show an area; its ETag is what a change must name in If-Match."""
    return _tagged(queries.area_by_id(session(), area_id))


@api.put("/board-areas/<uuid:area_id>")
@api.doc(parameters=[IF_MATCH])
@guarded("board.arrange")
@json_only
@api.arguments(AreaFieldsSchema())
@api.response(200, AreaSchema)
@attempted
def change_area(asked: dict[str, Any], area_id: UUID) -> Response:
    """Change what an area shows and how it sounds. Needs If-Match."""
    with unit_of_work() as work:
        area = queries.area_by_id(work, area_id)
        permit("board.arrange", area.facility_id)
        wanted = _wanted(asked | {"code": area.code})
        services.change_area(work, principal(), area_id, wanted, now=now(), version=if_match())
        work.expire_all()
        return _tagged(queries.area_by_id(work, area_id))


@api.delete("/board-areas/<uuid:area_id>")
@guarded("board.arrange")
@api.response(204)
def close_area(area_id: UUID) -> Response:
    """Take an area away."""
    with unit_of_work() as work:
        permit("board.arrange", queries.area_by_id(work, area_id).facility_id)
        services.close_area(work, principal(), area_id, now=now())
    return Response(status=204)


@api.get("/facilities/<string:code>/hall")
@guarded("hall.watch")
@api.response(200, HallSchema)
def show_hall(code: str) -> Hall:
    """Show every queue and room of a facility as they are now."""
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        permit("hall.watch", facility_id)
        return hall(work, facility_id, now())


@api.get("/facilities/<string:code>/queue-figures")
@guarded("hall.figures")
@api.arguments(FiguresQuerySchema(), location="query")
@api.response(200, FiguresListSchema)
def show_figures(asked: dict[str, Any], code: str) -> dict[str, Any]:
    """Tell how long people of some days waited and who left, by hour, day, queue or room."""
    today = business_date(now())
    first, last = days(asked["from_"], asked["to"], today)
    with unit_of_work() as work:
        facility_id = facility_by_code(work, code).id
        permit("hall.figures", facility_id)
        return {
            "total": total(work, facility_id, first, last, today=today),
            "items": figures(work, facility_id, first, last, asked["by"], today=today),
        }


def _wanted(asked: dict[str, Any]) -> Arrangement:
    settings = {name: value for name, value in asked.items() if name not in ("queues", "rooms")}
    return Arrangement(**settings, queue_ids=frozenset(asked["queues"]), room_ids=frozenset(asked["rooms"]))


def _tagged(area: AreaView, status: int = 200) -> Response:
    answer = jsonify(AreaSchema().dump(_area(area)))
    answer.status_code = status
    answer.set_etag(str(area.version))
    return answer


def _area(area: AreaView) -> dict[str, Any]:
    return {
        "id": area.id,
        "code": area.code,
        "name": area.name,
        "queues": sorted(area.queue_ids),
        "rooms": sorted(area.room_ids),
        "least_seconds": area.least_seconds,
        "languages": area.languages,
        "dialect": area.dialect,
        "volume": area.volume,
        "muted": area.muted,
        "version": area.version,
    }
