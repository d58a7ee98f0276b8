"""Blocks of numbers for whoever may be cut off: lent from the counter, given out elsewhere, then settled.

A lease takes consecutive numbers from the queue's counter as a press takes one, so no press ever gets them.
Its holder gives them out where it stands and hands in what it gave; a number that was lent is never lent or
given again, whatever became of it. Locks are taken in the order counter, lease, ticket.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.core.clock import at_local, business_date
from telehealth.core.crypto import FieldCipher, token_hash
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.ids import derived_id, new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.queueing.codes import (
    HandedInReason,
    LeaseEnd,
    LeaseholderKind,
    PrintStatus,
    PriorityClass,
    Purpose,
    TicketStatus,
)
from telehealth.queueing.errors import LeaseEnded, LeaseSuperseded, NumbersStillOpen, PressReused
from telehealth.queueing.leased import given_context
from telehealth.queueing.models import HandedInNumber, NumberLease, QueueCounter, Ticket, TicketEvent
from telehealth.queueing.queries import QueueView, queue_by_id
from telehealth.queueing.services.numbers import NEXT_BLOCK, Holder, instead, public_token, refusal

LARGEST_BLOCK = 500
_DAY_ENDS = 24 * 60
_LEASE_KEY = b"number_lease.key"

_OPEN_DAY = text(
    """
    INSERT INTO queue_counter (queue_id, business_date, first, last)
    SELECT q.id, :day, q.first_number, q.first_number - 1 FROM queue q WHERE q.id = :queue AND q.active
    ON CONFLICT (queue_id, business_date) DO NOTHING
    """
)

# One statement, as for a single number: what is left of band and contingent is read of the locked row, the
# counter steps on by that much at most, and the block is written. The row stays locked until commit.
_LEND = text(
    """
    WITH counter AS (
        SELECT c.queue_id, c.business_date, c.last,
               least(:size, coalesce(q.last_number, 2147483647) - c.last,
                     coalesce(c.ceiling, 2147483647) - c.last,
                     coalesce(q.daily_limit, 2147483647) - (c.last - c.first + 1)) AS granted
          FROM queue_counter c JOIN queue q ON q.id = c.queue_id AND q.active
         WHERE c.queue_id = :queue AND c.business_date = :day AND NOT c.closed AND c.merged_into IS NULL
           FOR UPDATE OF c
    ), counted AS (
        UPDATE queue_counter c SET last = c.last + counter.granted FROM counter
         WHERE c.queue_id = counter.queue_id AND c.business_date = counter.business_date
           AND counter.granted > 0
        RETURNING c.last - counter.granted + 1 AS first, c.last
    ), lent AS (
        INSERT INTO number_lease (
            id, facility_id, queue_id, business_date, holder_kind, holder_id, epoch, request_id, key_hash,
            asked, first, last, granted_at, expires_at, used_to)
        SELECT :id, :facility, :queue, :day, :holder_kind, :holder, :epoch, :request_id, :key_hash,
               :asked, counted.first, counted.last, :now, :expires, counted.first - 1
          FROM counted
        ON CONFLICT (holder_id, request_id) DO NOTHING
        RETURNING id
    )
    SELECT (SELECT last - first + 1 FROM counted) AS counted, (SELECT id FROM lent) AS id
    """
)
# Twice the same request at once: the later one gives its numbers back while the counter's row is still its
# own.
_GIVE_BACK = text(
    "UPDATE queue_counter SET last = last - :counted WHERE queue_id = :queue AND business_date = :day"
)

_HAND_IN = text("SELECT hand_in_numbers(:lease, :hash, :numbers, :now)").bindparams(
    bindparam("numbers", type_=JSONB)
)
_ACTORS = {
    LeaseholderKind.KIOSK: PrincipalKind.KIOSK,
    LeaseholderKind.NODE: PrincipalKind.SYSTEM,
    LeaseholderKind.PAPER: PrincipalKind.STAFF,
}


@dataclass(frozen=True, slots=True)
class Leaseholder:
    """Who gives the numbers out: a device, a node, or for a printed list the account that printed it.

    `epoch` is the holder's own count of its beginnings; one that lost its store begins the next.
    """

    kind: LeaseholderKind
    id: UUID
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A block that was lent. `key` lets its holder hand in what it gave out even without its token."""

    id: UUID
    queue: QueueView
    business_date: date
    holder: Leaseholder
    first: int
    last: int
    granted_at: datetime
    expires_at: datetime
    used_to: int
    ended_at: datetime | None
    key: str

    def slip(self, number: int, cipher: FieldCipher) -> str:
        """Return the capability that opens the page of one of its numbers once that is settled."""
        return public_token(leased_ticket_id(self.id, number), cipher)


