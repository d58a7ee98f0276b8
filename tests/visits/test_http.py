"""Visits over HTTP: the hospital's system, the buttons, the desk, and the wall between two hospitals."""

from html import unescape
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from telehealth.queueing.queries import points_of, queue_by_id
from telehealth.visits import queries
from telehealth.visits.codes import EventKind
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller
from tests.visits.wards import SYSTEM_OF_ORDERS, Wards

API = "/api/v1"


def event(
    wards: Wards, visit: UUID, kind: str, *orders: str, event_id: str = "e1", **more: Any
) -> dict[str, Any]:
    named = [{"identifier": {"system": SYSTEM_OF_ORDERS, "value": order}} for order in orders]
    if kind == "tests-ordered":
        named = [{**each, "category": "laboratory"} for each in named]
    return {
        "source": "his", "event_id": event_id, "kind": kind, "occurred_at": "2026-11-30T08:01:00+07:00",
        "visit": {"code": wards.visit(visit).code, "date": "2026-11-30"}, "orders": named, **more,
    }  # fmt: skip


def signed_in(app: Flask, token: str) -> FlaskClient:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = token
        session["csrf"] = "csrf"
    return client


def press(client: FlaskClient, path: str, **form: str) -> str:
    answer = client.post(path, data={"csrf_token": "csrf", **form}, follow_redirects=True)
    assert answer.status_code == 200, answer.get_data(as_text=True)[:2000]
    return unescape(answer.get_data(as_text=True))


