"""What operators are told, and what may be sent again. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from notifications.alarms import AlarmName, Raised
from notifications.dead_letters import DeadLetter
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.plan import ANNOUNCEMENTS, REMINDERS

WORKER_MAY_BE_SILENT = timedelta(minutes=1)
_OFFERS = ("appointment-offer", "appointment-replacement")
_STANDS = frozenset({AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED})
# While one of these is open, people do not get what they should.
_GRAVE = frozenset({AlarmName.OLDEST_READY, AlarmName.TOKEN_NEEDS_AUTHORISATION})


class Health(StrEnum):
    """How the messages are, in one word."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    STILL = "still"


def health(
    raised: Collection[Raised], worker_beat: datetime | None, now: datetime, *, dead: int = 0
) -> Health:
    """Return the worst that is so: `still` when no worker sends at all.

    `dead`: letters that failed and that nobody has dealt with: somebody waits for each of them.
    """
    if worker_beat is None or now - worker_beat > WORKER_MAY_BE_SILENT:
        return Health.STILL
    if any(each.name in _GRAVE for each in raised):
        return Health.BAD
    return Health.WATCH if raised or dead else Health.GOOD


@dataclass(frozen=True, slots=True)
class AppointmentStand:
    """What a message about an appointment must still agree with.

    `agreed_at`: since when its time stands. `disruption`: why that time cannot be kept; `offer`: the other
    time that may still be taken.
    """

    status: str
    start: datetime
    agreed_at: datetime | None = None
    disruption: UUID | None = None
    offer: UUID | None = None


def life_of(
    letter: DeadLetter, stand: AppointmentStand | None, now: datetime, hours: int | None
) -> datetime | None:
    """Return until when a dead letter may live when it is sent again now; None where it must not be.

    Its own time counts, or `hours` from now; what is said of an appointment ends when that begins, and is
    said only while it is true.
    """
    if letter.purged or not _still_true(letter, stand):
        return None
    wanted = letter.expires_at if hours is None else now + timedelta(hours=hours)
    until = wanted if stand is None else min(wanted, _latest(letter, stand))
    return until if until > now else None


def _latest(letter: DeadLetter, stand: AppointmentStand) -> datetime:
    """Return when the letter is of no use any more; an offer never outlives itself."""
    return letter.expires_at if letter.kind in _OFFERS else max(stand.start, letter.expires_at)


def _still_true(letter: DeadLetter, stand: AppointmentStand | None) -> bool:
    if stand is None:
        return True
    cancelled = letter.kind == "appointment-cancelled"
    if cancelled != (stand.status == AppointmentStatus.CANCELLED) or not _same_time(letter, stand):
        return False
    return cancelled or (stand.status in _STANDS and _as_told(letter, stand))


def _same_time(letter: DeadLetter, stand: AppointmentStand) -> bool:
    """Tell whether the letter is about the time that stands: booking.messages writes it into each."""
    if letter.kind in REMINDERS:
        return _which(letter) == f"{int(stand.start.timestamp())}"
    if letter.kind == "video-join":
        return stand.agreed_at is not None and _which(letter) == f"{stand.agreed_at.timestamp():.6f}"
    return letter.kind not in ANNOUNCEMENTS or letter.expires_at == stand.start


def _as_told(letter: DeadLetter, stand: AppointmentStand) -> bool:
    """Tell whether the time can, or cannot, be kept as the letter says."""
    match letter.kind:
        case "appointment-disrupted":
            return _which(letter) == str(stand.disruption)
        case "appointment-offer" | "appointment-replacement":
            return _which(letter) == str(stand.offer)
        case _:
            return stand.disruption is None


def _which(letter: DeadLetter) -> str:
    """Return what tells two letters of one kind about one appointment apart."""
    return letter.dedupe_key.split(":", 2)[-1]
