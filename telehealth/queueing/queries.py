"""Reading queues, lines, tickets and boards. Nothing here names a person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, bindparam, case, cast, false, func, select, text
from sqlalchemy.orm import Session, aliased

from telehealth.booking.models import Appointment
from telehealth.core.clock import at_local, business_date, minute_of_day
from telehealth.core.crypto import token_hash
from telehealth.core.errors import NotFound
from telehealth.core.sql import fetch_one
from telehealth.directory.codes import ServicePointKind
from telehealth.directory.hours import OpeningPeriod
from telehealth.directory.models import Facility, ServicePoint
from telehealth.queueing.codes import PauseReason, PriorityClass, TicketStatus
from telehealth.queueing.explanation import Explanation, Why, explain, explain_call
from telehealth.queueing.models import Queue, QueueCounter, StaffCall, Ticket
from telehealth.queueing.rules import (
    DEFAULT_POLICY,
    LONGEST_TOKEN,
    Lane,
    Placed,
    QueueSettings,
    Reason,
    Standing,
    Waiting,
    is_due,
    lane_of,
    lapsed,
    newcomer_place,
    number_text,
    order,
    places_ahead_of,
)
from telehealth.queueing.waits import Due, Pace, Period, WaitRange, calls_until, wait_range
from telehealth.scheduling.models import ClinicSession

_ROOMS_NAMED = 3
_UNHEARD_AFTER = timedelta(minutes=2)
_EXAMPLES = 3
_LINES = text(
    """
    SELECT wanted.id AS line_of, l.*
      FROM unnest(cast(:queues AS uuid[])) AS wanted (id) CROSS JOIN LATERAL queue_line(wanted.id, :day) l
    """
)
_BY_TOKEN = text("SELECT * FROM ticket_by_token(ticket_now(:token_hash))")
_FOLLOWED_AT = text(
    """
    SELECT f.name, f.code, h.heard_at
      FROM facility f LEFT JOIN queue_home h ON h.facility_id = f.id AND h.node_id IS NOT NULL
     WHERE f.id = :facility
    """
)
_POINTS = text(
    """
    SELECT q.id AS queue_id, p.id, p.name
      FROM queue q CROSS JOIN LATERAL queue_points(q.id, :day) p
     WHERE q.id = ANY(cast(:queues AS uuid[])) ORDER BY p.code
    """
)
_STANDING = text("SELECT * FROM queue_standing(:queue, :day, :now, :early, :late, :grace)")
_SETTINGS = tuple(field.name for field in fields(QueueSettings))
_OWN = (
    "id",
    "facility_id",
    "code",
    "name",
    "kind",
    "service_point_id",
    "prefix",
    "active",
    "version",
    "practitioner_id",
)
# A queue and how it stands, in one round trip: what every press at a kiosk reads.
_APPROACH = f"""
    SELECT {", ".join(f"q.{name}" for name in (*_OWN, *_SETTINGS))},
           coalesce(room.name, q.name) AS place, cast(f.hours AS text) AS hours,
           CASE WHEN q.service_point_id IS NULL
                THEN (SELECT count(*) FROM service_point p
                       WHERE p.facility_id = q.facility_id AND p.kind = q.kind AND p.active)
                ELSE 1 END AS points,
           s.priority, s.due, s.early, s.walk_in, s.back, s.called, s.lanes, s.rooms
      FROM queue q
      JOIN facility f ON f.id = q.facility_id
      LEFT JOIN service_point room ON room.id = q.service_point_id
      CROSS JOIN LATERAL queue_standing(
           q.id, %(day)s, %(now)s, make_interval(mins => q.early_minutes),
           make_interval(mins => q.late_minutes), %(grace)s) s
     WHERE q.id = %(queue)s
    """
_OF_POINT = text(
    """
    SELECT q.id FROM queue q
     WHERE q.facility_id = :facility AND q.active
       AND EXISTS (SELECT FROM queue_points(q.id, :day) p WHERE p.id = :point)
     ORDER BY q.code
    """
)
_TODAY = text(
    """
    SELECT q.id, c.closed, c.merged_into, c.paused_at, c.paused_until, c.paused_reason,
           ARRAY(SELECT m.queue_id FROM queue_counter m
                  WHERE m.merged_into = q.id AND m.business_date = :day) AS merged_here,
           coalesce(calling.ids, '{}') AS point_ids, coalesce(calling.names, '{}') AS rooms
      FROM queue q
      LEFT JOIN queue_counter c ON c.queue_id = q.id AND c.business_date = :day
      CROSS JOIN LATERAL (
           SELECT array_agg(p.id ORDER BY p.code) AS ids, array_agg(p.name ORDER BY p.code) AS names
             FROM queue_points(q.id, :day) p) calling
     WHERE q.id = ANY(cast(:queues AS uuid[]))
    """
)
_PAUSES = text(
    """
    SELECT c.queue_id, c.paused_at, c.paused_until, c.paused_reason
      FROM queue_counter c JOIN queue q ON q.id = c.queue_id
     WHERE q.facility_id = :facility AND c.business_date = :day
    """
)


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
    return (
        select(
            Queue,
            case((Queue.service_point_id.is_(None), points), else_=1).label("points"),
            func.coalesce(room.name, Queue.name).label("place"),
            cast(Facility.hours, Text).label("hours"),
        )
        .join(Facility, Facility.id == Queue.facility_id)
        .outerjoin(room, room.id == Queue.service_point_id)
    )


_QUEUES = _select_queues()
_QUEUE = _QUEUES.where(Queue.id == bindparam("queue"))
_QUEUES_OF = _QUEUES.where(Queue.facility_id == bindparam("facility"), Queue.active)
_MERGED_INTO = select(QueueCounter.merged_into).where(
    QueueCounter.queue_id == bindparam("queue"), QueueCounter.business_date == bindparam("day")
)
_POINT_NAME = select(ServicePoint.name).where(ServicePoint.id == bindparam("point"))


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
    points: int
    active: bool
    version: int
    practitioner_id: UUID | None
    settings: QueueSettings
    hours: tuple[OpeningPeriod, ...] = ()

    def open_on(self, day: date) -> list[Period]:
        """Return when the facility is open on a day."""
        return [
            (at_local(day, each.start), at_local(day, each.end))
            for each in self.hours
            if each.weekday == day.weekday()
        ]

    @property
    def minutes_per_visit(self) -> int:
        """Return how long a person takes, as configured."""
        return self.settings.minutes_per_visit

    def place_on(self, rooms: Sequence[str]) -> str:
        """Return where to wait while these rooms call: a hall by its name, rooms by theirs."""
        if self.kind is not ServicePointKind.CLINIC or not 0 < len(rooms) <= _ROOMS_NAMED:
            return self.place
        return " / ".join(rooms)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody is called for a while; `until` None: until somebody says so, at most for the day."""

    since: datetime
    until: datetime | None
    reason: PauseReason


