"""Reading visits: where they stand, what they wait for, what did not fit. Nothing here names a person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, exists, func, select, text
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import token_hash
from telehealth.core.errors import NotFound
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.codes import TicketStatus
from telehealth.queueing.models import Queue, Ticket
from telehealth.queueing.queries import QueueView, queues_of
from telehealth.queueing.rules import LONGEST_TOKEN, number_text
from telehealth.visits.codes import Category, Coverage, EventState, ResultsAt, TestsFirst
from telehealth.visits.errors import VisitUnknown
from telehealth.visits.models import Visit, VisitEvent, VisitOrder, VisitPath
from telehealth.visits.rules import STATION, Facts, Hold, Order, Path, Stop, after, next_stop

OPEN = (TicketStatus.WAITING, TicketStatus.CALLED, TicketStatus.SERVING, TicketStatus.PARKED)
STANDING = (*OPEN, TicketStatus.MISSED)
_MOST_EVENTS = 200
_VISIT_BY_TOKEN = text("SELECT * FROM visit_by_token(:token_hash)")
_ORDERS_BY_TOKEN = text("SELECT * FROM orders_by_token(:token_hash)")
_TICKETS_BY_TOKEN = text("SELECT * FROM tickets_by_token(:token_hash)")


@dataclass(frozen=True, slots=True)
class OrderView:
    """A test of a visit, by the identifier that the hospital's system gave it."""

    id: UUID
    identifier_system: str
    identifier_value: str
    category: Category
    room_id: UUID | None
    ordered_at: datetime
    paid_at: datetime | None
    performed_at: datetime | None
    ready_at: datetime | None
    read_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leg:
    """One number of a visit: where, and how it went."""

    ticket_id: UUID | None
    queue_id: UUID
    kind: ServicePointKind
    place: str
    number_text: str
    status: TicketStatus
    issued_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class NextPlace:
    """What comes after: to a place for a reason, or a wait (`kind` None) for one."""

    kind: ServicePointKind | None
    place: str | None
    why: str


@dataclass(frozen=True, slots=True)
class VisitView:
    """A visit as staff see it: the code, the numbers so far, the tests, and what comes next."""

    id: UUID
    facility_id: UUID
    business_date: date
    code: str
    patient_id: UUID | None
    insured: bool
    prescribed: bool
    discharged: bool
    opened_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    version: int
    legs: tuple[Leg, ...]
    orders: tuple[OrderView, ...]
    next: NextPlace | None

    @property
    def standing(self) -> Leg | None:
        """Return the number that counts now: of who is called, waits, or was missed."""
        rank = [TicketStatus.SERVING, TicketStatus.CALLED, TicketStatus.WAITING, TicketStatus.PARKED]
        rank.append(TicketStatus.MISSED)
        standing = [leg for leg in self.legs if leg.status in rank]
        return min(reversed(standing), key=lambda leg: rank.index(leg.status), default=None)


@dataclass(frozen=True, slots=True)
class Journey:
    """What the holder of a slip may see of the visit: no test is named.

    `next` is what comes after the number that counts now; None where the doctor decides it, or nothing does.
    """

    code: str
    ended: bool
    legs: tuple[Leg, ...]
    next: NextPlace | None
    tests: int
    ready: int


@dataclass(frozen=True, slots=True)
class OutForTests:
    """Somebody whom a room sent out: how many results are there of how many, and where they are."""

    visit_id: UUID
    code: str
    tests: int
    performed: int
    ready: int
    since: datetime
    place: str | None
    number_text: str | None

    @property
    def all_in(self) -> bool:
        """Tell whether the last result is there."""
        return self.ready == self.tests


@dataclass(frozen=True, slots=True)
class EventView:
    """An event and what became of it."""

    id: UUID
    facility_id: UUID
    source: str
    event_id: str
    kind: str
    occurred_at: datetime
    received_at: datetime
    visit: str
    visit_id: UUID | None
    state: EventState
    why: str | None
    tries: int
    reason: str | None
    settled_at: datetime | None


