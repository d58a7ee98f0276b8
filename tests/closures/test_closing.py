"""A doctor is called away: the sessions close at once, and each person is cared for, one by one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from telehealth.booking import services as booking
from telehealth.booking.errors import SlotTaken
from telehealth.booking.queries import open_offer
from telehealth.closures.codes import ClosureKind, ClosurePlan
from telehealth.closures.errors import NothingToClose
from telehealth.closures.rules import Span
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import SlotClosed
from telehealth.scheduling.models import ScheduleException
from telehealth.scheduling.services import materialise
from tests.booking.clinic import (
    DOCTORS,
    FACILITIES,
    NOW,
    TUESDAY,
    Employee,
    Person,
    add_schedule,
    service_id,
)
from tests.closures.conftest import MORNING, Closing


def accept(closing: Closing, appointment_id) -> None:
    telling = {
        "now": closing.now,
        "cipher": closing.appointments.settings.cipher,
        "outbox": closing.appointments.outbox,
        "links": closing.appointments.means.links,
    }
    with closing.appointments.work() as session:
        offer = open_offer(session, appointment_id, now=closing.now)
        assert offer is not None
        booking.accept_offer(session, SYSTEM, offer.id, **telling)


def test_each_person_is_offered_a_colleague_the_same_morning_and_told_once(
    closing: Closing, lan: Person, minh: Person
):
    first = closing.appointments.book(lan, "an", TUESDAY, 480)
    second = closing.appointments.book(minh, "an", TUESDAY, 490)
    closure = closing.close()
    assert closing.sessions("an")[0] == "closed"
    closing.run()
    closing.run()
    items = closing.items(closure)
    assert [item.appointment_id for item in items] == [first.id, second.id]
    assert {item.standing for item in items} == {"offered"}
    assert {item.equivalence for item in items} == {"same-day"}
    assert {item.new.practitioner_name for item in items if item.new} == {"Bác sĩ binh"}
    for view in (first, second):
        assert [kind for kind, _at in closing.appointments.timetable(view.id)] == ["replacement"]


def test_an_offered_place_is_nobody_elses_until_it_is_declined_or_over(
    closing: Closing, lan: Person, people: Callable[[int], list[Person]]
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    item = closing.item_of(closure, view.id)
    assert item.new is not None
    assert item.new_slot_id is not None
    others = people(2)
    minute = int(item.new_slot_id.rpartition(".")[2])
    closing.appointments.book(others[0], "binh", TUESDAY, minute)  # Bình has two lanes
    with pytest.raises(SlotTaken):
        closing.appointments.book(others[1], "binh", TUESDAY, minute)
    with closing.appointments.work() as session:
        booking.decline_offer(session, SYSTEM, item.offer_id, now=closing.now)
    closing.appointments.book(others[1], "binh", TUESDAY, minute)
    assert closing.item_of(closure, view.id).standing == "declined"


def test_accepting_takes_the_place_that_was_kept(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    accept(closing, view.id)
    item = closing.item_of(closure, view.id)
    moved = closing.appointments.view(view.id)
    assert item.standing == "accepted"
    assert item.new is not None
    assert moved.start == item.new.start
    assert moved.practitioner.name == "Bác sĩ binh"
    assert not moved.disrupted
    assert "moved" in [kind for kind, _at in closing.appointments.timetable(view.id)]


def test_what_is_not_answered_gives_its_place_back_by_itself(
    closing: Closing,
    lan: Person,
    people: Callable[[int], list[Person]],
    set_database_clock: Callable[[datetime], None],
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    item = closing.item_of(closure, view.id)
    assert item.until == NOW + timedelta(hours=4)
    closing.appointments.at(NOW + timedelta(hours=4, minutes=2))
    set_database_clock(closing.now)
    item = closing.item_of(closure, view.id)
    assert (item.standing, item.to_call) == ("unanswered", True)
    minute = int(str(item.new_slot_id).rpartition(".")[2])
    for person in people(2):
        closing.appointments.book(person, "binh", TUESDAY, minute)


def test_nobody_new_gets_in_once_it_is_closed(closing: Closing, lan: Person, minh: Person):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    slot = closing.appointments.slot("an", TUESDAY, 500)
    closing.close()
    request = booking.BookingRequest(minh.patient_id, slot_id=slot, channel=Channel.DESK)
    with closing.appointments.work() as session, pytest.raises(SlotClosed):
        booking.book(session, SYSTEM, request, **closing.appointments._telling())


def test_moved_at_once_to_a_colleague_the_same_half_of_the_day(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close(plan=ClosurePlan.MOVE)
    closing.run()
    item = closing.item_of(closure, view.id)
    moved = closing.appointments.view(view.id)
    assert (item.standing, moved.practitioner.name) == ("moved", "Bác sĩ binh")
    assert "moved" in [kind for kind, _at in closing.appointments.timetable(view.id)]


def test_cancelled_with_the_reason_and_told(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close(plan=ClosurePlan.CANCEL)
    closing.run()
    assert closing.item_of(closure, view.id).standing == "cancelled"
    assert closing.appointments.view(view.id).cancel_reason == "practitioner-away"
    assert [kind for kind, _at in closing.appointments.timetable(view.id)] == ["cancelled"]


def test_who_has_no_equivalent_is_told_and_chooses(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "chi", TUESDAY, 1020)
    week = Span(TUESDAY, TUESDAY + timedelta(days=14))
    closure = closing.close("chi", span=week, facility="77002")
    closing.run()
    assert closing.item_of(closure, view.id).standing == "told"
    assert [kind for kind, _at in closing.appointments.timetable(view.id)] == ["disrupted"]


def test_where_the_place_has_nothing_free_another_facility_has_and_the_appointment_goes_there_whole(
    closing: Closing, lan: Person, desk: Employee, other_desk: Employee, web: FlaskClient
):
    with closing.appointments.work() as session:
        add_schedule(session, "chi", "77002", start=480, end=540, room="P9")
    with closing.appointments.work() as session:
        materialise(session, [TUESDAY], NOW)
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    fortnight = Span(TUESDAY, TUESDAY + timedelta(days=20))
    closure = closing.close(None, kind=ClosureKind.FACILITY, span=fortnight)
    closing.run()
    item = closing.item_of(closure, view.id)
    assert (item.standing, item.equivalence) == ("offered", "elsewhere")
    offer = web.get(f"/api/v1/closures/{closure}/items", headers=desk.headers).json["items"][0]
    assert offer["new"]["facility"] == "Bệnh viện Thử 77002"
    said = web.post(
        f"/api/v1/closures/items/{item.id}/called", json={"outcome": "agreed"}, headers=desk.headers
    )
    assert (said.status_code, said.json["standing"]) == (200, "accepted")
    moved = closing.appointments.view(view.id)
    assert (moved.facility.code, moved.code, moved.practitioner.name) == ("77002", view.code, "Bác sĩ chi")
    there = web.get(f"/api/v1/appointments/{view.id}", headers=other_desk.headers)
    assert there.json["patient_name"] == "Trần Thị Lan"


def test_a_leave_also_ends_what_was_added_for_that_very_day(closing: Closing, lan: Person):
    with closing.appointments.work() as session:
        session.add(
            ScheduleException(
                id=new_id(),
                facility_id=FACILITIES["77001"],
                practitioner_id=DOCTORS["an"],
                kind="extra",
                from_date=TUESDAY,
                to_date=TUESDAY,
                start_minute=660,
                end_minute=720,
                service_id=service_id("77001", "internal"),
                modality="in-person",
                slot_minutes=10,
                capacity=1,
                room="P1",
            )
        )
    closing.appointments.follow_rosters()
    view = closing.appointments.book(lan, "an", TUESDAY, 660)
    closure = closing.close(span=Span(TUESDAY, TUESDAY, 600, 690))
    closing.run()
    closing.appointments.follow_rosters()
    assert closing.item_of(closure, view.id).standing == "offered"
    assert "stands" not in [kind for kind, _at in closing.appointments.timetable(view.id)]


def test_only_those_within_the_closed_hours_are_touched(closing: Closing, lan: Person, minh: Person):
    early = closing.appointments.book(lan, "an", TUESDAY, 480)
    late = closing.appointments.book(minh, "an", TUESDAY, 540)
    closure = closing.close(span=Span(TUESDAY, TUESDAY, 530, 600))
    closing.run()
    closing.appointments.follow_rosters()
    closing.run()
    assert [item.appointment_id for item in closing.items(closure)] == [late.id]
    assert not closing.appointments.view(early.id).disrupted
    assert "disrupted" not in [kind for kind, _at in closing.appointments.timetable(early.id)]


def test_the_roster_agrees_with_a_closure_and_says_nothing_twice(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.close()
    closing.appointments.follow_rosters()
    closing.run()
    closing.appointments.follow_rosters()
    assert closing.sessions("an")[0] == "closed"
    assert [kind for kind, _at in closing.appointments.timetable(view.id)] == ["replacement"]


def test_the_doctor_is_back_and_who_had_not_moved_keeps_the_time(closing: Closing, lan: Person, minh: Person):
    kept = closing.appointments.book(lan, "an", TUESDAY, 480)
    moved = closing.appointments.book(minh, "an", TUESDAY, 490)
    closure = closing.close()
    closing.run()
    accept(closing, moved.id)
    closing.appointments.send_due()
    closing.undo(closure)
    closing.run()
    assert closing.sessions("an")[0] == "open"
    assert closing.item_of(closure, kept.id).standing == "stands"
    assert closing.item_of(closure, moved.id).standing == "accepted"
    assert not closing.appointments.view(kept.id).disrupted
    assert "stands" in [kind for kind, _at in closing.appointments.timetable(kept.id)]
    closing.run()
    assert [kind for kind, _at in closing.appointments.timetable(kept.id)].count("stands") == 1


def test_undone_before_anybody_heard_of_it_nothing_is_said(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    before = closing.appointments.timetable(view.id)
    closure = closing.close()
    closing.run()
    closing.undo(closure)
    closing.run()
    told = [kind for kind, _at in closing.appointments.timetable(view.id)]
    assert "stands" not in told
    assert "replacement" not in told
    assert [item for item in before if item[0].startswith("reminder")] == closing.appointments.timetable(
        view.id
    )


def test_a_facility_closes_for_a_day(closing: Closing, lan: Person, minh: Person):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.appointments.book(minh, "binh", TUESDAY, 480)
    closure = closing.close(None, kind=ClosureKind.FACILITY, span=Span(TUESDAY, TUESDAY))
    closing.run()
    items = closing.items(closure)
    assert [item.standing for item in items] == ["offered", "offered"]
    assert {item.equivalence for item in items} == {"same-doctor"}
    assert set(closing.sessions("an") + closing.sessions("binh")) == {"closed"}


def test_a_holiday_moves_the_people_of_the_whole_province(closing: Closing, lan: Person, minh: Person):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.appointments.book(minh, "chi", TUESDAY, 1020)
    closure = closing.close(None, kind=ClosureKind.HOLIDAY, facility=None, span=Span(TUESDAY, TUESDAY))
    closing.run()
    items = closing.items(closure)
    assert [item.standing for item in items] == ["offered", "offered"]
    closing.undo(closure)
    closing.run()
    assert {item.standing for item in closing.items(closure)} == {"stands"}
    assert set(closing.sessions("an")) == {"open"}


def test_somebody_who_is_busy_then_is_offered_another_place(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.appointments.book(lan, "an", TUESDAY, 840 - 840 + 540)
    closure = closing.close(span=Span(TUESDAY, TUESDAY, 480, 500))
    closing.run()
    item = closing.item_of(closure, view.id)
    assert item.new is not None
    assert item.standing == "offered"


def test_two_closures_never_care_for_one_person_twice(closing: Closing, lan: Person):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    first = closing.close()
    second = closing.close(span=Span(TUESDAY, TUESDAY))
    closing.run()
    assert [item.appointment_id for item in closing.items(first)] == [view.id]
    assert closing.items(second) == []


def test_where_nobody_sees_patients_there_is_nothing_to_close(closing: Closing, clinic: None):
    with pytest.raises(NothingToClose):
        closing.close(span=Span(TUESDAY, TUESDAY, 0, 60))
    assert MORNING.days == (TUESDAY,)
