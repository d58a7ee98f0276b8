"""The pure rules: sessions from rosters."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from telehealth.scheduling.rules import (
    KeptPlaces,
    RosterException,
    RosterLine,
    SlotId,
    intersect,
    merged,
    online_quota,
    opens_at,
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


def test_leave_ends_an_extra_session_unless_the_files_say_both_of_the_day():
    extra = exception(
        "extra", start_minute=480, end_minute=540, service_id=INTERNAL, modality="in-person", slot_minutes=15
    )
    assert spans([line()], extra, exception("leave")) == [(480, 540)]
    called_away = exception("leave", origin="editor", start_minute=510)
    assert spans([], extra, called_away) == [(480, 510)]


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


def test_a_line_of_every_second_week_counts_weeks_from_the_first():
    every_second = line(every_weeks=2, valid_from=date(2026, 11, 26))  # a Thursday
    assert spans([every_second]) == []
    assert spans([every_second], day=MONDAY + timedelta(days=7)) == [(420, 690)]
    assert spans([every_second], day=MONDAY + timedelta(days=14)) == []
    thursday = line(every_weeks=3, valid_from=MONDAY, weekdays=[3])
    assert spans([thursday], day=MONDAY + timedelta(days=3)) == [(420, 690)]


def test_further_services_have_sessions_of_their_own_over_the_same_time():
    both = sessions_of_day(MONDAY, [line(further_service_ids=[BINH])], [], weekday=0, open_spans={})
    assert {item.service_id for item in both} == {INTERNAL, BINH}
    assert len({(item.start_minute, item.slot_count, item.practitioner_id) for item in both}) == 1
    assert len({item.id for item in both}) == 2


def test_a_step_holds_the_slot_and_what_is_around_it():
    found = sessions_of_day(MONDAY, [line(lead_minutes=5, tail_minutes=10)], [], weekday=0, open_spans={})[0]
    assert (found.slot_minutes, found.slot_count, found.start_minute) == (25, 10, 420)
    assert found.end_at - found.start_at == timedelta(minutes=250)


def test_what_is_kept_for_a_door_shrinks_with_the_session():
    kept = [KeptPlaces("counter", 9, 60)]
    afternoon = exception("leave", start_minute=555, end_minute=720)
    whole = sessions_of_day(MONDAY, [line(kept=kept)], [], weekday=0, open_spans={})[0]
    half = sessions_of_day(MONDAY, [line(kept=kept)], [afternoon], weekday=0, open_spans={})[0]
    assert (whole.slot_count, whole.kept[0].places) == (27, 9)
    assert (half.slot_count, half.kept[0].places) == (13, 4)


def test_a_day_opens_at_its_release_minute():
    assert opens_at(MONDAY, None, None) is None
    assert opens_at(MONDAY, 14, 420) == datetime(2026, 11, 16, 0, 0, tzinfo=UTC)
    assert opens_at(MONDAY, 14, None) == datetime(2026, 11, 15, 17, 0, tzinfo=UTC)
    assert opens_at(MONDAY, None, 420) == datetime(2026, 10, 1, 0, 0, tzinfo=UTC)


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
