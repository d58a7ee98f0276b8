"""The rule as data: what so many misses lead to, for how long."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telehealth.attendance.rules import consequences, standing
from telehealth.booking.codes import RestrictionGrade

NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)
RULE = consequences()
SEVERITY = list(RestrictionGrade)
MISSES = st.lists(st.integers(0, 400).map(lambda days: NOW - timedelta(days=days)), max_size=8)


def ago(*days: int) -> list[datetime]:
    return [NOW - timedelta(days=each) for each in days]


def grade(*days: int) -> str | None:
    found = standing(ago(*days), NOW, RULE)
    return found and found.grade.value


def test_the_rule_as_it_is_shipped():
    assert grade() is None
    assert grade(1) == "noted"
    assert grade(200) is None
    assert grade(1, 100) == "must-confirm"
    assert grade(1, 200) == "noted"
    assert grade(1, 2, 3) == "desk-only"
    assert grade(31, 32, 33) == "must-confirm"
    assert grade(91, 92, 93) == "noted"


@given(misses=MISSES, later=st.integers(0, 400))
def test_without_another_miss_it_only_gets_milder_and_ends(misses: list[datetime], later: int):
    first = standing(misses, NOW, RULE)
    then = standing(misses, NOW + timedelta(days=later), RULE)
    if first is None:
        assert then is None
    elif then is not None:
        assert SEVERITY.index(then.grade) <= SEVERITY.index(first.grade)
        assert then.until > NOW + timedelta(days=later)


@given(misses=MISSES, excused=st.integers(0, 7))
def test_excusing_one_never_makes_it_worse(misses: list[datetime], excused: int):
    before = standing(misses, NOW, RULE)
    after = standing([miss for index, miss in enumerate(misses) if index != excused], NOW, RULE)
    if after is not None:
        assert before is not None
        assert SEVERITY.index(after.grade) <= SEVERITY.index(before.grade)
