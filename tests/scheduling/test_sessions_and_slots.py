"""The pure rules: sessions from rosters, slots from sessions and claims."""

from datetime import date, timedelta
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from telehealth.scheduling.rules import (
    DAY_MINUTES,
    FreeSlot,
    Grid,
    RosterException,
    RosterLine,
    SlotId,
    SlotPolicy,
    Window,
    free_slots,
    intersect,
    merged,
    online_quota,
    sessions_of_day,
    subtract,
)

MONDAY = date(2026, 11, 30)
HERE, AN, BINH, INTERNAL = (UUID(int=n) for n in range(1, 5))
HOURS = {day: [(420, 690), (780, 990)] for day in range(6)}


def line(**changes: object) -> RosterLine:
    values = {
        "id": uuid5(HERE, str(changes)),
        "facility_id": HERE,
        "practitioner_id": AN,
        "service_id": INTERNAL,
        "modality": "in-person",
        "weekdays": [0],
        "start_minute": 420,
        "end_minute": 690,
        "slot_minutes": 10,
        "capacity": 1,
        "room": "P1",
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
    }
    return RosterLine(**(values | changes))


def exception(kind: str, **changes: object) -> RosterException:
    values = {
        "id": uuid5(AN, f"{kind}{changes}"),
        "facility_id": HERE,
        "practitioner_id": AN,
        "kind": kind,
        "from_date": MONDAY,
        "to_date": MONDAY,
    }
    return RosterException(**(values | changes))


def spans(lines: list[RosterLine], *exceptions: RosterException, day: date = MONDAY, **options: object):
    options = {"weekday": day.weekday(), "open_spans": HOURS} | options
    found = sessions_of_day(day, lines, exceptions, **options)
    return [(item.start_minute, item.start_minute + item.slot_count * item.slot_minutes) for item in found]


def test_a_roster_line_is_a_session_on_its_weekdays_while_it_is_valid():
    assert spans([line()]) == [(420, 690)]
    assert spans([line()], day=MONDAY + timedelta(days=1)) == []
    assert spans([line(valid_from=date(2026, 12, 1))]) == []
    assert spans([line(valid_to=date(2026, 11, 29))]) == []


def test_a_holiday_has_no_regular_sessions_but_keeps_those_asked_for_by_name():
    extra = exception(
        "extra", start_minute=480, end_minute=540, service_id=INTERNAL, modality="in-person", slot_minutes=15
    )
    assert spans([line()], weekday=None) == []
    assert spans([line()], extra, weekday=None) == [(480, 540)]


def test_a_swapped_day_works_like_another_weekday():
    saturday = MONDAY + timedelta(days=5)
    like_monday = exception(
        "works-like", practitioner_id=None, from_date=saturday, to_date=saturday, like_weekday=0
    )
    assert spans([line()], day=saturday) == []
    assert spans([line()], like_monday, day=saturday) == [(420, 690)]
    assert spans([line()], day=saturday, weekday=0) == [(420, 690)]


def test_leave_takes_one_practitioner_away_and_a_closure_everybody():
    both = [line(), line(practitioner_id=BINH)]
    assert len(spans(both, exception("leave"))) == 1
    assert spans(both, exception("closed", practitioner_id=None)) == []
    afternoon = exception("closed", practitioner_id=None, start_minute=600, end_minute=720)
    assert spans([line()], afternoon) == [(420, 600)]
    midmorning = exception("leave", start_minute=485, end_minute=515)
    assert spans([line()], midmorning) == [(420, 480), (520, 690)]


def test_opening_hours_bind_those_who_come_and_not_those_who_call():
    late = {"start_minute": 960, "end_minute": 1140}
    assert spans([line(**late)]) == [(960, 990)]
    assert spans([line(**late, modality="video")]) == [(960, 1140)]
    assert spans([line(**late)], open_spans={}) == [(960, 1140)]
    over_noon = line(start_minute=600, end_minute=900)
    assert spans([over_noon]) == [(600, 690), (780, 900)]


def test_a_session_keeps_its_id_when_the_roster_changes_around_it():
    before = sessions_of_day(MONDAY, [line()], [], weekday=0, open_spans={})[0]
    after = sessions_of_day(
        MONDAY, [line(weekdays=[0, 2], room="P9", capacity=3)], [], weekday=0, open_spans={}
    )[0]
    assert (before.id, after.capacity) == (after.id, 3)


def test_the_online_quota_is_rounded_down():
    assert online_quota(70, 27, 1, bookable_online=True) == 18
    assert online_quota(100, 27, 2, bookable_online=True) == 54
    assert online_quota(100, 27, 2, bookable_online=False) == 0