@dataclass(frozen=True, slots=True)
class IssuedNumber:
    """A number that its holder gave out: for whom, when by its own clock, by which press.

    `issued_by` is the machine that was pressed, where it is not the leaseholder itself. `instead_of` is an
    earlier press of the same person whose answer never came: a number that it got is theirs no more. `seen`:
    the person was seen meanwhile and waits no longer. `unclear`: what was said of an appointment that is not
    found by it; the number counts, and the desk looks.
    """

    number: int
    press_key: str
    issued_at: datetime
    holder: Holder = field(default_factory=Holder)
    print_status: PrintStatus = PrintStatus.UNPRINTED
    issued_by: UUID | None = None
    instead_of: str | None = None
    seen: bool = False
    unclear: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the desk enters of a block that was given out by hand: every number up to `used_to`.

    Nobody has the `spoilt` ones, and those of `seen` wait no longer. The first was given at `began_at`, the
    last at `until`.
    """

    used_to: int
    spoilt: frozenset[int] = frozenset()
    seen: frozenset[int] = frozenset()
    began_at: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a number that was handed in: a ticket, or with `why` an entry of the worklist."""

    number: int
    press_key: str
    ticket_id: UUID | None
    why: HandedInReason | None = None


def leased_ticket_id(lease_id: UUID, number: int) -> UUID:
    """Return the key of the ticket that a leased number becomes, so that its slip is known before."""
    return derived_id("leased ticket", lease_id, number)


def lease_block(
    session: Session,
    principal: Principal,
    queue: QueueView | UUID,
    holder: Leaseholder,
    size: int,
    *,
    request_id: str,
    now: datetime,
    cipher: FieldCipher,
    day: date | None = None,
) -> LeaseView:
    """Lend a holder the next numbers of a queue, or of the one that it is merged into today.

    As many as asked for, or what is left of the day (`day`: today). The same request gives the same block
    again; a holder that runs low asks with a new one. Raises NotFound, QueueClosed, QueueFull, Unprocessable,
    LeaseSuperseded, PressReused (a request that asked for something else).
    """
    if isinstance(queue, UUID):
        queue = _queue(session, queue)
    if not 1 <= size <= LARGEST_BLOCK:
        raise Unprocessable({"size": ["field-lease-size"]})
    day = day or business_date(now)
    _refuse_older_copies(session, holder)
    lease_id = new_id()
    key = _key(lease_id, cipher)
    parameters = {
        "id": lease_id,
        "facility": queue.facility_id,
        "queue": queue.id,
        "day": day,
        "holder_kind": holder.kind.value,
        "holder": holder.id,
        "epoch": holder.epoch,
        "request_id": request_id,
        "key_hash": token_hash(key),
        "asked": size,
        "size": size,
        "now": now,
        "expires": at_local(day, _DAY_ENDS),
    }
    earlier = _lent_before(session, holder, request_id)
    if earlier is None:
        session.execute(_OPEN_DAY, parameters)
        outcome = session.execute(_LEND, parameters).one()
        if outcome.counted is None and session.scalar(NEXT_BLOCK, {"queue": queue.id, "day": day}):
            outcome = session.execute(_LEND, parameters).one()
        if outcome.id is not None:
            _note(session, principal, queue, "lease.take", lease_id, {"size": outcome.counted}, now)
            return lease(session, lease_id, cipher)
        if outcome.counted is not None:
            session.execute(_GIVE_BACK, {"queue": queue.id, "day": day, "counted": outcome.counted})
        earlier = _lent_before(session, holder, request_id)
    target = instead(session, queue, day)
    if earlier is not None:
        if (earlier.business_date, earlier.asked) != (day, size) or earlier.queue_id not in {
            queue.id,
            target,
        }:
            raise PressReused
        return lease(session, earlier.id, cipher)
    if target is None:
        raise refusal(session, queue, day)
    return lease_block(
        session, principal, target, holder, size, request_id=request_id, now=now, cipher=cipher, day=day
    )


