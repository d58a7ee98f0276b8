"""What the rules ask about one slot, one hold and one patient: read in one round trip."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.range import TimestamptzRange
from sqlalchemy.orm import Session

from telehealth.booking.errors import HoldUnknown, OverrideNotOnline
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.policies import CARE, RECEPTION, AppointmentScope, may_overbook
from telehealth.booking.rules import (
    Kept,
    Load,
    Place,
    Policies,
    Times,
    check_restriction,
    check_time,
    refusal_of,
)
from telehealth.booking.services.orders import BookingRequest, Bound
from telehealth.core.clock import at_local
from telehealth.core.errors import Forbidden
from telehealth.core.principal import Principal, PrincipalKind, Role
from telehealth.core.sql import Row, fetch_one
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.rules import SlotId, on_grid

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
    lead_minutes: int
    tail_minutes: int
    opens_at: datetime | None
    notice_minutes: int | None
    overbook_most: int
    online_left: int
    places_left: int
    quotas: list[tuple[str, int, float]] | None
    blockings: list[tuple[list[str], list[str]]] | None
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
    hold_seconds: int | None
    cancel_notice_minutes: int | None
    practitioner_id: UUID
    practitioner_licence: str
    practitioner_name: str
    practitioner_title: str
    practitioner_specialty: str
    hold_id: UUID | None
    hold_by: str | None
    hold_live: bool | None
    hold_code: str | None
    hold_version: int | None
    hold_channel: str | None
    patient_id: UUID | None
    patient_name: str | None
    patient_phone_sealed: bytes | None
    patient_email_sealed: bytes | None
    patient_language: str | None
    guardian_id: UUID | None
    guardian_phone_sealed: bytes | None
    guardian_email_sealed: bytes | None
    family_account: UUID | None
    account_phone_sealed: bytes | None
    account_email_sealed: bytes | None
    restriction: str | None
    active_count: int
    same_day_count: int
    same_practitioner_count: int
    account_count: int
    account_day_count: int

    @property
    def visit(self) -> timedelta:
        """Return how long the patient's part of a slot is."""
        return timedelta(minutes=self.slot_minutes - self.lead_minutes - self.tail_minutes)

    @property
    def kept(self) -> list[Kept]:
        """Return what doors keep of the session's places."""
        return [
            Kept(door, places, datetime.fromtimestamp(falls_at, UTC))
            for door, places, falls_at in self.quotas or ()
        ]

    @property
    def load(self) -> Load:
        """Return what limits ask."""
        return Load(
            self.active_count,
            self.same_day_count,
            self.same_practitioner_count,
            self.account_count,
            self.account_day_count,
        )


class Replay(NamedTuple):
    """What was stored under a key that is not new."""

    request_hash: bytes
    response_sealed: bytes


CONTEXT = """SELECT c.*
FROM booking_context(%(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(holder)s, %(now)s) c"""


_CONTEXT_ONCE = """SELECT r.request_hash, r.response_sealed, c.*
FROM remember_request(%(principal)s, %(route)s, %(key)s, %(hash)s, %(now)s) r
LEFT JOIN LATERAL booking_context(
    %(session)s, %(minute)s, %(hold)s, %(patient)s, %(account)s, %(holder)s, %(now)s) c
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
    asked = question(principal, slot_id, hold_id, patient_id, now)
    return answered(fetch_one(session, CONTEXT, asked), hold_id)


def context_once(
    session: Session, principal: Principal, request: BookingRequest, key: RequestKey, now: datetime
) -> Context | Replay:
    """Take the key and read as context_of() does, in one round trip; or return what the key stands for."""
    named = {"principal": key.principal, "route": key.route, "key": key.key, "hash": key.request_hash}
    asked = question(principal, request.slot_id, request.hold_id, request.patient_id, now)
    row = fetch_one(session, _CONTEXT_ONCE, asked | named)
    if row is not None and row[0] is not None:
        return Replay(row[0], row[1])
    return answered(row and row[2:], request.hold_id)


def question(
    principal: Principal | None,
    slot_id: str | None,
    hold_id: UUID | None,
    patient_id: UUID | None,
    now: datetime,
) -> dict[str, Any]:
    """Return what is asked; without a principal nobody's own holds and account are."""
    slot = None if slot_id is None else SlotId.parse(slot_id)
    if slot is None and hold_id is None:
        raise SlotUnknown
    return {
        "session": None if slot is None else slot.session_id,
        "minute": None if slot is None else slot.minute,
        "hold": hold_id,
        "patient": patient_id,
        "account": None if principal is None else account_of(principal),
        "holder": None if principal is None else holder_of(principal),
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
        "facility": context.facility_id,
        "practitioner": context.practitioner_id,
        "service": context.service_id,
        "modality": context.modality,
        "start": start,
        "end": start + context.visit,
    }


