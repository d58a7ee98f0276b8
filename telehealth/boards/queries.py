"""Reading areas and what their boards show. Nothing here names a person."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from telehealth.boards.codes import Dialect, Languages
from telehealth.boards.errors import NoSuchArea
from telehealth.boards.models import BoardArea, BoardAreaQueue, BoardAreaRoom
from telehealth.core.clock import business_date
from telehealth.directory.models import ServicePoint
from telehealth.queueing.codes import BoardEventKind
from telehealth.queueing.models import Board, BoardEvent
from telehealth.queueing.places import place_of
from telehealth.queueing.queries import QueueView, lines, queues_of

SHOWN_CALLS = 6
SHOWN_MISSED = 8
SHOWN_QUEUES = 4
FOLLOWING = 3
_LOOKED_AT = 400


@dataclass(frozen=True, slots=True)
class AreaView:
    """A named set of queues and rooms, and how their boards look and sound."""

    id: UUID
    facility_id: UUID
    code: str
    name: str
    least_seconds: int
    languages: Languages
    dialect: Dialect
    volume: int
    muted: bool
    version: int
    queue_ids: frozenset[UUID]
    room_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class BoardCall:
    """A number that was called, and where to."""

    seq: int
    number: str
    room: str
    room_en: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Following:
    """Who is next in a queue, and where they will go."""

    queue_id: UUID
    room: str
    room_en: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoardState:
    """What a board shows now: the last calls newest first, who is next, who did not come.

    `seq` is the number of the facility's last event.
    """

    calls: tuple[BoardCall, ...]
    missed: tuple[str, ...]
    following: tuple[Following, ...]
    seq: int


def areas_of(session: Session, facility_id: UUID) -> list[AreaView]:
    """Return a facility's areas by their names."""
    rows = session.scalars(
        select(BoardArea).where(BoardArea.facility_id == facility_id).order_by(BoardArea.name, BoardArea.code)
    )
    return _views(session, rows.all())


def area(session: Session, facility_id: UUID, code: str) -> AreaView:
    """Return an area by its address. Raises NoSuchArea."""
    return _one(
        session, select(BoardArea).where(BoardArea.facility_id == facility_id, BoardArea.code == code)
    )


def area_by_id(session: Session, area_id: UUID) -> AreaView:
    """Return an area. Raises NoSuchArea."""
    return _one(session, select(BoardArea).where(BoardArea.id == area_id))


def board_state(session: Session, facility_id: UUID, shown: AreaView | None, now: datetime) -> BoardState:
    """Return what the board of a facility, or of one of its areas, shows now."""
    seq = board_seq(session, facility_id)
    events = _events(session, facility_id, shown, now)
    return BoardState(
        calls=tuple(_calls(events)),
        missed=tuple(_missed(events)),
        following=tuple(_following(session, facility_id, shown, now)),
        seq=seq,
    )


def board_seq(session: Session, facility_id: UUID) -> int:
    """Return the number of the board's last event, 0 before the first."""
    return session.scalar(select(Board.last_seq).where(Board.facility_id == facility_id)) or 0


def _events(
    session: Session, facility_id: UUID, shown: AreaView | None, now: datetime
) -> Sequence[BoardEvent]:
    """The last events of today that a board shows, newest first."""
    wanted = select(BoardEvent).where(
        BoardEvent.facility_id == facility_id,
        BoardEvent.business_date == business_date(now),
        BoardEvent.kind != BoardEventKind.AREA,
    )
    if shown is not None:
        wanted = wanted.where(
            or_(BoardEvent.queue_id.in_(shown.queue_ids), BoardEvent.service_point_id.in_(shown.room_ids))
        )
    return session.scalars(wanted.order_by(BoardEvent.seq.desc()).limit(_LOOKED_AT)).all()