_ORDERS = (
    select(VisitOrder)
    .where(VisitOrder.visit_id == bindparam("visit"), VisitOrder.revoked_at.is_(None))
    .order_by(VisitOrder.ordered_at, VisitOrder.identifier_value)
)
_TICKETS = (
    select(Ticket)
    .where(Ticket.visit_id == bindparam("visit"))
    .order_by(Ticket.issued_at.desc(), Ticket.number.desc())
)
_LINES = text(
    """
    SELECT q.id, q.kind,
           coalesce(w.waiting, 0) * q.minutes_per_visit
           / CASE WHEN q.service_point_id IS NULL THEN greatest(coalesce(p.points, 0), 1) ELSE 1 END
           AS minutes
      FROM queue q
      LEFT JOIN (SELECT kind, count(*)::double precision AS points FROM service_point
                  WHERE facility_id = :facility AND active GROUP BY kind) p ON p.kind = q.kind
      LEFT JOIN (SELECT t.queue_id, count(*)::double precision AS waiting
                   FROM ticket t JOIN queue theirs ON theirs.id = t.queue_id
                  WHERE theirs.facility_id = :facility AND t.business_date = :day
                    AND t.status IN ('waiting', 'called') GROUP BY t.queue_id) w ON w.queue_id = q.id
     WHERE q.facility_id = :facility AND q.active ORDER BY q.code
    """
)


@dataclass(frozen=True, slots=True)
class LineLength:
    """A queue in use, and how many minutes of work wait in it."""

    id: UUID
    kind: ServicePointKind
    minutes: float


def lengths(session: Session, facility_id: UUID, day: date) -> list[LineLength]:
    """Return a facility's queues in use by code, with how long their lines are on a day."""
    rows = session.execute(_LINES, {"facility": facility_id, "day": day})
    return [LineLength(row.id, ServicePointKind(row.kind), row.minutes) for row in rows]


def path_of(session: Session, facility_id: UUID) -> Path:
    """Return a facility's rule; its stations are the kinds of its queues in use."""
    kinds = select(Queue.kind).where(Queue.facility_id == facility_id, Queue.active).distinct()
    return path_with(session, facility_id, {ServicePointKind(each) for each in session.scalars(kinds)})


def path_with(session: Session, facility_id: UUID, kinds: Iterable[ServicePointKind]) -> Path:
    """Return a facility's rule, with stations of these kinds."""
    stations = frozenset(kinds)
    row = session.get(VisitPath, facility_id)
    if row is None:
        return Path(stations)
    return Path(
        stations=stations,
        pays_before_tests=frozenset(Coverage(each) for each in row.pays_before_tests),
        settles_at_end=frozenset(Coverage(each) for each in row.settles_at_end),
        tests=TestsFirst(row.tests),
        results=ResultsAt(row.results),
        places_ahead=row.places_ahead,
    )


def path_version(session: Session, facility_id: UUID) -> int:
    """Return how often the rule was changed; 0 before the first time."""
    return session.scalar(select(VisitPath.version).where(VisitPath.facility_id == facility_id)) or 0


def facts_of(session: Session, visit: Visit) -> Facts:
    """Return what is known of a visit."""
    return Facts(
        coverage=Coverage.INSURED if visit.insured else Coverage.SELF_PAY,
        room=visit.room_id,
        registered=visit.registered_at is not None,
        seen=visit.seen_at is not None,
        prescribed=visit.prescribed_at is not None,
        settled=visit.settled_at is not None,
        dispensed=visit.dispensed_at is not None,
        discharged=visit.discharged_at is not None,
        orders=tuple(
            Order(
                id=row.id,
                category=Category(row.category),
                room=row.room_id,
                paid=row.paid_at is not None,
                performed=row.performed_at is not None,
                ready=row.ready_at is not None,
                collected=row.collected_at is not None,
                read=row.read_at is not None,
            )
            for row in orders_of(session, visit.id)
        ),
    )


def orders_of(session: Session, visit_id: UUID) -> Sequence[VisitOrder]:
    """Return a visit's orders that were not taken back, in the order of asking."""
    return session.scalars(_ORDERS, {"visit": visit_id}, execution_options={"populate_existing": True}).all()


def tickets_of(session: Session, visit_id: UUID) -> Sequence[Ticket]:
    """Return every number of a visit, the latest first."""
    return session.scalars(_TICKETS, {"visit": visit_id}, execution_options={"populate_existing": True}).all()


