"""One visit through a hospital's day: each number follows the last one, and the room comes again."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from telehealth.encounters.models import Encounter
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.errors import QueueEmpty
from telehealth.visits import queries, services
from telehealth.visits.codes import Category, EventKind
from tests.conftest import MONDAY_8AM
from tests.visits.wards import Wards

LATER = MONDAY_8AM + timedelta(minutes=20)


def test_a_visit_goes_from_the_room_over_the_cashier_and_the_laboratory_back_and_to_the_pharmacy(
    wards: Wards,
):
    visit = wards.arrive(priority=PriorityClass.PREGNANT)
    for _ in range(3):
        wards.arrive()
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1", "XN2")
    cashier = wards.standing(visit)
    assert (cashier.kind, cashier.number_text, cashier.status) == ("cashier", "T001", "waiting")
    wards.pass_by("cashier")
    assert wards.standing(visit).kind == "sampling"
    wards.pass_by("sampling")
    assert wards.visit(visit).standing is None
    assert wards.visit(visit).next.why == "results"
    wards.tell(visit, EventKind.RESULT_READY, "XN1")
    assert wards.visit(visit).standing is None, "the last result is awaited"
    wards.tell(visit, EventKind.RESULT_READY, "XN2")
    back = wards.standing(visit)
    assert (back.kind, back.place, back.number_text) == ("clinic", "Phòng khám 1", "1-005")
    with wards.hospital.begin() as session:
        queue = queueing_queue(session, wards, "P001")
        line = queueing_line(session, queue)
    assert [(each.number_text, each.reason) for each in line][:2] == [
        ("1-002", "arrival"),
        ("1-005", "came-back"),
    ]
    wards.pass_by("P001")
    wards.serve("P001")
    wards.tell(visit, EventKind.PRESCRIBED)
    wards.step(wards.standing(visit).ticket_id, "done")
    assert wards.standing(visit).kind == "cashier"
    wards.pass_by("cashier")
    assert wards.standing(visit).kind == "pharmacy"
    wards.pass_by("pharmacy")
    done = wards.visit(visit)
    assert (done.end_reason, done.standing) == ("complete", None)
    assert [leg.kind for leg in done.legs] == [
        "clinic", "cashier", "sampling", "clinic", "cashier", "pharmacy",
    ]  # fmt: skip
    assert wards.hospital.count(Encounter) == 2, "one of the first who came back and one of the second"


def queueing_queue(session, wards: Wards, code: str):
    from telehealth.queueing.queries import queues_of

    return next(queue for queue in queues_of(session, wards.id) if queue.code == code)


def queueing_line(session, queue):
    from telehealth.core.clock import business_date
    from telehealth.queueing.queries import line

    return line(session, queue, business_date(MONDAY_8AM), MONDAY_8AM).waiting


def test_the_priority_goes_along(wards: Wards):
    visit = wards.arrive(priority=PriorityClass.DISABILITY)
    wards.arrive()
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    with wards.hospital.begin() as session:
        line = queueing_line(session, queueing_queue(session, wards, "cashier"))
    assert [each.priority for each in line] == ["disability"]


def test_the_insured_go_to_the_laboratory_first_and_settle_at_the_end(wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    assert wards.standing(visit).kind == "sampling"
    wards.pass_by("sampling")
    wards.tell(visit, EventKind.RESULT_READY, "XN1")
    wards.pass_by("P001")
    assert wards.standing(visit).kind == "cashier"
    wards.pass_by("cashier")
    assert wards.visit(visit).end_reason == "complete"


def test_a_consultation_without_tests_ends_at_the_door(wards: Wards):
    visit = wards.arrive()
    wards.pass_by("P001")
    assert wards.visit(visit).end_reason == "complete"


def test_of_two_tests_the_one_with_the_shorter_line_comes_first_and_the_place_is_kept(wards: Wards):
    for _ in range(3):
        other = wards.arrive("P002", insured=True)
        wards.serve("P002")
        wards.tell(other, EventKind.TESTS_ORDERED, f"XN{other}")
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    assert wards.standing(visit).kind == "sampling"
    wards.tell(visit, EventKind.TESTS_ORDERED, "CT1", category=Category.IMAGING)
    assert wards.standing(visit).kind == "sampling", "who waits keeps the place"
    second = wards.arrive("P002", insured=True)
    wards.serve("P002")
    both = wards.event(second, EventKind.TESTS_ORDERED, "XN2")
    image = wards.event(second, EventKind.TESTS_ORDERED, "CT2", category=Category.IMAGING).orders
    wards.say(services.NewEvent(**{**vars_of(both), "orders": (*both.orders, *image)}))
    assert wards.standing(second).kind == "imaging"
    wards.pass_by("imaging")
    assert wards.standing(second).kind == "sampling"


def vars_of(event: services.NewEvent) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


def test_a_result_before_its_order_is_kept_until_it_fits(wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    early = wards.tell(visit, EventKind.RESULT_READY, "XN1")
    assert (early.state, early.why) == ("pending", "unknown-order")
    with wards.hospital.begin() as session:
        assert queries.pending_count(session, wards.id) == 1
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    with wards.hospital.begin() as session:
        assert queries.pending_count(session, wards.id) == 0
    assert wards.standing(visit).kind == "clinic", "the result is there: straight back to the room"


def test_the_same_event_again_changes_nothing_and_is_answered_the_same(wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    event = wards.event(visit, EventKind.RESULT_READY, "XN1", event_id="7")
    first = wards.say(event)
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    assert wards.say(event) == first
    assert len(wards.visit(visit).legs) == 2


def test_two_lines_never_call_one_person(wards: Wards):
    patient = wards.hospital.patient()
    visit = wards.arrive("P001", patient_id=patient)
    assert wards.arrive("P002", patient_id=patient) == visit
    called = wards.hospital.call("P001")
    with pytest.raises(QueueEmpty):
        wards.hospital.call("P002")
    wards.step(called.id, "start")
    wards.step(called.id, "done")
    assert wards.hospital.call("P002").number_text == "2-001"


def test_paying_by_telephone_takes_one_out_of_the_cashiers_line(wards: Wards):
    visit = wards.arrive()
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    wards.tell(visit, EventKind.PAID, "XN1")
    assert wards.standing(visit).kind == "sampling"
    assert [leg.status for leg in wards.visit(visit).legs] == ["done", "cancelled", "waiting"]


def test_a_discharge_takes_back_what_was_not_performed(wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    wards.tell(visit, EventKind.PRESCRIBED)
    wards.tell(visit, EventKind.DISCHARGED)
    assert wards.standing(visit).kind == "cashier"
    assert wards.tell(visit, EventKind.TESTS_ORDERED, "XN2").why == "visit-over"


def test_an_appointment_is_fulfilled_only_when_the_results_were_read(wards: Wards):
    hospital = wards.hospital
    appointment = hospital.appointment(MONDAY_8AM)
    ticket = hospital.check_in(appointment)
    assert ticket.visit_code is not None
    with hospital.begin() as session:
        visit = queries.visit_of_ticket(session, ticket.id)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1", insured=True)
    assert hospital.status_of(appointment) == "arrived"
    wards.pass_by("sampling")
    wards.tell(visit, EventKind.RESULT_READY, "XN1")
    wards.pass_by("P001")
    assert hospital.status_of(appointment) == "fulfilled"
    assert hospital.count(Encounter) == 1


def test_staff_send_somebody_elsewhere_and_the_path_goes_on_from_there(wards: Wards):
    visit = wards.arrive()
    pharmacy = wards.hospital.queue("pharmacy")
    with wards.hospital.begin() as session:
        services.move(
            session, wards.hospital.doctor, visit, pharmacy, now=MONDAY_8AM, cipher=wards.hospital.cipher
        )
    assert wards.standing(visit).kind == "pharmacy"
    wards.tell(visit, EventKind.PAID)
    assert wards.standing(visit).kind == "pharmacy", "what staff decided stands"
    wards.pass_by("pharmacy")
    assert wards.standing(visit).kind == "clinic"


def test_yesterdays_visits_end(wards: Wards):
    visit = wards.arrive()
    with wards.hospital.begin() as session:
        assert services.end_day(session, wards.hospital.doctor, now=MONDAY_8AM + timedelta(days=1)) == 1
    assert wards.visit(visit).end_reason == "day-over"


def test_a_full_line_leaves_the_visit_where_the_desk_sees_it(wards: Wards):
    wards.hospital.limit("cashier", 0)
    visit = wards.arrive()
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    with wards.hospital.begin() as session:
        assert [each.id for each in queries.nowhere(session, wards.id, MONDAY_8AM)] == [visit]


def test_codes_are_short_and_each_is_of_one_visit(wards: Wards):
    codes = [wards.visit(wards.arrive()).code for _ in range(40)]
    assert len(set(codes)) == 40
    assert {len(code) for code in codes} == {4}
    with wards.hospital.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM ticket WHERE visit_id IS NULL")) == 0


def test_a_number_shows_the_visits_present_number_on_its_page(wards: Wards):
    hospital = wards.hospital
    first = hospital.number("P001")
    wards.serve("P001")
    with hospital.begin() as session:
        visit = queries.visit_of_ticket(session, first.id)
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    with hospital.begin() as session:
        from telehealth.queueing.queries import follow

        shown = follow(session, first.public_token, MONDAY_8AM)
        seen = queries.journey(session, first.public_token, MONDAY_8AM)
    assert (shown.number_text, shown.people_ahead) == ("T001", 0)
    assert (seen.code, seen.next.why, seen.tests) == (first.visit_code, "test", 1)
    assert queueing.public_token(first.id, hospital.cipher) == first.public_token


def test_the_clerks_number_for_a_named_person_stays_in_the_visit_that_reception_began(
    wards: Wards, app: Flask
):
    visit = wards.arrive("registration")
    reception = wards.hospital.call("registration", wards.now())
    desk = app.test_client()
    with desk.session_transaction() as cookie:
        cookie["_user_id"], cookie["csrf"] = wards.clerk_token, "csrf"
    form = {"csrf_token": "csrf"}
    assert desk.post(f"/clinic/tickets/{reception.id}/start", data=form).status_code == 303
    patient = wards.hospital.patient()
    wards.now()
    form |= {"queue": str(wards.hospital.queue("P002")), "press_key": "one"}
    answer = desk.post(f"/desk/people/{patient}/number", data=form)
    assert wards.visit(visit).code in answer.get_data(as_text=True)
    wards.step(reception.id, "done")
    assert [leg.number_text for leg in wards.visit(visit).legs] == ["A001", "2-001"]
    assert wards.standing(visit).number_text == "2-001"


def test_who_misses_the_call_back_to_the_room_is_no_no_show(wards: Wards):
    hospital = wards.hospital
    appointment = hospital.appointment(MONDAY_8AM)
    ticket = hospital.check_in(appointment)
    with hospital.begin() as session:
        visit = queries.visit_of_ticket(session, ticket.id)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1", insured=True)
    wards.tell(visit, EventKind.RESULT_READY, "XN1")
    back = hospital.call("P001", wards.now())
    wards.step(back.id, "skip")
    assert hospital.status_of(appointment) == "arrived"
    wards.step(back.id, "return")
    assert wards.standing(visit).status == "waiting"


def test_who_missed_a_turn_and_took_a_new_number_there_is_handed_on_from_it(wards: Wards):
    visit = wards.arrive()
    missed = wards.hospital.call("P001", wards.now())
    wards.step(missed.id, "skip")
    room = wards.hospital.queue("P001")
    with wards.hospital.begin() as session:
        services.move(
            session, wards.hospital.doctor, visit, room, now=wards.now(), cipher=wards.hospital.cipher
        )
    again = wards.serve("P001")
    wards.tell(visit, EventKind.PRESCRIBED)
    wards.step(again, "done")
    assert wards.standing(visit).kind == "cashier"
