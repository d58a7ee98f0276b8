"""The state of a hall: every queue, every desk and room, and where people wait too long or nobody calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from telehealth.core.clock import business_date
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.queries import ServicePointView, service_points
from telehealth.queueing.codes import PauseReason
from telehealth.queueing.queries import (
    Pause,
    QueueView,
    StaffCallView,
    open_staff_calls,
    pauses_of,
    queues_of,
)
from telehealth.queueing.rules import number_text

LONG_WAIT = timedelta(minutes=60)
IDLE = timedelta(minutes=15)

_QUEUES = text(
    """
    SELECT queue_id,
           count(*) FILTER (WHERE status = 'waiting') AS waiting,
           min(greatest(issued_at, waiting_since)) FILTER (WHERE status = 'waiting') AS oldest,
           count(*) FILTER (WHERE status = 'parked') AS parked,
           count(*) FILTER (WHERE status IN ('serving', 'done') AND called_at IS NOT NULL) AS served,
           count(*) FILTER (WHERE status = 'missed') AS missed,
           max(called_at) AS last_call
      FROM ticket WHERE queue_id = ANY (:queues) AND business_date = :day GROUP BY queue_id
    """
)
_POINTS = text(
    """
    SELECT DISTINCT ON (service_point_id)
           service_point_id, queue_id, number, status, called_at, served_at, done_at
      FROM ticket
     WHERE queue_id = ANY (:queues) AND business_date = :day AND service_point_id IS NOT NULL
     ORDER BY service_point_id, status IN ('serving', 'called') DESC, called_at DESC
    """
)


class PointState(StrEnum):
    """What a desk or room does now. `idle`: people wait for it and it has called nobody for a while."""

    SERVING = "serving"
    CALLING = "calling"
    FREE = "free"
    IDLE = "idle"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue now. `longest`: how long whoever waits longest has waited, in minutes."""

    id: UUID
    name: str
    kind: ServicePointKind
    waiting: int
    longest: int | None
    too_long: bool
    parked: int
    served: int
    missed: int
    last_call: datetime | None
    pause: Pause | None

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing has happened there today."""
        return not (self.waiting or self.parked or self.served or self.missed or self.last_call or self.pause)

    @property
    def paused_until(self) -> datetime | None:
        """Return until when nobody is called, if that was said."""
        return self.pause.until if self.pause else None

    @property
    def paused_reason(self) -> PauseReason | None:
        """Return why nobody is called now."""
        return self.pause.reason if self.pause else None


@dataclass(frozen=True, slots=True)
class Point:
    """One desk or room now, since when, and with which number."""

    id: UUID
    name: str
    kind: ServicePointKind
    state: PointState
    since: datetime | None
    number: str | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Hall:
    """A facility's halls now."""

    queues: tuple[QueueState, ...]
    points: tuple[Point, ...]
    staff_calls: tuple[StaffCallView, ...]

    @property
    def waiting(self) -> int:
        """Return how many people wait in all queues."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def longest(self) -> int | None:
        """Return the longest wait of all, in minutes."""
        return max((queue.longest for queue in self.queues if queue.longest is not None), default=None)

    @property
    def idle(self) -> int:
        """Return how many desks and rooms call nobody while people wait for them."""
        return sum(point.state is PointState.IDLE for point in self.points)


def hall(session: Session, facility_id: UUID, now: datetime) -> Hall:
    """Return how a facility's queues and rooms stand now, for its staff. No person is named."""
    queues = queues_of(session, facility_id)
    asked = {"queues": [queue.id for queue in queues], "day": business_date(now)}
    counts = {row.queue_id: row for row in session.execute(_QUEUES, asked)}
    pauses = pauses_of(session, facility_id, now)
    states = tuple(_queue(queue, counts.get(queue.id), pauses.get(queue.id), now) for queue in queues)
    last = {row.service_point_id: row for row in session.execute(_POINTS, asked)}
    points = [
        point for point in service_points(session, facility_id) if point.kind != ServicePointKind.EMERGENCY
    ]
    return Hall(
        queues=states,
        points=tuple(_point(point, queues, states, last.get(point.id), now) for point in points),
        staff_calls=tuple(open_staff_calls(session, facility_id)),
    )


def _queue(
    queue: QueueView, row: Row[tuple[object, ...]] | None, pause: Pause | None, now: datetime
) -> QueueState:
    waited = None if row is None or row.oldest is None else now - row.oldest
    return QueueState(
        id=queue.id,
        name=queue.name,
        kind=queue.kind,
        waiting=row.waiting if row else 0,
        longest=None if waited is None else max(0, int(waited.total_seconds() // 60)),
        too_long=waited is not None and waited >= LONG_WAIT,
        parked=row.parked if row else 0,
        served=row.served if row else 0,
        missed=row.missed if row else 0,
        last_call=row.last_call if row else None,
        pause=pause,
    )


def _point(
    point: ServicePointView,
    queues: Sequence[QueueView],
    states: Sequence[QueueState],
    row: Row[tuple[object, ...]] | None,
    now: datetime,
) -> Point:
    leading = [
        queue
        for queue in queues
        if queue.service_point_id == point.id or (queue.service_point_id is None and queue.kind == point.kind)
    ]
    ids = {queue.id for queue in leading}
    own = [state for state in states if state.id in ids]
    waiting = sum(state.waiting for state in own)
    state, since = _doing(row, sum(state.waiting for state in own if state.pause is None), now)
    busy = row is not None and state in (PointState.SERVING, PointState.CALLING)
    prefix = next((queue.prefix for queue in queues if row is not None and queue.id == row.queue_id), "")
    return Point(
        id=point.id,
        name=point.name,
        kind=ServicePointKind(point.kind),
        state=state,
        since=since,
        number=number_text(prefix, row.number) if busy and row is not None else None,
        waiting=waiting,
    )


def _doing(
    row: Row[tuple[object, ...]] | None, waiting: int, now: datetime
) -> tuple[PointState, datetime | None]:
    """Tell what a point does; `waiting` counts only lines that are not paused."""
    if row is None:
        return PointState.UNUSED, None
    if row.status == "serving":
        return PointState.SERVING, row.served_at
    if row.status == "called":
        return PointState.CALLING, row.called_at
    since: datetime = row.done_at or row.called_at
    return (PointState.IDLE if waiting and now - since >= IDLE else PointState.FREE), since