def lease(session: Session, lease_id: UUID, cipher: FieldCipher) -> LeaseView:
    """Return a lease. Raises NotFound."""
    found = session.get(NumberLease, lease_id, populate_existing=True)
    if found is None:
        raise NotFound
    return LeaseView(
        id=found.id,
        queue=_queue(session, found.queue_id),
        business_date=found.business_date,
        holder=Leaseholder(LeaseholderKind(found.holder_kind), found.holder_id, found.epoch),
        first=found.first,
        last=found.last,
        granted_at=found.granted_at,
        expires_at=found.expires_at,
        used_to=found.used_to,
        ended_at=found.ended_at,
        key=_key(found.id, cipher),
    )


def settle_issued(
    session: Session,
    principal: Principal,
    lease_id: UUID,
    issued: Sequence[IssuedNumber],
    *,
    now: datetime,
    cipher: FieldCipher,
) -> list[Settled]:
    """Write what a holder gave out of its lease as tickets, each once, however often it is handed in.

    A person stands where the time of issue puts them. That time is the holder's clock, held between the
    lending and now. A lease that ended or ran out still settles: whoever holds the slip holds the number.
    What contradicts the lease or another press is kept for the desk and told as `why`. Raises NotFound.
    """
    held = _locked(session, lease_id)
    known = _known(session, held, issued)
    outcomes, latest = [], held.granted_at
    for each in sorted(issued, key=lambda one: one.number):
        latest = min(max(each.issued_at, latest), now, held.expires_at)
        timed = replace(each, issued_at=latest)
        outcomes.append(_settle(session, principal, held, timed, known, now=now, cipher=cipher))
    given = [each.number for each in outcomes if each.ticket_id is not None]
    used_to = max([held.used_to, *given])
    session.execute(update(NumberLease).where(NumberLease.id == held.id).values(used_to=used_to))
    return outcomes


def return_rest(
    session: Session,
    principal: Principal,
    lease_id: UUID,
    *,
    used_to: int,
    now: datetime,
    spoilt: Sequence[int] = (),
    reason: LeaseEnd = LeaseEnd.RETURNED,
) -> None:
    """End a lease: numbers after `used_to` were never given out and never will be; `spoilt` ones neither.

    Said again it changes nothing. Raises NotFound, LeaseEnded where it was said otherwise, NumbersStillOpen
    where numbers beyond were given out after all, Unprocessable.
    """
    held = _locked(session, lease_id)
    wrong = not held.first - 1 <= used_to <= held.last
    if wrong or any(not held.first <= number <= used_to for number in spoilt):
        raise Unprocessable({"used_to": ["field-lease-used-to"]})
    if held.ended_at is not None:
        if (held.used_to, sorted(held.spoilt)) != (used_to, sorted(set(spoilt))):
            raise LeaseEnded
        return
    given = set(session.scalars(select(Ticket.number).where(Ticket.lease_id == held.id)))
    if any(number > used_to or number in spoilt for number in given) or _pending(session, held.id):
        raise NumbersStillOpen
    session.execute(
        update(NumberLease)
        .where(NumberLease.id == held.id)
        .values(used_to=used_to, spoilt=sorted(set(spoilt)), ended_at=now, end_reason=reason)
    )
    details = {"used_to": used_to, "spoilt": len(set(spoilt)), "reason": reason.value}
    _note(session, principal, _queue(session, held.queue_id), "lease.return", held.id, details, now)


