"""Pure rules: who may book which slot, what follows from a status, what is said when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import (
    AlreadyArrived,
    AppointmentOver,
    HoldExpired,
    HoldNotYours,
    NotBookableOnline,
    OnlineQuotaFull,
    PatientBusy,
    SlotTaken,
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
from telehealth.directory.codes import Modality
from telehealth.scheduling.codes import Channel, SessionStatus
from telehealth.scheduling.errors import SlotClosed, SlotInPast, SlotTooFar, SlotTooSoon
from telehealth.scheduling.rules import POLICIES, SlotPolicy

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
    slots: Mapping[str, SlotPolicy] = field(default_factory=lambda: POLICIES)


DEFAULT_POLICIES = Policies()


@dataclass(frozen=True, slots=True)
class Place:
    """A slot as the rules see it."""

    start: datetime
    session_status: str
    service_online: bool
    capacity: int
    taken: int


@dataclass(frozen=True, slots=True)
class Load:
    """The patient's coming appointments: all, that day, with that practitioner."""

    active: int = 0
    same_day: int = 0
    same_practitioner: int = 0


def check_time(start: datetime, policy: SlotPolicy, now: datetime) -> None:
    """Raise SlotInPast, SlotTooSoon or SlotTooFar."""
    if start <= now:
        raise SlotInPast
    if start < now + timedelta(minutes=policy.min_notice_minutes):
        raise SlotTooSoon
    if start > now + timedelta(days=policy.window_days):
        raise SlotTooFar


def check_place(place: Place, *, online: bool) -> None:
    """Raise SlotClosed, NotBookableOnline or SlotTaken.

    A quick no before anything is written; the claim and the counters are what holds.
    """
    check_open(place.session_status)
    if online and not place.service_online:
        raise NotBookableOnline
    if place.taken >= place.capacity:
        raise SlotTaken


def check_open(session_status: str) -> None:
    """Raise SlotClosed."""
    if session_status != SessionStatus.OPEN:
        raise SlotClosed


def check_load(load: Load, policy: BookingPolicy) -> None:
    """Raise TooManyBookings, TooManyThatDay or TooManyWithPractitioner."""
    if policy.active_per_patient is not None and load.active >= policy.active_per_patient:
        raise TooManyBookings(limit=policy.active_per_patient)
    if policy.per_day is not None and load.same_day >= policy.per_day:
        raise TooManyThatDay(limit=policy.per_day)
    if policy.per_practitioner is not None and load.same_practitioner >= policy.per_practitioner:
        raise TooManyWithPractitioner(limit=policy.per_practitioner)


def check_hold(holder: UUID | None, account_id: UUID | None, *, live: bool) -> None:
    """Raise HoldNotYours or HoldExpired."""
    if holder != account_id:
        raise HoldNotYours
    if not live:
        raise HoldExpired


REFUSALS: Mapping[str, type[DomainError]] = {
    refusal.code: refusal
    for refusal in (SlotTaken, PatientBusy, OnlineQuotaFull, SlotClosed, HoldExpired, PreconditionFailed)
}


def _check_booked(status: str) -> None:
    if status == AppointmentStatus.ARRIVED:
        raise AlreadyArrived
    if status != AppointmentStatus.BOOKED:
        raise AppointmentOver


def check_cancel(status: str, start: datetime, now: datetime, *, staff: bool) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooLateToCancel (staff may still tidy up)."""
    _check_booked(status)
    if now >= start and not staff:
        raise TooLateToCancel


def check_move(status: str, start: datetime, now: datetime) -> None:
    """Raise AlreadyArrived, AppointmentOver or TooLateToMove."""
    _check_booked(status)
    if now >= start:
        raise TooLateToMove


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


def open_actions(
    status: str, modality: str, start: datetime, end: datetime, now: datetime, *, staff: bool
) -> tuple[str, ...]:
    """Return what can be done with an appointment now; the policy says who may.

    `cancel`, `reschedule`, `check-in`, `join`, `no-show`, `confirm-coverage`, `calendar`.
    """
    today = local(start).date() == local(now).date()
    live = status in LIVE
    opens, closes = video_window(start, end)
    offered = {
        "cancel": status == AppointmentStatus.BOOKED and (staff or now < start),
        "reschedule": status == AppointmentStatus.BOOKED and now < start,
        "check-in": modality == Modality.IN_PERSON
        and today
        and status in (AppointmentStatus.BOOKED, AppointmentStatus.NOSHOW),
        "join": modality == Modality.VIDEO and live and opens <= now < closes,
        "no-show": status == AppointmentStatus.BOOKED and now >= start,
        "confirm-coverage": live,
        "calendar": status == AppointmentStatus.BOOKED,
    }
    return tuple(name for name, open_ in offered.items() if open_)


def message_link(base_url: str, code: str) -> str:
    """Return the address that a message carries; it opens nothing for those who are not signed in."""
    return f"{base_url}/a/{code}"