@dataclass(frozen=True, slots=True)
class QueueDay:
    """What is different about a queue today; `calling` are the desks or rooms that call from it: id, name."""

    closed: bool
    merged_into: UUID | None
    merged_here: tuple[UUID, ...]
    pause: Pause | None
    calling: tuple[tuple[UUID, str], ...]

    @property
    def rooms(self) -> tuple[str, ...]:
        """Return the names of what calls."""
        return tuple(name for _point, name in self.calling)

    @property
    def points(self) -> int:
        """Return how many call."""
        return len(self.calling)


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
    called_lane: Lane | None
    priority_set_by: str | None
    call_count: int
    version: int
    web_until: datetime | None
    here_at: datetime | None
    places_ahead: int | None
    lane: Lane | None = None
    place: int | None = None
    reason: Reason | None = None

    @property
    def is_here(self) -> bool:
        """Tell whether the holder may be called: not before coming, with a number from the web."""
        return self.web_until is None or self.here_at is not None

    def has_lapsed(self, now: datetime) -> bool:
        """Tell whether a number from the web is over because nobody came with it."""
        return lapsed(self.web_until, self.here_at, now)

    def as_waiting(self) -> Waiting:
        """Return what the order needs to know."""
        return Waiting(
            id=self.id,
            number=self.number,
            waiting_since=self.waiting_since,
            priority=self.priority,
            appointment_start=self.appointment_start,
            places_ahead=self.places_ahead,
        )


