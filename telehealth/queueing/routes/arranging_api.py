"""How a facility runs its queues, by the API."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound
from telehealth.directory import queries as directory
from telehealth.queueing import queries
from telehealth.queueing.queries import QueueView
from telehealth.queueing.rules import QueueSettings
from telehealth.queueing.schemas import (
    EmptySchema,
    MergeSchema,
    MoveSchema,
    OwnQueueSchema,
    PauseSchema,
    QueueDaySchema,
    QueueSettingsSchema,
    QueueSettingsViewSchema,
    RoomSchema,
)
from telehealth.queueing.services import arranging
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import now, permit, principal, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.requests import if_match

api = Blueprint("queue-arranging-api", __name__, url_prefix="/api/v1", description="How queues are run")


@api.get("/queues/<uuid:queue_id>/settings")
@guarded("queue.configure")
@api.response(200, QueueSettingsViewSchema)
def show_settings(queue_id: UUID) -> dict[str, Any]:
    """Show how a queue is run."""
    with unit_of_work() as session:
        return _settings(_permitted(session, queue_id, "queue.configure"))


@api.put("/queues/<uuid:queue_id>/settings")
@api.doc(parameters=[IF_MATCH])
@guarded("queue.configure")
@api.arguments(QueueSettingsSchema)
@api.response(200, QueueSettingsViewSchema)
def set_settings(body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Set how a queue is run. Needs If-Match."""
    with unit_of_work() as session:
        _permitted(session, queue_id, "queue.configure")
        wanted = QueueSettings(**body)
        return _settings(
            arranging.configure(session, principal(), queue_id, wanted, version=if_match(), now=now())
        )


@api.get("/queues/<uuid:queue_id>/day")
@guarded("queue.line")
@api.response(200, QueueDaySchema)
def show_day(queue_id: UUID) -> dict[str, Any]:
    """Show which rooms call from a queue today, and whether it is paused or merged."""
    with unit_of_work() as session:
        return _day(session, _permitted(session, queue_id, "queue.line"))


@api.put("/queues/<uuid:queue_id>/points/<uuid:point_id>")
@guarded("queue.arrange")
@api.arguments(RoomSchema)
@api.response(200, QueueDaySchema)
def set_room(body: dict[str, Any], queue_id: UUID, point_id: UUID) -> dict[str, Any]:
    """Let a desk or room call from a queue, or no longer."""
    return _arranged(
        queue_id,
        "queue.arrange",
        lambda session: arranging.set_room(
            session,
            principal(),
            queue_id,
            point_id,
            is_open=body["open"],
            always=body["always"],
            now=now(),
        ),
    )


@api.post("/queues/<uuid:queue_id>/move")
@guarded("queue.arrange")
@api.arguments(MoveSchema)
@api.response(200, QueueDaySchema)
def move(body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Move a queue to another room for today."""
    point = body["service_point_id"]
    return _arranged(
        queue_id,
        "queue.arrange",
        lambda session: arranging.move(session, principal(), queue_id, point, now=now()),
    )


@api.post("/queues/<uuid:queue_id>/pause")
@guarded("queue.pause")
@api.arguments(PauseSchema)
@api.response(200, QueueDaySchema)
def pause(body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Call nobody for a while."""
    return _arranged(
        queue_id,
        "queue.pause",
        lambda session: arranging.pause(
            session, principal(), queue_id, body["reason"], body["until"], now=now()
        ),
    )


@api.post("/queues/<uuid:queue_id>/resume")
@guarded("queue.pause")
@api.arguments(EmptySchema)
@api.response(200, QueueDaySchema)
def resume(_body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Call again."""
    return _arranged(
        queue_id, "queue.pause", lambda session: arranging.resume(session, principal(), queue_id, now=now())
    )


@api.post("/queues/<uuid:queue_id>/merge")
@guarded("queue.arrange")
@api.arguments(MergeSchema)
@api.response(200, QueueDaySchema)
def merge(body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Let another queue's rooms call the people of this one today."""
    into = body["into"]
    return _arranged(
        queue_id,
        "queue.arrange",
        lambda session: arranging.merge(session, principal(), queue_id, into, now=now()),
    )


@api.post("/queues/<uuid:queue_id>/unmerge")
@guarded("queue.arrange")
@api.arguments(EmptySchema)
@api.response(200, QueueDaySchema)
def unmerge(_body: dict[str, Any], queue_id: UUID) -> dict[str, Any]:
    """Let the queue's own rooms call its people again."""
    return _arranged(
        queue_id,
        "queue.arrange",
        lambda session: arranging.unmerge(session, principal(), queue_id, now=now()),
    )


@api.post("/practitioner-queues")
@located("queue-arranging-api.show_day", "queue_id", "queue")
@guarded("queue.arrange")
@api.arguments(OwnQueueSchema)
@api.response(201, QueueDaySchema)
def open_own_queue(body: dict[str, Any]) -> dict[str, Any]:
    """Give a doctor a queue beside the room's own."""
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, body["facility"])
        permit("queue.arrange", facility.id)
        queue_id = arranging.open_own_queue(
            session, principal(), facility.id, body["practitioner_id"], body["service_point_id"], now=now()
        )
        return _day(session, _queue(session, queue_id))


@api.delete("/practitioner-queues/<uuid:queue_id>")
@guarded("queue.arrange")
@api.response(204)
def close_own_queue(queue_id: UUID) -> Response:
    """Give no more numbers of a doctor's own queue."""
    with unit_of_work() as session:
        _permitted(session, queue_id, "queue.arrange")
        arranging.close_own_queue(session, principal(), queue_id, now=now())
    return Response(status=204)


def _arranged(queue_id: UUID, action: str, do: Callable[[Session], None]) -> dict[str, Any]:
    with unit_of_work() as session:
        _permitted(session, queue_id, action)
        do(session)
        return _day(session, _queue(session, queue_id))


def _permitted(session: Session, queue_id: UUID, action: str) -> QueueView:
    queue = _queue(session, queue_id)
    permit(action, queue.facility_id)
    return queue


def _queue(session: Session, queue_id: UUID) -> QueueView:
    queue = queries.queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    return queue


def _settings(queue: QueueView) -> dict[str, Any]:
    return asdict(queue.settings) | {"version": queue.version}


def _day(session: Session, queue: QueueView) -> dict[str, Any]:
    today = business_date(now())
    day = queries.queue_day(session, queue.id, today, now())
    return {
        "queue": queue.id,
        "points": [{"id": point, "name": name} for point, name in day.calling],
        "closed": day.closed,
        "merged_into": day.merged_into,
        "merged_here": list(day.merged_here),
        "paused_reason": day.pause.reason if day.pause else None,
        "paused_until": day.pause.until if day.pause else None,
    }


@api.after_request
def _tag(response: Response) -> Response:
    """Say which version the settings are at."""
    body = response.get_json(silent=True) if response.mimetype == "application/json" else None
    if isinstance(body, dict) and "version" in body:
        response.headers["ETag"] = f'"{body["version"]}"'
    return response
