"""What people were told of their wait, against what it then was."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Told:
    """One telling: to whom, when (minute of the day), with how many ahead, and the range in minutes.

    `earlier` is the range that the plain formula would have shown (`plain_range`), `configured` the people
    ahead times the configured minutes over the points: what products show that measure nothing.
    """

    ticket: UUID
    at: datetime
    minute: float
    level: str
    station: str
    lane: str
    first: bool
    ahead: int
    low: int
    high: int
    earlier: tuple[int, int]
    configured: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A telling and the minutes that were waited from then."""

    told: Told
    waited: float


def plain_range(ahead: int, calls: Sequence[datetime], minutes: int, points: int) -> tuple[int, int]:
    """Return people ahead times the mean gap of the last calls, 35 % to both sides: the formula before."""
    gaps = [
        later - sooner for sooner, later in pairwise(sorted(calls)) if later - sooner < timedelta(minutes=45)
    ]
    pace = minutes / max(1, points)
    if len(gaps) >= 4:
        pace = sum(gaps, timedelta()).total_seconds() / 60 / len(gaps)
    expected = ahead * pace
    step = 5 if expected < 60 else 10
    low = int(expected * 0.65 // step * step)
    return low, max(int(-(-expected * 1.35 // step) * step), low + 5)


def judge(told: Iterable[Told], calls: Mapping[UUID, Sequence[datetime]]) -> list[Judged]:
    """Return each telling with the wait until that ticket's next call; those never called are left out."""
    judged = []
    for each in told:
        later = [at for at in calls.get(each.ticket, ()) if at >= each.at]
        if later:
            judged.append(Judged(each, (min(later) - each.at).total_seconds() / 60))
    return judged


def scores(judged: Sequence[Judged]) -> dict[str, object]:
    """Return how good the tellings were: all, at issue, and by station, time of day and level."""
    first = [each for each in judged if each.told.first]
    return {
        "at_issue": _three(first),
        "refreshed": _three([each for each in judged if not each.told.first]),
        "at_issue_by_station": _by(first, lambda each: each.told.station),
        "at_issue_by_hour": _by(first, lambda each: f"{int(each.told.minute // 60):02d}"),
        "at_issue_by_level": _by(first, lambda each: each.told.level),
        "at_issue_by_lane": _by(first, lambda each: each.told.lane),
    }


def _by(judged: Sequence[Judged], key: Callable[[Judged], str]) -> dict[str, object]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        groups[key(each)].append(each)
    return {name: _three(groups[name]) for name in sorted(groups)}


def _three(judged: Sequence[Judged]) -> dict[str, object]:
    if not judged:
        return {"tellings": 0}
    return {
        "tellings": len(judged),
        "mean_wait": round(statistics.fmean(each.waited for each in judged), 1),
        "shown": _score(judged, lambda each: (each.told.low, each.told.high)),
        "plain": _score(judged, lambda each: each.told.earlier),
        "configured": _errors([each.told.configured - each.waited for each in judged]),
    }


def _score(judged: Sequence[Judged], ranged: Callable[[Judged], tuple[int, int]]) -> dict[str, float]:
    ranges = [ranged(each) for each in judged]
    inside = sum(low <= each.waited <= high for each, (low, high) in zip(judged, ranges, strict=True))
    below = sum(each.waited > high for each, (_low, high) in zip(judged, ranges, strict=True))
    middles = [(low + high) / 2 - each.waited for each, (low, high) in zip(judged, ranges, strict=True)]
    return {
        "inside": round(inside / len(judged), 3),
        "waited_longer": round(below / len(judged), 3),
        "width": round(statistics.fmean(high - low for low, high in ranges), 1),
        **_errors(middles),
    }


def _errors(errors: Sequence[float]) -> dict[str, float]:
    return {
        "mae": round(statistics.fmean(abs(error) for error in errors), 1),
        "bias": round(statistics.fmean(errors), 1),
    }