@dataclass(frozen=True, slots=True)
class Between:
    """Of two numbers, which one is called first, and why."""

    first: str
    second: str
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Told:
    """How many are called before somebody, and how long that may take."""

    ahead: int
    wait: WaitRange


@dataclass(frozen=True, slots=True)
class Line:
    """A queue on a day: who waits, in order; who is called, served or parked; how fast it goes.

    `absent` hold a number from the web and have not come yet: nobody is called by it, and nobody waits
    for them.
    """

    queue: QueueView
    day: QueueDay
    waiting: tuple[LineTicket, ...]
    absent: tuple[LineTicket, ...]
    called: tuple[LineTicket, ...]
    serving: tuple[LineTicket, ...]
    parked: tuple[LineTicket, ...]
    last_calls: tuple[LineTicket, ...]
    called_total: int

    @property
    def missed(self) -> tuple[LineTicket, ...]:
        """Return who was called lately and did not come."""
        return tuple(ticket for ticket in self.last_calls if ticket.status is TicketStatus.MISSED)

    def place_of(self, ticket_id: UUID, now: datetime) -> int | None:
        """Return how many are called before a ticket, if it waits; for one from the web, if they came now."""
        absent = next((ticket for ticket in self.absent if ticket.id == ticket_id), None)
        if absent is not None:
            return self.tell(absent.as_waiting(), now).ahead
        return next((ticket.place for ticket in self.waiting if ticket.id == ticket_id), None)

    def wait(self, ahead: int, now: datetime) -> WaitRange:
        """Return how long somebody without an appointment and with so many people ahead may wait."""
        return wait_range(ahead, self._pace(now), now)

    def told(self, ticket_id: UUID, now: datetime) -> Told | None:
        """Return what the holder of a ticket is told, if it waits; from the web, as if they came now."""
        ticket = self._waits(ticket_id)
        return None if ticket is None else self.tell(ticket.as_waiting(), now)

    def tell(self, who: Waiting, now: datetime) -> Told:
        """Return what somebody is told who waits here, or would join now."""
        people = [each.as_waiting() for each in self.waiting if each.id != who.id]
        placed = order([*people, who], self.recent, self.queue.settings.policy, now)
        ahead, pace = _place(placed, who), self._pace(now)
        return Told(ahead, wait_range(ahead, pace, now, self._due([*people, who], placed, who, pace, now)))

    def _due(
        self, people: Sequence[Waiting], placed: Sequence[Placed], who: Waiting, pace: Pace, now: datetime
    ) -> Due | None:
        """When the time of an appointment comes, and who of those here is then still called before it."""
        policy = self.queue.settings.policy
        if who.appointment_start is None or is_due(who, policy, now):
            return None
        at = who.appointment_start - policy.grace
        called = placed[: calls_until(pace, now, at)]
        if lane_of(who, policy, at) is not Lane.APPOINTMENT or any(each.id == who.id for each in called):
            return None
        gone = {each.id for each in called}
        recent = [*self.recent, *(each.lane for each in called if each.reason is not Reason.CAME_BACK)]
        left = [each for each in people if each.id not in gone]
        return Due(at, _place(order(left, recent, policy, at), who))

    def _pace(self, now: datetime) -> Pace:
        times = [ticket.called_at for ticket in self.last_calls if ticket.called_at is not None]
        return _pace(self.queue, times, len(self.recent), self.day.points, now)

    def why(self, mine: UUID, theirs: str, now: datetime) -> Explanation | None:
        """Return why a number, as people read it, is called before a ticket; None where it says nothing."""
        asker = self._waits(mine)
        if asker is None:
            return None
        wanted = theirs.replace(" ", "").upper()
        other = next((each for each in self.waiting if each.number_text.upper() == wanted), None)
        policy = self.queue.settings.policy
        if other is not None:
            people = {each.id: each.as_waiting() for each in (*self.waiting, asker)}
            return explain(list(people.values()), self.recent, policy, now, mine=mine, theirs=other.id)
        called = next((each for each in self.last_calls if each.number_text.upper() == wanted), None)
        if called is None or called.called_at is None or called.id == mine:
            return None
        return explain_call(asker.as_waiting(), called.as_waiting(), policy, called.called_at)

    def between(self, one: str, other: str, now: datetime) -> Between | None:
        """Return which of two numbers, as people read them, is called first; None where neither waits."""
        for first, second in ((one, other), (other, one)):
            found = self._by_number(second)
            answer = self.why(found.id, first, now) if found else None
            if found is not None and answer is not None and answer.code is not Why.AFTER_YOU:
                return Between(first.replace(" ", "").upper(), found.number_text, answer)
        return None

    def _by_number(self, number: str) -> LineTicket | None:
        wanted = number.replace(" ", "").upper()
        return next(
            (each for each in (*self.waiting, *self.absent) if each.number_text.upper() == wanted), None
        )

    def came_later_but_before(self, mine: UUID, now: datetime) -> list[tuple[str, Explanation]]:
        """Return who took a number after a ticket and is called before it, and why."""
        asker = self._waits(mine)
        place = self.place_of(mine, now)
        if asker is None or place is None:
            return []
        later = [
            each
            for each in self.waiting
            if (each.place or 0) < place and each.id != mine and each.waiting_since > asker.waiting_since
        ]
        found = [(each.number_text, self.why(mine, each.number_text, now)) for each in later]
        return [(number, why) for number, why in found if why is not None]

    def _waits(self, ticket_id: UUID) -> LineTicket | None:
        return next((each for each in (*self.waiting, *self.absent) if each.id == ticket_id), None)

    @property
    def recent(self) -> list[Lane]:
        """Return the lanes of the last calls, oldest first."""
        return _lanes(self.last_calls)


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
    line: Line
    come_by: datetime | None
    """Until when a number from the web waits for its holder to come."""
    lapsed: bool
    heard_at: datetime | None
    """When the node that runs the facility's queues was heard of last, where one does."""

    def unheard_since(self, now: datetime) -> datetime | None:
        """Return since when that node has not been heard of; None while it is."""
        return self.heard_at if self.heard_at is not None and self.heard_at < now - _UNHEARD_AFTER else None

    @property
    def pause(self) -> Pause | None:
        """Return whether nobody is called for now."""
        return self.line.day.pause

    @property
    def paused_until(self) -> datetime | None:
        """Return until when, if that was said."""
        return self.pause.until if self.pause else None

    @property
    def paused_reason(self) -> PauseReason | None:
        """Return why."""
        return self.pause.reason if self.pause else None

    def before_me(self, now: datetime) -> list[tuple[str, Explanation]]:
        """Return the first few who came later and are called before, and why."""
        return self.line.came_later_but_before(self.ticket_id, now)[:_EXAMPLES]


