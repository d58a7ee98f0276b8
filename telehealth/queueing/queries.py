"""Reading queues, lines, tickets and boards. Nothing here names a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, select, text
from sqlalchemy.orm import Session, aliased

from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.crypto import token_hash
from telehealth.core.errors import NotFound
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.models import Facility, ServicePoint
from telehealth.queueing.codes import PriorityClass, TicketStatus
from telehealth.queueing.models import Board, BoardEvent, Queue, StaffCall, Ticket
from telehealth.queueing.rules import (
    DEFAULT_POLICY,
    Lane,
    Placed,
    Reason,
    Waiting,
    WaitRange,
    number_text,
    order,
    places_ahead_of,
    wait_range,
)
from telehealth.scheduling.models import ClinicSession

BOARD_CALLS = 6
_LINE = text("SELECT * FROM queue_line(:queue, :day)")
_BY_TOKEN = text("SELECT * FROM ticket_by_token(ticket_now(:token_hash))")


def _select_queues() -> Select[Any]:
    room = aliased(ServicePoint)
    points = (
        select(func.count())
        .where(
            ServicePoint.facility_id == Queue.facility_id,
            ServicePoint.kind == Queue.kind,
            ServicePoint.active,
        )
        .scalar_subquery()
    )
    return select(
        Queue,
        case((Queue.service_point_id.is_(None), points), else_=1).label("points"),
        func.coalesce(room.name, Queue.name).label("place"),
    ).outerjoin(room, room.id == Queue.service_point_id)


_QUEUES = _select_queues()


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue and where it leads: to `place`; `points` is how many desks or rooms call from it."""

    id: UUID
    facility_id: UUID
    code: str
    name: str
    kind: ServicePointKind
    service_point_id: UUID | None
    place: str
    prefix: str
    minutes_per_visit: int
    daily_limit: int | None
    points: int
    active: bool


@dataclass(frozen=True, slots=True)
class LineTicket:
    """Somebody in a queue; `place` and `reason` only while waiting."""

    id: UUID
    number: int
    number_text: str
    status: TicketStatus
    priority: PriorityClass
    appointment_start: datetime | None
    waiting_since: datetime
    called_at: datetime | None
    service_point_id: UUID | None
    lane: Lane | None = None
    place: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A queue on a day: who waits, in order; who is called, served or parked; how fast it goes."""

    queue: QueueView
    waiting: tuple[LineTicket, ...]
    called: tuple[LineTicket, ...]
    serving: tuple[LineTicket, ...]
    parked: tuple[LineTicket, ...]
    last_calls: tuple[LineTicket, ...]
    called_total: int

    @property
    def missed(self) -> tuple[LineTicket, ...]:
        """Return who was called lately and did not come."""
        return tuple(ticket for ticket in self.last_calls if ticket.status is TicketStatus.MISSED)

    def place_of(self, ticket_id: UUID) -> int | None:
        """Return how many are called before a ticket, if it waits."""
        return next((ticket.place for ticket in self.waiting if ticket.id == ticket_id), None)

    def wait(self, ahead: int) -> WaitRange:
        """Return how long somebody with so many people ahead may wait."""
        times = [ticket.called_at for ticket in self.last_calls if ticket.called_at is not None]
        return wait_range(ahead, times, self.queue.minutes_per_visit, self.queue.points)


@dataclass(frozen=True, slots=True)
class FollowView:
    """What the holder of a slip may see of it."""

    ticket_id: UUID
    queue: QueueView
    facility_name: str
    facility_code: str
    business_date: date
    number_text: str
    status: TicketStatus
    room: str
    now_calling: str | None
    people_ahead: int | None
    wait: WaitRange | None


@dataclass(frozen=True, slots=True)
class BoardCall:
    """A number that was called, and where to."""

    seq: int
    number: str
    room: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StaffCallView:
    """An open call from a kiosk."""

    id: UUID
    kind: str
    place: str
    at: datetime


def queue_by_id(session: Session, queue_id: UUID) -> QueueView | None:
    """Return a queue."""
    row = session.execute(_QUEUES.where(Queue.id == queue_id)).one_or_none()
    return None if row is None else _queue(row)


def queues_of(session: Session, facility_id: UUID) -> list[QueueView]:
    """Return a facility's queues in use, in the order a visit passes them, rooms by code."""
    rows = session.execute(_QUEUES.where(Queue.facility_id == facility_id, Queue.active))
    kinds = list(ServicePointKind)
    return sorted((_queue(row) for row in rows), key=lambda queue: (kinds.index(queue.kind), queue.code))


