"""Writing the ledger: hold, book, cancel, and what the queue and the room report back.

The hot path is six round trips: BEGIN, enter, read, messages, write, COMMIT. What must be atomic
and fast lives in the SQL functions of migration 0005; the rules are asked here first, so that most
refusals cost no write. Locks: appointment, claim, counter, ticket.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox, Recipient
from telehealth.audit.services import Entry, record
from telehealth.booking import idempotency, messages, queries
from telehealth.booking.codes import AppointmentStatus, CoverageBasis, PriceClass
from telehealth.booking.errors import (
    AppointmentOver,
    HoldUnknown,
    NoPatient,
    OtherService,
    TooManyHolds,
)
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.policies import RECEPTION
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import (
    DEFAULT_POLICIES,
    REFUSALS,
    Load,
    Place,
    Policies,
    before,
    check_cancel,
    check_hold,
    check_load,
    check_missed,
    check_move,
    check_no_show,
    check_open,
    check_place,
    check_time,
)
from telehealth.core.clock import at_local, local
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import Forbidden, NotFound, PreconditionFailed
from telehealth.core.ids import new_code, new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.sql import Row, fetch_one
from telehealth.directory.queries import Prices
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.queries import (
    FacilityRef,
    PractitionerRef,
    ServiceRef,
    SlotQuery,
    SlotView,
    earliest_slots,
    on_grid,
    slot_by_id,
)
from telehealth.scheduling.rules import SlotId

CODE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """What was agreed to and in which wording."""

    purpose: str
    text_version: str


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """Who wants which slot. Either `slot_id` or `hold_id`; a hold of one's own on the slot is used."""

    patient_id: UUID
    slot_id: str | None = None
    hold_id: UUID | None = None
    coverage_basis: str = CoverageBasis.NONE
    companion: bool = False
    reason: str | None = None
    channel: str = Channel.ONLINE
    consent: ConsentGiven | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """The key that a booking is done once under, and how its answer is written."""

    key: RequestKey
    answer: Callable[[AppointmentView], bytes]


@dataclass(frozen=True, slots=True)
class Move:
    """To which slot, from which version of the appointment, by which door."""

    slot_id: str
    version: int
    channel: str = Channel.ONLINE


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot kept for an account until `expires_at`."""

    id: UUID
    slot_id: str
    expires_at: datetime


def hold(
    session: Session,
    principal: Principal,
    slot_id: str,
    *,
    now: datetime,
    channel: str = Channel.ONLINE,
    policies: Policies = DEFAULT_POLICIES,
) -> Hold:
    """Keep a slot for the caller for a few minutes; a hold that they have on it already is given again.

    Raises SlotUnknown, SlotInPast, SlotTooSoon, SlotTooFar, SlotClosed, NotBookableOnline, SlotTaken,
    OnlineQuotaFull, TooManyHolds.
    """
    _one_hold_at_a_time(session, principal)
    found = _context(session, principal, slot_id=slot_id, hold_id=None, patient_id=None, now=now)
    if found.hold_id is not None:
        return _held(session, found.hold_id, slot_id)
    _check_reach(principal, found.facility_id, channel)
    start = _checked_slot(found, channel, policies, now)
    check_place(_place(found, start), online=channel == Channel.ONLINE)
    _check_holds(session, principal, policies.booking[channel].holds_per_account)
    identifier = new_id()
    outcome, expires_at = (
        session.connection()
        .exec_driver_sql(
            _HOLD,
            {
                **_slot_parameters(found, start),
                "id": identifier,
                "code": new_code(CODE_LENGTH),
                "channel": channel,
                "account": _account(principal),
                "seconds": policies.booking[channel].hold_seconds,
                "now": now,
            },
        )
        .one()
    )
    _raise_refusal(outcome)
    return Hold(identifier, slot_id, expires_at)


def release(session: Session, principal: Principal, hold_id: UUID, *, now: datetime) -> None:
    """Give a hold back. One of one's own that is over already is left as it is. Raises HoldUnknown."""
    _one_hold_at_a_time(session, principal)
    row = (
        session.connection()
        .exec_driver_sql(
            """UPDATE appointment SET status = 'expired', version = version + 1, updated_at = %(now)s
                WHERE id = %(id)s AND status = 'held' AND account_id = %(account)s RETURNING id""",
            {"id": hold_id, "account": _account(principal), "now": now},
        )
        .one_or_none()
    )
    if row is not None:
        _give_back(session, hold_id)
    elif not _was_theirs(session, principal, hold_id):
        raise HoldUnknown