@dataclass(frozen=True, slots=True)
class StaffCallView:
    """An open call from a kiosk: since when, how often and when last it was pressed.

    `told_at`: when it came from a machine that was cut off; None where it came at once.
    """

    id: UUID
    kind: str
    place: str
    at: datetime
    presses: int
    pressed_at: datetime
    told_at: datetime | None


def queue_by_id(session: Session, queue_id: UUID) -> QueueView | None:
    """Return a queue."""
    row = session.execute(_QUEUE, {"queue": queue_id}).one_or_none()
    return None if row is None else _queue(row, _hours(row.hours))


def queues_of(session: Session, facility_id: UUID) -> list[QueueView]:
    """Return a facility's queues in use, in the order a visit passes them, rooms by code."""
    rows = session.execute(_QUEUES_OF, {"facility": facility_id}).all()
    hours, kinds = _hours(rows[0].hours) if rows else (), list(ServicePointKind)
    found = [_queue(row, hours) for row in rows]
    return sorted(found, key=lambda queue: (kinds.index(queue.kind), queue.code))


def queue_day(session: Session, queue_id: UUID, day: date, now: datetime) -> QueueDay:
    """Return what is different about a queue on a day."""
    return _days(session, [queue_id], day, now)[queue_id]


def _days(session: Session, queues: Sequence[UUID], day: date, now: datetime) -> dict[UUID, QueueDay]:
    rows = session.execute(_TODAY, {"queues": list(queues), "day": day})
    return {
        row.id: QueueDay(
            closed=bool(row.closed),
            merged_into=row.merged_into,
            merged_here=tuple(row.merged_here),
            pause=_pause(row, now),
            calling=tuple(zip(row.point_ids, row.rooms, strict=True)),
        )
        for row in rows
    }