def _calls(events: Sequence[BoardEvent]) -> list[BoardCall]:
    """Each number once, where it was called to last."""
    calls: dict[str, BoardCall | None] = {}
    for each in events:
        number = str(each.body["number"])
        if each.kind == BoardEventKind.WITHDRAWN:
            calls.setdefault(number, None)
        elif each.kind == BoardEventKind.CALLED:
            room = str(each.body["room"])
            room_en = str(each.body.get("room_en", room))
            calls.setdefault(number, BoardCall(each.seq, number, room, room_en, each.created_at))
    return [call for call in calls.values() if call is not None][:SHOWN_CALLS]


def _missed(events: Sequence[BoardEvent]) -> list[str]:
    """Numbers whose last word is that they did not come, newest first."""
    last: dict[str, str] = {}
    for each in events:
        last.setdefault(str(each.body["number"]), each.kind)
    return [number for number, kind in last.items() if kind == BoardEventKind.MISSED][:SHOWN_MISSED]


def _following(session: Session, facility_id: UUID, shown: AreaView | None, now: datetime) -> list[Following]:
    """Who is next where people wait, the queues that called last first."""
    found = lines(session, _queues(session, facility_id, shown), business_date(now), now)
    waited = [each for each in found.values() if each.waiting]
    waited.sort(key=lambda each: str(each.last_calls[-1].called_at if each.last_calls else ""), reverse=True)
    names = _rooms(session, [each.queue for each in waited])
    return [
        Following(
            each.queue.id, *names[each.queue.id], tuple(who.number_text for who in each.waiting[:FOLLOWING])
        )
        for each in waited[:SHOWN_QUEUES]
    ]


def _queues(session: Session, facility_id: UUID, shown: AreaView | None) -> list[QueueView]:
    """The queues that a board speaks of: of an area its own, and those of its rooms alone."""
    found = queues_of(session, facility_id)
    if shown is None:
        return found
    return [each for each in found if each.id in shown.queue_ids or each.service_point_id in shown.room_ids]


def _rooms(session: Session, queues: Collection[QueueView]) -> dict[UUID, tuple[str, str]]:
    points = [queue.service_point_id for queue in queues if queue.service_point_id is not None]
    rows = session.execute(
        select(ServicePoint.id, ServicePoint.code, ServicePoint.name).where(ServicePoint.id.in_(points))
    )
    doors = {row.id: (row.code, row.name) for row in rows}
    found: dict[UUID, tuple[str, str]] = {}
    for queue in queues:
        code, name = doors.get(queue.service_point_id, ("", "")) if queue.service_point_id else ("", "")
        place = place_of(queue.kind, code, name)
        found[queue.id] = (place.vi, place.en)
    return found


def _one(session: Session, wanted: Select[BoardArea]) -> AreaView:
    found = session.scalars(wanted).one_or_none()
    if found is None:
        raise NoSuchArea
    return _views(session, [found])[0]


def _views(session: Session, rows: Sequence[BoardArea]) -> list[AreaView]:
    ids = [row.id for row in rows]
    queues: dict[UUID, set[UUID]] = {each: set() for each in ids}
    rooms: dict[UUID, set[UUID]] = {each: set() for each in ids}
    for showing in session.scalars(select(BoardAreaQueue).where(BoardAreaQueue.area_id.in_(ids))):
        queues[showing.area_id].add(showing.queue_id)
    for leading in session.scalars(select(BoardAreaRoom).where(BoardAreaRoom.area_id.in_(ids))):
        rooms[leading.area_id].add(leading.service_point_id)
    return [
        AreaView(
            id=row.id,
            facility_id=row.facility_id,
            code=row.code,
            name=row.name,
            least_seconds=row.least_seconds,
            languages=Languages(row.languages),
            dialect=Dialect(row.dialect),
            volume=row.volume,
            muted=row.muted,
            version=row.version,
            queue_ids=frozenset(queues[row.id]),
            room_ids=frozenset(rooms[row.id]),
        )
        for row in rows
    ]
