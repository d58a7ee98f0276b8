"""When a place is offered and until when: by day and by night, far and near."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.core.clock import at_local, local, minute_of_day
from telehealth.waitlist.rules import SHORTEST, answered_until, offered_from
from tests.conftest import MONDAY_8AM

MONDAY = local(MONDAY_8AM).date()
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def clock(minute: int, days: int = 0) -> datetime:
    return at_local(MONDAY + timedelta(days=days), minute)


@pytest.mark.parametrize(
    ("now", "start", "until"),
    [
        (clock(480), clock(480, 8), clock(840)),
        (clock(480), clock(480, 2), clock(660)),
        (clock(480), clock(540), clock(490)),
        (clock(480), clock(515), None),
        (clock(20 * 60), clock(600, 8), clock(480, 1)),
        (clock(20 * 60 + 30), clock(450, 1), clock(21 * 60 + 15)),
    ],
)
def test_the_nearer_the_visit_the_shorter_the_time_to_answer(now: datetime, start: datetime, until: datetime):
    assert answered_until(now, start) == until


@given(now=INSTANTS, ahead=st.integers(0, 40 * 24 * 60), notice=st.integers(0, 2880))
def test_an_offer_gives_time_to_answer_and_ends_before_the_notice(now: datetime, ahead: int, notice: int):
    start = now + timedelta(minutes=ahead)
    until = answered_until(now, start, timedelta(minutes=notice))
    assert until is None or now + SHORTEST <= until <= start - timedelta(minutes=notice)


@given(now=INSTANTS, ahead=st.integers(1, 40 * 24 * 60))
def test_nobody_is_woken_but_for_what_begins_before_ten(now: datetime, ahead: int):
    start = now + timedelta(minutes=ahead)
    due = offered_from(now, start)
    assert due >= now
    if not 420 <= minute_of_day(due) < 1260:
        assert start - due < timedelta(hours=13)
        assert start < at_local(local(due + timedelta(hours=3)).date(), 600)
