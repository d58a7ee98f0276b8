"""Pure rules: who is offered which other place, and until when it is kept for them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from telehealth.booking.plan import at_a_decent_hour
from telehealth.closures.codes import Equivalence
from telehealth.core.clock import at_local, local, minute_of_day

NOON = 12 * 60
KEPT_FOR = timedelta(hours=4)
BEFORE_NEW_TIME = timedelta(hours=2)
AT_LEAST = timedelta(minutes=30)
CALL_AFTER = timedelta(hours=2)
CALL_BEFORE = timedelta(hours=3)
MOST_DAYS = 31
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """The days and, on each of them, the local minutes that close."""

    from_date: date
    to_date: date
    start_minute: int = 0
    end_minute: int = DAY_MINUTES

    @property
    def days(self) -> tuple[date, ...]:
        """Return its days in order."""
        return tuple(
            self.from_date + timedelta(days=offset)
            for offset in range((self.to_date - self.from_date).days + 1)
        )

    @property
    def end(self) -> datetime:
        """Return when the last of it is over."""
        return at_local(self.to_date, self.end_minute)

    @property
    def whole_days(self) -> bool:
        """Tell whether nothing of its days is left."""
        return (self.start_minute, self.end_minute) == (0, DAY_MINUTES)


@dataclass(frozen=True, slots=True)
class Affected:
    """Somebody whose place is lost. `until`: when the slip that the appointment was made for runs out."""

    id: UUID
    facility_id: UUID
    practitioner_id: UUID
    start: datetime
    since: datetime | None = None
    until: datetime | None = None

    @property
    def urgency(self) -> tuple[bool, float, datetime, str]:
        """Order people: those bound by a slip first, the one that ends soonest; then the earlier time."""
        return (
            self.until is None,
            0.0 if self.until is None else self.until.timestamp(),
            self.start,
            str(self.id),
        )

    def allowed(self, instant: datetime) -> bool:
        """Tell whether a time lies within the slip's validity."""
        return (self.since is None or self.since <= instant) and (self.until is None or instant < self.until)


@dataclass(frozen=True, slots=True)
class Place:
    """A free slot that could be somebody's instead. `distance_km` from the facility that closes."""

    slot_id: str
    facility_id: UUID
    practitioner_id: UUID
    start: datetime
    free: int = 1
    distance_km: float = 0.0


def equivalence(person: Affected, place: Place) -> Equivalence:
    """Return how near a place is to the one that is lost."""
    if place.facility_id != person.facility_id:
        return Equivalence.ELSEWHERE
    if local(place.start).date() == local(person.start).date():
        return Equivalence.SAME_DAY
    if place.practitioner_id == person.practitioner_id:
        return Equivalence.SAME_DOCTOR
    return Equivalence.SAME_FACILITY


_RANK = {kind: rank for rank, kind in enumerate(Equivalence)}


def nearness(person: Affected, place: Place) -> tuple[int, int, float, float, str]:
    """Order places for a person: the kind, then the shorter way, fewer days, the nearer hour."""
    kind = equivalence(person, place)
    days = abs((local(place.start).date() - local(person.start).date()).days)
    hours = abs(minute_of_day(place.start) - minute_of_day(person.start))
    return _RANK[kind], round(place.distance_km), days, hours, place.slot_id


def assign(
    people: Iterable[Affected],
    places: Sequence[Place],
    *,
    refused: Collection[tuple[UUID, str]] = frozenset(),
) -> Mapping[UUID, Place]:
    """Give each person the nearest place left, in the order of their urgency.

    No place is given to more people than it takes, none outside a slip's validity, none that has refused
    them already (`refused`: person and slot). Who finds nothing is left out.
    """
    left = Counter({place.slot_id: place.free for place in places})
    found: dict[UUID, Place] = {}
    for person in sorted(people, key=lambda each: each.urgency):
        open_places = (
            place
            for place in places
            if left[place.slot_id] > 0
            and person.allowed(place.start)
            and (person.id, place.slot_id) not in refused
            and (place.start, place.practitioner_id) != (person.start, person.practitioner_id)
        )
        nearest = min(open_places, key=lambda place: nearness(person, place), default=None)
        if nearest is not None:
            left[nearest.slot_id] -= 1
            found[person.id] = nearest
    return found


def movable(person: Affected, place: Place) -> bool:
    """Tell whether somebody may be moved without being asked: there, the same half of the same day."""
    same_half = (minute_of_day(place.start) < NOON) == (minute_of_day(person.start) < NOON)
    return equivalence(person, place) is Equivalence.SAME_DAY and same_half


def kept_until(now: datetime, old: datetime, new: datetime) -> datetime:
    """Return until when an offered place is kept: four hours from the message, two before the new time.

    At least half an hour from the message, never beyond either time: who comes for the old one sees the desk.
    """
    told = at_a_decent_hour(now, min(old, new))
    wanted = min(told + KEPT_FOR, new - BEFORE_NEW_TIME)
    return min(max(wanted, told + AT_LEAST), new, old)


def call_from(now: datetime, old: datetime) -> datetime:
    """Return when to begin telephoning who has not answered: after two hours, or three before the time."""
    told = at_a_decent_hour(now, old)
    return max(told, min(told + CALL_AFTER, old - CALL_BEFORE))