def enter_used(
    session: Session,
    principal: Principal,
    lease_id: UUID,
    tally: Tally,
    *,
    now: datetime,
    cipher: FieldCipher,
) -> list[Settled]:
    """Enter for a holder what it gave out, such as a printed list, and end its lease.

    Nobody wrote down when each number was given: the times lie evenly between `began_at` (where it is not
    said, the lending) and `until` (now). Raises as return_rest does.
    """
    held = _locked(session, lease_id)
    issued = [] if held.ended_at is not None else _by_hand(session, held, tally, now)
    outcomes = settle_issued(session, principal, lease_id, issued, now=now, cipher=cipher)
    return_rest(
        session,
        principal,
        lease_id,
        used_to=tally.used_to,
        spoilt=sorted(tally.spoilt),
        now=now,
        reason=LeaseEnd.ENTERED,
    )
    return outcomes


def hand_in(
    session: Session, lease_id: UUID, key: str, issued: Sequence[IssuedNumber], *, now: datetime
) -> None:
    """Keep for the desk what a machine gave out whose token was taken back since. Raises NotFound."""
    numbers = [
        {
            "number": each.number,
            "press_key": each.press_key,
            "issued_at": each.issued_at.isoformat(),
            "priority_class": each.holder.priority.value,
            "purpose": each.holder.purpose.value,
            "print_status": each.print_status.value,
        }
        for each in issued
    ]
    known = session.scalar(
        _HAND_IN, {"lease": lease_id, "hash": token_hash(key), "numbers": numbers, "now": now}
    )
    if not known:
        raise NotFound


def settle_handed_in(
    session: Session, principal: Principal, entry_id: UUID, *, now: datetime, cipher: FieldCipher
) -> Settled:
    """Write an entry of the worklist as the ticket it claims to be. Raises NotFound.

    Where the number or the press is another's the entry stays, with the reason.
    """
    entry = _entry(session, entry_id)
    if entry.ticket_id is not None:
        return Settled(entry.number, entry.press_key, entry.ticket_id)
    priority = PriorityClass(entry.priority_class)
    one = IssuedNumber(
        number=entry.number,
        press_key=entry.press_key,
        issued_at=entry.issued_at,
        holder=Holder(
            priority=priority,
            priority_set_by=None if priority is PriorityClass.NONE else "self",
            purpose=Purpose(entry.purpose),
        ),
        print_status=PrintStatus(entry.print_status),
    )
    outcome = settle_issued(session, principal, entry.lease_id, [one], now=now, cipher=cipher)[0]
    if outcome.ticket_id is not None:
        values = {"settled_at": now, "settled_by": principal.id, "ticket_id": outcome.ticket_id}
        session.execute(update(HandedInNumber).where(HandedInNumber.id == entry_id).values(**values))
    return outcome


def dismiss_handed_in(
    session: Session, principal: Principal, entry_id: UUID, reason: str, *, now: datetime
) -> None:
    """Close an entry of the worklist without a ticket, for a reason. Raises NotFound, Unprocessable."""
    if not reason.strip():
        raise Unprocessable({"reason": ["error-required"]})
    entry = _entry(session, entry_id)
    if entry.settled_at is not None:
        return
    values = {"settled_at": now, "settled_by": principal.id, "reason": reason.strip()[:200]}
    session.execute(update(HandedInNumber).where(HandedInNumber.id == entry_id).values(**values))
    dismissed = Entry("lease.dismiss", "Ticket", entry.id, None, entry.facility_id, {"number": entry.number})
    audit.record(session, principal, dismissed, now=now)


