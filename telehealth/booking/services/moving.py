"""Another time: moving an appointment, and what to offer instead of a slot that is gone."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import messages
from telehealth.booking.errors import OtherService, SlotTaken
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import (
    DEFAULT_POLICIES,
    Policies,
    check_bound,
    check_load,
    check_move,
    check_place,
)
from telehealth.booking.services.context import (
    CONTEXT,
    Context,
    answered,
    blocks,
    check_reach,
    check_right,
    checked_slot,
    place_of,
    question,
    raise_refusal,
    slot_parameters,
)
from telehealth.booking.services.identity import identity_limits
from telehealth.booking.services.ledger import end_disruption, found_appointment, note, withdraw_offers
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import local
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots, slot_by_id
from telehealth.scheduling.rules import door_of


@dataclass(frozen=True, slots=True)
class Move:
    """To which slot, from which version of the appointment, by which door.

    `referring_level`, `overbook`, `override`: as in BookingRequest. `elsewhere`: the same service at another
    facility will do, for a place that was offered there and accepted.
    """

    slot_id: str
    version: int
    channel: str = Channel.ONLINE
    referring_level: str | None = None
    overbook: str | None = None
    override: str | None = None
    elsewhere: bool = False


def alternatives(
    session: Session, slot_id: str, *, now: datetime, count: int = 3, channel: str = Channel.ONLINE
) -> list[SlotView]:
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
        channel=channel,
    )
    return next_free(session, query, now=now)


def next_free(session: Session, query: SlotQuery, *, now: datetime) -> list[SlotView]:
    """Return the free slots of a search, filled up from the whole province, from now on."""
    found = earliest_slots(session, query, now=now)
    if len(found) < query.limit:
        anywhere = replace(query, facility_id=None, from_=None, limit=query.limit + len(found))
        known = {slot.id for slot in found}
        found += [slot for slot in earliest_slots(session, anywhere, now=now) if slot.id not in known]
    return found[: query.limit]


def reschedule(
    session: Session,
    principal: Principal,
    appointment_id: UUID,
    move: Move,
    *,
    now: datetime,
    cipher: FieldCipher,
    outbox: Outbox,
    links: AnswerLinks,
    policies: Policies = DEFAULT_POLICIES,
) -> AppointmentView:
    """Move an appointment to another slot of the same service; its id and code stay.

    What was to be said of the old time is taken back, the new time is told. By the rules of the door
    that the mover comes by. Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver,
    TooLateToMove, OtherService, OutsideValidity and what `book` raises; then the caller must roll back,
    and everything is as it was.
    """
    view = found_appointment(session, appointment_id)
    if view.version != move.version:
        raise PreconditionFailed
    bound_by_door = move.channel == Channel.ONLINE and not move.elsewhere
    check_move(view.status, view.start, view.cut_off, now, staff=not bound_by_door)
    asked = question(None, move.slot_id, None, view.patient_id, now)
    context = answered(fetch_one(session, CONTEXT, asked), None)
    start = checked_move(context, principal, view, move, now, policies)
    if context.facility_id != view.facility.id:
        _take_elsewhere(session, view, context, now)
    why = cipher.seal_text(move.overbook or move.override, f"appointment.overbook_reason_sealed:{view.id}")
    with identity_limits():
        outcome = _moved(session, context, view, start, move, why, now)
    raise_refusal(outcome, context, door_of(move.channel, move.referring_level))
    withdraw_offers(session, appointment_id, now)
    end_disruption(session, appointment_id, now)
    moved = found_appointment(session, appointment_id)
    told = []
    if view.patient_id is not None:
        to = recipient_of(session, view.patient_id, view.account_id, cipher)
        told = messages.moved(moved, to, links=links, now=now)
    outbox.replace(session, appointment_id, told, now=now)
    note(session, principal, "booking.reschedule", view, now, slot=view.slot_id, to=moved.slot_id)
    return moved


def _take_elsewhere(session: Session, view: AppointmentView, context: Context, now: datetime) -> None:
    """Let the appointment belong to the other facility. Raises OtherService without an accepted offer."""
    taken = fetch_one(
        session,
        "SELECT take_elsewhere(%(id)s, %(session)s, %(now)s)",
        {"id": view.id, "session": context.session_id, "now": now},
    )
    if taken is None or not taken[0]:
        raise OtherService


_MOVE = """SELECT move_appointment(%(id)s, %(appointment_version)s, %(session)s, %(version)s, %(start)s,
    %(end)s, %(channel)s, %(door)s, %(over)s, %(why_sealed)s, %(now)s)"""


def checked_move(
    context: Context,
    principal: Principal,
    view: AppointmentView,
    move: Move,
    now: datetime,
    policies: Policies = DEFAULT_POLICIES,
) -> datetime:
    """Return the new start. Whether the place is free only the claim can tell: the old one may overlap it."""
    over, override = move.overbook is not None, move.override is not None
    if over or override:
        check_right(context, principal, move.channel)
    check_reach(principal, context.facility_id, move.channel)
    same = context.service_id == view.service.id or (
        move.elsewhere and context.service_code == view.service.code
    )
    if not same or context.modality != view.modality:
        raise OtherService
    if move.slot_id == view.slot_id and over == view.overbooked:
        raise SlotTaken
    start = checked_slot(context, move.channel, policies, now, override=over or override)
    check_bound(start, view.bound_from, view.bound_until)
    place = place_of(context, start, blocked=blocks(context, principal, override=override))
    check_place(replace(place, taken=0), online=move.channel == Channel.ONLINE)
    booked_it = view.account_id is not None and view.account_id == principal.id
    same_day = local(view.start).date() == context.business_date
    load = context.load
    others = replace(
        load,
        active=load.active - 1,
        same_day=load.same_day - same_day,
        same_practitioner=load.same_practitioner - (view.practitioner.id == context.practitioner_id),
        account=max(0, load.account - booked_it),
        account_day=max(0, load.account_day - (booked_it and same_day)),
    )
    check_load(others, policies.booking[move.channel])
    return start


def _moved(
    session: Session,
    context: Context,
    view: AppointmentView,
    start: datetime,
    move: Move,
    why_sealed: bytes | None,
    now: datetime,
) -> str:
    parameters = slot_parameters(context, start) | {
        "id": view.id,
        "appointment_version": view.version,
        "channel": move.channel,
        "door": door_of(move.channel, move.referring_level),
        "over": move.overbook is not None,
        "why_sealed": why_sealed,
        "now": now,
    }
    row = fetch_one(session, _MOVE, parameters)
    return "" if row is None else str(row[0])
