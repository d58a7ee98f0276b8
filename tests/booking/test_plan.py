"""What is said when, as tables: local hours, nights, month ends, Tết."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.booking.plan import (
    EVENING,
    MORNING,
    NIGHT,
    REMINDERS,
    Standing,
    at_a_decent_hour,
    out_of_the_night,
    plan,
    reminders,
)
from telehealth.core.clock import local, minute_of_day

PROVINCE = ZoneInfo("Asia/Ho_Chi_Minh")


def at(wall: str) -> datetime:
    """An instant from its wall time in the province."""
    return datetime.strptime(wall, "%Y-%m-%d %H:%M").replace(tzinfo=PROVINCE).astimezone(UTC)


def shown(start: str, agreed: str) -> list[tuple[str, str]]:
    """First letter (day, hours) and wall time of each reminder."""
    return [
        (notice.kind.removeprefix("appointment-reminder-")[0], f"{local(notice.not_before):%Y-%m-%d %H:%M}")
        for notice in reminders(at(start), at(agreed))
    ]


@pytest.mark.parametrize(
    ("start", "agreed", "expected"),
    [
        # A week ahead: the same minute of the day before, and two hours before.
        ("2026-12-08 10:30", "2026-12-01 09:00", [("d", "2026-12-07 10:30"), ("h", "2026-12-08 08:30")]),
        # At the edges of the night: seven o'clock is morning, nine in the evening is night.
        ("2026-12-08 09:00", "2026-12-01 09:00", [("d", "2026-12-07 09:00"), ("h", "2026-12-08 07:00")]),
        ("2026-12-08 07:00", "2026-12-01 09:00", [("d", "2026-12-07 07:00")]),
        ("2026-12-08 20:59", "2026-12-01 09:00", [("d", "2026-12-07 20:59"), ("h", "2026-12-08 18:59")]),
        ("2026-12-08 21:00", "2026-12-01 09:00", [("d", "2026-12-07 20:00"), ("h", "2026-12-08 19:00")]),
        # Early: two hours before is night, and the day's reminder has been there already.
        ("2026-12-08 07:30", "2026-12-01 09:00", [("d", "2026-12-07 07:30")]),
        ("2026-12-08 08:59", "2026-12-01 09:00", [("d", "2026-12-07 08:59")]),
        # Early, agreed when the day's reminder was over: the evening before.
        ("2026-12-08 07:30", "2026-12-07 09:00", [("h", "2026-12-07 20:00")]),
        ("2026-12-08 07:30", "2026-12-07 07:00", [("h", "2026-12-07 20:00")]),
        # Before seven: even the day's reminder leaves the night, so the evening before is said as well.
        ("2026-12-08 06:30", "2026-12-01 09:00", [("d", "2026-12-06 20:00"), ("h", "2026-12-07 20:00")]),
        # What would follow the agreement within the hour is left out.
        ("2026-12-08 10:30", "2026-12-07 09:29", [("d", "2026-12-07 10:30"), ("h", "2026-12-08 08:30")]),
        ("2026-12-08 10:30", "2026-12-07 09:30", [("h", "2026-12-08 08:30")]),
        ("2026-12-08 10:30", "2026-12-08 07:30", []),
        ("2026-12-08 07:30", "2026-12-07 19:00", []),
        ("2026-12-08 07:30", "2026-12-07 21:30", []),
        # Month ends, a leap day, the year's end.
        ("2027-03-01 14:00", "2027-02-01 09:00", [("d", "2027-02-28 14:00"), ("h", "2027-03-01 12:00")]),
        ("2028-03-01 14:00", "2028-02-01 09:00", [("d", "2028-02-29 14:00"), ("h", "2028-03-01 12:00")]),
        ("2027-01-01 06:00", "2026-12-01 09:00", [("d", "2026-12-30 20:00"), ("h", "2026-12-31 20:00")]),
        # After the long holiday: mùng Sáu Tết Đinh Mùi.
        ("2027-02-11 07:15", "2027-02-01 09:00", [("d", "2027-02-10 07:15")]),
    ],
)  # fmt: skip
def test_a_time_has_these_reminders(start: str, agreed: str, expected: list[tuple[str, str]]):
    assert shown(start, agreed) == expected


@pytest.mark.parametrize(
    ("now", "start", "expected"),
    [
        ("2026-12-01 14:00", "2026-12-08 08:00", "2026-12-01 14:00"),
        ("2026-12-01 23:00", "2026-12-08 08:00", "2026-12-02 07:00"),
        ("2026-12-02 05:00", "2026-12-08 08:00", "2026-12-02 07:00"),
        ("2026-12-01 23:00", "2026-12-02 14:00", "2026-12-02 07:00"),
        # Nobody should travel in vain: too soon to wait for the morning.
        ("2026-12-01 23:00", "2026-12-02 07:30", "2026-12-01 23:00"),
        ("2026-12-02 05:00", "2026-12-02 12:59", "2026-12-02 05:00"),
    ],
)
def test_a_change_found_at_night_waits_for_the_morning_if_it_can(now: str, start: str, expected: str):
    assert at_a_decent_hour(at(now), at(start)) == at(expected)


_INSTANT = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m)
)
_AHEAD = st.integers(1, 60 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(start=_INSTANT, ahead=_AHEAD, passed=_AHEAD)
def test_reminders_are_never_late_never_at_night_and_only_grow_fewer(
    start: datetime, ahead: timedelta, passed: timedelta
):
    agreed = start - ahead
    found = reminders(start, agreed)
    assert len({notice.kind for notice in found}) == len(found) <= len(REMINDERS)
    for notice in found:
        assert agreed < notice.not_before <= notice.expires_at <= start
        assert MORNING <= minute_of_day(notice.not_before) < NIGHT
        earliest = timedelta(hours=24 if notice.kind == REMINDERS[0] else 2)
        assert start - notice.not_before >= earliest
        assert start - notice.not_before <= earliest + timedelta(hours=11)
    now = agreed + passed
    waiting = plan(Standing("booked", start, agreed), now)
    assert waiting == {notice for notice in found if notice.not_before > now}
    assert plan(Standing("booked", start, agreed, disrupted=True), now) == frozenset()
    for status in ("cancelled", "arrived", "fulfilled", "noshow", "held"):
        assert plan(Standing(status, start, agreed), now) == frozenset()


@given(instant=_INSTANT)
def test_the_night_moves_a_message_back_to_eight_in_the_evening(instant: datetime):
    sent = out_of_the_night(instant)
    assert timedelta() <= instant - sent <= timedelta(hours=11)
    assert sent == instant or minute_of_day(sent) == EVENING