def standing(tickets: Sequence[Ticket]) -> list[Ticket]:
    """Return those of a visit's numbers that still lead somewhere.

    A missed one does until another was given: whoever took a new number goes on from there.
    """
    latest = max((ticket.issued_at for ticket in tickets), default=None)
    return [
        ticket
        for ticket in tickets
        if ticket.status in OPEN or (ticket.status == TicketStatus.MISSED and ticket.issued_at == latest)
    ]


def by_kind(lines: Sequence[LineLength]) -> dict[ServicePointKind, float]:
    """Return the shortest line of each kind."""
    shortest: dict[ServicePointKind, float] = {}
    for each in lines:
        shortest[each.kind] = min(each.minutes, shortest.get(each.kind, each.minutes))
    return shortest


def visit_by_code(session: Session, facility_id: UUID, code: str, day: date) -> VisitView:
    """Return a visit of a day. Raises VisitUnknown."""
    found = session.scalar(
        select(Visit.id).where(
            Visit.facility_id == facility_id, Visit.business_date == day, Visit.code == code.strip()
        )
    )
    if found is None:
        raise VisitUnknown
    return visit_view(session, found)


def visit_view(session: Session, visit_id: UUID) -> VisitView:
    """Return a visit with its numbers and tests. Raises VisitUnknown."""
    visit = session.get(Visit, visit_id, populate_existing=True)
    if visit is None:
        raise VisitUnknown
    orders = session.scalars(
        select(VisitOrder)
        .where(VisitOrder.visit_id == visit_id)
        .order_by(VisitOrder.ordered_at, VisitOrder.identifier_value),
        execution_options={"populate_existing": True},
    ).all()
    queues = queues_of(session, visit.facility_id)
    tickets = session.execute(
        select(Ticket.id, Ticket.queue_id, Ticket.number, Ticket.status, Ticket.issued_at, Ticket.done_at)
        .where(Ticket.visit_id == visit_id)
        .order_by(Ticket.issued_at, Ticket.done_at.nulls_last(), Ticket.number)
    ).all()
    coming = _next_place(session, facts_of(session, visit), visit.facility_id, queues)
    return VisitView(
        id=visit.id,
        facility_id=visit.facility_id,
        business_date=visit.business_date,
        code=visit.code,
        patient_id=visit.patient_id,
        insured=visit.insured,
        prescribed=visit.prescribed_at is not None,
        discharged=visit.discharged_at is not None,
        opened_at=visit.opened_at,
        ended_at=visit.ended_at,
        end_reason=visit.end_reason,
        version=visit.version,
        legs=_legs(session, tickets, queues),
        orders=tuple(_order(row) for row in orders),
        next=None if visit.ended_at else coming,
    )


def journey(session: Session, public_token: str, now: datetime) -> Journey | None:
    """Return the visit behind a slip. No principal is needed."""
    if len(public_token) > LONGEST_TOKEN:
        return None
    key = {"token_hash": token_hash(public_token)}
    visit = session.execute(_VISIT_BY_TOKEN, key).one_or_none()
    if visit is None:
        return None
    orders = tuple(
        Order(row.id, Category(row.category), row.room_id, row.paid, row.performed, row.ready, row.collected,
              row.read)
        for row in session.execute(_ORDERS_BY_TOKEN, key)
    )  # fmt: skip
    facts = Facts(
        coverage=Coverage.INSURED if visit.insured else Coverage.SELF_PAY,
        room=visit.room_id,
        registered=visit.registered,
        seen=visit.seen,
        prescribed=visit.prescribed,
        settled=visit.settled,
        dispensed=visit.dispensed,
        discharged=visit.discharged,
        orders=orders,
    )
    queues = queues_of(session, visit.facility_id)
    legs = _legs(session, session.execute(_TICKETS_BY_TOKEN, key).all(), queues)
    here = next((leg for leg in reversed(legs) if leg.status in OPEN), None)
    then = facts if here is None else after(facts, here.kind)
    ahead = None if visit.ended or then is None else _next_place(session, then, visit.facility_id, queues)
    return Journey(
        code=visit.code,
        ended=visit.ended,
        legs=legs,
        next=ahead,
        tests=sum(1 for each in orders if not each.read),
        ready=sum(1 for each in orders if each.ready and not each.read),
    )


