"""Who is offered which place: pure, and as properties."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from telehealth.closures.codes import Equivalence
from telehealth.closures.rules import (
    Affected,
    Place,
    assign,
    call_from,
    equivalence,
    kept_until,
    movable,
    nearness,
)
from telehealth.core.clock import at_local
from tests.booking.clinic import NOW, TUESDAY

HERE, THERE = UUID(int=1), UUID(int=2)
AN, BINH = UUID(int=11), UUID(int=12)
EIGHT = at_local(TUESDAY, 480)


def person(number: int = 1, start: datetime = EIGHT, until: datetime | None = None) -> Affected:
    return Affected(UUID(int=100 + number), HERE, AN, start, None, until)


def place(
    name: str, start: datetime = EIGHT, *, doctor: UUID = BINH, facility: UUID = HERE, free: int = 1
) -> Place:
    return Place(name, facility, doctor, start, free)


def days(count: int) -> timedelta:
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_the_same_day_comes_first_then_the_same_doctor_then_the_place_then_elsewhere():
    somebody = person()
    near = [
        place("same day", EIGHT + hours(6)),
        place("same doctor", EIGHT + days(3), doctor=AN),
        place("same facility", EIGHT + days(1)),
        place("elsewhere", EIGHT, facility=THERE),
    ]
    assert [equivalence(somebody, each) for each in near] == list(Equivalence)
    assert sorted(near, key=lambda each: nearness(somebody, each)) == near


def test_within_a_kind_the_nearer_day_and_then_the_nearer_hour_come_first():
    somebody = person()
    near = [
        place("tomorrow at nine", EIGHT + days(1) + hours(1)),
        place("tomorrow at two", EIGHT + days(1) + hours(6)),
        place("in two days at eight", EIGHT + days(2)),
    ]
    assert sorted(near, key=lambda each: nearness(somebody, each)) == near


def test_who_is_bound_by_a_slip_comes_first_and_stays_within_it():
    early, bound = person(1, EIGHT), person(2, EIGHT + hours(1), until=EIGHT + days(1))
    assert assign([early, bound], [place("one")])[bound.id].slot_id == "one"
    late = place("too late", EIGHT + days(2))
    assert assign([bound], [late]) == {}


def test_the_place_that_is_lost_is_nobodys_and_one_that_refused_is_not_tried_again():
    somebody = person()
    assert assign([somebody], [place("the old one", doctor=AN)]) == {}
    assert (
        assign([somebody], [place("x"), place("y")], refused={(somebody.id, "x")})[somebody.id].slot_id == "y"
    )


def test_only_the_same_half_of_the_same_day_is_moved_to_without_asking():
    assert movable(person(), place("ten", EIGHT + hours(2)))
    assert not movable(person(), place("two", EIGHT + hours(6)))
    assert not movable(person(), place("tomorrow", EIGHT + days(1)))


def test_a_place_is_kept_four_hours_from_the_message_and_ends_two_before_the_new_time():
    assert kept_until(NOW, EIGHT, EIGHT + days(1)) == NOW + hours(4)
    soon = NOW + hours(5)
    assert kept_until(NOW, EIGHT, soon) == NOW + hours(3)
    assert kept_until(NOW, EIGHT, NOW + hours(1)) == NOW + hours(0.5)
    late = at_local(NOW.date(), 22 * 60)
    assert kept_until(late, EIGHT + days(1), EIGHT + days(2)) == at_local(TUESDAY, 11 * 60)


def test_nobody_is_telephoned_before_they_could_answer():
    assert call_from(NOW, EIGHT) == NOW + hours(2)
    assert call_from(NOW, NOW + hours(3.5)) == NOW + hours(0.5)
    assert call_from(NOW, NOW + hours(1)) == NOW


instants = st.integers(0, 14 * 24 * 4).map(lambda quarter: NOW + timedelta(minutes=15 * quarter))
people = st.lists(
    st.builds(
        Affected,
        id=st.uuids(),
        facility_id=st.just(HERE),
        practitioner_id=st.just(AN),
        start=instants,
        since=st.none() | instants,
        until=st.none() | instants,
    ),
    max_size=25,
    unique_by=lambda each: each.id,
)
places = st.lists(
    st.builds(
        Place,
        slot_id=st.text("abcdefgh", min_size=1, max_size=3),
        facility_id=st.sampled_from([HERE, THERE]),
        practitioner_id=st.sampled_from([AN, BINH]),
        start=instants,
        free=st.integers(0, 3),
        distance_km=st.floats(0, 100),
    ),
    max_size=25,
    unique_by=lambda each: each.slot_id,
)


@given(people, places)
def test_no_place_is_given_twice_none_outside_a_slip_and_nobody_is_passed_over(people, places):
    given_to = assign(people, places)
    taken = [each.slot_id for each in given_to.values()]
    for each in places:
        assert taken.count(each.slot_id) <= each.free
    for each in people:
        if each.id in given_to:
            assert each.allowed(given_to[each.id].start)
    # Whoever has a place could not have a nearer one, but one that went to somebody more urgent.
    ranked = sorted(people, key=lambda each: each.urgency)
    left = {each.slot_id: each.free for each in places}
    for each in ranked:
        open_to = [
            found
            for found in places
            if left[found.slot_id] > 0
            and each.allowed(found.start)
            and (found.start, found.practitioner_id) != (each.start, each.practitioner_id)
        ]
        assert bool(open_to) == (each.id in given_to)
        if open_to:
            assert given_to[each.id] == min(open_to, key=lambda found: nearness(each, found))
            left[given_to[each.id].slot_id] -= 1


@given(people, places)
def test_the_order_in_which_they_are_read_changes_nothing(people, places):
    assert assign(people, places) == assign(list(reversed(people)), list(reversed(places)))


@given(instants, instants, instants)
def test_an_offer_never_outlives_either_time(now, old, new):
    assert kept_until(now, old, new) <= min(old, new)
    assert now.tzinfo is UTC