def book(
    session: Session,
    principal: Principal,
    request: BookingRequest,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    base_url: str,
    policies: Policies = DEFAULT_POLICIES,
) -> AppointmentView:
    """Book a slot or confirm a hold, with everything that belongs to it, in the caller's transaction.

    Raises what hold() raises, and NoPatient, PatientBusy, TooManyBookings, TooManyThatDay,
    TooManyWithPractitioner, HoldUnknown, HoldExpired, HoldNotYours. After any of them the caller
    must roll back.
    """
    context = _context(
        session,
        principal,
        slot_id=request.slot_id,
        hold_id=request.hold_id,
        patient_id=request.patient_id,
        now=now,
    )
    plan = _plan(context, principal, request, now=now, cipher=cipher, policies=policies)
    _carry_out(session, principal, plan, outbox=outbox, base_url=base_url, now=now)
    return plan.view


def book_once(
    session: Session,
    principal: Principal,
    request: BookingRequest,
    once: Once,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    base_url: str,
) -> bytes:
    """Book like `book`, once per key: a replay gets the first answer, byte for byte.

    Raises what `book` raises, and KeyReused.
    """
    key = once.key
    context = _context_once(session, principal, request, key, now)
    if isinstance(context, _Replay):
        return idempotency.replayed(key, context.request_hash, context.response_sealed, cipher)
    plan = _plan(context, principal, request, now=now, cipher=cipher, policies=DEFAULT_POLICIES)
    told = once.answer(plan.view)
    stored = _Stored(key, told, cipher.seal(told, key.context.encode()))
    _carry_out(session, principal, plan, outbox=outbox, base_url=base_url, now=now, stored=stored)
    return told


def alternatives(session: Session, slot_id: str, *, now: datetime, count: int = 3) -> list[SlotView]:
    """Return the next free slots of the same service: there from that time on, else in the province."""
    asked = slot_by_id(session, slot_id, now)
    if asked is None:
        return []
    query = SlotQuery(
        service_code=asked.service.code,
        facility_id=asked.facility.id,
        modality=asked.modality,
        from_=asked.start,
        limit=count,
    )
    found = earliest_slots(session, query, now=now)
    if len(found) < count:
        anywhere = SlotQuery(
            service_code=asked.service.code, modality=asked.modality, limit=count + len(found)
        )
        known = {slot.id for slot in found}
        found += [slot for slot in earliest_slots(session, anywhere, now=now) if slot.id not in known]
    return found[:count]


def cancel(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    *,
    version: int,
    reason_code: str,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
) -> AppointmentView:
    """Cancel: the place is free again, waiting messages are taken back, one says so.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, TooLateToCancel.
    """
    view = _found(session, appointment_id)
    if view.version != version:
        raise PreconditionFailed
    staff = principal.kind in queries.STAFF_KINDS
    check_cancel(view.status, view.start, now, staff=staff)
    to = None
    if view.patient_id is not None:
        to = recipient_of(session, view.patient_id, view.account_id, cipher)
    changed = _change(
        session, view, AppointmentStatus.CANCELLED, now=now, version=version, cancel_reason=reason_code
    )
    _give_back(session, appointment_id)
    outbox.cancel(session, appointment_id, now=now)
    outbox.enqueue(session, messages.cancelled(view, to, now=now), now=now)
    _audit(session, principal, "booking.cancel", view, now, reason=reason_code)
    return changed