def _pause(row: Row[Any], now: datetime) -> Pause | None:
    if row.paused_at is None or (row.paused_until is not None and row.paused_until <= now):
        return None
    return Pause(row.paused_at, row.paused_until, PauseReason(row.paused_reason))


def pauses_of(session: Session, facility_id: UUID, now: datetime) -> dict[UUID, Pause]:
    """Return which of a facility's queues call nobody now, until when and why."""
    rows = session.execute(_PAUSES, {"facility": facility_id, "day": business_date(now)})
    found = {row.queue_id: _pause(row, now) for row in rows}
    return {queue_id: pause for queue_id, pause in found.items() if pause is not None}


def line(session: Session, queue: QueueView, day: date, now: datetime) -> Line:
    """Return the state of a queue on a day, its waiting people in the order of calling."""
    return lines(session, [queue], day, now)[queue.id]


def lines(session: Session, queues: Sequence[QueueView], day: date, now: datetime) -> dict[UUID, Line]:
    """Return the state of several queues on a day, in as many statements as for one."""
    ids = [queue.id for queue in queues]
    rows: dict[UUID, list[Row[Any]]] = {each: [] for each in ids}
    for row in session.execute(_LINES, {"queues": ids, "day": day}):
        rows[row.line_of].append(row)
    days = _days(session, ids, day, now)
    return {queue.id: _line(queue, days[queue.id], rows[queue.id], now) for queue in queues}


def line_again(session: Session, before: Line, now: datetime) -> Line:
    """Return a line as it is after a call, on a day about which nothing else has changed."""
    asked = {"queues": [before.queue.id], "day": business_date(now)}
    return _line(before.queue, before.day, session.execute(_LINES, asked).all(), now)


def _line(queue: QueueView, day: QueueDay, rows: Sequence[Row[Any]], now: datetime) -> Line:
    called_total = rows[0].called_total if rows else 0
    tickets = sorted((_ticket(queue, row, called_total) for row in rows), key=_by_call)
    calls = [each for each in tickets if each.called_at is not None]
    waiting = {each.id: each for each in tickets if each.status is TicketStatus.WAITING}
    here = {each.id: each for each in waiting.values() if each.is_here}
    placed = order([each.as_waiting() for each in here.values()], _lanes(calls), queue.settings.policy, now)

    def those(status: TicketStatus) -> tuple[LineTicket, ...]:
        return tuple(each for each in tickets if each.status is status)

    return Line(
        queue=queue,
        day=day,
        waiting=tuple(
            replace(here[each.id], lane=each.lane, place=each.place, reason=each.reason) for each in placed
        ),
        absent=tuple(each for each in waiting.values() if not each.is_here and not each.has_lapsed(now)),
        called=those(TicketStatus.CALLED),
        serving=those(TicketStatus.SERVING),
        parked=those(TicketStatus.PARKED),
        last_calls=tuple(calls),
        called_total=called_total,
    )


def _by_call(ticket: LineTicket) -> tuple[bool, datetime]:
    return (ticket.called_at is None, ticket.called_at or ticket.waiting_since)


def _place(placed: Sequence[Placed], who: Waiting) -> int:
    return next(each.place for each in placed if each.id == who.id)


def _lanes(calls: Sequence[LineTicket]) -> list[Lane]:
    return [each.called_lane for each in calls if each.called_lane is not None]