def line(session: Session, queue: QueueView, day: date, now: datetime) -> Line:
    """Return the state of a queue on a day, its waiting people in the order of calling."""
    rows = _rows(session, queue, day)
    waiting = {row.id: row for row in rows if row.status == TicketStatus.WAITING}
    called_total = rows[0].called_total if rows else 0
    placed = _placed(rows, [_waiting(row, called_total) for row in waiting.values()], now)

    def those(status: TicketStatus) -> tuple[LineTicket, ...]:
        return tuple(_ticket(queue, row) for row in rows if row.status == status)

    return Line(
        queue=queue,
        waiting=tuple(
            _ticket(queue, waiting[place.id], lane=place.lane, place=place.place, reason=place.reason)
            for place in placed
        ),
        called=those(TicketStatus.CALLED),
        serving=those(TicketStatus.SERVING),
        parked=those(TicketStatus.PARKED),
        last_calls=tuple(_ticket(queue, row) for row in rows if row.called_at is not None),
        called_total=called_total,
    )


def prospect(
    session: Session, queue: QueueView, day: date, newcomer: Waiting, now: datetime
) -> tuple[int, WaitRange]:
    """Return how many would be called before a newcomer, and how long that may take."""
    rows = _rows(session, queue, day)
    called_total = rows[0].called_total if rows else 0
    waiting = [_waiting(row, called_total) for row in rows if row.status == TicketStatus.WAITING]
    placed = _placed(rows, [*waiting, newcomer], now)
    ahead = next(place.place for place in placed if place.id == newcomer.id)
    calls = [row.called_at for row in rows if row.called_at is not None]
    return ahead, wait_range(ahead, calls, queue.minutes_per_visit, queue.points)


def _rows(session: Session, queue: QueueView, day: date) -> Sequence[Row[Any]]:
    """Everybody in the queue and its last calls; those called come in the order of their calls."""
    rows = session.execute(_LINE, {"queue": queue.id, "day": day}).all()
    return sorted(rows, key=lambda row: (row.called_at is None, row.called_at))


def _placed(rows: Sequence[Row[Any]], waiting: Sequence[Waiting], now: datetime) -> list[Placed]:
    recent = [Lane(row.called_lane) for row in rows if row.called_at is not None and row.called_lane]
    return order(waiting, recent, DEFAULT_POLICY, now)


def follow(session: Session, public_token: str, now: datetime) -> FollowView | None:
    """Return what the holder of a public token may see. No principal is needed."""
    found = session.execute(_BY_TOKEN, {"token_hash": token_hash(public_token)}).one_or_none()
    queue = queue_by_id(session, found.queue_id) if found else None
    if found is None or queue is None:
        return None
    state = line(session, queue, found.business_date, now)
    ahead = state.place_of(found.id) if found.business_date == business_date(now) else None
    name, code = session.execute(
        select(Facility.name, Facility.code).where(Facility.id == queue.facility_id)
    ).one()
    return FollowView(
        ticket_id=found.id,
        queue=queue,
        facility_name=name,
        facility_code=code,
        business_date=found.business_date,
        number_text=number_text(queue.prefix, found.number),
        status=TicketStatus(found.status),
        room=room_name(session, queue, found.service_point_id),
        now_calling=state.last_calls[-1].number_text if state.last_calls else None,
        people_ahead=ahead,
        wait=None if ahead is None else state.wait(ahead),
    )


def room_name(session: Session, queue: QueueView, service_point_id: UUID | None) -> str:
    """Return where to go: the desk that called, else the queue's room or hall."""
    if service_point_id is None or service_point_id == queue.service_point_id:
        return queue.place
    return session.scalar(select(ServicePoint.name).where(ServicePoint.id == service_point_id)) or queue.place


def facility_of_ticket(session: Session, ticket_id: UUID) -> UUID:
    """Return where a ticket belongs, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(Ticket.facility_id).where(Ticket.id == ticket_id))
    if found is None:
        raise NotFound
    return found


def facility_of_appointment(session: Session, appointment_id: UUID) -> UUID:
    """Return where an appointment is, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(Appointment.facility_id).where(Appointment.id == appointment_id))
    if found is None:
        raise NotFound
    return found


def ticket_of_appointment(session: Session, appointment_id: UUID, now: datetime) -> UUID | None:
    """Return the number that an appointment was given today, the latest if several."""
    return session.scalar(
        select(Ticket.id)
        .where(
            Ticket.appointment_id == appointment_id,
            Ticket.business_date == business_date(now),
            Ticket.status != TicketStatus.CANCELLED,
        )
        .order_by(Ticket.issued_at.desc())
        .limit(1)
    )


