"""Pure rules: who may book which slot, what follows from a status, what is said when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from telehealth.booking.codes import AppointmentStatus, CancelReason, RestrictionGrade
from telehealth.booking.errors import (
    AlreadyArrived,
    AppointmentOver,
    DoorQuotaFull,
    HoldExpired,
    HoldNotYours,
    NotBookableOnline,
    NotOpenYet,
    NotTheirReason,
    OnlineQuotaFull,
    OutsideValidity,
    OverbookFull,
    PatientBusy,
    PractitionerDayFull,
    ReasonTooLong,
    ResourceBusy,
    RestrictedToDesk,
    SlotTaken,
    TimeBlocked,
    TooEarlyForNoShow,
    TooEarlyToSetOut,
    TooLateToAnswer,
    TooLateToCancel,
    TooLateToMove,
    TooManyBookings,
    TooManyThatDay,
    TooManyWithPractitioner,
)
from telehealth.core.clock import local
from telehealth.core.errors import DomainError, PreconditionFailed
from telehealth.core.phone import display_phone
from telehealth.core.principal import PrincipalKind
from telehealth.scheduling.codes import Channel, SessionStatus
from telehealth.scheduling.errors import SlotClosed, SlotInPast, SlotTooFar, SlotTooSoon
from telehealth.scheduling.rules import SHOWN, SlotPolicy

LONGEST_REASON = 500
LIVE = frozenset({AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED})
TRANSITIONS: Mapping[AppointmentStatus, frozenset[AppointmentStatus]] = {
    AppointmentStatus.HELD: frozenset(
        {AppointmentStatus.BOOKED, AppointmentStatus.EXPIRED, AppointmentStatus.CANCELLED}
    ),
    AppointmentStatus.BOOKED: frozenset(
        {
            AppointmentStatus.ARRIVED,
            AppointmentStatus.FULFILLED,
            AppointmentStatus.CANCELLED,
            AppointmentStatus.NOSHOW,
        }
    ),
    AppointmentStatus.ARRIVED: frozenset({AppointmentStatus.FULFILLED, AppointmentStatus.NOSHOW}),
    AppointmentStatus.NOSHOW: frozenset({AppointmentStatus.ARRIVED}),
}


def before(after: AppointmentStatus) -> list[str]:
    """Return the statuses from which one may be reached."""
    return [status.value for status, reachable in TRANSITIONS.items() if after in reachable]


@dataclass(frozen=True, slots=True)
class BookingPolicy:
    """How many coming appointments one person may have through a door, and how long a hold lasts.

    Against touts: numbers are per patient, whoever books. None: no limit.
    """

    active_per_patient: int | None = 6
    per_day: int | None = 3
    per_practitioner: int | None = 2
    holds_per_account: int = 3
    hold_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Policies:
    """A booking policy and a slot policy for each door."""

    booking: Mapping[str, BookingPolicy] = field(
        default_factory=lambda: {
            Channel.ONLINE: BookingPolicy(),
            Channel.DESK: BookingPolicy(12, 6, 4, holds_per_account=10),
            Channel.KIOSK: BookingPolicy(12, 6, 4, holds_per_account=10),
            Channel.REFERRAL: BookingPolicy(12, 6, 4, holds_per_account=10),
        }
    )
    slots: Mapping[str, SlotPolicy] = field(default_factory=lambda: SHOWN)


DEFAULT_POLICIES = Policies()


@dataclass(frozen=True, slots=True)
class Place:
    """A slot as the rules see it. `blocked`: by somebody whom the caller may not overrule."""

    start: datetime
    session_status: str
    service_online: bool
    capacity: int
    taken: int
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """When a slot is, and its session's own terms for online doors (None: the policy's)."""

    start: datetime
    end: datetime
    opens_at: datetime | None = None
    notice_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Coming appointments: the patient's, theirs that day, with that practitioner; the patient account's that
    books, and its on that day.
    """

    active: int = 0
    same_day: int = 0
    same_practitioner: int = 0
    account: int = 0
    account_day: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """Places that a door still keeps from the others until `falls_at`."""

    door: str
    places: int
    falls_at: datetime