def _by_hand(session: Session, held: NumberLease, tally: Tally, now: datetime) -> list[IssuedNumber]:
    known = set(session.scalars(select(Ticket.number).where(Ticket.lease_id == held.id))) | tally.spoilt
    block = range(held.first, min(tally.used_to, held.last) + 1)
    numbers = [number for number in block if number not in known]
    start = min(max(tally.began_at or held.granted_at, held.granted_at), now)
    step = (min(max(tally.until or now, start), now) - start) / max(len(numbers), 1)
    return [
        IssuedNumber(number, f"by-hand:{held.id}:{number}", start + step * place, seen=number in tally.seen)
        for place, number in enumerate(numbers)
    ]


def _settle(
    session: Session,
    principal: Principal,
    held: NumberLease,
    each: IssuedNumber,
    known: "_Known",
    *,
    now: datetime,
    cipher: FieldCipher,
) -> Settled:
    presser = each.issued_by or held.holder_id
    earlier = known.by_press.get((presser, each.press_key))
    if earlier is not None:
        if (earlier.lease_id, earlier.number) == (held.id, each.number):
            return Settled(each.number, each.press_key, earlier.id)
        return _keep(session, held, each, HandedInReason.PRESS_REUSED, now, cipher)
    if each.press_key in known.dismissed:
        return Settled(each.number, each.press_key, None, known.dismissed[each.press_key])
    if not held.first <= each.number <= held.last:
        return _keep(session, held, each, HandedInReason.OUTSIDE_LEASE, now, cipher)
    if each.number in known.by_number:
        return _keep(session, held, each, HandedInReason.NUMBER_TAKEN, now, cipher)
    ghost = _unanswered(session, presser, each)
    ticket = _ticket(held, each, presser, cipher) | _known_of(ghost, each)
    session.execute(insert(Ticket).values(**ticket))
    known.add(presser, each, ticket["id"], held.id)
    _write_events(session, principal, held, ticket, now)
    if each.seen:
        _was_seen(session, principal, ticket["id"], now)
    _close_entry(session, held, each, ticket["id"], now)
    if ghost is not None:
        _withdraw(session, principal, ghost.id, now)
    if each.unclear is not None:
        _keep(session, held, each, HandedInReason.APPOINTMENT_UNCLEAR, now, cipher)
    if each.holder.patient_id is not None:
        entry = Entry("ticket.issue", "Ticket", ticket["id"], each.holder.patient_id, held.facility_id)
        audit.record(session, principal, entry, now=now)
    return Settled(each.number, each.press_key, ticket["id"])


@dataclass(slots=True)
class _Given:
    """A number that stands: which ticket it is, and of which lease."""

    id: UUID
    number: int
    lease_id: UUID | None


@dataclass(slots=True)
class _Known:
    """What stands already of what is handed in."""

    by_press: dict[tuple[UUID | None, str | None], _Given]
    by_number: dict[int, _Given]
    dismissed: dict[str, HandedInReason]

    def add(self, presser: UUID, each: IssuedNumber, ticket_id: UUID, lease_id: UUID) -> None:
        given = _Given(ticket_id, each.number, lease_id)
        self.by_press[presser, each.press_key] = self.by_number[each.number] = given


def _known(session: Session, held: NumberLease, issued: Sequence[IssuedNumber]) -> _Known:
    columns = select(Ticket.id, Ticket.number, Ticket.lease_id, Ticket.issued_by, Ticket.press_key)
    pressers = {each.issued_by or held.holder_id for each in issued}
    presses = {each.press_key for each in issued}
    pressed = session.execute(
        columns.where(Ticket.issued_by.in_(pressers), Ticket.press_key.in_(presses))
    ).all()
    numbered = session.execute(columns.where(Ticket.lease_id == held.id)).all()
    closed = session.execute(
        select(HandedInNumber.press_key, HandedInNumber.why).where(
            HandedInNumber.lease_id == held.id, HandedInNumber.reason.is_not(None)
        )
    )
    return _Known(
        by_press={
            (row.issued_by, row.press_key): _Given(row.id, row.number, row.lease_id) for row in pressed
        },
        by_number={row.number: _Given(row.id, row.number, row.lease_id) for row in numbered},
        dismissed={row.press_key: HandedInReason(row.why) for row in closed},
    )


