"""Arranging the boards of an area."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.boards.codes import Dialect, Languages
from telehealth.boards.errors import AreaCodeTaken, NoSuchArea
from telehealth.boards.models import BoardArea, BoardAreaQueue, BoardAreaRoom
from telehealth.core.errors import PreconditionFailed, Unprocessable
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal
from telehealth.directory.models import ServicePoint
from telehealth.queueing.codes import BoardEventKind
from telehealth.queueing.models import Queue
from telehealth.queueing.services import tell_boards


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What an area shows and how it sounds."""

    code: str
    name: str
    queue_ids: frozenset[UUID]
    room_ids: frozenset[UUID] = frozenset()
    least_seconds: int = 6
    languages: Languages = Languages.BOTH
    dialect: Dialect = Dialect.SOUTH
    volume: int = 80
    muted: bool = False
    settings: dict[str, object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = ("name", "least_seconds", "languages", "dialect", "volume", "muted")
        object.__setattr__(self, "settings", {name: getattr(self, name) for name in names})


def open_area(
    session: Session, principal: Principal, facility_id: UUID, wanted: Arrangement, *, now: datetime
) -> UUID:
    """Give a facility a board of its own for an area. Raises AreaCodeTaken, Unprocessable."""
    _refuse_strangers(session, facility_id, wanted)
    made: UUID | None = session.scalar(
        upsert(BoardArea)
        .values(id=new_id(), facility_id=facility_id, code=wanted.code, **wanted.settings)
        .on_conflict_do_nothing(index_elements=["facility_id", "code"])
        .returning(BoardArea.id)
    )
    if made is None:
        raise AreaCodeTaken
    _fill(session, made, wanted)
    _note(session, principal, "board.open", made, facility_id, wanted.code, now)
    return made


def change_area(
    session: Session,
    principal: Principal,
    area_id: UUID,
    wanted: Arrangement,
    *,
    now: datetime,
    version: int | None = None,
) -> None:
    """Change what an area shows and how it sounds; its address stays. Screens take it at once.

    Raises NoSuchArea, PreconditionFailed, Unprocessable.
    """
    area = _locked(session, area_id)
    if version not in (None, area.version):
        raise PreconditionFailed
    _refuse_strangers(session, area.facility_id, wanted)
    for name, value in wanted.settings.items():
        setattr(area, name, value)
    area.version += 1
    session.flush()
    _empty(session, area_id)
    _fill(session, area_id, wanted)
    _note(session, principal, "board.change", area_id, area.facility_id, area.code, now)


def close_area(session: Session, principal: Principal, area_id: UUID, *, now: datetime) -> None:
    """Take an area away; its screens show that they are cut off. Raises NoSuchArea."""
    area = _locked(session, area_id)
    _empty(session, area_id)
    session.delete(area)
    session.flush()
    _note(session, principal, "board.close", area_id, area.facility_id, area.code, now)


def _locked(session: Session, area_id: UUID) -> BoardArea:
    area = session.get(BoardArea, area_id, with_for_update=True)
    if area is None:
        raise NoSuchArea
    return area


def _refuse_strangers(session: Session, facility_id: UUID, wanted: Arrangement) -> None:
    """An area shows its own facility's queues and rooms, and at least one."""
    queues = select(Queue.id).where(Queue.facility_id == facility_id, Queue.id.in_(wanted.queue_ids))
    rooms = select(ServicePoint.id).where(
        ServicePoint.facility_id == facility_id, ServicePoint.id.in_(wanted.room_ids)
    )
    if set(session.scalars(queues)) != wanted.queue_ids:
        raise Unprocessable({"queues": ["field-board-queue-other"]})
    if set(session.scalars(rooms)) != wanted.room_ids:
        raise Unprocessable({"rooms": ["field-board-room-other"]})
    if not wanted.queue_ids | wanted.room_ids:
        raise Unprocessable({"queues": ["field-board-empty"]})


def _fill(session: Session, area_id: UUID, wanted: Arrangement) -> None:
    def rows(name: str, ids: Iterable[UUID]) -> list[dict[str, UUID]]:
        return [{"area_id": area_id, name: each} for each in sorted(ids)]

    if wanted.queue_ids:
        session.execute(insert(BoardAreaQueue), rows("queue_id", wanted.queue_ids))
    if wanted.room_ids:
        session.execute(insert(BoardAreaRoom), rows("service_point_id", wanted.room_ids))


def _empty(session: Session, area_id: UUID) -> None:
    session.execute(delete(BoardAreaQueue).where(BoardAreaQueue.area_id == area_id))
    session.execute(delete(BoardAreaRoom).where(BoardAreaRoom.area_id == area_id))


def _note(
    session: Session,
    principal: Principal,
    action: str,
    area_id: UUID,
    facility_id: UUID,
    code: str,
    now: datetime,
) -> None:
    """Leave it in the trail, and tell the screens last: the board stays locked until commit."""
    record(session, principal, Entry(action, "BoardArea", area_id, facility_id=facility_id), now=now)
    tell_boards(session, facility_id, BoardEventKind.AREA, {"area": code}, now=now)
