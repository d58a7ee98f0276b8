"""How long somebody may wait: a range, never a promise of a point in time. Pure.

The form follows Ibrahim and Whitt (2009): people ahead times the time between the queue's last calls. What
was added is what a simulated province's day showed to be missing (docs/benchmarks.md): the wait for the doors
to open, the noon break, those who come back with results and go first, the person who is being served, and
that whoever has an appointment waits behind those without one until its time has come, and no longer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

Period = tuple[datetime, datetime]
"""Open from an instant to another."""

_GAPS_WANTED = 4
_A_BREAK = timedelta(minutes=45)
_AT_WORK = timedelta(minutes=15)
_MOST_RETURNS = 0.5
_BEING_SERVED = 0.75
_SPREAD, _CHANCE = 0.2, 0.6
_LEAST_BETWEEN = 0.1


@dataclass(frozen=True, slots=True)
class WaitRange:
    """Minutes, rounded outwards."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of how fast a queue goes.

    `calls` are its last ones today, `came_back` how many of them were for people who came back; `points`
    desks or rooms call. `open_today` are the facility's hours; empty where they are not known.
    """

    calls: Sequence[datetime] = ()
    minutes_per_visit: int = 8
    points: int = 1
    came_back: int = 0
    open_today: Sequence[Period] = ()

    @property
    def minutes_between_calls(self) -> float:
        """Return the mean of the last gaps but breaks; until four are known what is configured."""
        gaps = [later - sooner for sooner, later in pairwise(sorted(self.calls)) if later - sooner < _A_BREAK]
        if len(gaps) >= _GAPS_WANTED:
            return sum(gaps, timedelta()).total_seconds() / 60 / len(gaps)
        return self.minutes_per_visit / max(1, self.points)

    @property
    def share_of_returns(self) -> float:
        """Return the part of the calls that goes to people who are let in before those who wait."""
        if len(self.calls) <= _GAPS_WANTED:
            return 0.0
        return min(self.came_back / len(self.calls), _MOST_RETURNS)


@dataclass(frozen=True, slots=True)
class Due:
    """When an appointment's time comes, and how many of those who are there now are called before it then."""

    at: datetime
    ahead: int


def wait_range(ahead: int, pace: Pace, now: datetime, due: Due | None = None) -> WaitRange:
    """Return how long somebody with `ahead` people before them may wait from now.

    Whoever has an appointment waits until all these were called, or until its time and then `due.ahead`:
    whichever is sooner.
    """
    low, high = _bounds(ahead, pace, now, busy=ahead > 0)
    if due is not None:
        until = (due.at - now).total_seconds() / 60
        sooner, later = (until + each for each in _bounds(due.ahead, pace, due.at, busy=True))
        low, high = min(low, sooner), min(high, later)
    step = 5 if high < 60 else 10
    rounded = int(low // step * step)
    return WaitRange(rounded, max(int(-(-high // step) * step), rounded + 5))


def calls_until(pace: Pace, now: datetime, then: datetime) -> int:
    """Return how many are likely called by an instant, while the facility is open."""
    spans = pace.open_today or ((now, then),)
    worked = sum((max(min(end, then) - max(start, now), timedelta()) for start, end in spans), timedelta())
    return int(worked.total_seconds() / 60 / max(pace.minutes_between_calls, _LEAST_BETWEEN))


def _bounds(ahead: int, pace: Pace, now: datetime, *, busy: bool) -> tuple[float, float]:
    """Return the least and the most minutes. `busy`: somebody is being served, who has to end first."""
    between = pace.minutes_between_calls
    turns = ahead / (1 - pace.share_of_returns)
    expected = (turns + _BEING_SERVED) * between if busy else 0.0
    margin = _SPREAD * expected + _CHANCE * between * math.sqrt(max(turns, 1))
    least = min(max(0.0, expected - margin), ahead * between)
    low, high = (_from_now(minutes, pace, now) for minutes in (least, expected + margin))
    return low, high


def _from_now(minutes: float, pace: Pace, now: datetime) -> float:
    """Return in how many minutes so many minutes of work are done, hours and breaks counted."""
    left, at = timedelta(minutes=minutes), now
    at_work = bool(pace.calls) and now - max(pace.calls) < _AT_WORK
    for start, end in sorted(pace.open_today):
        if end <= at:
            continue
        if start > at:
            if at_work:
                done = min(left, start - at)
                left -= done
                at_work = False
                if not left:
                    at += done
                    break
            at = start
        done = min(left, end - at)
        left, at = left - done, at + done
        at_work = False
        if not left:
            break
    return (at + left - now).total_seconds() / 60
