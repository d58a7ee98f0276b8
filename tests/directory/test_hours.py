"""Opening hours as hospitals write them."""

import pytest

from telehealth.directory.hours import BadHours, OpeningPeriod, open_at, parse_hours


def test_a_range_of_days_with_two_periods_gives_both_on_each_day():
    periods = parse_hours("MO-SA 07:00-11:30,13:00-16:30")
    assert len(periods) == 12
    assert periods[0] == OpeningPeriod(0, 420, 690)
    assert {period.weekday for period in periods} == set(range(6))


def test_groups_part_at_semicolons():
    periods = parse_hours("MO-SA 17:00-19:00;SU 07:30-11:00")
    assert periods[-1] == OpeningPeriod(6, 450, 660)


def test_named_days_lower_case_and_stray_spaces_are_read():
    assert parse_hours(" mo, we 7:00 - 11h30 ;") == (OpeningPeriod(0, 420, 690), OpeningPeriod(2, 420, 690))


def test_nothing_is_never_open():
    assert parse_hours("") == ()
    assert not open_at((), 0, 420, 480)


@pytest.mark.parametrize(
    "text",
    [
        "MO-SA",
        "07:00-11:30",
        "XX 07:00-11:00",
        "SA-MO 07:00-11:00",
        "MO 11:00-07:00",
        "MO 07:00-25:00",
        "MO 07:00-11:00,10:00-12:00",
        "MO 07:00",
        "MO 07:61-08:00",
    ],
)
def test_malformed_hours_are_refused(text: str):
    with pytest.raises(BadHours):
        parse_hours(text)


def test_a_span_must_lie_within_one_period():
    periods = parse_hours("MO 07:00-11:30,13:00-16:30")
    assert open_at(periods, 0, 420, 690)
    assert not open_at(periods, 0, 660, 800)
    assert not open_at(periods, 1, 420, 690)