def falls_next(kept: Sequence[Kept], door: str) -> datetime | None:
    """Return when the next places kept from a door fall to all, or None."""
    return min((item.falls_at for item in kept if item.door != door and item.places > 0), default=None)


def check_time(
    times: Times, policy: SlotPolicy, now: datetime, *, override: bool = False, held: bool = False
) -> None:
    """Raise SlotInPast, SlotTooSoon, NotOpenYet or SlotTooFar.

    With an override a slot may have begun, as long as it has not ended. What is held was taken in time.
    """
    if times.start <= now and not (override and now < times.end):
        raise SlotInPast
    notice = timedelta(minutes=policy.notice(times.notice_minutes))
    if times.start < now + notice and not (override or held):
        raise SlotTooSoon
    if policy.online and times.opens_at is not None:
        if now < times.opens_at:
            raise NotOpenYet(extra={"opens_at": _written(times.opens_at)}, **told(times.opens_at))
    elif times.start > now + timedelta(days=policy.window_days):
        raise SlotTooFar


def told(instant: datetime) -> dict[str, Any]:
    """Return an instant as the parameters `time` and `date` of a message."""
    wall = local(instant)
    return {"time": wall.strftime("%H:%M"), "date": wall.strftime("%d/%m/%Y")}


def _written(instant: datetime) -> str:
    return local(instant).isoformat()


def check_place(place: Place, *, online: bool) -> None:
    """Raise SlotClosed, TimeBlocked, NotBookableOnline or SlotTaken.

    A quick no before anything is written; the claim and the counters are what holds.
    """
    check_open(place.session_status, blocked=place.blocked)
    if online and not place.service_online:
        raise NotBookableOnline
    if place.taken >= place.capacity:
        raise SlotTaken


EMERGENCY_SERVICE = "emergency"


def check_restriction(grade: str | None, service_code: str, hotline: str) -> None:
    """Raise RestrictedToDesk for an online booking; never for emergency care."""
    if grade == RestrictionGrade.DESK_ONLY and service_code != EMERGENCY_SERVICE:
        raise RestrictedToDesk(hotline=display_phone(hotline))


def check_length(reason: str | None) -> None:
    """Raise ReasonTooLong, whatever door it came by."""
    if reason is not None and len(reason) > LONGEST_REASON:
        raise ReasonTooLong({"reason": ["field-booking-too-long"]})


def check_bound(start: datetime, from_: datetime | None, until: datetime | None) -> None:
    """Raise OutsideValidity for a start that a referral or slip does not allow."""
    if from_ is not None and until is not None and not from_ <= start < until:
        last = until - timedelta(microseconds=1)
        raise OutsideValidity(
            extra={"from": _written(from_), "until": _written(until)},
            **{"from": local(from_).strftime("%d/%m/%Y"), "until": local(last).strftime("%d/%m/%Y")},
        )


def check_open(session_status: str, *, blocked: bool) -> None:
    """Raise SlotClosed or TimeBlocked."""
    if session_status != SessionStatus.OPEN:
        raise SlotClosed
    if blocked:
        raise TimeBlocked


def check_load(load: Load, policy: BookingPolicy) -> None:
    """Raise TooManyBookings, TooManyThatDay or TooManyWithPractitioner."""
    if policy.active_per_patient is not None and load.active >= policy.active_per_patient:
        raise TooManyBookings(limit=policy.active_per_patient)
    if policy.per_day is not None and load.same_day >= policy.per_day:
        raise TooManyThatDay(limit=policy.per_day)
    if policy.per_practitioner is not None and load.same_practitioner >= policy.per_practitioner:
        raise TooManyWithPractitioner(limit=policy.per_practitioner)


def check_hold(held_by: str | None, holder: str | None, *, live: bool) -> None:
    """Raise HoldNotYours or HoldExpired."""
    if held_by is None or held_by != holder:
        raise HoldNotYours
    if not live:
        raise HoldExpired


REFUSALS: Mapping[str, type[DomainError]] = {
    refusal.code: refusal
    for refusal in (
        SlotTaken,
        ResourceBusy,
        PatientBusy,
        OnlineQuotaFull,
        OverbookFull,
        PractitionerDayFull,
        SlotClosed,
        HoldExpired,
        PreconditionFailed,
    )
}


