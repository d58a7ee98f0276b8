"""What the rules ask about one slot, one hold and one patient: read in one round trip."""

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking.errors import HoldUnknown
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.policies import RECEPTION
from telehealth.booking.rules import Place, Policies, check_time
from telehealth.booking.services.orders import BookingRequest
from telehealth.core.clock import at_local
from telehealth.core.errors import Forbidden
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.sql import Row, fetch_one
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.queries import on_grid
from telehealth.scheduling.rules import SlotId

_ANYWHERE = (PrincipalKind.PATIENT, PrincipalKind.SYSTEM, PrincipalKind.LINK)


class Context(NamedTuple):
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


class Replay(NamedTuple):
    """What was stored under a key that is not new."""

    request_hash: bytes
    response_sealed: bytes


CONTEXT = """SELECT c.*
FROM booking_context(%(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(now)s) c"""


_CONTEXT_ONCE = """SELECT r.request_hash, r.response_sealed, c.*
FROM remember_request(%(principal)s, %(route)s, %(key)s, %(hash)s, %(now)s) r
LEFT JOIN LATERAL booking_context(%(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(now)s) c
  ON r.fresh"""


def context_of(
    session: Session,
    principal: Principal,
    *,
    slot_id: str | None,
    hold_id: UUID | None,
    patient_id: UUID | None,
    now: datetime,
) -> Context:
    """Read all that the rules ask, in one round trip. Raises SlotUnknown, HoldUnknown."""
    asked = question(account_of(principal), slot_id, hold_id, patient_id, now)
    return answered(fetch_one(session, CONTEXT, asked), hold_id)


def context_once(
    session: Session, principal: Principal, request: BookingRequest, key: RequestKey, now: datetime
) -> Context | Replay:
    """Take the key and read as context_of() does, in one round trip; or return what the key stands for."""
    named = {"principal": key.principal, "route": key.route, "key": key.key, "hash": key.request_hash}
    asked = question(account_of(principal), request.slot_id, request.hold_id, request.patient_id, now)
    row = fetch_one(session, _CONTEXT_ONCE, asked | named)
    if row is not None and row[0] is not None:
        return Replay(row[0], row[1])
    return answered(row and row[2:], request.hold_id)


def question(
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


def answered(row: Row | None, hold_id: UUID | None) -> Context:
    if row is None or row[0] is None:
        raise HoldUnknown if hold_id is not None else SlotUnknown
    found = Context._make(row)
    if hold_id is not None and found.hold_id is None:
        raise HoldUnknown
    return found


def slot_parameters(context: Context, start: datetime) -> dict[str, Any]:
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


def checked_slot(context: Context, channel: str, policies: Policies, now: datetime) -> datetime:
    """Return the slot's start. Raises SlotUnknown, SlotInPast, SlotTooSoon, SlotTooFar."""
    if not on_grid(context.minute, context.start_minute, context.slot_minutes, context.slot_count):
        raise SlotUnknown
    start = at_local(context.business_date, context.minute)
    check_time(start, policies.slots[channel], now)
    return start


def place_of(context: Context, start: datetime) -> Place:
    return Place(
        start=start,
        session_status=context.session_status,
        service_online=context.service_online,
        capacity=context.capacity,
        taken=context.taken,
    )


def check_reach(principal: Principal, facility_id: UUID, channel: str) -> None:
    """Patients book anywhere, and a desk for them by the same door; others where they belong.

    Raises Forbidden.
    """
    on_behalf = channel == Channel.ONLINE and principal.has_any(RECEPTION)
    anywhere = on_behalf or principal.kind in _ANYWHERE
    if not anywhere and facility_id not in principal.facilities():
        raise Forbidden


def check_delegated(principal: Principal, patient_id: UUID) -> None:
    """Whoever acts for the patient by their word books only as far as that goes. Raises Forbidden."""
    if patient_id in principal.delegated and not principal.acts_for(patient_id, "booking.book"):
        raise Forbidden


def account_of(principal: Principal) -> UUID | None:
    """Return the account that acts; a kiosk and other systems have none."""
    return principal.id if principal.kind in (PrincipalKind.PATIENT, PrincipalKind.STAFF) else None
