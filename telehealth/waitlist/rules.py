"""Pure rules: what somebody waits for, whether a place is that, when it is offered and until when."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from telehealth.booking.plan import MORNING, NIGHT
from telehealth.core.clock import at_local, local, minute_of_day
from telehealth.waitlist.codes import EntryState, PassedOver, PlaceOfferState
from telehealth.waitlist.errors import BadWish, EntryOver, PlaceOfferOver

DAY = 24 * 60
FARTHEST = timedelta(days=180)
LONGEST_VALIDITY = timedelta(days=400)  # a slip of a year, and what is between
NOTICE = timedelta(
    minutes=30
)  # an offer ends no later than this before the visit, or the service's own notice
SHORTEST = timedelta(minutes=10)  # with less time to answer nothing is offered
EARLY = 10 * 60  # what begins before this minute is worth waking somebody for
# How long an answer may take: the sooner the visit, the shorter, so that the place is not lost in between.
ANSWER_WITHIN: tuple[tuple[timedelta, timedelta], ...] = (
    (timedelta(days=7), timedelta(hours=6)),
    (timedelta(days=2), timedelta(hours=3)),
    (timedelta(days=1), timedelta(hours=1, minutes=30)),
    (timedelta(hours=6), timedelta(minutes=45)),
    (timedelta(hours=2), timedelta(minutes=20)),
    (timedelta(0), SHORTEST),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody waits for; None and empty ask nothing. Minutes are local minutes of day."""

    service_code: str
    first_day: date
    last_day: date
    facility_id: UUID | None = None
    area: str | None = None
    practitioner_id: UUID | None = None
    modality: str | None = None
    weekdays: Collection[int] = ()
    from_minute: int = 0
    to_minute: int = DAY
    bound: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A free place as the rules see it."""

    start: datetime
    practitioner_id: UUID
    modality: str
    online: bool


@dataclass(frozen=True, slots=True)
class Person:
    """What else decides whether somebody can be offered a place."""

    reachable: bool
    busy: bool = False
    has_earlier: bool = False
    answered: bool = False
    desk_only: bool = False
    by_desk: bool = False


def from_today(wish: Wish, today: date) -> Wish:
    """Return a wish that begins no earlier than today: days that are past offer nothing."""
    return replace(wish, first_day=max(wish.first_day, today))


def check_wish(wish: Wish, today: date) -> None:
    """Raise BadWish."""
    if wish.last_day < max(wish.first_day, today):
        raise BadWish({"to": ["field-waitlist-days"]})
    if wish.last_day > today + FARTHEST:
        raise BadWish({"to": ["field-waitlist-too-far"]})
    if not 0 <= wish.from_minute < wish.to_minute <= DAY:
        raise BadWish({"to_time": ["field-waitlist-times"]})
    if wish.bound is not None and not _is_a_validity(wish.bound, today):
        raise BadWish({"bound_to": ["field-waitlist-bound"]})


def unfit(wish: Wish, place: Place) -> PassedOver | None:
    """Return why a place of the right service and facility is not what is waited for, or None."""
    if wish.practitioner_id not in (None, place.practitioner_id):
        return PassedOver.OTHER_DOCTOR
    if wish.modality not in (None, place.modality):
        return PassedOver.OTHER_WAY
    if not _at_a_wished_time(wish, place.start):
        return PassedOver.NOT_YOUR_TIME
    if wish.bound is not None and not wish.bound[0] <= place.start < wish.bound[1]:
        return PassedOver.OUTSIDE_VALIDITY
    return None


def hindered(person: Person, place: Place) -> PassedOver | None:
    """Return why somebody cannot be offered a place that they would like, or None."""
    hindrances = {
        PassedOver.ANSWERED: person.answered,
        PassedOver.HAVE_EARLIER: person.has_earlier,
        PassedOver.BUSY: person.busy,
        PassedOver.OTHER_DOOR: not place.online and not person.by_desk,
        PassedOver.DESK_ONLY: person.desk_only and not person.by_desk,
        PassedOver.NO_PHONE: not person.reachable,
    }
    return next((reason for reason, holds in hindrances.items() if holds), None)


def offered_from(now: datetime, start: datetime) -> datetime:
    """Return when to offer a place: now, but at night only what begins early next morning."""
    if MORNING <= minute_of_day(now) < NIGHT:
        return now
    morning = _next_morning(now)
    return now if start < at_local(local(morning).date(), EARLY) else morning


def answered_until(now: datetime, start: datetime, notice: timedelta = NOTICE) -> datetime | None:
    """Return until when an offer stands, or None when there is no time left to offer it.

    A night does not count, unless the visit begins early after it; the offer never outlives the notice.
    """
    last = start - notice
    lead = start - now
    within = next(span for ahead, span in ANSWER_WITHIN if lead >= ahead) if lead > timedelta(0) else SHORTEST
    until = now + within
    if offered_from(until, start) > until:
        until = _next_morning(until) + timedelta(hours=1)
    until = min(until, last)
    return until if until >= now + SHORTEST else None


def check_open(state: str, expires_at: datetime, now: datetime) -> None:
    """Raise PlaceOfferOver."""
    if state != PlaceOfferState.OPEN or expires_at <= now:
        raise PlaceOfferOver


def check_waits(state: str) -> None:
    """Raise EntryOver."""
    if state not in (EntryState.WAITING, EntryState.OFFERED):
        raise EntryOver


PARTS: Mapping[str, tuple[int, int]] = {"morning": (0, 12 * 60), "afternoon": (12 * 60, DAY)}


def _at_a_wished_time(wish: Wish, start: datetime) -> bool:
    day, minute = local(start).date(), minute_of_day(start)
    return (
        wish.first_day <= day <= wish.last_day
        and (not wish.weekdays or day.weekday() in wish.weekdays)
        and wish.from_minute <= minute < wish.to_minute
    )


def part_of_day(from_minute: int, to_minute: int) -> str:
    """Return the name of a part of the day, or an empty text for any other hours."""
    return next((name for name, span in PARTS.items() if span == (from_minute, to_minute)), "")


def _is_a_validity(bound: tuple[datetime, datetime], today: date) -> bool:
    return (
        today - LONGEST_VALIDITY <= bound[0].date()
        and bound[0] < bound[1]
        and bound[1].date() <= today + LONGEST_VALIDITY
    )


def _next_morning(instant: datetime) -> datetime:
    day = local(instant).date() + timedelta(days=minute_of_day(instant) >= NIGHT)
    return at_local(day, MORNING)
