"""Giving numbers: unique, without gaps, one a press."""

import base64
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.clock import business_date
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.errors import Conflict, NotFound
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.sql import Row, fetch_one
from telehealth.queueing.codes import PrintStatus, PriorityBasis, PriorityClass, Purpose, TicketStatus
from telehealth.queueing.errors import (
    NoNumbersAtTheNode,
    PressReused,
    QueueClosed,
    QueueFull,
    WebNumbersGone,
)
from telehealth.queueing.models import Ticket
from telehealth.queueing.queries import (
    Approach,
    Prospect,
    QueueView,
    approach,
    calling_queue,
    line,
    prospect,
    queue_by_id,
    room_of,
)
from telehealth.queueing.rules import Waiting, number_text
from telehealth.queueing.services.home import named
from telehealth.queueing.waits import WaitRange

# One statement: the press is looked up, the counter steps on within its limit, the ticket and its first
# event are written. The counter's row stays locked until commit, so a rollback leaves no gap.
ISSUE = """
WITH pressed AS (
    SELECT FROM ticket WHERE issued_by = %(issued_by)s AND press_key = %(press_key)s
), counter AS (
    INSERT INTO queue_counter (queue_id, business_date, first, last, web)
    SELECT q.id, %(day)s, q.first_number, q.first_number, %(web)s FROM queue q
    WHERE q.id = %(queue)s AND q.active AND coalesce(q.daily_limit, 1) > 0 AND q.web_limit >= %(web)s
      AND NOT EXISTS (SELECT FROM pressed)
    ON CONFLICT (queue_id, business_date) DO UPDATE
       SET last = queue_counter.last + 1, web = queue_counter.web + excluded.web
    WHERE NOT queue_counter.closed AND queue_counter.merged_into IS NULL
      AND queue_counter.last < coalesce(queue_counter.ceiling, 2147483647)
      AND EXISTS (
          SELECT FROM queue q WHERE q.id = excluded.queue_id
             AND queue_counter.last < coalesce(q.last_number, 2147483647)
             AND queue_counter.last - queue_counter.first + 1 < coalesce(q.daily_limit, 2147483647)
             AND (excluded.web = 0 OR queue_counter.web < q.web_limit))
    RETURNING last
), issued AS (
    INSERT INTO ticket (
        id, queue_id, facility_id, business_date, number, public_token_hash, status, version,
        priority_class, priority_set_by, priority_basis, appointment_id, encounter_id, patient_id,
        appointment_start, purpose, transferred_from_id, issued_by, press_key, print_status, issued_at,
        waiting_since, web_until, call_count)
    SELECT %(id)s, %(queue)s, %(facility)s, %(day)s, counter.last, %(token_hash)s, 'waiting', 1,
           %(priority)s, %(priority_set_by)s, %(priority_basis)s, %(appointment)s, %(encounter)s, %(patient)s,
           %(appointment_start)s, %(purpose)s, %(transferred_from)s, %(issued_by)s, %(press_key)s,
           'unprinted', %(now)s, %(waiting_since)s, %(web_until)s, 0
    FROM counter
    ON CONFLICT (issued_by, press_key) DO NOTHING
    RETURNING id, number, visit_id
), noted AS (
    INSERT INTO ticket_event (ticket_id, kind, at, actor_kind, actor_id)
    SELECT id, 'issued', %(now)s, %(actor_kind)s, %(issued_by)s FROM issued
)
SELECT (SELECT last FROM counter) AS counted, (SELECT number FROM issued) AS number,
       (SELECT visit_code(visit_id) FROM issued) AS visit_code
"""

# Two of the same press at once: the later one gives its number back while the counter's row is still its own.
_GIVE_BACK = text(
    "UPDATE queue_counter SET last = last - 1, web = web - :web"
    " WHERE queue_id = :queue AND business_date = :day"
)
_WHY_NOT = text(
    """
    SELECT q.active AND NOT coalesce(c.closed, false) AS open, c.merged_into,
           coalesce(c.web, 0) >= q.web_limit AS web_gone,
           EXISTS (SELECT FROM this_node) AND coalesce(c.last = c.ceiling, true) AS block_used_up
      FROM queue q LEFT JOIN queue_counter c ON c.queue_id = q.id AND c.business_date = :day
     WHERE q.id = :queue
    """
)


# On a node numbers come from leased blocks: when one is used up, the next is begun.
NEXT_BLOCK = text("SELECT next_block(:queue, :day)")