def _legs(session: Session, rows: Sequence[Any], queues: Sequence[QueueView]) -> tuple[Leg, ...]:
    known = {queue.id: queue for queue in queues}
    closed = {row.queue_id for row in rows} - known.keys()
    old = {row.id: row for row in session.scalars(select(Queue).where(Queue.id.in_(closed)))}

    def leg(row: Any) -> Leg:
        queue = known.get(row.queue_id) or old[row.queue_id]
        return Leg(
            ticket_id=getattr(row, "id", None),
            queue_id=row.queue_id,
            kind=ServicePointKind(queue.kind),
            place=queue.place if isinstance(queue, QueueView) else queue.name,
            number_text=number_text(queue.prefix, row.number),
            status=TicketStatus(row.status),
            issued_at=row.issued_at,
            done_at=row.done_at,
        )

    return tuple(leg(row) for row in rows)


def _next_place(
    session: Session, facts: Facts, facility_id: UUID, queues: Sequence[QueueView]
) -> NextPlace | None:
    coming = next_stop(facts, path_with(session, facility_id, {queue.kind for queue in queues}), {})
    return None if coming is None else place_of(coming, queues)


def place_of(coming: Stop | Hold, queues: Sequence[QueueView]) -> NextPlace:
    """Return the words of what comes next."""
    if isinstance(coming, Hold):
        return NextPlace(None, None, coming.why.value)
    place = next(
        (
            queue.place
            for queue in queues
            if queue.kind is coming.kind and (coming.room is None or queue.id == coming.room)
        ),
        None,
    )
    return NextPlace(coming.kind, place, coming.why.value)


def _order(row: VisitOrder) -> OrderView:
    return OrderView(
        id=row.id,
        identifier_system=row.identifier_system,
        identifier_value=row.identifier_value,
        category=Category(row.category),
        room_id=row.room_id,
        ordered_at=row.ordered_at,
        paid_at=row.paid_at,
        performed_at=row.performed_at,
        ready_at=row.ready_at,
        read_at=row.read_at,
        revoked_at=row.revoked_at,
    )


def out_for_tests(session: Session, room_id: UUID, now: datetime) -> list[OutForTests]:
    """Return whom a room sent out today and expects back, those whose results are all in first."""
    found = _unread(session, VisitOrder.room_id == room_id, now)
    return sorted(found, key=lambda each: (not each.all_in, each.since))


def awaiting_results(session: Session, queue: QueueView, now: datetime) -> list[OutForTests]:
    """Return whose tests were performed at a station today and have no result yet."""
    categories = [category.value for category, kind in STATION.items() if kind is queue.kind]
    asked = and_(
        VisitOrder.facility_id == queue.facility_id,
        VisitOrder.category.in_(categories),
        VisitOrder.performed_at.is_not(None),
        VisitOrder.ready_at.is_(None),
    )
    return _unread(session, asked, now)


def _unread(session: Session, asked: Any, now: datetime) -> list[OutForTests]:
    rows = session.execute(
        select(
            Visit.id,
            Visit.code,
            func.count().label("tests"),
            func.count(VisitOrder.performed_at).label("performed"),
            func.count(VisitOrder.ready_at).label("ready"),
            func.min(VisitOrder.ordered_at).label("since"),
        )
        .join(VisitOrder, VisitOrder.visit_id == Visit.id)
        .where(
            asked,
            Visit.business_date == business_date(now),
            Visit.ended_at.is_(None),
            VisitOrder.read_at.is_(None),
            VisitOrder.revoked_at.is_(None),
        )
        .group_by(Visit.id, Visit.code)
        .order_by(func.min(VisitOrder.ordered_at))
    ).all()
    places = _whereabouts(session, [row.id for row in rows])
    return [
        OutForTests(
            visit_id=row.id,
            code=row.code,
            tests=row.tests,
            performed=row.performed,
            ready=row.ready,
            since=row.since,
            place=places.get(row.id, (None, None))[0],
            number_text=places.get(row.id, (None, None))[1],
        )
        for row in rows
    ]


