"""Working days, Tết, swapped days and overrides."""

from datetime import date
from uuid import uuid4

import pytest

from telehealth.directory.calendar import DayKind, Override, OverrideKind, day_kind, is_working_day

FACILITY = uuid4()
MONDAY = date(2026, 11, 30)


@pytest.mark.parametrize("day", range(4, 11))
def test_tet_2027_is_a_holiday_from_the_eve_to_the_fifth(day: int):
    assert day_kind(date(2027, 2, day)).holiday


def test_the_days_around_tet_2027_are_ordinary():
    assert day_kind(date(2027, 2, 3)).kind is DayKind.NORMAL
    assert day_kind(date(2027, 2, 11)).kind is DayKind.NORMAL


def test_culture_day_is_a_holiday_from_2026():
    assert not day_kind(date(2025, 11, 24)).holiday
    assert day_kind(date(2026, 11, 24)).name == "Ngày Văn hóa Việt Nam"
    assert day_kind(date(2027, 11, 24)).holiday


def test_the_swap_of_2026_gives_a_monday_off_and_a_saturday_that_works_like_it():
    assert day_kind(date(2026, 8, 31)).holiday
    worked = day_kind(date(2026, 8, 22))
    assert (worked.kind, worked.weekday) == (DayKind.WORKS_LIKE, 0)
    assert is_working_day(date(2026, 8, 22))
    assert not is_working_day(date(2026, 8, 29))


def test_an_ordinary_day_runs_by_its_own_weekday():
    assert (day_kind(MONDAY).kind, day_kind(MONDAY).weekday) == (DayKind.NORMAL, 0)


def test_the_province_overrides_the_nation():
    tet = date(2027, 2, 8)
    overrides = [Override(tet, OverrideKind.WORKING)]
    assert day_kind(tet, overrides).weekday == 0
    assert day_kind(date(2027, 2, 9), overrides).holiday


def test_a_facility_overrides_the_province_and_only_for_itself():
    overrides = [
        Override(MONDAY, OverrideKind.WORKS_LIKE, like_weekday=2, facility_id=FACILITY),
        Override(MONDAY, OverrideKind.HOLIDAY),
    ]
    assert day_kind(MONDAY, overrides, FACILITY).weekday == 2
    assert day_kind(MONDAY, overrides, uuid4()).holiday
    assert day_kind(MONDAY, overrides).holiday