ALWAYS = Window(earliest=0, latest=10**9, online=False)


def grid(**changes: int) -> Grid:
    values = {"start": 1000, "slot_minutes": 10, "slot_count": 6, "capacity": 1, "online_left": 6}
    return Grid(id=HERE, practitioner_id=AN, **(values | changes))


def test_a_claim_takes_every_slot_it_touches():
    starts = [slot.start for slot in free_slots([grid()], {AN: [(1015, 1025, 1)]}, ALWAYS)]
    assert starts == [1000, 1030, 1040, 1050]


def test_a_slot_with_two_lanes_is_free_until_both_are_taken():
    one = free_slots([grid(capacity=2)], {AN: [(1000, 1010, 2)]}, ALWAYS)
    assert one[0] == FreeSlot(HERE, 1000, 1)
    both = free_slots([grid(capacity=2)], {AN: [(1000, 1010, 2), (1000, 1010, 1)]}, ALWAYS)
    assert both[0].start == 1010


def test_online_sees_no_more_than_its_quota():
    online = Window(earliest=0, latest=10**9, online=True)
    assert free_slots([grid(online_left=0)], {}, online) == []
    assert {slot.free for slot in free_slots([grid(capacity=3, online_left=2)], {}, online)} == {2}
    assert {slot.free for slot in free_slots([grid(capacity=3, online_left=0)], {}, ALWAYS)} == {3}


def test_notice_and_window_bound_what_may_be_booked():
    window = SlotPolicy(min_notice_minutes=15, window_days=1, online=False).window(1000)
    assert free_slots([grid()], {}, window)[0].start == 1020
    tomorrow = grid(start=1000 + DAY_MINUTES - 20)
    assert free_slots([tomorrow], {}, window)[-1].start == 1000 + DAY_MINUTES


def test_a_slot_id_is_read_back_and_nothing_else_is():
    slot = SlotId(HERE, 480)
    assert SlotId.parse(str(slot)) == slot
    for odd in ("", "x.1", f"{HERE}", f"{HERE}.", f"{HERE}.-5", f"{HERE}.٤", f"{HERE}.99999"):
        assert SlotId.parse(odd) is None, odd


_SPANS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 60)).map(lambda pair: (pair[0], sum(pair))), max_size=6
)


def _minutes(found: list[tuple[int, int]]) -> set[int]:
    return {minute for start, end in found for minute in range(start, end)}


@given(_SPANS, _SPANS)
def test_spans_are_sets_of_minutes(left, right):
    assert _minutes(merged(left)) == _minutes(left)
    assert _minutes(intersect(left, right)) == _minutes(left) & _minutes(right)
    assert _minutes(subtract(left, right)) == _minutes(left) - _minutes(right)


_CLAIMS = st.lists(
    st.tuples(st.integers(940, 1100), st.integers(1, 40), st.integers(1, 3)).map(
        lambda claim: (claim[0], claim[0] + claim[1], claim[2])
    ),
    max_size=8,
)


@given(_CLAIMS, st.integers(1, 3), st.integers(1, 30), st.integers(1, 12))
def test_free_places_are_those_that_no_claim_overlaps(claims, capacity, minutes, count):
    session = grid(capacity=capacity, slot_minutes=minutes, slot_count=count, online_left=999)
    expected = {}
    for index in range(count):
        start = 1000 + index * minutes
        taken = {lane for a, b, lane in claims if a < start + minutes and start < b and lane <= capacity}
        if len(taken) < capacity:
            expected[start] = capacity - len(taken)
    found = free_slots([session], {AN: claims}, ALWAYS)
    assert {slot.start: slot.free for slot in found} == expected


@given(_CLAIMS, st.tuples(st.integers(940, 1100), st.integers(1, 40), st.integers(1, 2)))
def test_another_claim_never_frees_a_place(claims, more):
    session = grid(capacity=2)
    claim = (more[0], more[0] + more[1], more[2])
    before = {slot.start: slot.free for slot in free_slots([session], {AN: claims}, ALWAYS)}
    after = {slot.start: slot.free for slot in free_slots([session], {AN: [*claims, claim]}, ALWAYS)}
    assert all(free <= before.get(start, 0) for start, free in after.items())


@given(_CLAIMS, st.integers(990, 1070))
def test_a_range_cut_in_two_gives_the_same_slots(claims, cut):
    session = grid()
    whole = free_slots([session], {AN: claims}, ALWAYS)
    first = free_slots([session], {AN: claims}, Window(0, cut, online=False))
    second = free_slots([session], {AN: claims}, Window(cut + 1, 10**9, online=False))
    assert first + second == whole
