"""What slips are good for, by the Vietnamese calendar; pure."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.core.clock import business_date
from telehealth.directory.calendar import Override, OverrideKind, day_kind, is_working_day
from telehealth.directory.icd10 import any_covers, normalise_icd10
from telehealth.directory.remote_care import remote_care
from telehealth.referrals.codes import OwnerRole, RequestKind, RequestPriority
from telehealth.referrals.rulebook import slip_rules
from telehealth.referrals.rules import (
    ListedDisease,
    due_day,
    first_owner,
    next_owner,
    nth_working_day,
    shifted,
    validity,
)

RULES = slip_rules()
REFERRAL, AGAIN = RequestKind.REFERRAL, RequestKind.REEXAMINATION
days = st.dates(date(2025, 1, 1), date(2027, 12, 1))


def test_a_referral_is_good_for_ten_working_days_after_its_day():
    assert validity(REFERRAL, date(2026, 11, 30), None, is_working_day, RULES).last == date(2026, 12, 14)


def test_tet_does_not_use_up_a_referral():
    signed = date(2026, 2, 12)  # Thursday before Tết Bính Ngọ
    last = validity(REFERRAL, signed, None, is_working_day, RULES).last
    assert last is not None
    assert last > signed + timedelta(days=18)
    assert sum(is_working_day(signed + timedelta(days=n)) for n in range(1, (last - signed).days + 1)) == 10


def test_a_provinces_own_holiday_counts_too():
    storm = [Override(date(2026, 12, 1), OverrideKind.HOLIDAY)]
    good = validity(REFERRAL, date(2026, 11, 30), None, lambda day: is_working_day(day, storm), RULES)
    assert good.last == date(2026, 12, 15)


def test_a_listed_disease_is_good_for_a_year_once_somebody_stands_for_it():
    signed = date(2026, 11, 30)
    assert validity(REFERRAL, signed, "G20", is_working_day, RULES).last == date(2026, 12, 14)
    assert validity(REFERRAL, signed, "G20", is_working_day, RULES, listed=True).last == date(2027, 11, 30)
    confirmed = replace(RULES, listed=(ListedDisease("G20", "Parkinson", True, "Phụ lục III"),))
    assert validity(REFERRAL, signed, "G20", is_working_day, confirmed).last == date(2027, 11, 30)
    leap = validity(REFERRAL, date(2028, 2, 29), "G20", is_working_day, confirmed)
    assert leap.last == date(2029, 2, 28)


def test_a_slip_to_come_again_has_no_last_day():
    good = validity(AGAIN, date(2026, 11, 30), None, is_working_day, RULES)
    assert (good.last, good.bound) == (None, None)


@given(days, st.integers(1, 15))
def test_the_nth_working_day_is_one_and_is_the_nth(day: date, count: int):
    found = nth_working_day(day, count, is_working_day)
    assert is_working_day(found)
    assert sum(is_working_day(day + timedelta(days=n)) for n in range(1, (found - day).days + 1)) == count


@given(days)
def test_a_holiday_moves_a_day_to_the_next_working_one_and_nothing_else_does(day: date):
    moved = due_day(day, lambda each: day_kind(each).holiday, is_working_day)
    if day_kind(day).holiday:
        assert moved > day
        assert is_working_day(moved)
        assert not any(is_working_day(day + timedelta(days=n)) for n in range((moved - day).days))
    else:
        assert moved == day


def test_a_few_days_around_the_papers_need_nobodys_word():
    asked = date(2026, 12, 10)
    fine = [day for n in range(-10, 11) if not shifted(day := asked + timedelta(days=n), asked, asked, RULES)]
    assert (fine[0], fine[-1]) == (
        asked - timedelta(days=RULES.early_days),
        asked + timedelta(days=RULES.late_days),
    )


@given(
    st.sampled_from(list(RequestPriority)),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 11, 1)),
    st.booleans(),
)
def test_the_clock_only_runs_forward_and_ends_at_the_province(
    priority: RequestPriority, start: datetime, receiver: bool
):
    now = start.replace(tzinfo=UTC)
    owner = first_owner(priority, now, is_working_day, RULES)
    assert owner.role is OwnerRole.DESK
    for _ in range(5):
        assert owner.escalate_at > now
        now = owner.escalate_at
        following = next_owner(
            owner.step, receiver=receiver, priority=priority, now=now, working=is_working_day, rules=RULES
        )
        assert following.step >= owner.step
        owner = following
    assert owner.role is OwnerRole.PROVINCE


def test_a_routine_clock_of_friday_ends_on_wednesday():
    friday = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
    due = first_owner(RequestPriority.ROUTINE, friday, is_working_day, RULES).escalate_at
    assert business_date(due) == date(2026, 12, 2)
    assert due.time() == friday.time()


@pytest.mark.parametrize(
    ("code", "listed", "covered"),
    [
        ("e66.9", "E66", True),
        ("J311", "J31.1", True),
        ("J31", "J31.1", False),
        ("A17.0", "A15-A19", True),
        ("A20", "A15-A19", False),
        ("E11.9", "E10.9 E11.9", True),
        ("E11.0", "E10.9 E11.9", False),
    ],
)
def test_codes_are_covered_by_category_subcategory_and_range(code: str, listed: str, covered: bool):
    normal = normalise_icd10(code)
    assert normal is not None
    assert any_covers(listed, normal) is covered


@given(st.text(max_size=12))
def test_no_text_is_too_odd_for_the_list_of_remote_care(text: str):
    assert remote_care().remote_allowed(text) in (True, False)
    assert isinstance(remote_care().search(text), tuple)


def test_every_line_of_the_lists_has_codes_and_a_source():
    for line in (*remote_care().conditions, *RULES.listed):
        assert line.source
        for code in line.codes.replace("-", " ").split():
            assert normalise_icd10(code) == code, line
    for name in ("J00", "E66.0", "K12.0", "I10"):
        assert remote_care().remote_allowed(name)
    assert not remote_care().remote_allowed("I21.0")
