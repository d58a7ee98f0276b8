"""Booking a place, or confirming a hold.

The hot path is six round trips: BEGIN, enter, read, messages, write, COMMIT. What must be atomic
and fast lives in the SQL functions of migration 0019; the rules are asked here first, so that most
refusals cost no write.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from notifications import Outbox, Recipient
from telehealth.booking import idempotency, messages
from telehealth.booking.codes import AppointmentStatus, CoverageBasis, PriceClass
from telehealth.booking.conditions import keep_condition
from telehealth.booking.errors import NoPatient
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.queries import AppointmentView
from telehealth.booking.remote import RemoteNeed, StatedCondition, stated_condition
from telehealth.booking.rules import (
    DEFAULT_POLICIES,
    Policies,
    check_bound,
    check_hold,
    check_length,
    check_load,
    check_open,
    check_place,
)
from telehealth.booking.services.context import (
    Context,
    Replay,
    account_of,
    blocks,
    check_delegated,
    check_reach,
    check_right,
    checked_slot,
    context_of,
    context_once,
    holder_of,
    place_of,
    raise_refusal,
    range_of,
    slot_parameters,
)
from telehealth.booking.services.identity import identity_limits
from telehealth.booking.services.orders import CODE_LENGTH, BookingRequest
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.crypto import FieldCipher
from telehealth.core.ids import new_code, new_id
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.directory.queries import Prices
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import FacilityRef, PractitionerRef, ServiceRef
from telehealth.scheduling.rules import SlotId, door_of


@dataclass(frozen=True, slots=True)
class Once:
    """The key that a booking is done once under, and how its answer is written."""

    key: RequestKey
    answer: Callable[[AppointmentView], bytes]


def book(
    session: Session,
    principal: Principal,
    request: BookingRequest,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
    policies: Policies = DEFAULT_POLICIES,
) -> AppointmentView:
    """Book a slot or confirm a hold, with everything that belongs to it, in the caller's transaction.

    Raises what hold() raises, and NoPatient, PatientBusy, TooManyBookings, TooManyThatDay,
    TooManyWithPractitioner, HoldUnknown, HoldExpired, HoldNotYours, OutsideValidity, OverbookFull,
    OverrideNotOnline, Forbidden. After any of them the caller must roll back.
    """
    context = context_of(
        session,
        principal,
        slot_id=request.slot_id,
        hold_id=request.hold_id,
        patient_id=request.patient_id,
        now=now,
    )
    plan = _plan(context, principal, request, now=now, cipher=cipher, policies=policies)
    _carry_out(session, principal, plan, outbox=outbox, links=links, now=now, cipher=cipher)
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
    links: AnswerLinks,
    policies: Policies = DEFAULT_POLICIES,
) -> bytes:
    """Book like `book`, once per key: a replay gets the first answer, byte for byte.

    Raises what `book` raises, and KeyReused.
    """
    key = once.key
    context = context_once(session, principal, request, key, now)
    if isinstance(context, Replay):
        return idempotency.replayed(key, context.request_hash, context.response_sealed, cipher)
    plan = _plan(context, principal, request, now=now, cipher=cipher, policies=policies)
    told = once.answer(plan.view)
    stored = _Stored(key, told, cipher.seal(told, key.context.encode()))
    _carry_out(session, principal, plan, outbox=outbox, links=links, now=now, cipher=cipher, stored=stored)
    return told


@dataclass(frozen=True, slots=True)
class _Stored:
    key: RequestKey
    answer: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Plan:
    """A booking that the rules allow, ready to be written."""

    view: AppointmentView
    context: Context
    confirm: bool
    reason_sealed: bytes | None
    recipient: Recipient | None
    request: BookingRequest
    door: str
    why_sealed: bytes | None
    condition: StatedCondition | None


_BOOK = """SELECT book_appointment(%(confirm)s, %(id)s, %(code)s, %(session)s, %(version)s, %(facility)s,
    %(practitioner)s, %(service)s, %(modality)s, %(start)s, %(end)s, %(channel)s, %(door)s, %(over)s,
    %(why_sealed)s, %(bound)s, %(patient)s, %(account)s, %(holder)s, %(price_class)s, %(coverage_basis)s,
    %(companion)s, %(reason_sealed)s, %(consent_purpose)s, %(consent_version)s, %(actor_kind)s, %(actor)s,
    %(access_session)s, %(details)s::jsonb, %(principal)s, %(route)s, %(key)s, %(status)s, %(response)s,
    %(now)s)"""


_CREATED = 201


def _plan(
    context: Context,
    principal: Principal,
    request: BookingRequest,
    *,
    now: datetime,
    cipher: FieldCipher,
    policies: Policies,
) -> _Plan:
    """Ask the rules; return what is to be written."""
    check_reach(principal, context.facility_id, request.channel)
    check_length(request.reason)
    if context.patient_id is None:
        raise NoPatient
    over, override = request.overbook is not None, request.override is not None
    if over or override:
        check_right(context, principal, request.channel)
    check_delegated(principal, context.patient_id)
    confirm = context.hold_id is not None
    start = checked_slot(context, request.channel, policies, now, override=over or override, held=confirm)
    condition = stated_condition(context.modality, request.need or RemoteNeed())
    _check_place(context, principal, request, start)
    if request.bound is not None:
        check_bound(start, request.bound.from_, request.bound.until)
    check_load(context.load, policies.booking[request.channel])
    view = _booked_view(context, principal, request, start, now)
    return _Plan(
        view=view,
        context=context,
        confirm=confirm,
        reason_sealed=cipher.seal_text(request.reason, f"appointment.reason_sealed:{view.id}"),
        why_sealed=cipher.seal_text(
            request.overbook or request.override, f"appointment.overbook_reason_sealed:{view.id}"
        ),
        door=door_of(request.channel, request.referring_level),
        request=request,
        recipient=messages.reachable(
            (
                messages.Address(
                    "patient", context.patient_id, context.patient_phone_sealed, context.patient_email_sealed
                ),
                messages.Address(
                    "patient",
                    context.guardian_id,
                    context.guardian_phone_sealed,
                    context.guardian_email_sealed,
                ),
                messages.Address(
                    "account",
                    context.family_account,
                    context.account_phone_sealed,
                    context.account_email_sealed,
                ),
            ),
            context.patient_language or "vi",
            cipher,
            owner=context.family_account,
        ),
        condition=condition,
    )


def _check_place(context: Context, principal: Principal, request: BookingRequest, start: datetime) -> None:
    """Ask whether the place can be had, or whether the hold on it is the caller's and lives."""
    blocked = blocks(context, principal, override=request.override is not None)
    if context.hold_id is not None:
        check_hold(context.hold_by, holder_of(principal), live=bool(context.hold_live))
        check_open(context.session_status, blocked=blocked)
        return
    place = place_of(context, start, blocked=blocked)
    if request.overbook is not None:
        place = replace(place, taken=0)
    check_place(place, online=request.channel == Channel.ONLINE)


