"""The pure rules: free slots from sessions and claims, against a reference that looks at every minute."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.booking.rules import Times, check_time
from telehealth.directory.places import Place
from telehealth.scheduling.codes import Channel, Door
from telehealth.scheduling.errors import SlotInPast, SlotTooSoon
from telehealth.scheduling.rules import (
    DAY_MINUTES,
    LATEST,
    POLICIES,
    FreeSlot,
    Grid,
    Reserve,
    SlotPolicy,
    Window,
    door_of,
    free_places,
    free_slots,
    instant_of,
)

HERE, AN, ROOM = (UUID(int=n) for n in range(1, 4))
STAFF = SlotPolicy(min_notice_minutes=0, window_days=180, online=False)
ONLINE = SlotPolicy(min_notice_minutes=30, window_days=60)
LONG_AGO = instant_of(-1)


def always(door: str = Door.COUNTER, *, now: int = 0) -> Window:
    return STAFF.window(instant_of(now), door)


def grid(**changes: object) -> Grid:
    values = {"start": 1000, "slot_minutes": 10, "slot_count": 6, "capacity": 1, "online_left": 6}
    return Grid(id=HERE, practitioner_id=AN, **(values | changes))


def starts(session: Grid, claims: dict, window: Window) -> list[int]:
    return [slot.start for slot in free_slots([session], claims, window)]


def test_a_claim_takes_every_slot_it_touches():
    assert starts(grid(), {AN: [(1015, 1025, 1)]}, always()) == [1000, 1030, 1040, 1050]


def test_a_slot_with_two_lanes_is_free_until_both_are_taken():
    one = free_slots([grid(capacity=2)], {AN: [(1000, 1010, 2)]}, always())
    assert one[0] == FreeSlot(HERE, 1000, 1)
    both = free_slots([grid(capacity=2)], {AN: [(1000, 1010, 2), (1000, 1010, 1)]}, always())
    assert both[0].start == 1010


def test_online_sees_no_more_than_its_quota():
    online = ONLINE.window(LONG_AGO, Door.ONLINE)
    assert free_slots([grid(online_left=0)], {}, online) == []
    assert {slot.free for slot in free_slots([grid(capacity=3, online_left=2)], {}, online)} == {2}
    assert {slot.free for slot in free_slots([grid(capacity=3, online_left=0)], {}, always())} == {3}


def test_notice_and_window_bound_what_may_be_booked():
    policy = SlotPolicy(min_notice_minutes=15, window_days=1, online=False)
    window = policy.window(instant_of(1000), Door.COUNTER)
    assert starts(grid(), {}, window)[0] == 1020
    assert starts(grid(start=1000 + DAY_MINUTES - 20), {}, window)[-1] == 1000 + DAY_MINUTES


def test_a_part_of_a_minute_never_lets_anybody_in_early():
    policy = SlotPolicy(min_notice_minutes=10, window_days=1)
    window = policy.window(instant_of(1000) + timedelta(seconds=30), Door.ONLINE)
    assert starts(grid(), {}, window)[0] == 1020
    assert starts(grid(start=1001 + DAY_MINUTES), {}, window) == []


@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize("notice", [0, 5, 30])
@pytest.mark.parametrize("grace", [0, 10])
def test_what_is_offered_about_the_end_of_a_notice_is_what_booking_takes(
    seconds: int, notice: int, grace: int
):
    policy = SlotPolicy(min_notice_minutes=notice, window_days=1, online=False, grace_minutes=grace)
    now = instant_of(1000) + timedelta(seconds=seconds)
    offered = set(starts(grid(), {}, policy.window(now, Door.COUNTER)))
    for start in range(1000, 1060, 10):
        times = Times(instant_of(start), instant_of(start + 10))
        assert taken(times, policy, now) == (start in offered), start


def taken(times: Times, policy: SlotPolicy, now: datetime) -> bool:
    """Tell whether booking has nothing against the time."""
    try:
        check_time(times, policy, now)
    except (SlotInPast, SlotTooSoon):
        return False
    return True


def test_a_session_with_an_opening_of_its_own_opens_then_and_not_before():
    session = grid(start=1000 + 90 * DAY_MINUTES, opens_at=instant_of(500), notice=0)
    before, at = instant_of(500) - timedelta(seconds=1), instant_of(500)
    assert starts(session, {}, ONLINE.window(before, Door.ONLINE)) == []
    assert len(starts(session, {}, ONLINE.window(at, Door.ONLINE))) == 6
    assert len(starts(session, {}, STAFF.window(before, Door.COUNTER))) == 6


def test_a_session_may_ask_for_more_or_less_notice_than_others():
    now = instant_of(1005)
    assert starts(grid(notice=0), {}, ONLINE.window(now, Door.ONLINE))[0] == 1010
    assert starts(grid(notice=40), {}, ONLINE.window(now, Door.ONLINE)) == [1050]
    assert starts(grid(notice=40), {}, STAFF.window(now, Door.COUNTER))[0] == 1010


def test_a_slot_shows_the_patients_time_and_takes_the_doctors():
    session = grid(slot_minutes=20, lead=5, tail=5, slot_count=3)
    assert starts(session, {}, always()) == [1005, 1025, 1045]
    assert starts(session, {AN: [(1000, 1005, 1)]}, always()) == [1025, 1045]
    assert starts(session, {AN: [(1035, 1040, 1)]}, always()) == [1005, 1045]


def test_a_slot_needs_a_lane_of_each_of_its_resources():
    session = grid(capacity=3, resources=[(ROOM, 2)])
    assert {slot.free for slot in free_slots([session], {}, always())} == {2}
    busy = {ROOM: [(1000, 1020, 1), (1000, 1010, 2)]}
    assert [slot.free for slot in free_slots([session], busy, always())] == [1, 2, 2, 2, 2]
    assert starts(grid(resources=[(ROOM, 0)]), {}, always()) == []


def test_a_blocking_closes_the_slots_that_it_touches():
    assert starts(grid(blocked=[(1015, 1020)]), {}, always()) == [1000, 1020, 1030, 1040, 1050]


def test_the_daily_limit_of_the_practitioner_binds_every_door():
    assert starts(grid(day_left=0), {}, always()) == []
    assert free_places(grid(day_left=2), {}, always()) == 2


def test_a_reserve_is_kept_from_the_other_doors_until_it_falls():
    kept = Reserve(Door.REFERRAL_INITIAL, 4, 1, instant_of(900))
    session = grid(booked=2, reserves=[kept])
    assert free_places(session, {}, always(now=899)) == 1
    assert free_places(session, {}, always(now=900)) == 4
    assert free_places(session, {}, always(Door.REFERRAL_INITIAL, now=899)) == 4
    online = ONLINE.window(instant_of(800), Door.ONLINE)
    assert free_places(replace(session, online_left=9), {}, online) == 1


def test_a_referral_goes_by_the_level_that_refers():
    assert door_of(Channel.ONLINE) == Door.ONLINE
    assert door_of(Channel.DESK) == door_of(Channel.KIOSK) == Door.COUNTER
    assert door_of(Channel.REFERRAL, "basic") == Door.REFERRAL_BASIC
    assert door_of(Channel.REFERRAL) == Door.COUNTER


def test_a_place_nearby_is_inside_the_box_and_its_distance_is_right():
    ba_ria, vung_tau = Place(10.46573, 107.13731), Place(10.34362, 107.08979)
    assert 14.3 < ba_ria.distance_km(vung_tau) < 14.7
    south, north, west, east = ba_ria.box(15)
    assert south < vung_tau.latitude < north
    assert west < vung_tau.longitude < east


_SPAN = st.tuples(st.integers(940, 1100), st.integers(1, 40)).map(lambda pair: (pair[0], sum(pair)))
_CLAIM = st.tuples(_SPAN, st.integers(1, 3)).map(lambda claim: (*claim[0], claim[1]))
_CLAIMS = st.fixed_dictionaries({AN: st.lists(_CLAIM, max_size=8), ROOM: st.lists(_CLAIM, max_size=5)})
_RESERVES = st.lists(
    st.builds(
        Reserve,
        st.sampled_from(list(Door)),
        st.integers(0, 6),
        st.integers(0, 3),
        st.integers(880, 1020).map(instant_of),
    ),
    max_size=3,
    unique_by=lambda item: item.door,
)


@st.composite
def _sessions(draw: st.DrawFn) -> Grid:
    lead, tail, visit = draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(1, 20))
    count, capacity = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    return grid(
        slot_minutes=lead + visit + tail,
        lead=lead,
        tail=tail,
        slot_count=count,
        capacity=capacity,
        booked=draw(st.integers(0, count * capacity)),
        online_left=draw(st.integers(0, 12)),
        reserves=draw(_RESERVES),
        resources=draw(st.sampled_from([[], [(ROOM, 1)], [(ROOM, 2)]])),
        blocked=draw(st.lists(_SPAN, max_size=2)),
        day_left=draw(st.one_of(st.none(), st.integers(0, 5))),
        opens_at=draw(st.one_of(st.none(), st.integers(900, 1010).map(instant_of))),
        notice=draw(st.one_of(st.none(), st.integers(0, 60))),
    )


_WINDOWS = st.builds(
    lambda door, now: (ONLINE if door == Door.ONLINE else STAFF).window(instant_of(now), door),
    st.sampled_from(list(Door)),
    st.integers(880, 1080),
)


def bookable(session: Grid, claims: dict, window: Window, minute: int) -> bool:
    """Tell by looking at every minute whether somebody can be booked to come at this one."""
    index, off = divmod(minute - session.lead - session.start, session.slot_minutes)
    if off or not 0 <= index < session.slot_count:
        return False
    step = range(minute - session.lead, minute - session.lead + session.slot_minutes)
    now = (window.now - instant_of(0)) / timedelta(minutes=1)
    online = window.door == Door.ONLINE
    notice = 30 if online else 0
    if online and session.notice is not None:
        notice = session.notice
    if minute < now + notice:
        return False
    if online and session.opens_at is not None and window.now < session.opens_at:
        return False
    needs = [(AN, session.capacity), *session.resources]
    for owner, lanes in needs:
        taken = {lane for a, b, lane in claims[owner] for m in step if a <= m < b and 1 <= lane <= lanes}
        if len(taken) >= lanes:
            return False
    if any(a <= m < b for a, b in session.blocked for m in step):
        return False
    kept = sum(
        max(0, item.reserved - item.booked)
        for item in session.reserves
        if item.door != window.door and window.now < item.falls_at
    )
    left = session.slot_count * session.capacity - session.booked - kept
    if online:
        left = min(left, session.online_left)
    return left > 0 and session.day_left != 0


@given(_sessions(), _CLAIMS, _WINDOWS)
def test_what_is_found_can_be_booked_and_what_can_be_booked_is_found(session, claims, window):
    expected = [minute for minute in range(950, 1300) if bookable(session, claims, window, minute)]
    assert starts(session, claims, window) == expected


@given(_sessions(), _CLAIMS, _WINDOWS, _CLAIM, st.sampled_from([AN, ROOM]))
def test_another_claim_never_frees_a_place(session, claims, window, more, owner):
    fuller = claims | {owner: [*claims[owner], more]}
    before = {slot.start: slot.free for slot in free_slots([session], claims, window)}
    after = {slot.start: slot.free for slot in free_slots([session], fuller, window)}
    assert all(free <= before.get(start, 0) for start, free in after.items())
    assert free_places(session, fuller, window) <= free_places(session, claims, window)


@given(_sessions(), _CLAIMS, _WINDOWS, _SPAN)
def test_another_blocking_or_a_larger_reserve_never_frees_a_place(session, claims, window, span):
    before = set(starts(session, claims, window))
    assert set(starts(replace(session, blocked=[*session.blocked, span]), claims, window)) <= before
    larger = [replace(item, reserved=item.reserved + 1) for item in session.reserves]
    assert set(starts(replace(session, reserves=larger), claims, window)) <= before


@given(_sessions(), _CLAIMS, _WINDOWS, st.integers(990, 1200))
def test_a_range_cut_in_two_gives_the_same_slots(session, claims, window, cut):
    whole = free_slots([session], claims, window)
    first = free_slots([session], claims, replace(window, last=cut))
    second = free_slots([session], claims, replace(window, first=cut + 1, last=LATEST))
    assert first + second == whole


@given(_sessions(), _CLAIMS, _WINDOWS)
def test_a_slot_and_its_buffers_lie_within_the_session_and_apart_from_each_other(session, claims, window):
    end = session.start + session.slot_count * session.slot_minutes
    steps = [
        (start - session.lead, start - session.lead + session.slot_minutes)
        for start in starts(session, claims, window)
    ]
    assert all(session.start <= first and last <= end for first, last in steps)
    assert all(a[1] <= b[0] for a, b in pairwise(steps))


@given(_sessions(), _CLAIMS, _WINDOWS, st.integers(-14, 14))
def test_where_the_viewer_is_changes_nothing(session, claims, window, hours):
    elsewhere = window.now.astimezone(timezone(timedelta(hours=hours)))
    assert free_slots([session], claims, replace(window, now=elsewhere)) == free_slots(
        [session], claims, window
    )


@given(_sessions(), _CLAIMS, _WINDOWS)
def test_places_are_counted_as_they_are_found(session, claims, window):
    found = free_slots([session], claims, window)
    counted = free_places(session, claims, window)
    assert (counted > 0) == bool(found)
    assert counted <= sum(slot.free for slot in found)
    assert all(slot.free <= counted for slot in found)


def test_the_doors_have_the_windows_they_should():
    assert {name: policy.online for name, policy in POLICIES.items()} == {
        Channel.ONLINE: True, Channel.DESK: False, Channel.KIOSK: False, Channel.REFERRAL: False,
    }  # fmt: skip
    assert datetime(1970, 1, 1, tzinfo=UTC) == instant_of(0)
