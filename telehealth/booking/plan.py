"""What is still to be said of an appointment, and when. Pure: everything that tells of one asks here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from telehealth.booking.codes import AppointmentStatus
from telehealth.core.clock import at_local, local, minute_of_day

DAY_REMINDER = "appointment-reminder-day"
HOURS_REMINDER = "appointment-reminder-hours"
REMINDERS = (DAY_REMINDER, HOURS_REMINDER)
# What is said at once, when something has happened.
SERIES_BOOKED = "series-booked"
ANNOUNCEMENTS = (
    "appointment-booked",
    "appointment-moved",
    "appointment-cancelled",
    "appointment-disrupted",
    "appointment-stands",
)
# What is pointless once the visit has begun, or will not be any more.
BEFORE_THE_VISIT = (*REMINDERS, "appointment-disrupted", "appointment-stands", "video-join")

DAY_BEFORE = timedelta(hours=24)
HOURS_BEFORE = timedelta(hours=2)
WORTH_REMINDING = timedelta(hours=1)
MORNING, NIGHT = 7 * 60, 21 * 60  # nothing that can wait arrives between 21:00 and 07:00
EVENING = 20 * 60  # what would fall into the night goes at this minute before it


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about an appointment: its kind and when it may go out."""

    kind: str
    not_before: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What the plan asks of an appointment.

    `agreed_at`: since when this time stands, by booking, moving, or being opened again. `disrupted`: its
    doctor is away or its place closed, and nobody has chosen another time yet.
    """

    status: str
    start: datetime
    agreed_at: datetime
    disrupted: bool = False


def plan(standing: Standing, now: datetime) -> frozenset[Notice]:
    """Return the reminders that must be waiting now, no more and no less."""
    if standing.status != AppointmentStatus.BOOKED or standing.disrupted:
        return frozenset()
    return frozenset(
        notice for notice in reminders(standing.start, standing.agreed_at) if notice.not_before > now
    )


def reminders(start: datetime, agreed_at: datetime) -> tuple[Notice, ...]:
    """Return the reminders of a time that stands since `agreed_at`: the day before, and two hours before.

    Left out: what would follow the agreement within the hour, and a short reminder that the night has moved
    to the evening before when the day's reminder has been there already.
    """
    day = Notice(DAY_REMINDER, out_of_the_night(start - DAY_BEFORE), start - HOURS_BEFORE)
    hours = Notice(HOURS_REMINDER, out_of_the_night(start - HOURS_BEFORE), start)
    worth = [notice for notice in (day, hours) if notice.not_before > agreed_at + WORTH_REMINDING]
    moved = hours.not_before < start - HOURS_BEFORE
    if moved and day in worth and day.not_before == start - DAY_BEFORE:
        worth.remove(hours)
    return tuple(worth)


def out_of_the_night(instant: datetime) -> datetime:
    """Return the instant itself, or for one at night the evening before it: earlier, never later."""
    minute, day = minute_of_day(instant), local(instant).date()
    if MORNING <= minute < NIGHT:
        return instant
    return at_local(day if minute >= NIGHT else day - timedelta(days=1), EVENING)


def at_a_decent_hour(now: datetime, start: datetime) -> datetime:
    """Return when to tell of a change that was found now: in the morning, if that leaves half a day."""
    minute = minute_of_day(now)
    if MORNING <= minute < NIGHT:
        return now
    morning = at_local(local(now).date() + timedelta(days=minute >= NIGHT), MORNING)
    return morning if start - morning >= timedelta(hours=6) else now