def _carry_out(
    session: Session,
    principal: Principal,
    plan: _Plan,
    *,
    outbox: Outbox,
    links: AnswerLinks,
    now: datetime,
    cipher: FieldCipher,
    stored: _Stored | None = None,
) -> None:
    """Write the plan: the messages first, so that the locks of the ledger are held the shortest."""
    tell = messages.booked if plan.request.announced else messages.reminders
    told = tell(plan.view, plan.recipient, links=links, now=now)
    if told:
        fetch_one(session, *outbox.statement(told, now=now))
    with identity_limits():
        outcome = fetch_one(session, _BOOK, _booking_parameters(principal, plan, stored, now))
    raise_refusal(outcome[0] if outcome else "", plan.context, plan.door)
    if plan.condition is not None:
        keep_condition(session, plan.view.id, plan.condition, now=now, cipher=cipher)


def _booking_parameters(
    principal: Principal, plan: _Plan, stored: _Stored | None, now: datetime
) -> dict[str, Any]:
    view, request = plan.view, plan.request
    consent = request.consent
    return {
        **slot_parameters(plan.context, view.start),
        **_stored_parameters(stored),
        "confirm": plan.confirm,
        "id": view.id,
        "code": view.code,
        "channel": view.channel,
        "door": plan.door,
        "over": view.overbooked,
        "why_sealed": plan.why_sealed,
        "bound": range_of(request.bound),
        "patient": view.patient_id,
        "account": view.account_id,
        "holder": holder_of(principal),
        "price_class": view.price_class,
        "coverage_basis": view.coverage_basis,
        "companion": view.companion,
        "reason_sealed": plan.reason_sealed,
        "consent_purpose": consent.purpose if consent else None,
        "consent_version": consent.text_version if consent else None,
        "actor_kind": principal.kind.value,
        "actor": principal.id or principal.device_id,
        "access_session": principal.session_id,
        "details": json.dumps(_details(plan)),
        "now": now,
    }


def _details(plan: _Plan) -> dict[str, Any]:
    """Return what the audit trail keeps: that rules were passed over, not why (that is sealed)."""
    details = {"channel": plan.view.channel, "hold": plan.confirm}
    return details | ({"override": True} if plan.request.override is not None else {})


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


def _booked_view(
    context: Context, principal: Principal, request: BookingRequest, start: datetime, now: datetime
) -> AppointmentView:
    insured = request.coverage_basis != CoverageBasis.NONE and context.price_insured is not None
    return AppointmentView(
        id=context.hold_id or new_id(),
        code=context.hold_code or new_code(CODE_LENGTH),
        status=AppointmentStatus.BOOKED,
        version=(context.hold_version or 0) + 1,
        start=start,
        end=start + context.visit,
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
        account_id=account_of(principal),
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
        agreed_at=now,
        overbooked=request.overbook is not None,
        cancel_notice_minutes=context.cancel_notice_minutes,
        bound_from=request.bound.from_ if request.bound else None,
        bound_until=request.bound.until if request.bound else None,
        others_that_day=context.same_day_count,
    )