def follow(session: Session, public_token: str, now: datetime) -> FollowView | None:
    """Return what the holder of a public token may see. No principal is needed."""
    if len(public_token) > LONGEST_TOKEN:
        return None
    found = session.execute(_BY_TOKEN, {"token_hash": token_hash(public_token)}).one_or_none()
    queue = queue_by_id(session, found.queue_id) if found else None
    if found is None or queue is None:
        return None
    state = line(session, calling_queue(session, queue, found.business_date), found.business_date, now)
    told = state.told(found.id, now) if found.business_date == business_date(now) else None
    name, code, heard_at = session.execute(_FOLLOWED_AT, {"facility": queue.facility_id}).one()
    return FollowView(
        ticket_id=found.id,
        queue=queue,
        line=state,
        facility_name=name,
        facility_code=code,
        heard_at=heard_at,
        business_date=found.business_date,
        number_text=number_text(queue.prefix, found.number),
        status=TicketStatus(found.status),
        room=room_of(session, state, found.service_point_id),
        now_calling=state.last_calls[-1].number_text if state.last_calls else None,
        people_ahead=told.ahead if told else None,
        wait=told.wait if told else None,
        come_by=found.web_until if found.here_at is None else None,
        lapsed=lapsed(found.web_until, found.here_at, now),
    )


def room_of(session: Session, state: Line, service_point_id: UUID | None) -> str:
    """Return where to go: the desk that called, else the rooms that call from the queue today."""
    if service_point_id is None:
        return state.queue.place_on(state.day.rooms)
    return room_name(session, state.queue, service_point_id)


def room_name(session: Session, queue: QueueView, service_point_id: UUID | None) -> str:
    """Return where to go: the desk that called, else the queue's room or hall."""
    if service_point_id is None or service_point_id == queue.service_point_id:
        return queue.place
    return session.scalar(_POINT_NAME, {"point": service_point_id}) or queue.place


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
    """Return a practitioner's own queue, else that of their room today: of the next session not yet over."""
    own = select(Queue.id).where(Queue.practitioner_id == practitioner_id, Queue.active).limit(1)
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
            Queue.practitioner_id.is_(None),
        )
        .order_by(ClinicSession.end_at < now, ClinicSession.start_at)
        .limit(1)
    )
    queue_id = session.scalar(own) or session.scalar(rooms)
    return None if queue_id is None else queue_by_id(session, queue_id)


def points_of(session: Session, queue: QueueView, day: date) -> list[tuple[UUID, str]]:
    """Return the desks or rooms that call from a queue on a day: id and name."""
    return points_by_queue(session, [queue.id], day).get(queue.id, [])


def points_by_queue(
    session: Session, queues: Sequence[UUID], day: date
) -> dict[UUID, list[tuple[UUID, str]]]:
    """Return the desks or rooms that call from each of these queues on a day: id and name."""
    found: dict[UUID, list[tuple[UUID, str]]] = {}
    for row in session.execute(_POINTS, {"queues": list(queues), "day": day}):
        found.setdefault(row.queue_id, []).append((row.id, row.name))
    return found


def other_lines(session: Session, queue: QueueView, point_id: UUID, now: datetime) -> list[Line]:
    """Return the other queues that a desk or room calls from today."""
    day = business_date(now)
    wanted = {"facility": queue.facility_id, "point": point_id, "day": day}
    ids = [each for each in session.scalars(_OF_POINT, wanted) if each != queue.id]
    if not ids:
        return []
    others = [each for each in queues_of(session, queue.facility_id) if each.id in ids]
    found = lines(session, sorted(others, key=lambda each: each.code), day, now)
    return [each for each in found.values() if each.day.merged_into is None]


def open_staff_calls(session: Session, facility_id: UUID) -> list[StaffCallView]:
    """Return the calls of a facility's kiosks that nobody has answered, emergencies first."""
    rows = session.scalars(
        select(StaffCall)
        .where(StaffCall.facility_id == facility_id, StaffCall.answered_at.is_(None))
        .order_by(StaffCall.kind, StaffCall.at)
    )
    return [_staff_call(row) for row in rows]


def staff_call(session: Session, call_id: UUID) -> StaffCallView:
    """Return a call. Raises NotFound."""
    found = session.get(StaffCall, call_id, populate_existing=True)
    if found is None:
        raise NotFound
    return _staff_call(found)


def _staff_call(row: StaffCall) -> StaffCallView:
    return StaffCallView(
        id=row.id,
        kind=row.kind,
        place=row.place,
        at=row.at,
        presses=row.presses,
        pressed_at=row.pressed_again_at or row.at,
        told_at=row.told_at,
    )