def _ticket(held: NumberLease, each: IssuedNumber, presser: UUID, cipher: FieldCipher) -> dict[str, Any]:
    ticket_id = leased_ticket_id(held.id, each.number)
    holder = each.holder
    return {
        "id": ticket_id,
        "queue_id": held.queue_id,
        "facility_id": held.facility_id,
        "business_date": held.business_date,
        "number": each.number,
        "lease_id": held.id,
        "public_token_hash": token_hash(public_token(ticket_id, cipher)),
        "priority_class": holder.priority.value,
        "priority_set_by": holder.priority_set_by,
        "priority_basis": holder.basis,
        "appointment_id": holder.appointment_id,
        "encounter_id": holder.encounter_id,
        "patient_id": holder.patient_id,
        "appointment_start": holder.appointment_start,
        "purpose": holder.purpose.value,
        "issued_by": presser,
        "press_key": each.press_key,
        "print_status": each.print_status.value,
        "issued_at": each.issued_at,
        "waiting_since": holder.waiting_since or each.issued_at,
    }


def _write_events(
    session: Session, principal: Principal, held: NumberLease, ticket: dict[str, Any], now: datetime
) -> None:
    """Write who gave the number when, and who handed it in when."""
    issued = {
        "ticket_id": ticket["id"],
        "kind": "issued",
        "at": ticket["issued_at"],
        "actor_kind": _ACTORS[LeaseholderKind(held.holder_kind)].value,
        "actor_id": ticket["issued_by"],
    }
    settled = {
        "ticket_id": ticket["id"],
        "kind": "settled",
        "at": now,
        "actor_kind": principal.kind.value,
        "actor_id": principal.id,
    }
    session.execute(insert(TicketEvent), [issued, settled])


def _was_seen(session: Session, principal: Principal, ticket_id: UUID, now: datetime) -> None:
    done = {"status": TicketStatus.DONE, "done_at": now, "version": Ticket.version + 1}
    session.execute(update(Ticket).where(Ticket.id == ticket_id).values(**done))
    event = {"kind": "seen-in-cut", "at": now, "actor_kind": principal.kind.value, "actor_id": principal.id}
    session.execute(insert(TicketEvent).values(ticket_id=ticket_id, **event))


def _keep(
    session: Session,
    held: NumberLease,
    each: IssuedNumber,
    why: HandedInReason,
    now: datetime,
    cipher: FieldCipher,
) -> Settled:
    entry_id = new_id()
    session.execute(
        upsert(HandedInNumber)
        .values(
            id=entry_id,
            lease_id=held.id,
            facility_id=held.facility_id,
            number=each.number,
            press_key=each.press_key,
            issued_at=each.issued_at,
            priority_class=each.holder.priority.value,
            purpose=each.holder.purpose.value,
            print_status=each.print_status.value,
            why=why.value,
            received_at=now,
            given_sealed=cipher.seal_text(each.unclear or None, given_context(entry_id)),
        )
        .on_conflict_do_nothing(index_elements=["lease_id", "press_key"])
    )
    return Settled(each.number, each.press_key, None, why)


def _close_entry(
    session: Session, held: NumberLease, each: IssuedNumber, ticket_id: UUID, now: datetime
) -> None:
    """Close what waits in the worklist for a number that its holder handed in after all."""
    session.execute(
        update(HandedInNumber)
        .where(
            HandedInNumber.lease_id == held.id,
            HandedInNumber.press_key == each.press_key,
            HandedInNumber.settled_at.is_(None),
        )
        .values(settled_at=now, ticket_id=ticket_id)
    )


