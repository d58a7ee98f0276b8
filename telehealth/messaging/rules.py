"""What operators are told, and what may be sent again. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from notifications.alarms import AlarmName, Raised
from notifications.dead_letters import DeadLetter
from telehealth.booking.codes import AppointmentStatus

WORKER_MAY_BE_SILENT = timedelta(minutes=1)
_STANDS = frozenset({AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED})
# While one of these is open, people do not get what they should.
_GRAVE = frozenset({AlarmName.OLDEST_READY, AlarmName.TOKEN_NEEDS_AUTHORISATION})


class Health(StrEnum):
    """How the messages are, in one word."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    STILL = "still"


def health(raised: Collection[Raised], worker_beat: datetime | None, now: datetime) -> Health:
    """Return the worst that is so: `still` when no worker sends at all."""
    if worker_beat is None or now - worker_beat > WORKER_MAY_BE_SILENT:
        return Health.STILL
    if any(each.name in _GRAVE for each in raised):
        return Health.BAD
    return Health.WATCH if raised else Health.GOOD


@dataclass(frozen=True, slots=True)
class AppointmentStand:
    """What a message about an appointment must still agree with."""

    status: str
    start: datetime


def life_of(
    letter: DeadLetter, stand: AppointmentStand | None, now: datetime, hours: int | None
) -> datetime | None:
    """Return until when a dead letter may live when it is sent again now; None where it must not be.

    Its own time counts, or `hours` from now; what is said of an appointment ends when that begins, and is
    said only while it is true.
    """
    if letter.purged or not _still_true(letter.kind, stand):
        return None
    wanted = letter.expires_at if hours is None else now + timedelta(hours=hours)
    until = wanted if stand is None else min(wanted, max(stand.start, letter.expires_at))
    return until if until > now else None


def _still_true(kind: str, stand: AppointmentStand | None) -> bool:
    if stand is None:
        return True
    if kind == "appointment-cancelled":
        return stand.status == AppointmentStatus.CANCELLED
    return stand.status in _STANDS
