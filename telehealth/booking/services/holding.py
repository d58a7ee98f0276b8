"""Keeping a slot for a few minutes, and giving it back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking.errors import HoldUnknown, OnlineQuotaFull, SlotTaken, TooManyHolds
from telehealth.booking.rules import DEFAULT_POLICIES, Policies, check_place
from telehealth.booking.services.context import (
    CONTEXT,
    account_of,
    answered,
    check_reach,
    checked_slot,
    context_of,
    holder_of,
    place_of,
    question,
    raise_refusal,
    slot_parameters,
)
from telehealth.booking.services.identity import identity_limits
from telehealth.booking.services.ledger import give_back
from telehealth.booking.services.orders import CODE_LENGTH
from telehealth.core.errors import Conflict, DomainError
from telehealth.core.ids import new_code, new_id
from telehealth.core.principal import Principal
from telehealth.core.sql import fetch_one
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import slot_by_id
from telehealth.scheduling.rules import SlotId, door_of


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot kept for somebody until `expires_at`."""

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
    seconds: int | None = None,
    offer: UUID | None = None,
) -> Hold:
    """Keep a slot for the caller for a few minutes; a hold that they have on it already is given again.

    `seconds`: how long instead, for a place kept for somebody who has yet to be asked: `offer` then holds it,
    and it can be confirmed and given back only through that.

    Raises SlotUnknown, SlotInPast, SlotTooSoon, NotOpenYet, SlotTooFar, RestrictedToDesk, SlotClosed,
    NotBookableOnline, TimeBlocked, SlotTaken, ResourceBusy, OnlineQuotaFull, DoorQuotaFull,
    PractitionerDayFull, TooManyHolds.
    """
    holder = holder_of(principal) if offer is None else f"offer:{offer}"
    _one_hold_at_a_time(session, holder)
    found = context_of(session, principal, slot_id=slot_id, hold_id=None, patient_id=None, now=now)
    if found.hold_id is not None and offer is None:
        return _held(session, found.hold_id, slot_id)
    check_reach(principal, found.facility_id, channel)
    start = checked_slot(found, channel, policies, now)
    check_place(place_of(found, start), online=channel == Channel.ONLINE)
    _check_holds(session, holder, policies.booking[channel].holds_per_account)
    identifier = new_id()
    door = door_of(channel)
    with identity_limits():
        outcome, expires_at = (
            session.connection()
            .exec_driver_sql(
                _HOLD,
                {
                    **slot_parameters(found, start),
                    "id": identifier,
                    "code": new_code(CODE_LENGTH),
                    "channel": channel,
                    "door": door,
                    "account": account_of(principal),
                    "holder": holder,
                    "seconds": seconds or found.hold_seconds or policies.booking[channel].hold_seconds,
                    "now": now,
                },
            )
            .one()
        )
    raise_refusal(outcome, found, door)
    return Hold(identifier, slot_id, expires_at)


def hindrance(
    session: Session,
    principal: Principal | None,
    slot_id: str,
    *,
    now: datetime,
    channel: str = Channel.ONLINE,
    policies: Policies = DEFAULT_POLICIES,
) -> DomainError | None:
    """Return what `hold` would say of a slot to anybody, or None when it may be held or the caller holds it.

    What only taking it decides is told as SlotTaken. Raises SlotUnknown.
    """
    asked = question(principal, slot_id, None, None, now)
    found = answered(fetch_one(session, CONTEXT, asked), None)
    if found.hold_id is not None:
        return None
    online = channel == Channel.ONLINE
    try:
        start = checked_slot(found, channel, policies, now)
        check_place(place_of(found, start), online=online)
    except Conflict as refusal:
        return refusal
    if online and found.online_left <= 0:
        return OnlineQuotaFull()
    seen = slot_by_id(session, slot_id, now, channel=channel)
    return None if seen is not None and seen.free else SlotTaken()


def hold_among(
    session: Session,
    holder: str,
    *,
    facility_id: UUID,
    service_code: str,
    modality: str | None,
    from_: datetime,
    to: datetime,
) -> Hold | None:
    """Return a hold that somebody has on a slot of a service at a facility in a period, or None.

    Their other holds wait from here on, so that what is pressed twice is held once.
    """
    _one_hold_at_a_time(session, holder)
    row = (
        session.connection()
        .exec_driver_sql(
            _AMONG,
            {
                "holder": holder,
                "facility": facility_id,
                "service": service_code,
                "modality": modality,
                "from": from_,
                "to": to,
            },
        )
        .first()
    )
    if row is None:
        return None
    return Hold(row.id, str(SlotId(row.session_id, row.minute)), row.hold_until)


def release(session: Session, principal: Principal, hold_id: UUID, *, now: datetime) -> None:
    """Give a hold back. One of one's own that is over already is left as it is. Raises HoldUnknown."""
    holder = holder_of(principal)
    _one_hold_at_a_time(session, holder)
    row = (
        session.connection()
        .exec_driver_sql(
            """UPDATE appointment SET status = 'expired', version = version + 1, updated_at = %(now)s
                WHERE id = %(id)s AND status = 'held' AND held_by = %(holder)s RETURNING id""",
            {"id": hold_id, "holder": holder, "now": now},
        )
        .one_or_none()
    )
    if row is not None:
        give_back(session, hold_id)
    elif not _was_theirs(session, holder, hold_id):
        raise HoldUnknown


_HOLD = """SELECT * FROM hold_slot(%(id)s, %(code)s, %(session)s, %(version)s, %(facility)s,
    %(practitioner)s, %(service)s, %(modality)s, %(start)s, %(end)s, %(channel)s, %(door)s, %(account)s,
    %(holder)s, %(seconds)s, %(now)s)"""

_AMONG = """
SELECT a.id, a.hold_until, s.id AS session_id,
       s.start_minute + (extract(epoch FROM a.start_at - s.start_at) / 60)::int AS minute
  FROM appointment a
  JOIN clinic_session s ON s.id = a.clinic_session_id
 WHERE a.held_by = %(holder)s AND a.status = 'held' AND a.hold_until > app_clock()
   AND a.facility_id = %(facility)s AND s.service_code = %(service)s
   AND (%(modality)s::text IS NULL OR a.modality = %(modality)s)
   AND a.start_at >= %(from)s AND a.start_at < %(to)s
 ORDER BY a.start_at LIMIT 1
"""


def _held(session: Session, hold_id: UUID, slot_id: str) -> Hold:
    row = (
        session.connection()
        .exec_driver_sql("SELECT hold_until FROM appointment WHERE id = %s", (hold_id,))
        .one()
    )
    return Hold(hold_id, slot_id, row.hold_until)


def _one_hold_at_a_time(session: Session, holder: str) -> None:
    """Let a holder's holds wait for each other, before any row is locked, so that their limit holds."""
    session.connection().exec_driver_sql(
        "SELECT pg_advisory_xact_lock(hashtextextended('holds:' || %s::text, 0))", (holder,)
    )


def _was_theirs(session: Session, holder: str, hold_id: UUID) -> bool:
    found = session.connection().exec_driver_sql(
        "SELECT 1 FROM appointment WHERE id = %s AND held_by = %s", (hold_id, holder)
    )
    return found.one_or_none() is not None


def _check_holds(session: Session, holder: str, limit: int) -> None:
    held = (
        session.connection()
        .exec_driver_sql(
            """SELECT count(*) FROM appointment
                WHERE held_by = %s AND status = 'held' AND hold_until > app_clock()""",
            (holder,),
        )
        .scalar_one()
    )
    if held >= limit:
        raise TooManyHolds(limit=limit)