def test_the_hospitals_system_moves_a_visit_on_and_hears_the_same_again(system: Caller, wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    path = f"{API}/facilities/77001/visit-events"
    early = system.post(path, event(wards, visit, "result-ready", "XN1", event_id="r1"))
    assert (early.status_code, early.json["state"], early.json["why"]) == (201, "pending", "unknown-order")
    told = system.post(path, event(wards, visit, "tests-ordered", "XN1"))
    assert (told.status_code, told.json["state"], told.json["why"]) == (201, "applied", None)
    assert system.post(path, event(wards, visit, "result-ready", "XN1", event_id="r1")).json == early.json
    now = system.get(f"{API}/visit-events/{early.json['id']}").json
    assert (now["state"], now["tries"], now["kind"]) == ("applied", 2, "result-ready")
    other = system.post(path, event(wards, visit, "paid", event_id="r1"))
    assert (other.status_code, other.json["code"]) == (422, "event-reused")


def test_odd_events_are_refused_in_words(system: Caller, wards: Wards):
    visit = wards.arrive()
    path = f"{API}/facilities/77001/visit-events"
    good = event(wards, visit, "tests-ordered", "XN1")
    for odd in (
        {**good, "kind": "eaten"},
        {**good, "orders": []},
        {**good, "orders": good["orders"] * 2},
        {**good, "visit": {}},
        {**good, "visit": {"code": "1234", "appointment": "ABCDEFGH"}},
        {**good, "occurred_at": "2026-11-30T08:01:00"},
        {**good, "source": "two words"},
        {**good, "patient": "Lan"},
    ):
        answer = system.post(path, odd)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid"), odd
    assert system.post(f"{API}/facilities/nowhere/visit-events", good).status_code == 404


def test_another_hospitals_system_tells_nothing_and_a_kiosk_neither(
    app: Flask, system: Caller, wards: Wards, other: Wards
):
    visit = wards.arrive()
    stranger = Caller(app.test_client(), other.system_token)
    path = f"{API}/facilities/77001/visit-events"
    assert stranger.post(path, event(wards, visit, "prescribed")).status_code == 403
    kiosk = Caller(app.test_client(), wards.hospital.kiosk_token)
    assert kiosk.post(path, event(wards, visit, "prescribed")).status_code == 403
    clerk = Caller(app.test_client(), other.clerk_token)
    code = wards.visit(visit).code
    assert clerk.get(f"{API}/facilities/77001/visits/{code}").status_code == 403
    assert clerk.post(f"{API}/visits/{visit}/end", If_Match='"1"').status_code == 404


def test_the_worklist_is_seen_tried_again_and_dismissed_for_a_reason(
    clerk: Caller, system: Caller, wards: Wards
):
    visit = wards.arrive(insured=True)
    path = f"{API}/facilities/77001/visit-events"
    told = system.post(path, event(wards, visit, "paid", event_id="early")).json
    lost = {**event(wards, visit, "prescribed", event_id="lost"), "visit": {"appointment": "ABCDEFGH"}}
    unknown = system.post(path, lost).json
    assert (told["why"], unknown["why"]) == ("nothing-to-pay", "unknown-visit")
    items = clerk.get(f"{path}?state=pending").json["items"]
    assert [(each["event_id"], each["why"]) for each in items] == [
        ("early", "nothing-to-pay"),
        ("lost", "unknown-visit"),
    ]
    again = clerk.post(f"{API}/visit-events/{told['id']}/retry").json
    assert (again["state"], again["tries"]) == ("pending", 2)
    assert clerk.post(f"{API}/visit-events/{unknown['id']}/dismiss", {"reason": " "}).status_code == 422
    away = clerk.post(f"{API}/visit-events/{unknown['id']}/dismiss", {"reason": "Gửi nhầm"}).json
    assert (away["state"], away["reason"]) == ("dismissed", "Gửi nhầm")
    twice = clerk.post(f"{API}/visit-events/{unknown['id']}/dismiss", {"reason": "Gửi nhầm"})
    assert (twice.status_code, twice.json["code"]) == (409, "event-settled")


def test_staff_read_move_and_end_a_visit(clerk: Caller, wards: Wards):
    visit = wards.arrive()
    code = wards.visit(visit).code
    shown = clerk.get(f"{API}/facilities/77001/visits/{code}")
    assert [leg["number"] for leg in shown.json["legs"]] == ["1-001"]
    assert (shown.json["next"]["why"], shown.headers["ETag"]) == ("be-seen", '"1"')
    body = {"queue_id": str(wards.hospital.queue("P002"))}
    assert clerk.post(f"{API}/visits/{visit}/move", body).status_code == 428
    moved = clerk.post(f"{API}/visits/{visit}/move", body, If_Match='"1"')
    assert [leg["status"] for leg in moved.json["legs"]] == ["cancelled", "waiting"]
    assert clerk.post(f"{API}/visits/{visit}/end", If_Match='"1"').status_code == 412
    ended = clerk.post(f"{API}/visits/{visit}/end", If_Match=moved.headers["ETag"])
    assert (ended.json["end_reason"], ended.json["next"]) == ("desk", None)
    assert clerk.get(f"{API}/facilities/77001/visits/0000").status_code == 404
    assert (
        clerk.post(f"{API}/visits/{visit}/move", body, If_Match=ended.headers["ETag"]).json["code"]
        == "visit-over"
    )


def test_the_rule_is_data_of_the_facility(clerk: Caller, wards: Wards):
    path = f"{API}/facilities/77001/visit-path"
    seen = clerk.get(path)
    assert (seen.json["pays_before_tests"], seen.headers["ETag"]) == (["self-pay"], '"0"')
    rule = {
        "pays_before_tests": [], "settles_at_end": ["self-pay"], "tests": "imaging-first", "results": "desk",
        "places_ahead": 2,
    }  # fmt: skip
    changed = clerk.client.put(path, json=rule, headers=clerk._headers({"If_Match": '"0"'}))
    assert (changed.status_code, changed.json["version"]) == (200, 1)
    stale = clerk.client.put(path, json=rule, headers=clerk._headers({"If_Match": '"0"'}))
    assert stale.status_code == 412
    visit = wards.arrive()
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1")
    wards.pass_by("sampling")
    wards.tell(visit, EventKind.RESULT_READY, "XN1")
    assert wards.standing(visit).kind == "results"


def test_the_slips_holder_sees_the_way_and_no_test(client: FlaskClient, wards: Wards):
    slip = wards.hospital.number("P001")
    wards.serve("P001")
    with wards.hospital.begin() as session:
        visit = queries.visit_of_ticket(session, slip.id)
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN-HIV-1")
    seen = client.get(f"{API}/tickets/{slip.public_token}/visit")
    assert (seen.json["code"], seen.json["tests"], seen.json["next"]["why"]) == (slip.visit_code, 1, "test")
    page = unescape(client.get(f"/t/{slip.public_token}").get_data(as_text=True))
    assert "T001" in page
    assert "Đường đi hôm nay" in page
    assert "HIV" not in page + seen.get_data(as_text=True)
    assert client.get(f"{API}/tickets/{'x' * 22}/visit").status_code == 404


def test_the_buttons_lead_from_the_room_to_the_pharmacy(app: Flask, wards: Wards):
    visit = wards.arrive()
    browser = signed_in(app, wards.hospital.staff_token)

    def at(code: str) -> None:
        wards.now()
        queue = wards.hospital.queue(code)
        with wards.hospital.begin() as session:
            point = points_of(session, queue_by_id(session, queue), MONDAY_8AM.date())[0][0]
        press(browser, "/clinic/place", place=f"{queue}/{point}")

    def step(name: str) -> str:
        return press(browser, f"/clinic/tickets/{wards.standing(visit).ticket_id}/{name}")

    at("P001")
    press(browser, "/clinic/call-next")
    assert "Chỉ định xét nghiệm" in step("start")
    ticket = wards.standing(visit).ticket_id
    said = press(browser, f"/clinic/tickets/{ticket}/tests", tests="laboratory", press_key="k1")
    assert "Mời người bệnh đến Quầy thu phí" in said
    assert "Đang đi làm xét nghiệm (1)" in said
    press(browser, f"/clinic/tickets/{ticket}/tests", tests="laboratory", press_key="k1")
    assert len(wards.visit(visit).orders) == 1, "a second press of the same button says nothing new"
    for station, button in (("cashier", "Đã thu"), ("sampling", "Đã lấy mẫu")):
        at(station)
        assert button in press(browser, "/clinic/call-next")
        step("start")
        said = step("done")
    assert "Chờ trả kết quả (1)" in said
    press(browser, f"/clinic/visits/{visit}/results", category="laboratory", press_key="k2")
    assert wards.standing(visit).kind == "clinic"
    at("P001")
    press(browser, "/clinic/call-next")
    step("start")
    press(browser, f"/clinic/tickets/{wards.standing(visit).ticket_id}/prescription", press_key="k3")
    step("done")
    for station in ("cashier", "pharmacy"):
        at(station)
        press(browser, "/clinic/call-next")
        step("start")
        step("done")
    assert wards.visit(visit).end_reason == "complete"


def test_the_desk_finds_a_visit_sets_it_right_and_looks_after_the_worklist(
    app: Flask, system: Caller, wards: Wards
):
    visit = wards.arrive("registration")
    wards.pass_by("registration")
    desk = signed_in(app, wards.clerk_token)
    home = unescape(desk.get("/desk/visits").get_data(as_text=True))
    code = wards.visit(visit).code
    assert "Chưa có phòng khám" in home
    assert code in home
    shown = press(desk, "/desk/visits", code=code)
    assert "A001" in shown
    version = str(wards.visit(visit).version)
    moved = press(
        desk, f"/desk/visits/{visit}/move", queue=str(wards.hospital.queue("P002")), version=version
    )
    assert "2-001" in moved
    wrong = desk.post("/desk/visits", data={"csrf_token": "csrf", "code": "9"})
    assert wrong.status_code == 404
    told = system.post(
        f"{API}/facilities/77001/visit-events", event(wards, visit, "result-ready", "XN1")
    ).json
    listed = unescape(desk.get("/desk/visit-events").get_data(as_text=True))
    assert "Chưa có chỉ định này" in listed
    assert "Tin vẫn chưa khớp" in press(desk, f"/desk/visit-events/{told['id']}/retry")
    short = desk.post(f"/desk/visit-events/{told['id']}/dismiss", data={"csrf_token": "csrf", "reason": ""})
    assert short.status_code == 422
    assert "Đã bỏ qua tin này" in press(desk, f"/desk/visit-events/{told['id']}/dismiss", reason="Gửi nhầm")
    kept = press(desk, "/desk/visit-path", pays_before_tests="insured", tests="shortest", results="room",
                 places_ahead="3", version="0")  # fmt: skip
    assert "Đã lưu quy tắc" in kept
    ended = press(desk, f"/desk/visits/{visit}/end", version=str(wards.visit(visit).version))
    assert "Quầy đã kết thúc" in ended


def test_who_is_out_is_seen_by_program_too(doctor: Caller, wards: Wards):
    visit = wards.arrive(insured=True)
    wards.serve("P001")
    wards.tell(visit, EventKind.TESTS_ORDERED, "XN1", "XN2")
    out = doctor.get(f"{API}/queues/{wards.hospital.queue('P001')}/visits").json["items"]
    assert [(each["tests"], each["ready"], each["all_in"], each["number"]) for each in out] == [
        (2, 0, False, "X001")
    ]
    wards.pass_by("sampling")
    owed = doctor.get(f"{API}/queues/{wards.hospital.queue('sampling')}/visits").json["items"]
    assert [each["visit"] for each in owed] == [wards.visit(visit).code]


def test_the_slip_says_the_visits_code(system: Caller, app: Flask, wards: Wards):
    kiosk = Caller(app.test_client(), wards.hospital.kiosk_token)
    path = f"{API}/queues/{wards.hospital.queue('registration')}/tickets"
    first = kiosk.post(path, Idempotency_Key="one").json
    assert kiosk.post(path, Idempotency_Key="one").json["visit"] == first["visit"]
    assert len(first["visit"]) == 4