def reschedule(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    move: Move,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    base_url: str,
) -> AppointmentView:
    """Move an appointment to another slot of the same service; its id and code stay.

    What was to be said of the old time is taken back, the new time is told. By the rules of the door
    that the mover comes by. Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver,
    TooLateToMove, OtherService and what `book` raises; then the caller must roll back, and everything
    is as it was.
    """
    view = _found(session, appointment_id)
    if view.version != move.version:
        raise PreconditionFailed
    check_move(view.status, view.start, now)
    asked = _question(None, move.slot_id, None, view.patient_id, now)
    context = _answered(fetch_one(session, _CONTEXT, asked), None)
    start = _checked_move(context, principal, view, move.channel, now)
    _raise_refusal(_moved(session, context, view, start, move.channel, now))
    moved = _found(session, appointment_id)
    outbox.cancel(session, appointment_id, now=now)
    if view.patient_id is not None:
        to = recipient_of(session, view.patient_id, view.account_id, cipher)
        outbox.enqueue(session, messages.moved(moved, to, base_url=base_url, now=now), now=now)
    _audit(session, principal, "booking.reschedule", view, now, slot=view.slot_id, to=moved.slot_id)
    return moved


def mark_arrived(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record that the patient has come; again, after being missed. Raises NotFound, AppointmentOver."""
    return _mark(session, principal, appointment_id, AppointmentStatus.ARRIVED, now)


def mark_fulfilled(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record that the patient was seen. Raises NotFound, AppointmentOver."""
    return _mark(session, principal, appointment_id, AppointmentStatus.FULFILLED, now)


def mark_no_show(
    session: Session, principal: Principal, appointment_id: UUID, now: datetime
) -> AppointmentView:
    """Record what the ticket says: called, and not there. After check-in it is the ticket that rules.

    Raises NotFound, AppointmentOver, TooEarlyForNoShow.
    """
    view = _found(session, appointment_id)
    if view.status != AppointmentStatus.NOSHOW:
        check_missed(view.status, view.start, now)
    return _mark(session, principal, appointment_id, AppointmentStatus.NOSHOW, now, view=view)


def record_no_show(
    session: Session, principal: Principal, appointment_id: UUID, *, version: int, now: datetime
) -> AppointmentView:
    """Record that nobody came, as long as the appointment rules: before check-in.

    Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver, TooEarlyForNoShow.
    """
    view = _found(session, appointment_id)
    if version != view.version:
        raise PreconditionFailed
    check_no_show(view.status, view.start, now)
    changed = _change(session, view, AppointmentStatus.NOSHOW, now=now, version=version)
    _audit(session, principal, f"booking.{AppointmentStatus.NOSHOW}", view, now)
    return changed


def confirm_coverage(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    *,
    basis: str,
    version: int,
    now: datetime,
) -> AppointmentView:
    """Record that staff have seen the papers for a coverage basis. Raises NotFound, PreconditionFailed.

    The product shows it and never computes an entitlement from it.
    """
    view = _found(session, appointment_id)
    if view.version != version or not _updated(
        session,
        """UPDATE appointment SET coverage_basis = %(basis)s, coverage_checked_at = %(now)s,
                  coverage_checked_by = %(by)s, version = version + 1, updated_at = %(now)s
            WHERE id = %(id)s AND version = %(version)s""",
        {"basis": basis, "now": now, "by": _account(principal), "id": appointment_id, "version": version},
    ):
        raise PreconditionFailed
    _audit(session, principal, "booking.confirm_coverage", view, now, basis=basis)
    return _found(session, appointment_id)


def expire_overdue_holds(session: Session) -> int:
    """Tidy holds whose time is over; returns how many. Nothing depends on its being run."""
    freed = session.connection().exec_driver_sql("SELECT session_id, online FROM expire_holds(NULL)").all()
    if freed:
        session.connection().exec_driver_sql(
            "SELECT count_places(NULL, NULL, NULL, %s::uuid[], %s::boolean[])",
            ([row.session_id for row in freed], [row.online for row in freed]),
        )
    return len(freed)


@dataclass(frozen=True, slots=True)
class _Stored:
    key: RequestKey
    answer: bytes
    sealed: bytes


class _Context(NamedTuple):
    """What booking_context() returns, in its order."""

    session_id: UUID
    session_version: int
    session_status: str
    modality: str
    room: str
    business_date: date
    start_minute: int
    slot_minutes: int
    slot_count: int
    capacity: int
    online_left: int
    minute: int
    taken: int
    facility_id: UUID
    facility_code: str
    facility_name: str
    facility_address: str
    facility_hotline: str
    service_id: UUID
    service_code: str
    service_name_vi: str
    service_name_en: str
    service_online: bool
    duration_minutes: int
    price_insured: int | None
    price_self: int | None
    price_on_request: int | None
    price_after_hours: int | None
    practitioner_id: UUID
    practitioner_licence: str
    practitioner_name: str
    practitioner_title: str
    practitioner_specialty: str
    hold_id: UUID | None
    hold_account: UUID | None
    hold_live: bool | None
    hold_code: str | None
    hold_version: int | None
    hold_channel: str | None
    patient_id: UUID | None
    patient_name: str | None
    patient_phone_sealed: bytes | None
    patient_language: str | None
    guardian_id: UUID | None
    guardian_phone_sealed: bytes | None
    family_account: UUID | None
    account_phone_sealed: bytes | None
    active_count: int
    same_day_count: int
    same_practitioner_count: int


class _Replay(NamedTuple):
    """What was stored under a key that is not new."""

    request_hash: bytes
    response_sealed: bytes


@dataclass(frozen=True, slots=True)
class _Plan:
    """A booking that the rules allow, ready to be written."""

    view: AppointmentView
    context: _Context
    confirm: bool
    reason_sealed: bytes | None
    consent: ConsentGiven | None
    recipient: Recipient | None


_CONTEXT = """SELECT c.*
FROM booking_context(%(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(now)s) c"""
_CONTEXT_ONCE = """SELECT r.request_hash, r.response_sealed, c.*
FROM remember_request(%(principal)s, %(route)s, %(key)s, %(hash)s, %(now)s) r
LEFT JOIN LATERAL booking_context(%(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(now)s) c
  ON r.fresh"""
_HOLD = """SELECT * FROM hold_slot(%(id)s, %(code)s, %(session)s, %(version)s, %(capacity)s, %(facility)s,
    %(practitioner)s, %(service)s, %(modality)s, %(start)s, %(end)s, %(channel)s, %(account)s,
    %(seconds)s, %(now)s)"""
_BOOK = """SELECT book_appointment(%(confirm)s, %(id)s, %(code)s, %(session)s, %(version)s, %(capacity)s,
    %(facility)s, %(practitioner)s, %(service)s, %(modality)s, %(start)s, %(end)s, %(channel)s, %(patient)s,
    %(account)s, %(price_class)s, %(coverage_basis)s, %(companion)s, %(reason_sealed)s, %(consent_purpose)s,
    %(consent_version)s, %(actor_kind)s, %(actor)s, %(access_session)s, %(details)s::jsonb, %(principal)s,
    %(route)s, %(key)s, %(status)s, %(response)s, %(now)s)"""
_MOVE = """SELECT move_appointment(%(id)s, %(appointment_version)s, %(session)s, %(version)s, %(capacity)s,
    %(practitioner)s, %(start)s, %(end)s, %(channel)s, %(now)s)"""
_CREATED = 201


def _context(
    session: Session,
    principal: Principal,
    *,
    slot_id: str | None,
    hold_id: UUID | None,
    patient_id: UUID | None,
    now: datetime,
) -> _Context:
    """Read all that the rules ask, in one round trip. Raises SlotUnknown, HoldUnknown."""
    asked = _question(_account(principal), slot_id, hold_id, patient_id, now)
    return _answered(fetch_one(session, _CONTEXT, asked), hold_id)


def _context_once(
    session: Session, principal: Principal, request: BookingRequest, key: RequestKey, now: datetime
) -> _Context | _Replay:
    """Take the key and read as _context() does, in one round trip; or return what the key stands for."""
    named = {"principal": key.principal, "route": key.route, "key": key.key, "hash": key.request_hash}
    asked = _question(_account(principal), request.slot_id, request.hold_id, request.patient_id, now)
    row = fetch_one(session, _CONTEXT_ONCE, asked | named)
    if row is not None and row[0] is not None:
        return _Replay(row[0], row[1])
    return _answered(row and row[2:], request.hold_id)


def _question(
    account_id: UUID | None,
    slot_id: str | None,
    hold_id: UUID | None,
    patient_id: UUID | None,
    now: datetime,
) -> dict[str, Any]:
    slot = None if slot_id is None else SlotId.parse(slot_id)
    if slot is None and hold_id is None:
        raise SlotUnknown
    return {
        "session": None if slot is None else slot.session_id,
        "minute": None if slot is None else slot.minute,
        "hold": hold_id,
        "patient": patient_id,
        "account": account_id,
        "now": now,
    }


def _answered(row: Row | None, hold_id: UUID | None) -> _Context:
    if row is None or row[0] is None:
        raise HoldUnknown if hold_id is not None else SlotUnknown
    found = _Context._make(row)
    if hold_id is not None and found.hold_id is None:
        raise HoldUnknown
    return found


def _plan(
    context: _Context,
    principal: Principal,
    request: BookingRequest,
    *,
    now: datetime,
    cipher: FieldCipher,
    policies: Policies,
) -> _Plan:
    """Ask the rules; return what is to be written."""
    _check_reach(principal, context.facility_id, request.channel)
    if context.patient_id is None:
        raise NoPatient
    confirm = context.hold_id is not None
    start = _checked_slot(context, request.channel, policies, now)
    if confirm:
        check_hold(context.hold_account, _account(principal), live=bool(context.hold_live))
        check_open(context.session_status)
    else:
        check_place(_place(context, start), online=request.channel == Channel.ONLINE)
    load = Load(context.active_count, context.same_day_count, context.same_practitioner_count)
    check_load(load, policies.booking[request.channel])
    view = _booked_view(context, principal, request, start, now)
    return _Plan(
        view=view,
        context=context,
        confirm=confirm,
        reason_sealed=cipher.seal_text(request.reason, f"appointment.reason_sealed:{view.id}"),
        consent=request.consent,
        recipient=messages.reachable(
            (
                ("patient", context.patient_id, context.patient_phone_sealed),
                ("patient", context.guardian_id, context.guardian_phone_sealed),
                ("account", context.family_account, context.account_phone_sealed),
            ),
            context.patient_language or "vi",
            cipher,
        ),
    )


def _carry_out(
    session: Session,
    principal: Principal,
    plan: _Plan,
    *,
    outbox: Outbox,
    base_url: str,
    now: datetime,
    stored: _Stored | None = None,
) -> None:
    """Write the plan: the messages first, so that the locks of the ledger are held the shortest."""
    told = messages.booked(plan.view, plan.recipient, base_url=base_url, now=now)
    if told:
        fetch_one(session, *outbox.statement(told, now=now))
    outcome = fetch_one(session, _BOOK, _booking_parameters(principal, plan, stored, now))
    _raise_refusal(outcome[0] if outcome else "")


def _booking_parameters(
    principal: Principal, plan: _Plan, stored: _Stored | None, now: datetime
) -> dict[str, Any]:
    view, consent = plan.view, plan.consent
    return {
        **_slot_parameters(plan.context, view.start),
        **_stored_parameters(stored),
        "confirm": plan.confirm,
        "id": view.id,
        "code": view.code,
        "channel": view.channel,
        "patient": view.patient_id,
        "account": view.account_id,
        "price_class": view.price_class,
        "coverage_basis": view.coverage_basis,
        "companion": view.companion,
        "reason_sealed": plan.reason_sealed,
        "consent_purpose": consent.purpose if consent else None,
        "consent_version": consent.text_version if consent else None,
        "actor_kind": principal.kind.value,
        "actor": principal.id or principal.device_id,
        "access_session": principal.session_id,
        "details": json.dumps({"channel": view.channel, "hold": plan.confirm}),
        "now": now,
    }


def _stored_parameters(stored: _Stored | None) -> dict[str, Any]:
    if stored is None:
        return dict.fromkeys(("principal", "route", "key", "status", "response"))
    key = stored.key
    return {
        "principal": key.principal,
        "route": key.route,
        "key": key.key,
        "status": _CREATED,
        "response": stored.sealed,
    }


def _slot_parameters(context: _Context, start: datetime) -> dict[str, Any]:
    return {
        "session": context.session_id,
        "version": context.session_version,
        "capacity": context.capacity,
        "facility": context.facility_id,
        "practitioner": context.practitioner_id,
        "service": context.service_id,
        "modality": context.modality,
        "start": start,
        "end": start + timedelta(minutes=context.slot_minutes),
    }


def _checked_slot(context: _Context, channel: str, policies: Policies, now: datetime) -> datetime:
    """Return the slot's start. Raises SlotUnknown, SlotInPast, SlotTooSoon, SlotTooFar."""
    if not on_grid(context.minute, context.start_minute, context.slot_minutes, context.slot_count):
        raise SlotUnknown
    start = at_local(context.business_date, context.minute)
    check_time(start, policies.slots[channel], now)
    return start


def _place(context: _Context, start: datetime) -> Place:
    return Place(
        start=start,
        session_status=context.session_status,
        service_online=context.service_online,
        capacity=context.capacity,
        taken=context.taken,
    )


def _checked_move(
    context: _Context,
    principal: Principal,
    view: AppointmentView,
    channel: str,
    now: datetime,
) -> datetime:
    """Return the new start. Whether the place is free only the claim can tell: the old one may overlap it."""
    _check_reach(principal, context.facility_id, channel)
    if (context.service_id, context.modality) != (view.service.id, view.modality):
        raise OtherService
    start = _checked_slot(context, channel, DEFAULT_POLICIES, now)
    place = replace(_place(context, start), taken=0)
    check_place(place, online=channel == Channel.ONLINE)
    others = Load(
        context.active_count - 1,
        context.same_day_count - (local(view.start).date() == context.business_date),
        context.same_practitioner_count - (view.practitioner.id == context.practitioner_id),
    )
    check_load(others, DEFAULT_POLICIES.booking[channel])
    return start


def _moved(
    session: Session, context: _Context, view: AppointmentView, start: datetime, channel: str, now: datetime
) -> str:
    parameters = _slot_parameters(context, start) | {
        "id": view.id,
        "appointment_version": view.version,
        "channel": channel,
        "now": now,
    }
    row = fetch_one(session, _MOVE, parameters)
    return "" if row is None else str(row[0])


def _booked_view(
    context: _Context, principal: Principal, request: BookingRequest, start: datetime, now: datetime
) -> AppointmentView:
    insured = request.coverage_basis != CoverageBasis.NONE and context.price_insured is not None
    return AppointmentView(
        id=context.hold_id or new_id(),
        code=context.hold_code or new_code(CODE_LENGTH),
        status=AppointmentStatus.BOOKED,
        version=(context.hold_version or 0) + 1,
        start=start,
        end=start + timedelta(minutes=context.slot_minutes),
        facility=FacilityRef(
            context.facility_id,
            context.facility_code,
            context.facility_name,
            context.facility_address,
            context.facility_hotline,
        ),
        practitioner=PractitionerRef(
            context.practitioner_id,
            context.practitioner_licence,
            context.practitioner_name,
            context.practitioner_title,
            context.practitioner_specialty,
        ),
        service=ServiceRef(
            context.service_id,
            context.service_code,
            context.service_name_vi,
            context.service_name_en,
            context.duration_minutes,
        ),
        modality=context.modality,
        patient_id=context.patient_id,
        patient_name=context.patient_name,
        account_id=_account(principal),
        channel=context.hold_channel or request.channel,
        price_class=PriceClass.INSURED if insured else PriceClass.SELF,
        coverage_basis=request.coverage_basis,
        coverage_checked=False,
        companion=request.companion,
        prices=Prices(
            context.price_insured, context.price_self, context.price_on_request, context.price_after_hours
        ),
        room=context.room,
        lane=1,
        slot_id=str(SlotId(context.session_id, context.minute)),
        created_at=now,
    )


def _raise_refusal(outcome: str) -> None:
    if outcome != "ok":
        raise REFUSALS[outcome]


def _check_reach(principal: Principal, facility_id: UUID, channel: str) -> None:
    """Patients book anywhere, and a desk for them by the same door; others where they belong.

    Raises Forbidden.
    """
    on_behalf = channel == Channel.ONLINE and principal.has_any(RECEPTION)
    anywhere = on_behalf or principal.kind in (PrincipalKind.PATIENT, PrincipalKind.SYSTEM)
    if not anywhere and facility_id not in principal.facilities():
        raise Forbidden


def _account(principal: Principal) -> UUID | None:
    """Return the account that acts; a kiosk and other systems have none."""
    return principal.id if principal.kind in (PrincipalKind.PATIENT, PrincipalKind.STAFF) else None


def _held(session: Session, hold_id: UUID, slot_id: str) -> Hold:
    row = (
        session.connection()
        .exec_driver_sql("SELECT hold_until FROM appointment WHERE id = %s", (hold_id,))
        .one()
    )
    return Hold(hold_id, slot_id, row.hold_until)


def _one_hold_at_a_time(session: Session, principal: Principal) -> None:
    """Let an account's holds wait for each other, before any row is locked, so that their limit holds."""
    session.connection().exec_driver_sql(
        "SELECT pg_advisory_xact_lock(hashtextextended('holds:' || %s::text, 0))", (_account(principal),)
    )


def _was_theirs(session: Session, principal: Principal, hold_id: UUID) -> bool:
    found = session.connection().exec_driver_sql(
        "SELECT 1 FROM appointment WHERE id = %s AND account_id = %s", (hold_id, _account(principal))
    )
    return found.one_or_none() is not None


def _check_holds(session: Session, principal: Principal, limit: int) -> None:
    held = (
        session.connection()
        .exec_driver_sql(
            """SELECT count(*) FROM appointment
                WHERE account_id = %s AND status = 'held' AND hold_until > app_clock()""",
            (_account(principal),),
        )
        .scalar_one()
    )
    if held >= limit:
        raise TooManyHolds(limit=limit)


def _found(session: Session, appointment_id: UUID) -> AppointmentView:
    view = queries.appointment(session, appointment_id)
    if view is None:
        raise NotFound
    return view


def _mark(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    status: AppointmentStatus,
    now: datetime,
    *,
    view: AppointmentView | None = None,
) -> AppointmentView:
    view = view or _found(session, appointment_id)
    if view.status == status:
        return view
    changed = _change(session, view, status, now=now)
    _audit(session, principal, f"booking.{status}", view, now)
    return changed


def _change(
    session: Session,
    view: AppointmentView,
    status: AppointmentStatus,
    *,
    now: datetime,
    version: int | None = None,
    cancel_reason: str | None = None,
) -> AppointmentView:
    """Compare and swap. Raises AppointmentOver, or PreconditionFailed when a version was named."""
    if not _updated(
        session,
        """UPDATE appointment SET status = %(status)s, version = version + 1, updated_at = %(now)s,
                  cancel_reason = coalesce(%(reason)s, cancel_reason)
            WHERE id = %(id)s AND status = ANY(%(from)s)
              AND (%(version)s::integer IS NULL OR version = %(version)s::integer)""",
        {
            "status": status.value,
            "now": now,
            "reason": cancel_reason,
            "id": view.id,
            "from": before(status),
            "version": version,
        },
    ):
        raise AppointmentOver if version is None else PreconditionFailed
    return _found(session, view.id)


def _updated(session: Session, sql: str, parameters: Mapping[str, Any]) -> bool:
    return session.connection().exec_driver_sql(sql, dict(parameters)).rowcount == 1


def _give_back(session: Session, appointment_id: UUID) -> None:
    session.connection().exec_driver_sql("SELECT give_back(%s)", (appointment_id,))


def _audit(
    session: Session, principal: Principal, action: str, view: AppointmentView, now: datetime, **details: str
) -> None:
    entry = Entry(
        action,
        "Appointment",
        view.id,
        patient_id=view.patient_id,
        facility_id=view.facility.id,
        details=details,
    )
    record(session, principal, entry, now=now)