_MOST_BLOCKS = 3
"""So often one press goes on to another block, where others used up the one it came to."""
_AFTER_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose number it is, as far as anybody knows."""

    priority: PriorityClass = PriorityClass.NONE
    priority_set_by: str | None = None
    purpose: Purpose = Purpose.OTHER
    patient_id: UUID | None = None
    encounter_id: UUID | None = None
    appointment_id: UUID | None = None
    appointment_start: datetime | None = None
    waiting_since: datetime | None = None
    transferred_from_id: UUID | None = None
    priority_basis: PriorityBasis | None = None
    web_until: datetime | None = None

    @property
    def basis(self) -> PriorityBasis | None:
        """Return why the class was set; where nobody said, what follows from who did."""
        if self.priority is PriorityClass.NONE or self.priority_basis is not None:
            return self.priority_basis
        return _BASES.get(self.priority_set_by or "", PriorityBasis.SEEN)


_BASES = {"self": PriorityBasis.DECLARED, "birth-date": PriorityBasis.BIRTH_DATE}


@dataclass(frozen=True, slots=True)
class TicketView:
    """A number that was given: what the slip shows. `room` is where to wait; `visit_code` is the day's."""

    id: UUID
    number_text: str
    visit_code: str | None
    public_token: str
    queue: QueueView
    room: str
    business_date: date
    status: TicketStatus
    version: int
    priority: PriorityClass
    print_status: PrintStatus
    issued_at: datetime
    appointment_start: datetime | None
    people_ahead: int | None
    wait_range: WaitRange | None


def take_number(
    session: Session,
    principal: Principal,
    queue: Approach | UUID,
    *,
    priority: PriorityClass,
    press_key: str,
    now: datetime,
    cipher: FieldCipher,
    purpose: Purpose = Purpose.OTHER,
    patient_id: UUID | None = None,
) -> TicketView:
    """Give a walk-in the next number of a queue; the same press gives the same number again.

    Raises NotFound, QueueClosed, QueueFull, PressReused.
    """
    at = queue if isinstance(queue, Approach) else approach(session, queue, business_date(now), now)
    if at is None:
        raise NotFound
    if not at.queue.active:
        raise QueueClosed
    holder = Holder(
        priority=priority,
        priority_set_by=set_by(principal) if priority is not PriorityClass.NONE else None,
        purpose=purpose,
        patient_id=patient_id,
    )
    told = at.told(now, has_priority=priority is not PriorityClass.NONE)
    return issue(session, principal, at.queue, holder, press_key=press_key, now=now, cipher=cipher, told=told)


def issue(
    session: Session,
    principal: Principal,
    queue: QueueView,
    holder: Holder,
    *,
    press_key: str,
    now: datetime,
    cipher: FieldCipher,
    told: Prospect | None = None,
) -> TicketView:
    """Give the next number of a queue, or of the one that it is merged into today.

    `told`: how the queue stands for them, where that was read already. Raises QueueClosed, QueueFull,
    WebNumbersGone, PressReused.
    """
    day, ticket_id = business_date(now), new_id()
    token = public_token(ticket_id, cipher)
    # Read first: while the counter's row is held, nobody else gets a number.
    told = told or prospect(session, queue, day, now, _newcomer(ticket_id, holder, now))
    parameters = {
        "id": ticket_id,
        "queue": queue.id,
        "facility": queue.facility_id,
        "day": day,
        "token_hash": token_hash(token),
        "priority": holder.priority.value,
        "priority_set_by": holder.priority_set_by,
        "priority_basis": holder.basis,
        "web": int(holder.web_until is not None),
        "web_until": holder.web_until,
        "appointment": holder.appointment_id,
        "encounter": holder.encounter_id,
        "patient": holder.patient_id,
        "appointment_start": holder.appointment_start,
        "purpose": holder.purpose.value,
        "transferred_from": holder.transferred_from_id,
        "issued_by": principal.id,
        "press_key": press_key,
        "now": now,
        "waiting_since": holder.waiting_since or now,
        "actor_kind": principal.kind.value,
    }
    counted, number, visit_code = _issue(session, parameters)
    for _ in range(_MOST_BLOCKS):
        if counted is not None or not session.scalar(NEXT_BLOCK, {"queue": queue.id, "day": day}):
            break
        counted, number, visit_code = _issue(session, parameters)
    if number is None:
        if counted is not None:
            session.execute(_GIVE_BACK, {"queue": queue.id, "day": day, "web": parameters["web"]})
        target = instead(session, queue, day) if counted is None else None
        earlier = _pressed_before(session, principal, press_key)
        if earlier is not None:
            if not _same_press(earlier, {queue.id, target}, day, holder):
                raise PressReused
            return view(session, earlier, _of(session, earlier), now=now, cipher=cipher)
        merged = queue_by_id(session, target) if target else None
        if merged is None:
            raise refusal(session, queue, day, web=holder.web_until is not None)
        return issue(session, principal, merged, holder, press_key=press_key, now=now, cipher=cipher)
    if holder.patient_id is not None:
        entry = Entry("ticket.issue", "Ticket", ticket_id, holder.patient_id, queue.facility_id)
        audit.record(session, principal, entry, now=now)
    return TicketView(
        id=ticket_id,
        number_text=number_text(queue.prefix, number),
        visit_code=visit_code,
        public_token=token,
        queue=queue,
        room=told.room,
        business_date=day,
        status=TicketStatus.WAITING,
        version=1,
        priority=holder.priority,
        print_status=PrintStatus.UNPRINTED,
        issued_at=now,
        appointment_start=holder.appointment_start,
        people_ahead=told.people_ahead,
        wait_range=told.wait,
    )


