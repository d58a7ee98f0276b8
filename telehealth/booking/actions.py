"""What can be done with an appointment now, and why the rest cannot: pure, one verdict for every verb."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import AppointmentDisrupted, AppointmentOver, OfferOver
from telehealth.booking.rules import (
    LIVE,
    ON_MY_WAY_BEFORE,
    CutOff,
    check_cancel,
    check_confirm,
    check_move,
    check_no_show,
    check_on_my_way,
    told,
    video_window,
)
from telehealth.core.clock import at_local, local
from telehealth.core.errors import DomainError, Forbidden
from telehealth.directory.codes import Modality


@dataclass(frozen=True, slots=True)
class Standing:
    """An appointment as its verbs see it. `offered`: another time is open to the patient's answer."""

    status: str
    modality: str
    start: datetime
    end: datetime
    cut_off: CutOff
    facility: str
    disrupted: bool = False
    offered: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a verb can be done now; else the code and parameters of the refusal, and from when it can."""

    action: str
    code: str | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)
    from_: datetime | None = None

    @property
    def allowed(self) -> bool:
        """Tell whether nothing stands in the way."""
        return self.code is None


def verdicts(it: Standing, now: datetime, *, staff: bool, allowed: Callable[[str], bool]) -> list[Verdict]:
    """Return one verdict for each verb, those of the moment and those of the caller's rights."""
    return [
        verdict if allowed(verdict.action) else Verdict(verdict.action, Forbidden.code)
        for verdict in _of_the_moment(it, now, staff=staff)
    ]


def _of_the_moment(it: Standing, now: datetime, *, staff: bool) -> Iterator[Verdict]:
    yield _asked("cancel", lambda: check_cancel(it.status, it.cut_off, now, staff=staff))
    yield _asked("reschedule", lambda: check_move(it.status, it.start, it.cut_off, now, staff=staff))
    yield _check_in(it, now)
    yield _join(it, now)
    yield _asked("no-show", lambda: check_no_show(it.status, it.start, now), it.start)
    yield Verdict("confirm-coverage", None if it.status in LIVE else AppointmentOver.code)
    yield Verdict("calendar", None if it.status == AppointmentStatus.BOOKED else AppointmentOver.code)
    yield _said("confirm", it, lambda: check_confirm(it.status, it.start, now))
    out = it.start - ON_MY_WAY_BEFORE
    yield _said("set-out", it, lambda: check_on_my_way(it.status, it.start, it.end, now), out)
    yield _asked("offer", lambda: check_move(it.status, it.start, it.cut_off, now, staff=True))
    open_ = it.offered and it.status == AppointmentStatus.BOOKED
    yield Verdict("answer-offer", None if open_ else OfferOver.code)
    yield Verdict("overbook", None if it.status in LIVE and now < it.end else AppointmentOver.code)


def _asked(action: str, check: Callable[[], None], from_: datetime | None = None) -> Verdict:
    try:
        check()
    except DomainError as refusal:
        return Verdict(action, refusal.code, refusal.params, from_ if "early" in refusal.code else None)
    return Verdict(action)


def _said(action: str, it: Standing, check: Callable[[], None], from_: datetime | None = None) -> Verdict:
    verdict = _asked(action, check, from_)
    return Verdict(action, AppointmentDisrupted.code) if verdict.allowed and it.disrupted else verdict


def _check_in(it: Standing, now: datetime) -> Verdict:
    """The codes are the queue's, where people check in."""
    if it.modality == Modality.VIDEO:
        return Verdict("check-in", "check-in-by-video")
    if it.status not in (AppointmentStatus.BOOKED, AppointmentStatus.NOSHOW):
        return Verdict("check-in", "check-in-not-booked")
    day = local(it.start).date()
    if day == local(now).date():
        return Verdict("check-in")
    opens = at_local(day, 0)
    where_and_when = {**told(it.start), "facility": it.facility}
    return Verdict("check-in", "check-in-other-day", where_and_when, opens if opens > now else None)


def _join(it: Standing, now: datetime) -> Verdict:
    """The codes are the video room's."""
    if it.modality != Modality.VIDEO:
        return Verdict("join", "not-by-video")
    if it.status not in LIVE:
        return Verdict("join", "appointment-not-booked")
    opens, closes = video_window(it.start, it.end)
    if now < opens:
        return Verdict("join", "room-not-open-yet", {"time": local(opens).strftime("%H:%M")}, opens)
    return Verdict("join", None if now < closes else "room-over")
