"""The order is a permutation, nobody starves, and each place can be explained."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.rules import (
    DEFAULT_POLICY,
    Lane,
    OrderPolicy,
    Reason,
    Standing,
    Waiting,
    is_due,
    lane_of,
    latest_place,
    may_return,
    newcomer_place,
    number_text,
    order,
    statutory_class,
)

NOW = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)


def walk_in(number: int, minutes_ago: int = 0, **more: object) -> Waiting:
    return Waiting(UUID(int=number), number, NOW - timedelta(minutes=minutes_ago), **more)  # type: ignore[arg-type]


def appointment(number: int, starts_in: int, came_minutes_ago: int = 0) -> Waiting:
    return walk_in(number, came_minutes_ago, appointment_start=NOW + timedelta(minutes=starts_in))


def priority(number: int, minutes_ago: int = 0) -> Waiting:
    return walk_in(number, minutes_ago, priority=PriorityClass.AGED_75)


def numbers(*tickets: Waiting, recent: tuple[Lane, ...] = ()) -> list[int]:
    return [placed.id.int for placed in order(tickets, recent, DEFAULT_POLICY, NOW)]


def reasons(*tickets: Waiting, recent: tuple[Lane, ...] = ()) -> list[Reason]:
    return [placed.reason for placed in order(tickets, recent, DEFAULT_POLICY, NOW)]


people = st.builds(
    Waiting,
    id=st.uuids(),
    number=st.integers(1, 999),
    waiting_since=st.integers(0, 240).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    priority=st.sampled_from(PriorityClass),
    appointment_start=st.none() | st.integers(-240, 240).map(lambda m: NOW + timedelta(minutes=m)),
    places_ahead=st.none() | st.integers(0, 12),
)
lines = st.lists(people, max_size=40, unique_by=(lambda t: t.id, lambda t: t.number))
policies = st.builds(OrderPolicy, priority_run=st.integers(1, 5), appointment_run=st.integers(1, 5))
histories = st.lists(st.sampled_from(Lane), max_size=13)


@given(lines, histories, policies)
def test_everybody_has_one_place(tickets, recent, policy):
    placed = order(tickets, recent, policy, NOW)
    assert sorted(p.id for p in placed) == sorted(t.id for t in tickets)
    assert [p.place for p in placed] == list(range(len(tickets)))


@given(lines, histories, policies, st.randoms())
def test_the_order_rows_come_in_does_not_matter(tickets, recent, policy, random):
    shuffled = list(tickets)
    random.shuffle(shuffled)
    assert order(tickets, recent, policy, NOW) == order(shuffled, recent, policy, NOW)


@given(lines, histories, policies)
def test_within_a_lane_who_came_first_goes_first(tickets, recent, policy):
    by_id = {t.id: t for t in tickets}
    for lane in Lane:
        there = [
            by_id[p.id] for p in order(tickets, recent, policy, NOW)
            if p.lane is lane and p.reason is not Reason.CAME_BACK
        ]  # fmt: skip
        key = [t.appointment_start if lane is Lane.APPOINTMENT else t.waiting_since for t in there]
        assert key == sorted(key)


@given(lines, policies)
def test_nobody_starves_behind_priorities(tickets, policy):
    """While others wait, no more than `priority_run` priorities are called in a row."""
    run = 0
    placed = [p for p in order(tickets, (), policy, NOW) if p.reason is not Reason.CAME_BACK]
    for position, place in enumerate(placed):
        run = run + 1 if place.lane is Lane.PRIORITY else 0
        others_left = any(p.lane is not Lane.PRIORITY for p in placed[position:])
        assert run <= policy.priority_run or not others_left


@given(lines, policies)
def test_no_walk_in_starves_behind_appointments(tickets, policy):
    run = 0
    placed = [p for p in order(tickets, (), policy, NOW) if p.reason is not Reason.CAME_BACK]
    for position, place in enumerate(placed):
        if place.lane is Lane.PRIORITY:
            continue
        run = run + 1 if place.lane is Lane.APPOINTMENT else 0
        walk_ins_left = any(p.lane is Lane.WALK_IN for p in placed[position:])
        assert run <= policy.appointment_run or not walk_ins_left


@given(lines, histories, policies)
def test_who_came_back_is_never_later_than_promised(tickets, recent, policy):
    by_id = {t.id: t for t in tickets}
    back = [t for t in tickets if t.places_ahead is not None]
    for place in order(tickets, recent, policy, NOW):
        promised = by_id[place.id].places_ahead
        if promised is not None:
            assert place.place <= promised + len(back)


@given(lines, histories, policies)
def test_no_walk_in_is_later_than_the_bound(tickets, recent, policy):
    back = sum(t.places_ahead is not None for t in tickets)
    walk_ins = 0
    for place in order(tickets, recent, policy, NOW):
        if place.lane is Lane.WALK_IN and place.reason is not Reason.CAME_BACK:
            assert place.place <= latest_place(walk_ins, back, policy)
            walk_ins += 1


@given(lines, st.lists(people, max_size=120, unique_by=lambda t: t.id), policies)
def test_no_walk_in_starves_however_many_come_later(tickets, later, policy):
    """One more comes before each call: the last who walked in is called within the bound all the same."""
    line = [t for t in tickets if t.places_ahead is None]
    walk_ins = [t for t in line if lane_of(t, policy, NOW) is Lane.WALK_IN]
    if not walk_ins:
        return
    last = max(walk_ins, key=lambda t: (t.waiting_since, t.number))
    arrivals = [
        replace(t, number=1000 + n, waiting_since=NOW, places_ahead=None) for n, t in enumerate(later)
    ]
    called: list[Lane] = []
    for turn in range(latest_place(len(walk_ins) - 1, 0, policy) + 1):
        line += arrivals[turn : turn + 1]
        first = order(line, called, policy, NOW)[0]
        if first.id == last.id:
            return
        line = [t for t in line if t.id != first.id]
        called.append(first.lane)
    raise AssertionError(last)


@given(lines, histories, policies, people)
def test_who_comes_later_never_passes_one_of_their_own_lane(tickets, recent, policy, newcomer):
    newcomer = replace(newcomer, number=5000, waiting_since=NOW, places_ahead=None)
    lane = lane_of(newcomer, policy, NOW)
    before = {p.id: p.place for p in order(tickets, recent, policy, NOW)}
    with_them = [p for p in order([*tickets, newcomer], recent, policy, NOW) if p.id != newcomer.id]
    by_id = {t.id: t for t in tickets}
    theirs = next(p for p in order([*tickets, newcomer], recent, policy, NOW) if p.id == newcomer.id)
    for place in order([*tickets, newcomer], recent, policy, NOW):
        other = by_id.get(place.id)
        if other is None or other.places_ahead is not None or lane_of(other, policy, NOW) is not lane:
            continue
        by_time = lane is Lane.APPOINTMENT
        earlier = not by_time or other.appointment_start <= newcomer.appointment_start
        assert (place.place < theirs.place) or not earlier
    same = [p for p in with_them if lane_of(by_id[p.id], policy, NOW) is lane]
    assert [p.id for p in same if by_id[p.id].places_ahead is None] == [
        each for each in sorted(before, key=before.__getitem__)
        if lane_of(by_id[each], policy, NOW) is lane and by_id[each].places_ahead is None
    ]  # fmt: skip


@given(lines, histories, policies)
def test_a_call_changes_nothing_for_those_behind(tickets, recent, policy):
    placed = order(tickets, recent, policy, NOW)
    if not placed:
        return
    first, *rest = placed
    lanes = [*recent] if first.reason is Reason.CAME_BACK else [*recent, first.lane]
    left = [
        replace(t, places_ahead=None if t.places_ahead is None else t.places_ahead - 1)
        for t in tickets
        if t.id != first.id
    ]
    assert [p.id for p in order(left, lanes, policy, NOW)] == [p.id for p in rest]


@given(lines, histories, policies, st.integers(0, 600))
def test_without_appointments_time_alone_changes_nothing(tickets, recent, policy, minutes):
    plain = [replace(t, appointment_start=None) for t in tickets]
    later = NOW + timedelta(minutes=minutes)
    assert order(plain, recent, policy, NOW) == order(plain, recent, policy, later)


@given(lines, histories, policies, st.booleans())
def test_counting_the_lanes_places_a_newcomer_as_the_order_does(tickets, recent, policy, has_priority):
    priority_class = PriorityClass.MERIT if has_priority else PriorityClass.NONE
    newcomer = Waiting(UUID(int=2**127), 5000, NOW, priority_class)
    plain = [t for t in tickets if t.places_ahead is None]
    appointments = [t for t in plain if lane_of(t, policy, NOW) is Lane.APPOINTMENT]
    due = sum(is_due(t, policy, NOW) for t in appointments)
    standing = Standing(
        priority=sum(lane_of(t, policy, NOW) is Lane.PRIORITY for t in plain),
        due=due,
        early=len(appointments) - due,
        walk_in=sum(lane_of(t, policy, NOW) is Lane.WALK_IN for t in plain),
        back=tuple(t.places_ahead for t in tickets if t.places_ahead is not None),
    )
    placed = order([*tickets, newcomer], recent, policy, NOW)
    found = next(p.place for p in placed if p.id == newcomer.id)
    assert newcomer_place(standing, recent, policy, has_priority=has_priority) == found


def test_walk_ins_go_by_arrival():
    assert numbers(walk_in(2, 5), walk_in(1, 9), walk_in(3, 1)) == [1, 2, 3]


def test_two_priorities_go_before_one_other():
    line = [priority(n) for n in (4, 5, 6)] + [walk_in(1, 60), walk_in(2, 50)]
    assert numbers(*line) == [4, 5, 1, 6, 2]
    assert numbers(*line, recent=(Lane.PRIORITY, Lane.PRIORITY)) == [1, 4, 5, 2, 6]
    assert reasons(*line)[2] is Reason.FAIR_TURN


def test_an_appointment_whose_time_has_come_goes_before_walk_ins():
    assert numbers(walk_in(1, 60), walk_in(2, 50), appointment(3, starts_in=0)) == [3, 1, 2]
    assert reasons(walk_in(1, 60), appointment(3, starts_in=0)) == [Reason.APPOINTMENT_TIME, Reason.ARRIVAL]


def test_an_early_appointment_waits_for_its_time_unless_nobody_else_does():
    assert numbers(walk_in(1), appointment(2, starts_in=20)) == [1, 2]
    assert reasons(appointment(2, starts_in=20)) == [Reason.APPOINTMENT_EARLY]


def test_who_comes_too_early_or_too_late_stands_with_the_walk_ins():
    assert lane_of(appointment(1, starts_in=31), DEFAULT_POLICY, NOW) is Lane.WALK_IN
    assert lane_of(appointment(1, starts_in=30), DEFAULT_POLICY, NOW) is Lane.APPOINTMENT
    assert lane_of(appointment(1, starts_in=-15), DEFAULT_POLICY, NOW) is Lane.APPOINTMENT
    assert lane_of(appointment(1, starts_in=-16), DEFAULT_POLICY, NOW) is Lane.WALK_IN


def test_who_was_there_in_time_keeps_the_appointment_though_the_doctor_is_late():
    held_up = appointment(1, starts_in=-60, came_minutes_ago=70)
    assert lane_of(held_up, DEFAULT_POLICY, NOW) is Lane.APPOINTMENT


def test_who_came_back_stands_after_the_next_three():
    line = [walk_in(n, 60 - n) for n in range(1, 6)]
    assert numbers(*line, walk_in(9, 90, places_ahead=3)) == [1, 2, 3, 9, 4, 5]
    assert numbers(*line, walk_in(9, 90, places_ahead=0))[0] == 9


def test_a_missed_number_counts_until_ten_have_passed():
    assert may_return(10, 10)
    assert not may_return(11, 10)


def test_numbers_read_the_same_on_paper_and_board():
    assert [number_text("A", 7), number_text("5-", 12), number_text("A", 1234)] == ["A007", "5-012", "A1234"]


def test_age_alone_gives_two_of_the_classes():
    today = NOW.date()
    assert statutory_class("2020-12-01", today) is PriorityClass.UNDER_6
    assert statutory_class("2020-11-30", today) is PriorityClass.NONE
    assert statutory_class("1951-11-30", today) is PriorityClass.AGED_75
    assert statutory_class("1951-12-01", today) is PriorityClass.NONE
    assert statutory_class("1951", today) is PriorityClass.NONE
    assert statutory_class("1950", today) is PriorityClass.AGED_75
    assert statutory_class("1951-02", today) is PriorityClass.AGED_75
    assert statutory_class(None, today) is PriorityClass.NONE
