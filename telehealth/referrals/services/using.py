"""Spending a slip on an appointment, and the times it may be spent on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from telehealth.booking import services as booking
from telehealth.booking.codes import CoverageBasis
from telehealth.booking.queries import AppointmentView
from telehealth.booking.remote import RemoteNeed
from telehealth.booking.services import BookingRequest, ConsentGiven
from telehealth.booking.services.orders import Bound
from telehealth.core.clock import at_local, business_date
from telehealth.core.ids import new_id
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.directory.codes import Modality
from telehealth.referrals.codes import EventKind, OwnerRole, RequestKind, RequestOrigin, RequestStatus
from telehealth.referrals.errors import DateShifted, OutsideValidity, SlipElsewhere, SlipSpent
from telehealth.referrals.queries import RequestView
from telehealth.referrals.rules import LATEST_SIGNED_DAYS, SlipRules, Validity, shifted
from telehealth.referrals.services.means import Means, open_request
from telehealth.referrals.services.trail import happened, note
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.queries import SlotQuery, SlotView, slot_by_id
from telehealth.scheduling.services import find_slots

OFFERED = 5


@dataclass(frozen=True, slots=True)
class Use:
    """Which slot a slip is spent on. `shift_known`: whoever books knows that the day is not the paper's.

    `accepted_because`: staff of the place agree to the other day at once. `consultation`: advice by video.
    """

    slot_id: str
    shift_known: bool = False
    accepted_because: str | None = None
    consultation: bool = False
    consent: ConsentGiven | None = None


def door_of(principal: Principal, view: RequestView, facility_id: UUID | None) -> Channel:
    """Return the door a slip is booked by.

    A referral by its own, once a facility stands behind it: a paper that a patient typed in is a paper that
    anybody could type. A slip to come again by the counter where one works, elsewhere as from home.
    """
    vouched = view.origin == RequestOrigin.ISSUED or view.entered_facility_id is not None
    if view.kind is RequestKind.REFERRAL and vouched:
        return Channel.REFERRAL
    if principal.kind is PrincipalKind.STAFF and facility_id in principal.facilities():
        return Channel.DESK
    return Channel.ONLINE


def slots_for(
    session: Session,
    principal: Principal,
    view: RequestView,
    means: Means,
    *,
    count: int = OFFERED,
    from_day: date | None = None,
    after: datetime | None = None,
    modality: str | None = None,
) -> list[SlotView]:
    """Return the earliest times that a slip may be spent on: inside its days, from its day or a later one.

    `after`: none that begins before this instant, for the next page.
    """
    now, today = means.now, business_date(means.now)
    asked = min(from_day or view.due_on or view.valid_from, today + timedelta(days=LATEST_SIGNED_DAYS))
    first = max(asked, today)
    until = None if view.valid_until is None else Validity(view.valid_from, view.valid_until, "").bound
    query = SlotQuery(
        service_code=view.target_service_code,
        facility_id=view.target.id if view.target else None,
        modality=modality or _only_way(view, means),
        from_=max(at_local(first, 0), now, after or now),
        to=None if until is None else until[1],
        limit=count,
        channel=door_of(principal, view, view.target.id if view.target else None),
        care_level=view.requester_level,
    )
    return find_slots(session, query, now=now)


def book(
    session: Session,
    principal: Principal,
    request_id: UUID,
    use: Use,
    means: Means,
    *,
    version: int | None = None,
) -> AppointmentView:
    """Book a slot for a slip, and spend the slip on it, in the caller's transaction.

    Raises NotFound, PreconditionFailed, RequestClosed, SlipSpent, SlotUnknown, SlipElsewhere,
    OutsideValidity, DateShifted, RemoteNotAllowed and what booking raises; then the caller must roll back.
    """
    view = open_request(session, request_id, means, version=version)
    if view.appointment is not None:
        raise SlipSpent
    slot = _checked_slot(session, principal, view, use, means)
    booked = booking.book(session, principal, _order(principal, view, use, slot, means), **means.booking)
    spend(session, principal, view, booked, means.now)
    if use.accepted_because and other_day(view, business_date(booked.start), means.rules):
        accept_day(session, principal, view.id, booked.start, use.accepted_because, means.now)
    return booked


def spend(
    session: Session, principal: Principal, view: RequestView, booked: AppointmentView, now: datetime
) -> None:
    """Spend the slip on an appointment just made. Slips are locked after the ledger. Raises SlipSpent."""
    connection = session.connection()
    taken = connection.exec_driver_sql(
        """INSERT INTO slip_use (id, service_request_id, appointment_id, used_at)
           VALUES (%(id)s, %(request)s, %(appointment)s, %(now)s) ON CONFLICT DO NOTHING""",
        {"id": new_id(), "request": view.id, "appointment": booked.id, "now": now},
    )
    if taken.rowcount != 1:
        raise SlipSpent
    connection.exec_driver_sql(
        """UPDATE service_request
              SET status = %(active)s, performer_id = %(place)s, escalate_at = NULL, escalation_step = 0,
                  owner_role = %(desk)s, owner_facility_id = coalesce(owner_facility_id, %(place)s),
                  version = version + 1, updated_at = %(now)s
            WHERE id = %(id)s""",
        {
            "active": RequestStatus.ACTIVE.value,
            "desk": OwnerRole.DESK.value,
            "place": booked.facility.id,
            "now": now,
            "id": view.id,
        },
    )
    happened(session, principal, EventKind.BOOKED, view.id, now)
    note(session, principal, "referral.book", view.id, view.patient_id, booked.facility.id, now)


def accept_day(
    session: Session, principal: Principal, request_id: UUID, start: datetime, reason: str, now: datetime
) -> None:
    """Record that staff agree to the day of an appointment though the paper says another."""
    session.connection().exec_driver_sql(
        """UPDATE service_request
              SET decision = 'accepted', decided_on = %(day)s, decision_reason = %(reason)s,
                  decided_at = %(now)s, decided_by = %(by)s, version = version + 1, updated_at = %(now)s
            WHERE id = %(id)s""",
        {"id": request_id, "day": business_date(start), "reason": reason, "now": now, "by": principal.id},
    )
    happened(session, principal, EventKind.DATE_ACCEPTED, request_id, now, reason=reason)


def _checked_slot(
    session: Session, principal: Principal, view: RequestView, use: Use, means: Means
) -> SlotView:
    channel = door_of(principal, view, None)
    slot = slot_by_id(session, use.slot_id, means.now, channel=channel, care_level=view.requester_level)
    if slot is None:
        raise SlotUnknown
    if view.target is not None and slot.facility.id != view.target.id:
        raise SlipElsewhere(where=view.target.name)
    if view.target_service_code is not None and slot.service.code != view.target_service_code:
        raise SlipElsewhere(where=view.target_service_vi or view.target_service_code)
    good = Validity(view.valid_from, view.valid_until, "")
    if not good.holds(business_date(slot.start)):
        raise outside(view)
    if other_day(view, business_date(slot.start), means.rules) and not (
        use.shift_known or use.accepted_because
    ):
        raise DateShifted(date=f"{view.due_on or view.valid_from:%d/%m/%Y}")
    return slot


def outside(view: RequestView) -> OutsideValidity:
    """Return the refusal of a day outside a slip's days, which says when they end."""
    last = view.valid_until or view.valid_from
    return OutsideValidity(until=f"{last:%d/%m/%Y}", extra={"valid_until": last.isoformat()})