def refusal_of(outcome: str, kept: Sequence[Kept], door: str) -> DomainError:
    """Return the refusal that an outcome of the ledger stands for."""
    if outcome != DoorQuotaFull.code:
        return REFUSALS[outcome]()
    falls_at = falls_next(kept, door)
    if falls_at is None:
        return SlotTaken()
    return DoorQuotaFull(extra={"falls_at": _written(falls_at)}, **told(falls_at))


def _check_booked(status: str) -> None:
    if status == AppointmentStatus.ARRIVED:
        raise AlreadyArrived
    if status != AppointmentStatus.BOOKED:
        raise AppointmentOver


@dataclass(frozen=True, slots=True)
class CutOff:
    """Until when patients change an appointment themselves, and whom they call afterwards."""

    until: datetime
    hotline: str

    @classmethod
    def of(cls, start: datetime, notice_minutes: int | None, hotline: str) -> "CutOff":
        """Return the cut-off of a service; its start without a policy of its own."""
        return cls(start - timedelta(minutes=notice_minutes or 0), hotline)


_OF_PATIENTS = frozenset(
    {
        CancelReason.PATIENT,
        CancelReason.PATIENT_BETTER,
        CancelReason.PATIENT_ELSEWHERE,
        CancelReason.PATIENT_NO_TRANSPORT,
    }
)


def check_reason(kind: PrincipalKind, reason_code: str) -> None:
    """Raise NotTheirReason when a family, or who holds a link, says that the hospital cancels."""
    if kind in (PrincipalKind.PATIENT, PrincipalKind.LINK) and reason_code not in _OF_PATIENTS:
        raise NotTheirReason({"reason_code": ["error-not-their-reason"]})


def check_cancel(status: str, cut_off: CutOff, now: datetime, *, staff: bool) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooLateToCancel (staff still may, and say why)."""
    _check_booked(status)
    if now >= cut_off.until and not staff:
        raise TooLateToCancel(hotline=display_phone(cut_off.hotline), **told(cut_off.until))


def check_move(status: str, start: datetime, cut_off: CutOff, now: datetime, *, staff: bool) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooLateToMove (staff may until the start)."""
    _check_booked(status)
    if now >= start or (now >= cut_off.until and not staff):
        raise TooLateToMove(hotline=display_phone(cut_off.hotline), **told(cut_off.until))


ON_MY_WAY_BEFORE = timedelta(hours=4)


def check_confirm(status: str, start: datetime, now: datetime) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooLateToAnswer."""
    _check_booked(status)
    if now >= start:
        raise TooLateToAnswer


def check_on_my_way(status: str, start: datetime, end: datetime, now: datetime) -> None:
    """Raise AlreadyArrived, AppointmentOver, TooEarlyToSetOut or, once it has ended, TooLateToAnswer."""
    _check_booked(status)
    if now < start - ON_MY_WAY_BEFORE:
        raise TooEarlyToSetOut(time=local(start - ON_MY_WAY_BEFORE).strftime("%H:%M"))
    if now >= end:
        raise TooLateToAnswer


def check_no_show(status: str, start: datetime, now: datetime) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooEarlyForNoShow: what the appointment itself allows."""
    if status == AppointmentStatus.ARRIVED:
        raise AlreadyArrived
    check_missed(status, start, now)


def check_missed(status: str, start: datetime, now: datetime) -> None:
    """Raise AppointmentOver or TooEarlyForNoShow: what the ticket of one who has checked in allows."""
    if status not in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED):
        raise AppointmentOver
    if now < start:
        raise TooEarlyForNoShow


VIDEO_OPENS_BEFORE = timedelta(minutes=15)
VIDEO_CLOSES_AFTER = timedelta(minutes=60)


def video_window(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return from when until when a video appointment can be joined."""
    return start - VIDEO_OPENS_BEFORE, end + VIDEO_CLOSES_AFTER


def message_link(base_url: str, code: str) -> str:
    """Return the address that a message carries; it opens nothing for those who are not signed in."""
    return f"{base_url}/a/{code}"