def encounter_of_ticket(session: Session, ticket_id: UUID) -> UUID | None:
    """Return the visit a ticket belongs to, if it has begun."""
    return session.scalar(select(Ticket.encounter_id).where(Ticket.id == ticket_id))


def queue_of_practitioner(session: Session, practitioner_id: UUID, now: datetime) -> QueueView | None:
    """Return the queue of the room where a practitioner sits today, the next one not yet over."""
    rooms = (
        select(Queue.id)
        .join(ServicePoint, ServicePoint.id == Queue.service_point_id)
        .join(
            ClinicSession,
            (ClinicSession.room == ServicePoint.code) & (ClinicSession.facility_id == Queue.facility_id),
        )
        .where(
            ClinicSession.practitioner_id == practitioner_id,
            ClinicSession.business_date == business_date(now),
            Queue.active,
        )
        .order_by(ClinicSession.end_at < now, ClinicSession.start_at)
        .limit(1)
    )
    queue_id = session.scalar(rooms)
    return None if queue_id is None else queue_by_id(session, queue_id)


def board_calls(session: Session, facility_id: UUID, now: datetime) -> list[BoardCall]:
    """Return the last calls of a facility's board today, newest first, each number once."""
    rows = session.scalars(
        select(BoardEvent)
        .where(
            BoardEvent.facility_id == facility_id,
            BoardEvent.business_date == business_date(now),
            BoardEvent.kind == "called",
        )
        .order_by(BoardEvent.seq.desc())
        .limit(BOARD_CALLS * 3)
    )
    calls: dict[str, BoardCall] = {}
    for row in rows:
        call = BoardCall(row.seq, str(row.body["number"]), str(row.body["room"]), row.created_at)
        calls.setdefault(call.number, call)
    return list(calls.values())[:BOARD_CALLS]


def board_seq(session: Session, facility_id: UUID) -> int:
    """Return the number of the board's last event, 0 before the first."""
    return session.scalar(select(Board.last_seq).where(Board.facility_id == facility_id)) or 0


def points_of(session: Session, queue: QueueView) -> list[tuple[UUID, str]]:
    """Return the desks or rooms that may call from a queue: id and name."""
    points = select(ServicePoint.id, ServicePoint.name).order_by(ServicePoint.code)
    if queue.service_point_id is not None:
        points = points.where(ServicePoint.id == queue.service_point_id)
    else:
        points = points.where(
            ServicePoint.facility_id == queue.facility_id,
            ServicePoint.kind == queue.kind,
            ServicePoint.active,
        )
    return [(row.id, row.name) for row in session.execute(points)]


def open_staff_calls(session: Session, facility_id: UUID) -> list[StaffCallView]:
    """Return the calls of a facility's kiosks that nobody has answered, emergencies first."""
    rows = session.scalars(
        select(StaffCall)
        .where(StaffCall.facility_id == facility_id, StaffCall.answered_at.is_(None))
        .order_by(StaffCall.kind, StaffCall.at)
    )
    return [StaffCallView(row.id, row.kind, row.place, row.at) for row in rows]


def facility_of_staff_call(session: Session, call_id: UUID) -> UUID:
    """Return which facility's kiosk calls, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(StaffCall.facility_id).where(StaffCall.id == call_id))
    if found is None:
        raise NotFound
    return found


def _queue(row: Row[Any]) -> QueueView:
    queue: Queue = row.Queue
    return QueueView(
        id=queue.id,
        facility_id=queue.facility_id,
        code=queue.code,
        name=queue.name,
        kind=ServicePointKind(queue.kind),
        service_point_id=queue.service_point_id,
        place=row.place,
        prefix=queue.prefix,
        minutes_per_visit=queue.minutes_per_visit,
        daily_limit=queue.daily_limit,
        points=row.points,
        active=queue.active,
    )


def _waiting(row: Row[Any], called_total: int) -> Waiting:
    return Waiting(
        id=row.id,
        number=row.number,
        waiting_since=row.waiting_since,
        priority=PriorityClass(row.priority_class),
        appointment_start=row.appointment_start,
        places_ahead=places_ahead_of(row.resume_after, called_total),
    )


def _ticket(
    queue: QueueView,
    row: Row[Any],
    *,
    lane: Lane | None = None,
    place: int | None = None,
    reason: Reason | None = None,
) -> LineTicket:
    return LineTicket(
        id=row.id,
        number=row.number,
        number_text=number_text(queue.prefix, row.number),
        status=TicketStatus(row.status),
        priority=PriorityClass(row.priority_class),
        appointment_start=row.appointment_start,
        waiting_since=row.waiting_since,
        called_at=row.called_at,
        service_point_id=row.service_point_id,
        lane=lane,
        place=place,
        reason=reason,
    )