def _bound(view: RequestView) -> Bound | None:
    """Return what binds the appointment, however it is moved: the slip's days."""
    days = Validity(view.valid_from, view.valid_until, "").bound
    return None if days is None else Bound(*days)


def _only_way(view: RequestView, means: Means) -> str | None:
    """Return `in-person` for a diagnosis that may not be treated from afar."""
    afar = view.icd10 is None or means.care.remote_allowed(view.icd10)
    return None if afar else Modality.IN_PERSON.value


def other_day(view: RequestView, day: date, rules: SlipRules) -> bool:
    """Tell whether a day is another than the paper's, so that staff must agree to it."""
    if view.appointment_on is None or view.due_on is None:
        return False
    return shifted(day, view.appointment_on, view.due_on, rules)


def _order(principal: Principal, view: RequestView, use: Use, slot: SlotView, means: Means) -> BookingRequest:
    basis = (
        CoverageBasis.REFERRAL_SLIP if view.kind is RequestKind.REFERRAL else CoverageBasis.REEXAMINATION_SLIP
    )
    own = principal.kind is PrincipalKind.PATIENT and view.presented_by in principal.patient_ids
    return BookingRequest(
        patient_id=view.presented_by if own and view.presented_by else view.patient_id,
        slot_id=slot.id,
        coverage_basis=basis,
        channel=door_of(principal, view, slot.facility.id),
        consent=use.consent,
        referring_level=view.requester_level,
        bound=_bound(view),
        need=RemoteNeed(view.icd10, use.consultation, means.care),
    )
