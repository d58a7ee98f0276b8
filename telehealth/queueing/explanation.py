"""Why is that number before mine? Pure; says which rule, never which class somebody belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from telehealth.queueing.rules import Lane, OrderPolicy, Placed, Reason, Waiting, is_due, lane_of, order


class Why(StrEnum):
    """Which rule puts one number before another; each has its text."""

    AFTER_YOU = "after-you"
    CALLED_ALREADY = "called-already"
    CAME_EARLIER = "came-earlier"
    PRIORITY = "priority"
    APPOINTMENT_TIME = "appointment-time"
    EARLIER_APPOINTMENT = "earlier-appointment"
    NOT_YET_YOUR_TIME = "not-yet-your-time"
    FAIR_TURN = "fair-turn"
    CAME_BACK = "came-back"
    YOU_CAME_BACK = "you-came-back"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The rule, and what it turns on: since or at what time, or after how many in a row."""

    code: Why
    time: datetime | None = None
    count: int | None = None


def explain(
    tickets: Sequence[Waiting],
    recent: Sequence[Lane],
    policy: OrderPolicy,
    now: datetime,
    *,
    mine: UUID,
    theirs: UUID,
) -> Explanation:
    """Return why one who waits is called before another who does, by the very order they are called in.

    Raises KeyError when one of the two does not wait.
    """
    placed = {each.id: each for each in order(tickets, recent, policy, now)}
    people = {each.id: each for each in tickets}
    if placed[theirs].place >= placed[mine].place:
        return Explanation(Why.AFTER_YOU)
    return _before(people[mine], placed[mine], people[theirs], placed[theirs], policy, now)


def explain_call(mine: Waiting, theirs: Waiting, policy: OrderPolicy, called_at: datetime) -> Explanation:
    """Return why somebody was called while another waits; `theirs` is how they stood."""
    if called_at <= mine.waiting_since:
        return Explanation(Why.CALLED_ALREADY, time=called_at)
    if theirs.places_ahead is not None:
        return Explanation(Why.CAME_BACK)
    my_lane, their_lane = (lane_of(each, policy, called_at) for each in (mine, theirs))
    return _by_lane(mine, my_lane, theirs, their_lane, policy, called_at)


def _before(
    mine: Waiting,
    my_place: Placed,
    theirs: Waiting,
    their_place: Placed,
    policy: OrderPolicy,
    now: datetime,
) -> Explanation:
    if their_place.reason is Reason.CAME_BACK:
        return Explanation(Why.CAME_BACK)
    if my_place.reason is Reason.CAME_BACK:
        return Explanation(Why.YOU_CAME_BACK, count=max(0, mine.places_ahead or 0))
    return _by_lane(mine, my_place.lane, theirs, their_place.lane, policy, now)


def _by_lane(
    mine: Waiting, my_lane: Lane, theirs: Waiting, their_lane: Lane, policy: OrderPolicy, now: datetime
) -> Explanation:
    if their_lane is my_lane is Lane.APPOINTMENT:
        return Explanation(Why.EARLIER_APPOINTMENT, time=theirs.appointment_start)
    if their_lane is my_lane:
        return Explanation(Why.CAME_EARLIER, time=theirs.waiting_since)
    if their_lane is Lane.PRIORITY:
        return Explanation(Why.PRIORITY, count=policy.priority_run)
    if my_lane is Lane.PRIORITY:
        return Explanation(Why.FAIR_TURN, count=policy.priority_run)
    if their_lane is Lane.APPOINTMENT:
        return Explanation(Why.APPOINTMENT_TIME, time=theirs.appointment_start)
    if is_due(mine, policy, now):
        return Explanation(Why.FAIR_TURN, count=policy.appointment_run)
    return Explanation(Why.NOT_YET_YOUR_TIME, time=mine.appointment_start)
