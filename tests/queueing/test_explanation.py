"""Why a number is before another: the answer agrees with the order, and names no class."""

from datetime import timedelta
from itertools import permutations

import pytest
from flask.testing import FlaskClient
from hypothesis import given

from telehealth.core.text import search_form
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.explanation import Explanation, Why, explain
from telehealth.queueing.rules import DEFAULT_POLICY, Lane, Reason, is_due, order
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller, Hospital
from tests.queueing.test_calling import step
from tests.queueing.test_order import NOW, appointment, histories, lines, policies, priority, walk_in


def why(*tickets, mine, theirs, recent=()) -> Explanation:
    return explain(tickets, recent, DEFAULT_POLICY, NOW, mine=mine.id, theirs=theirs.id)


@given(lines.filter(lambda tickets: 1 < len(tickets) < 12), histories, policies)
def test_every_answer_agrees_with_the_order(tickets, recent, policy):
    by_id = {t.id: t for t in tickets}
    placed = {p.id: p for p in order(tickets, recent, policy, NOW)}
    for mine, theirs in permutations(by_id, 2):
        found = explain(tickets, recent, policy, NOW, mine=mine, theirs=theirs)
        before = placed[theirs].place < placed[mine].place
        assert (found.code is not Why.AFTER_YOU) == before
        if before:
            assert _holds(found, by_id[mine], placed[mine], by_id[theirs], placed[theirs], policy)


def _holds(found, mine, my_place, theirs, their_place, policy) -> bool:
    both = (my_place.lane, their_place.lane)
    back = their_place.reason is Reason.CAME_BACK or my_place.reason is Reason.CAME_BACK
    return (
        back
        or {
            Why.CAME_EARLIER: both[0] is both[1]
            and (theirs.waiting_since, theirs.number) < (mine.waiting_since, mine.number),
            Why.EARLIER_APPOINTMENT: both == (Lane.APPOINTMENT, Lane.APPOINTMENT)
            and theirs.appointment_start <= mine.appointment_start,
            Why.PRIORITY: both[1] is Lane.PRIORITY and both[0] is not Lane.PRIORITY,
            Why.APPOINTMENT_TIME: both == (Lane.WALK_IN, Lane.APPOINTMENT) and is_due(theirs, policy, NOW),
            Why.NOT_YET_YOUR_TIME: both == (Lane.APPOINTMENT, Lane.WALK_IN) and not is_due(mine, policy, NOW),
            Why.FAIR_TURN: both[0] is Lane.PRIORITY
            or (both == (Lane.APPOINTMENT, Lane.WALK_IN) and is_due(mine, policy, NOW)),
        }[found.code]
    )


def test_each_rule_has_its_answer():
    me = walk_in(9, 10)
    assert why(me, walk_in(1, 20), mine=me, theirs=walk_in(1, 20)).code is Why.CAME_EARLIER
    assert why(me, priority(1), mine=me, theirs=priority(1)) == Explanation(Why.PRIORITY, count=2)
    assert why(me, appointment(1, 0), mine=me, theirs=appointment(1, 0)).time == NOW
    early = appointment(2, 20)
    assert why(me, early, mine=early, theirs=me).code is Why.NOT_YET_YOUR_TIME
    first, second = priority(1), priority(2)
    recent = (Lane.PRIORITY, Lane.PRIORITY)
    assert why(me, first, second, mine=first, theirs=me, recent=recent).code is Why.FAIR_TURN
    back = walk_in(3, 60, places_ahead=0)
    assert why(me, back, mine=me, theirs=back).code is Why.CAME_BACK
    assert why(me, walk_in(4, 90, places_ahead=1), mine=walk_in(4), theirs=me).code is Why.YOU_CAME_BACK
    assert why(me, walk_in(1, 1), mine=me, theirs=walk_in(1)).code is Why.AFTER_YOU


@pytest.fixture
def slips(hospital: Hospital):
    mine = hospital.number()
    first, second = (
        hospital.number(priority=each, now=MONDAY_8AM + timedelta(minutes=1))
        for each in (PriorityClass.PREGNANT, PriorityClass.DISABILITY)
    )
    return mine, first, second


def test_the_phone_says_why_and_no_class(slips, client: FlaskClient):
    mine, first, _ = slips
    page = client.get(f"/t/{mine.public_token}?number={first.number_text}").get_data(as_text=True)
    assert "Ưu tiên theo luật. Gọi nhiều nhất 2 người ưu tiên liền nhau" in page
    answer = search_form(page.split("follow-fair", 1)[0].rsplit("<ul>", 1)[1].split("</ul>")[0])
    assert "thai" not in answer
    assert "khuyet tat" not in answer


def test_the_api_says_why(slips, hospital: Hospital, client: FlaskClient):
    mine, first, _ = slips
    path = f"/api/v1/tickets/{mine.public_token}/why"
    assert client.get(path, query_string={"number": " 1-002 "}).json == {
        "code": "priority", "count": 2, "time": None,
    }  # fmt: skip
    assert client.get(path, query_string={"number": "1-999"}).status_code == 404
    assert client.get(path).status_code == 422
    assert client.get("/api/v1/tickets/nobody/why?number=1-001").status_code == 404
    called = hospital.call(now=MONDAY_8AM + timedelta(minutes=2))
    assert called.id == first.id
    assert client.get(path, query_string={"number": "1-002"}).json["code"] == "priority"
    step(hospital, "skip", called.id)


def test_who_was_called_before_i_came_needs_no_rule(hospital: Hospital, client: FlaskClient):
    hospital.number()
    hospital.call()
    mine = hospital.number(now=MONDAY_8AM + timedelta(minutes=5))
    path = f"/api/v1/tickets/{mine.public_token}/why?number=1-001"
    assert client.get(path).json["code"] == "called-already"


def test_staff_may_ask_about_any_two_in_either_order(doctor: Caller, hospital: Hospital):
    hospital.number()
    hospital.number(priority=PriorityClass.PREGNANT, now=MONDAY_8AM + timedelta(minutes=1))
    path = f"/api/v1/queues/{hospital.queue('P001')}/why"
    for pair in ("one=1-001&other=1-002", "one=1-002&other=1-001"):
        answer = doctor.get(f"{path}?{pair}").json
        assert (answer["first"], answer["second"]) == ("1-002", "1-001")
        assert answer["explanation"]["code"] == "priority"
    assert doctor.get(f"{path}?one=1-001&other=9-999").status_code == 404
    assert doctor.get(f"{path}?one=1-001").status_code == 404
    called = hospital.call(now=MONDAY_8AM + timedelta(minutes=2))
    assert called.number_text == "1-002"
    assert doctor.get(f"{path}?one=1-001&other=1-002").json["first"] == "1-002"


def test_the_console_answers_in_words(client: FlaskClient, hospital: Hospital, clock):
    hospital.appointment(MONDAY_8AM)  # who sits in the room has its line on the screen
    hospital.number()
    hospital.number(now=MONDAY_8AM + timedelta(minutes=1))
    with client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.staff_token
    client.get("/clinic")
    page = client.get("/clinic?one=1-002&other=1-001").get_data(as_text=True)
    assert "1-001 được gọi trước 1-002" in page
    assert "chờ từ" in page
    assert "Không thấy hai số này" in client.get("/clinic?one=1-002&other=5").get_data(as_text=True)
