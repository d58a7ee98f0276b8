"""Another time: moving an appointment, and what to offer instead of a slot that is gone."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from notifications import Outbox
from telehealth.booking import messages
from telehealth.booking.errors import OtherService
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import DEFAULT_POLICIES, Load, check_load, check_move, check_place
from telehealth.booking.services.context import (
    CONTEXT,
    Context,
    answered,
    check_reach,
    checked_slot,
    place_of,
    question,
    slot_parameters,
)
from telehealth.booking.services.ledger import (
    end_disruption,
    found_appointment,
    note,
    raise_refusal,
    withdraw_offers,
)
from telehealth.core.answer_link import AnswerLinks
from telehealth.core.clock import local
from telehealth.core.crypto import FieldCipher
from telehealth.core.errors import PreconditionFailed
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.patients.queries import recipient_of
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots, slot_by_id


@dataclass(frozen=True, slots=True)
class Move:
    """To which slot, from which version of the appointment, by which door."""

    slot_id: str
    version: int
    channel: str = Channel.ONLINE


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
) -> AppointmentView:
    """Move an appointment to another slot of the same service; its id and code stay.

    What was to be said of the old time is taken back, the new time is told. By the rules of the door
    that the mover comes by. Raises NotFound, PreconditionFailed, AlreadyArrived, AppointmentOver,
    TooLateToMove, OtherService and what `book` raises; then the caller must roll back, and everything
    is as it was.
    """
    view = found_appointment(session, appointment_id)
    if view.version != move.version:
        raise PreconditionFailed
    check_move(view.status, view.start, now)
    asked = question(None, move.slot_id, None, view.patient_id, now)
    context = answered(fetch_one(session, CONTEXT, asked), None)
    start = checked_move(context, principal, view, move.channel, now)
    raise_refusal(_moved(session, context, view, start, move.channel, now))
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


_MOVE = """SELECT move_appointment(%(id)s, %(appointment_version)s, %(session)s, %(version)s, %(capacity)s,
    %(practitioner)s, %(start)s, %(end)s, %(channel)s, %(now)s)"""


def checked_move(
    context: Context,
    principal: Principal,
    view: AppointmentView,
    channel: str,
    now: datetime,
) -> datetime:
    """Return the new start. Whether the place is free only the claim can tell: the old one may overlap it."""
    check_reach(principal, context.facility_id, channel)
    if (context.service_id, context.modality) != (view.service.id, view.modality):
        raise OtherService
    start = checked_slot(context, channel, DEFAULT_POLICIES, now)
    place = replace(place_of(context, start), taken=0)
    check_place(place, online=channel == Channel.ONLINE)
    others = Load(
        context.active_count - 1,
        context.same_day_count - (local(view.start).date() == context.business_date),
        context.same_practitioner_count - (view.practitioner.id == context.practitioner_id),
    )
    check_load(others, DEFAULT_POLICIES.booking[channel])
    return start


def _moved(
    session: Session, context: Context, view: AppointmentView, start: datetime, channel: str, now: datetime
) -> str:
    parameters = slot_parameters(context, start) | {
        "id": view.id,
        "appointment_version": view.version,
        "channel": channel,
        "now": now,
    }
    row = fetch_one(session, _MOVE, parameters)
    return "" if row is None else str(row[0])