def facility_of_staff_call(session: Session, call_id: UUID) -> UUID:
    """Return which facility's kiosk calls, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(select(StaffCall.facility_id).where(StaffCall.id == call_id))
    if found is None:
        raise NotFound
    return found


@lru_cache(maxsize=1024)
def _hours(stored: str) -> tuple[OpeningPeriod, ...]:
    return tuple(OpeningPeriod.from_json(period) for period in json.loads(stored))


def _queue(row: Row[Any], hours: tuple[OpeningPeriod, ...]) -> QueueView:
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
        points=row.points,
        active=queue.active,
        version=queue.version,
        practitioner_id=queue.practitioner_id,
        settings=QueueSettings(**{name: getattr(queue, name) for name in _SETTINGS}),
        hours=hours,
    )


@dataclass(frozen=True, slots=True)
class WebQueue:
    """A queue that gives numbers from the web today: how many are left, and by when to come."""

    id: UUID
    name: str
    facility_code: str
    facility_name: str
    left: int
    until: datetime


def web_queues(session: Session, now: datetime, facility_id: UUID | None = None) -> list[WebQueue]:
    """Return the queues with numbers for the web left today, by facility and name."""
    day = business_date(now)
    given = func.coalesce(QueueCounter.web, 0)
    today = (QueueCounter.queue_id == Queue.id) & (QueueCounter.business_date == day)
    wanted = (
        select(Queue, Facility.name.label("place"), Facility.code.label("place_code"), given.label("given"))
        .join(Facility, Facility.id == Queue.facility_id)
        .outerjoin(QueueCounter, today)
        .where(
            Queue.active,
            Queue.web_limit > given,
            Queue.web_until_minute > minute_of_day(now),
            func.coalesce(QueueCounter.closed, false()).is_(False),
            QueueCounter.merged_into.is_(None),
        )
        .order_by(Facility.name_sort, Queue.name)
    )
    if facility_id is not None:
        wanted = wanted.where(Queue.facility_id == facility_id)
    return [
        WebQueue(
            row.Queue.id,
            row.Queue.name,
            row.place_code,
            row.place,
            row.Queue.web_limit - row.given,
            at_local(day, row.Queue.web_until_minute),
        )
        for row in session.execute(wanted)
    ]


@dataclass(frozen=True, slots=True)
class HeldWebNumber:
    """A number from the web that a person may still come with, or give back."""

    id: UUID
    patient_id: UUID
    number_text: str
    queue_name: str
    facility_name: str
    come_by: datetime


def web_numbers_of(session: Session, patient_ids: Sequence[UUID], now: datetime) -> list[HeldWebNumber]:
    """Return today's numbers from the web of these people that still wait for their holders."""
    rows = session.execute(
        select(Ticket, Queue.prefix, Queue.name.label("queue"), Facility.name.label("facility"))
        .join(Queue, Queue.id == Ticket.queue_id)
        .join(Facility, Facility.id == Ticket.facility_id)
        .where(
            Ticket.patient_id.in_(patient_ids),
            Ticket.business_date == business_date(now),
            Ticket.status == TicketStatus.WAITING,
            Ticket.web_until > now,
            Ticket.here_at.is_(None),
        )
        .order_by(Ticket.issued_at)
    )
    return [
        HeldWebNumber(
            row.Ticket.id,
            row.Ticket.patient_id,
            number_text(row.prefix, row.Ticket.number),
            row.queue,
            row.facility,
            row.Ticket.web_until,
        )
        for row in rows
    ]