def _unanswered(session: Session, presser: UUID, each: IssuedNumber) -> Ticket | None:
    """Return the number of a press whose answer was lost: its person was given another one meanwhile."""
    if each.instead_of is None:
        return None
    return session.scalars(
        select(Ticket)
        .where(
            Ticket.issued_by == presser,
            Ticket.press_key == each.instead_of,
            Ticket.status == TicketStatus.WAITING,
        )
        .with_for_update()
    ).one_or_none()


def _known_of(ghost: Ticket | None, each: IssuedNumber) -> dict[str, Any]:
    """Return what the number takes over from the one it stands for: its visit, its place, whose it is."""
    if ghost is None:
        return {}
    place = {"transferred_from_id": ghost.id, "waiting_since": min(ghost.waiting_since, each.issued_at)}
    if each.holder.patient_id is not None or ghost.patient_id is None:
        return place
    return place | {
        "patient_id": ghost.patient_id,
        "appointment_id": ghost.appointment_id,
        "appointment_start": ghost.appointment_start,
        "encounter_id": ghost.encounter_id,
        "purpose": ghost.purpose,
        "priority_class": ghost.priority_class,
        "priority_set_by": ghost.priority_set_by,
        "priority_basis": ghost.priority_basis,
    }


def _withdraw(session: Session, principal: Principal, ticket_id: UUID, now: datetime) -> None:
    gone = {"status": TicketStatus.CANCELLED, "version": Ticket.version + 1, "done_at": now}
    session.execute(update(Ticket).where(Ticket.id == ticket_id).values(**gone))
    event = {"kind": "unanswered", "at": now, "actor_kind": principal.kind.value, "actor_id": principal.id}
    session.execute(insert(TicketEvent).values(ticket_id=ticket_id, **event))


def _locked(session: Session, lease_id: UUID) -> NumberLease:
    """Lock the counter of a lease, then the lease, and return it."""
    counter = (
        select(QueueCounter.queue_id)
        .join(
            NumberLease,
            (NumberLease.queue_id == QueueCounter.queue_id)
            & (NumberLease.business_date == QueueCounter.business_date),
        )
        .where(NumberLease.id == lease_id)
        .with_for_update(of=QueueCounter)
    )
    if session.scalar(counter) is None:
        raise NotFound
    return session.scalars(
        select(NumberLease)
        .where(NumberLease.id == lease_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _entry(session: Session, entry_id: UUID) -> HandedInNumber:
    entry = session.scalars(
        select(HandedInNumber)
        .where(HandedInNumber.id == entry_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if entry is None:
        raise NotFound
    return entry


def _pending(session: Session, lease_id: UUID) -> bool:
    waiting = select(HandedInNumber.id).where(
        HandedInNumber.lease_id == lease_id,
        HandedInNumber.settled_at.is_(None),
        HandedInNumber.why != HandedInReason.APPOINTMENT_UNCLEAR,
    )
    return session.scalar(waiting.limit(1)) is not None


def _lent_before(session: Session, holder: Leaseholder, request_id: str) -> NumberLease | None:
    return session.scalars(
        select(NumberLease).where(NumberLease.holder_id == holder.id, NumberLease.request_id == request_id)
    ).one_or_none()


def _refuse_older_copies(session: Session, holder: Leaseholder) -> None:
    newest = session.scalar(select(func.max(NumberLease.epoch)).where(NumberLease.holder_id == holder.id))
    if newest is not None and newest > holder.epoch:
        raise LeaseSuperseded


def _key(lease_id: UUID, cipher: FieldCipher) -> str:
    return base64.urlsafe_b64encode(cipher.index(lease_id.bytes, _LEASE_KEY)).decode().rstrip("=")


def _queue(session: Session, queue_id: UUID) -> QueueView:
    queue = queue_by_id(session, queue_id)
    if queue is None:
        raise NotFound
    return queue


def _note(
    session: Session,
    principal: Principal,
    queue: QueueView,
    action: str,
    lease_id: UUID,
    details: dict[str, Any],
    now: datetime,
) -> None:
    entry = Entry(action, "NumberLease", lease_id, None, queue.facility_id, details)
    audit.record(session, principal, entry, now=now)