def _whereabouts(session: Session, visits: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    if not visits:
        return {}
    rows = session.execute(
        select(Ticket.visit_id, Queue.name, Queue.prefix, Ticket.number)
        .join(Queue, Queue.id == Ticket.queue_id)
        .where(Ticket.visit_id.in_(visits), Ticket.status.in_(STANDING))
        .order_by(Ticket.issued_at)
    )
    return {row.visit_id: (row.name, number_text(row.prefix, row.number)) for row in rows if row.visit_id}


def visit_of_ticket(session: Session, ticket_id: UUID) -> UUID | None:
    """Return the visit of a number."""
    return session.scalar(select(Ticket.visit_id).where(Ticket.id == ticket_id))


def facility_of_visit(session: Session, visit_id: UUID) -> UUID:
    """Return where a visit is, if the entered principal may see it. Raises VisitUnknown."""
    found = session.scalar(select(Visit.facility_id).where(Visit.id == visit_id))
    if found is None:
        raise VisitUnknown
    return found


def nowhere(session: Session, facility_id: UUID, now: datetime) -> list[VisitView]:
    """Return today's open visits that stand in no line: they need a room, or a number that was not to be had.

    Whoever waits for results stands in none either, and is not lost. Nor is who only held a number from the
    web and never came.
    """
    standing = exists().where(Ticket.visit_id == Visit.id, Ticket.status.in_(STANDING))
    came = exists().where(Ticket.visit_id == Visit.id, Ticket.status != TicketStatus.CANCELLED)
    ids = session.scalars(
        select(Visit.id)
        .where(
            Visit.facility_id == facility_id,
            Visit.business_date == business_date(now),
            Visit.ended_at.is_(None),
            ~standing,
            came,
        )
        .order_by(Visit.opened_at)
    ).all()
    views = [visit_view(session, visit_id) for visit_id in ids]
    return [view for view in views if view.next is None or view.next.why != "results"]


def open_visits(session: Session, facility_id: UUID, now: datetime) -> int:
    """Return how many visits are open today."""
    return (
        session.scalar(
            select(func.count()).where(
                Visit.facility_id == facility_id,
                Visit.business_date == business_date(now),
                Visit.ended_at.is_(None),
            )
        )
        or 0
    )


def events(session: Session, facility_id: UUID, state: EventState | None) -> list[EventView]:
    """Return a facility's events, the newest first; of `pending` ones the oldest first."""
    asked: Select[Any] = select(VisitEvent).where(VisitEvent.facility_id == facility_id)
    if state is not None:
        asked = asked.where(VisitEvent.state == state)
    order = VisitEvent.received_at if state is EventState.PENDING else VisitEvent.received_at.desc()
    return [event_view(row) for row in session.scalars(asked.order_by(order).limit(_MOST_EVENTS))]


def event_by_id(session: Session, event_id: UUID) -> EventView:
    """Return an event. Raises NotFound."""
    row = session.get(VisitEvent, event_id, populate_existing=True)
    if row is None:
        raise NotFound
    return event_view(row)


def pending_count(session: Session, facility_id: UUID) -> int:
    """Return how many events do not fit yet."""
    return (
        session.scalar(
            select(func.count()).where(
                VisitEvent.facility_id == facility_id, VisitEvent.state == EventState.PENDING
            )
        )
        or 0
    )


def pending_of_today(session: Session, now: datetime) -> Sequence[UUID]:
    """Return the events of today, of every facility, that do not fit yet, the oldest first."""
    return session.scalars(
        select(VisitEvent.id)
        .where(
            VisitEvent.state == EventState.PENDING,
            VisitEvent.received_at >= at_local(business_date(now), 0),
            func.has_the_day(VisitEvent.facility_id),
        )
        .order_by(VisitEvent.received_at)
        .limit(_MOST_EVENTS)
    ).all()


def event_view(row: VisitEvent) -> EventView:
    """Return an event as it is read."""
    named = row.body["visit"]
    return EventView(
        id=row.id,
        facility_id=row.facility_id,
        source=row.source,
        event_id=row.event_id,
        kind=row.kind,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        visit=str(named["code"] or named["appointment"]),
        visit_id=row.visit_id,
        state=EventState(row.state),
        why=row.why,
        tries=row.tries,
        reason=row.reason,
        settled_at=row.settled_at,
    )
