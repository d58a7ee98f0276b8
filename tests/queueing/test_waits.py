"""How long people are told that they may wait."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telehealth.queueing.waits import Due, Pace, calls_until, wait_range

NINE = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)  # 09:00 in the province
MORNING = (NINE - timedelta(hours=2), NINE + timedelta(hours=2, minutes=30))
AFTERNOON = (NINE + timedelta(hours=4), NINE + timedelta(hours=7, minutes=30))


def every(minutes: float, count: int, until: datetime = NINE) -> list[datetime]:
    return [until - timedelta(minutes=minutes * n) for n in reversed(range(count))]


def told(ahead: int, pace: Pace, now: datetime = NINE) -> tuple[int, int]:
    found = wait_range(ahead, pace, now)
    return found.low, found.high


def test_the_wait_is_a_range_from_what_was_configured_until_calls_are_known():
    assert told(0, Pace()) == (0, 5)
    assert told(5, Pace()) == (20, 70)
    assert told(5, Pace(points=4))[1] == 20


def test_the_wait_follows_the_pace_of_the_last_calls_and_not_the_lunch_break():
    before = every(3, 6)
    after = before + [before[-1] + timedelta(minutes=90 + 3 * n) for n in range(3)]
    assert told(10, Pace(after)) == told(10, Pace(before)) == (20, 45)


def test_who_takes_a_number_before_the_doors_open_waits_for_them_too():
    six = NINE - timedelta(hours=3)
    low, high = told(5, Pace(open_today=[MORNING, AFTERNOON]), six)
    assert (low, high) == (80, 130)
    assert told(0, Pace(open_today=[MORNING]), six)[0] == 60


def test_desks_that_began_before_the_hour_are_believed():
    early = MORNING[0] - timedelta(minutes=5)
    pace = Pace(every(2, 6, early), open_today=[MORNING])
    assert told(3, pace, early) == told(3, Pace(every(2, 6, early)), early)


def test_a_wait_beyond_noon_has_the_break_in_it():
    late = MORNING[1] - timedelta(minutes=10)
    low, high = told(8, Pace(every(5, 8, late), open_today=[MORNING, AFTERNOON]), late)
    assert (low, high) == (110, 160)


def test_those_who_come_back_with_results_are_counted_before_those_who_wait():
    calls = every(4, 12)
    without, with_returns = told(9, Pace(calls)), told(9, Pace(calls, came_back=4))
    assert with_returns[1] > without[1] * 1.3


def test_after_the_last_hour_those_who_are_there_are_still_called():
    evening = AFTERNOON[1] + timedelta(minutes=20)
    assert told(4, Pace(every(5, 8, evening), open_today=[MORNING, AFTERNOON]), evening)[1] <= 40


def test_whoever_has_an_appointment_waits_for_its_time_and_not_for_everybody_who_is_there():
    pace, at = Pace(every(5, 8)), NINE + timedelta(minutes=20)
    everybody, until_the_time = wait_range(12, pace, NINE), wait_range(12, pace, NINE, Due(at, 1))
    assert (everybody.low, everybody.high) == (40, 90)
    assert (until_the_time.low, until_the_time.high) == (20, 35)


def test_before_the_doors_open_nobody_is_called():
    seven = MORNING[0]
    assert calls_until(Pace(open_today=[MORNING]), seven - timedelta(hours=1), seven) == 0
    assert calls_until(Pace(every(5, 8), open_today=[MORNING]), seven, seven + timedelta(minutes=31)) == 6
    assert calls_until(Pace([NINE] * 8), NINE, NINE + timedelta(minutes=3)) == 30


@given(st.integers(0, 60), st.integers(0, 90), st.integers(0, 60))
def test_an_appointment_is_never_told_more_than_those_without_one(ahead, minutes, then):
    pace = Pace(every(4, 13), open_today=[MORNING, AFTERNOON])
    without = wait_range(ahead, pace, NINE)
    with_one = wait_range(ahead, pace, NINE, Due(NINE + timedelta(minutes=minutes), then))
    assert with_one.high <= without.high
    assert with_one.low <= without.low


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 12))
def test_the_range_is_round_and_has_room(ahead, minutes, points):
    low, high = told(ahead, Pace((), minutes, points))
    assert 0 <= low <= ahead * minutes / points <= high
    assert (low % 5, high % 5) == (0, 0)
    assert high - low >= 5


@given(st.integers(0, 60), st.integers(0, 12), st.integers(0, 18 * 60))
def test_nobody_is_told_less_for_standing_further_back(ahead, came_back, minute):
    now = NINE - timedelta(hours=6) + timedelta(minutes=minute)
    pace = Pace(every(4, 13, now), came_back=came_back, open_today=[MORNING, AFTERNOON])
    nearer, further = told(ahead, pace, now), told(ahead + 1, pace, now)
    assert nearer[0] - 10 <= further[0]
    assert nearer[1] <= further[1]