def checked_slot(
    context: Context,
    channel: str,
    policies: Policies,
    now: datetime,
    *,
    override: bool = False,
    held: bool = False,
) -> datetime:
    """Return the slot's start. `held`: by who takes it.

    Raises SlotUnknown, SlotInPast, SlotTooSoon, NotOpenYet, SlotTooFar, RestrictedToDesk.
    """
    first = context.start_minute + context.lead_minutes
    if not on_grid(context.minute, first, context.slot_minutes, context.slot_count):
        raise SlotUnknown
    start = at_local(context.business_date, context.minute)
    times = Times(start, start + context.visit, context.opens_at, context.notice_minutes)
    check_time(times, policies.slots[channel], now, override=override, held=held)
    if channel == Channel.ONLINE:
        check_restriction(context.restriction, context.service_code, context.facility_hotline)
    return start


def place_of(context: Context, start: datetime, *, blocked: bool | None = None) -> Place:
    return Place(
        start=start,
        session_status=context.session_status,
        service_online=context.service_online,
        capacity=context.capacity,
        taken=context.taken,
        blocked=bool(context.blockings) if blocked is None else blocked,
    )


def blocks(context: Context, principal: Principal, *, override: bool) -> bool:
    """Tell whether a blocking stands in the way: whoever overrides must be named by every one."""
    if not context.blockings:
        return False
    return not override or not all(
        principal.holds_at(context.facility_id, *map(Role, roles)) or str(principal.id) in accounts
        for roles, accounts in context.blockings
    )


def check_right(context: Context, principal: Principal, channel: str) -> None:
    """Ask whether somebody may book beside or against the rules here. Raises OverrideNotOnline, Forbidden."""
    if channel == Channel.ONLINE:
        raise OverrideNotOnline
    scope = AppointmentScope(context.facility_id, practitioner_id=context.practitioner_id)
    if not may_overbook(principal, scope):
        raise Forbidden


def raise_refusal(outcome: str, context: Context, door: str) -> None:
    """Raise what the ledger refused with."""
    if outcome != "ok":
        raise refusal_of(outcome, context.kept, door)


def range_of(bound: Bound | None) -> TimestamptzRange | None:
    return None if bound is None else TimestamptzRange(bound.from_, bound.until)


def check_reach(principal: Principal, facility_id: UUID, channel: str) -> None:
    """Patients book anywhere, a desk for them by the same door, and whoever refers by the referral's; others
    where they belong.

    Raises Forbidden.
    """
    on_behalf = channel == Channel.ONLINE and principal.has_any(RECEPTION)
    refers = channel == Channel.REFERRAL and principal.has_any(CARE)
    anywhere = on_behalf or refers or principal.kind in _ANYWHERE
    if not anywhere and facility_id not in principal.facilities():
        raise Forbidden


def check_delegated(principal: Principal, patient_id: UUID) -> None:
    """Whoever acts for the patient by their word books only as far as that goes. Raises Forbidden."""
    if patient_id in principal.delegated and not principal.acts_for(patient_id, "booking.book"):
        raise Forbidden


def account_of(principal: Principal) -> UUID | None:
    """Return the account that acts; a kiosk and other systems have none."""
    return principal.id if principal.kind in (PrincipalKind.PATIENT, PrincipalKind.STAFF) else None


def holder_of(principal: Principal) -> str:
    """Return the name that holds are kept by: everybody has one, with or without an account."""
    return f"{principal.kind}:{principal.id or principal.device_id}"