def holder_of_web_number(session: Session, ticket_id: UUID) -> UUID:
    """Return whose number from the web it is, if the entered principal may see it. Raises NotFound."""
    found = session.scalar(
        select(Ticket.patient_id).where(Ticket.id == ticket_id, Ticket.web_until.is_not(None))
    )
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a newcomer may be told: where to wait, how many are called before, how long that may take."""

    room: str
    people_ahead: int
    wait: WaitRange


def prospect(session: Session, queue: QueueView, day: date, now: datetime, newcomer: Waiting) -> Prospect:
    """Return what somebody who joins now may be told.

    Whoever comes without an appointment is last of their lane: counting the lanes is enough. For others
    everybody is placed.
    """
    if newcomer.appointment_start is None and newcomer.waiting_since == now:
        return _counted(session, queue, day, now, has_priority=newcomer.priority is not PriorityClass.NONE)
    state = line(session, queue, day, now)
    told = state.tell(newcomer, now)
    return Prospect(queue.place_on(state.day.rooms), told.ahead, told.wait)


@dataclass(frozen=True, slots=True)
class Approach:
    """A queue, and how it stands for somebody without an appointment who comes now."""

    queue: QueueView
    standing: Standing
    last_lanes: tuple[Lane, ...]
    last_calls: tuple[datetime, ...]
    rooms: tuple[str, ...]

    def told(self, now: datetime, *, has_priority: bool) -> Prospect:
        """Return what they may be told."""
        ahead = newcomer_place(
            self.standing, self.last_lanes, self.queue.settings.policy, has_priority=has_priority
        )
        pace = _pace(self.queue, self.last_calls, len(self.last_lanes), len(self.rooms), now)
        return Prospect(self.queue.place_on(self.rooms), ahead, wait_range(ahead, pace, now))


def approach(session: Session, queue_id: UUID, day: date, now: datetime) -> Approach | None:
    """Return a queue as somebody comes to it."""
    asked = {"queue": queue_id, "day": day, "now": now, "grace": DEFAULT_POLICY.grace}
    row = fetch_one(session, _APPROACH, asked)
    if row is None:
        return None
    own, settings = dict(zip(_OWN, row, strict=False)), row[len(_OWN) : len(_OWN) + len(_SETTINGS)]
    place, hours, points, *stood = row[len(_OWN) + len(_SETTINGS) :]
    own["kind"] = ServicePointKind(own["kind"])
    queue = QueueView(
        **own,
        place=place,
        points=points,
        settings=QueueSettings(*settings),
        hours=_hours(hours),
    )
    return _approach(queue, stood)


def _approach(queue: QueueView, stood: Sequence[Any]) -> Approach:
    priority, due, early, walk_in, back, called, lanes, rooms = stood
    most = queue.settings.return_places
    return Approach(
        queue,
        Standing(priority, due, early, walk_in, tuple(min(places, most) for places in back)),
        tuple(Lane(each) for each in lanes),
        tuple(called),
        tuple(rooms),
    )


def _counted(session: Session, queue: QueueView, day: date, now: datetime, *, has_priority: bool) -> Prospect:
    policy = queue.settings.policy
    asked = {
        "queue": queue.id,
        "day": day,
        "now": now,
        "early": policy.early,
        "late": policy.late,
        "grace": policy.grace,
    }
    return _approach(queue, session.execute(_STANDING, asked).one()).told(now, has_priority=has_priority)


def _pace(queue: QueueView, calls: Sequence[datetime], in_turn: int, points: int, now: datetime) -> Pace:
    """What is known of a queue's pace; `in_turn` of the calls took somebody's turn, the others came back."""
    return Pace(
        calls=calls,
        minutes_per_visit=queue.minutes_per_visit,
        points=points,
        came_back=len(calls) - in_turn,
        open_today=queue.open_on(business_date(now)),
    )


def calling_queue(session: Session, queue: QueueView, day: date) -> QueueView:
    """Return the queue whose rooms call the people of this one today: itself unless it is merged."""
    target = session.scalar(_MERGED_INTO, {"queue": queue.id, "day": day})
    return (queue_by_id(session, target) if target else None) or queue


def _ticket(queue: QueueView, row: Row[Any], called_total: int) -> LineTicket:
    places = places_ahead_of(row.resume_after, called_total)
    return LineTicket(
        id=row.id,
        number=row.number,
        number_text=number_text(row.prefix, row.number),
        status=TicketStatus(row.status),
        priority=PriorityClass(row.priority_class),
        appointment_start=row.appointment_start,
        waiting_since=row.waiting_since,
        called_at=row.called_at,
        service_point_id=row.service_point_id,
        called_lane=Lane(row.called_lane) if row.called_lane else None,
        priority_set_by=row.priority_set_by,
        call_count=row.call_count,
        version=row.version,
        web_until=row.web_until,
        here_at=row.here_at,
        places_ahead=None if places is None else min(places, queue.settings.return_places),
    )