def _issue(session: Session, parameters: dict[str, object]) -> Row:
    """Return what the counter came to, the number that was given and its visit's code."""
    try:
        found = fetch_one(session, ISSUE, parameters)
    except DBAPIError as error:
        raise named(error) from error
    return found or (None, None, None)


def instead(session: Session, queue: QueueView, day: date) -> UUID | None:
    """Return the queue that this one is merged into today."""
    target = calling_queue(session, queue, day)
    return None if target.id == queue.id else target.id


def refusal(session: Session, queue: QueueView, day: date, *, web: bool = False) -> Conflict:
    """Return why a queue gives no number today."""
    row = session.execute(_WHY_NOT, {"queue": queue.id, "day": day}).one()
    if not row.open:
        return QueueClosed()
    if row.block_used_up:
        return NoNumbersAtTheNode()
    if web and row.web_gone:
        return WebNumbersGone()
    return QueueFull()


def _of(session: Session, ticket: Ticket) -> QueueView:
    queue = queue_by_id(session, ticket.queue_id)
    if queue is None:
        raise NotFound
    return queue


def _newcomer(ticket_id: UUID, holder: Holder, now: datetime) -> Waiting:
    return Waiting(
        id=ticket_id,
        number=_AFTER_ALL,
        waiting_since=holder.waiting_since or now,
        priority=holder.priority,
        appointment_start=holder.appointment_start,
    )


def _pressed_before(session: Session, principal: Principal, press_key: str) -> Ticket | None:
    return session.scalars(
        select(Ticket).where(Ticket.issued_by == principal.id, Ticket.press_key == press_key)
    ).one_or_none()


def _same_press(earlier: Ticket, queues: set[UUID | None], day: date, holder: Holder) -> bool:
    """Tell whether the press asked for the number it got; a page left open may press for somebody else."""
    asked = (
        day,
        holder.appointment_id,
        holder.patient_id,
        holder.priority.value,
        holder.purpose.value,
        holder.transferred_from_id,
    )
    given = (
        earlier.business_date,
        earlier.appointment_id,
        earlier.patient_id,
        earlier.priority_class,
        earlier.purpose,
        earlier.transferred_from_id,
    )
    return earlier.queue_id in queues and asked == given


def view(
    session: Session, ticket: Ticket, queue: QueueView, *, now: datetime, cipher: FieldCipher
) -> TicketView:
    """Return a ticket with its present place."""
    state = line(session, calling_queue(session, queue, ticket.business_date), ticket.business_date, now)
    told = state.told(ticket.id, now)
    return TicketView(
        id=ticket.id,
        number_text=number_text(queue.prefix, ticket.number),
        visit_code=session.scalar(select(func.visit_code(ticket.visit_id))),
        public_token=public_token(ticket.id, cipher),
        queue=queue,
        room=room_of(session, state, ticket.service_point_id),
        business_date=ticket.business_date,
        status=TicketStatus(ticket.status),
        version=ticket.version,
        priority=PriorityClass(ticket.priority_class),
        print_status=PrintStatus(ticket.print_status),
        issued_at=ticket.issued_at,
        appointment_start=ticket.appointment_start,
        people_ahead=told.ahead if told else None,
        wait_range=told.wait if told else None,
    )


def note_print(session: Session, ticket_id: UUID, status: PrintStatus) -> None:
    """Store what became of the slip. Raises NotFound."""
    noted = session.execute(update(Ticket).where(Ticket.id == ticket_id).values(print_status=status))
    if not noted.rowcount:  # type: ignore[attr-defined]
        raise NotFound


def public_token(ticket_id: UUID, cipher: FieldCipher) -> str:
    """Return the 128-bit capability that opens a ticket's status page.

    It is derived with the index key, so that the same press shows the same slip again though only
    a hash is stored.
    """
    return base64.urlsafe_b64encode(cipher.ticket_token(ticket_id.bytes)).decode().rstrip("=")


def set_by(principal: Principal) -> str:
    """Return who stands behind a priority: the person at the kiosk, or a member of staff."""
    return f"staff:{principal.id}" if principal.kind is PrincipalKind.STAFF else "self"
