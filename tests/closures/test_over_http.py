"""The same over HTTP: pages of the desk, the patient's page, and the API."""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, Employee, Person, add_employee
from tests.cast import messages
from tests.closures.conftest import Closing
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

PLACE = FACILITIES["77001"]
MORNING = {
    "practitioner": str(DOCTORS["an"]),
    "from_date": TUESDAY.isoformat(),
    "part": "hours",
    "start": "08:00",
    "end": "10:00",
    "plan": "offer",
    "reason": "sick",
}
ASKED = {
    "facility": "77001",
    "practitioner_id": str(DOCTORS["an"]),
    "from_date": TUESDAY.isoformat(),
    "start_minute": 480,
    "end_minute": 600,
}


def signed_in(app: Flask, engine: Engine, settings: Settings, clock: MovableClock, token: str) -> Browser:
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
    return Browser(client, engine, settings.cipher, clock)


@pytest.fixture
def at_desk(
    app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock, desk: Employee
) -> Browser:
    return signed_in(app, engine, settings, clock, desk.token)


@pytest.fixture
def phone(app: Flask, engine: Engine, settings: Settings, clock: MovableClock) -> Browser:
    """Nobody is signed in there."""
    return Browser(app.test_client(), engine, settings.cipher, clock)


@pytest.fixture
def officer(engine: Engine, clinic: None) -> dict[str, str]:
    from telehealth.accounts.models import Membership

    with system_unit_of_work(engine) as session:
        made = add_employee(session, Role.PROVINCE_OFFICER, "77001")
        session.query(Membership).filter_by(account_id=made.account_id).update({"facility_id": None})
    return made.headers


def link(engine: Engine, settings: Settings, kind: str) -> str:
    told = messages(engine, settings.cipher, f"appointment-{kind}")[-1]["link"]
    return told.removeprefix("http://localhost")


def test_the_desk_closes_a_morning_and_the_patient_takes_the_new_time_with_one_tap(
    at_desk: Browser, phone: Browser, closing: Closing, lan: Person, engine: Engine, settings: Settings
):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    page = at_desk.go("/closures").go(f"/closures/facilities/{PLACE}/new")
    assert page.sees("Bác sĩ bận đột xuất", "Mời sang giờ khác")
    page.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING)}")
    assert page.sees("Xem trước khi làm", "người có chỗ cùng ngày, cùng chuyên khoa, tại đây")
    assert closing.sessions("an")[0] == "open"
    page.send("/closures/facilities/")
    assert page.sees("Đã đóng 1 buổi khám", "Đang xử lý 0/1")
    closing.run()
    page.go(page.address.partition("?")[0] + "?show=open")
    assert page.sees("Trần Thị Lan", "Đã mời", "0912 000 001", "binh")

    patient = phone.go(link(engine, settings, "replacement"))
    assert patient.sees("Bác sĩ mới", "Bác sĩ binh", "Bác sĩ cũ", "Bác sĩ an", "Khác với lịch cũ: bác sĩ")
    patient.send("accept-offer")
    assert patient.sees("Đã đổi sang giờ mới", "Bác sĩ binh")
    page.go(page.address.partition("?")[0] + "?show=all")
    assert page.sees("Đồng ý")


def test_who_declines_is_led_to_other_times_and_may_cancel(
    phone: Browser, closing: Closing, lan: Person, engine: Engine, settings: Settings
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    page = phone.go(link(engine, settings, "replacement"))
    page.go(page.links("/j/d")[0])
    page.send("decline-offer")
    assert page.sees("Quý vị không nhận giờ mới")
    assert page.links("/move")
    page.go(page.links("/j/x")[0])
    page.send("cancel")
    assert closing.item_of(closure, view.id).standing == "cancelled"


def test_the_call_list_has_who_has_no_telephone_and_what_they_said_is_done(
    at_desk: Browser,
    closing: Closing,
    lan: Person,
    engine: Engine,
    owner_engine: Engine,
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM account_patient")
    closure = closing.close()
    closing.run()
    item = closing.item_of(closure, view.id)
    assert (item.reach, item.to_call) == ("no-phone", True)
    page = at_desk.go(f"/closures/{closure}/call-list")
    assert page.sees("Danh sách gọi điện", "Trần Thị Lan", "Không có số", "Đồng ý giờ mới")
    page.go(f"/closures/{closure}")
    assert page.sees("Cần gọi 1 người")
    page.send(f"/closures/items/{item.id}/called", outcome="no-answer")
    assert page.sees("không nghe máy")
    assert closing.item_of(closure, view.id).to_call
    page.send(f"/closures/items/{item.id}/called", outcome="agreed")
    assert page.sees("đồng ý")
    item = closing.item_of(closure, view.id)
    assert (item.standing, item.calls, item.to_call) == ("accepted", 2, False)
    assert closing.appointments.view(view.id).practitioner.name == "Bác sĩ binh"


def test_agreed_after_the_place_was_given_back_takes_it_if_it_is_still_free(
    web: FlaskClient,
    desk: Employee,
    closing: Closing,
    lan: Person,
    set_database_clock: Callable[[datetime], None],
):
    view = closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    closing.appointments.at(NOW + timedelta(hours=5))
    set_database_clock(closing.now)
    item = closing.item_of(closure, view.id)
    assert item.standing == "unanswered"
    said = web.post(
        f"/api/v1/closures/items/{item.id}/called", json={"outcome": "agreed"}, headers=desk.headers
    )
    assert (said.status_code, said.json["standing"]) == (200, "accepted")


def test_a_program_asks_first_then_closes_looks_and_opens_again(
    web: FlaskClient, desk: Employee, closing: Closing, lan: Person
):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    dry = web.post("/api/v1/closures", json={**ASKED, "dry_run": True}, headers=desk.headers)
    assert dry.status_code == 200
    assert dry.json["preview"]["people"] == 1
    assert dry.json["preview"]["equivalents"] == {"same-day": 1}
    assert closing.sessions("an")[0] == "open"
    made = web.post("/api/v1/closures", json=ASKED, headers=desk.headers)
    assert made.status_code == 201
    identifier = made.json["id"]
    closing.run()
    shown = web.get(f"/api/v1/closures/{identifier}", headers=desk.headers).json
    assert (shown["state"], shown["progress"]["by_standing"]) == ("finished", {"offered": 1})
    listed = web.get("/api/v1/closures?facility=77001", headers=desk.headers).json["items"]
    assert [(each["id"], each["state"]) for each in listed] == [(identifier, "finished")]
    items = web.get(f"/api/v1/closures/{identifier}/items?standing=offered", headers=desk.headers).json
    assert [item["patient_name"] for item in items["items"]] == ["Trần Thị Lan"]
    back = web.post(f"/api/v1/closures/{identifier}/undo", headers=desk.headers)
    assert back.json["state"] == "undoing"
    again = web.post(f"/api/v1/closures/{identifier}/undo", headers=desk.headers)
    assert (again.status_code, again.json["code"]) == (409, "closure-undone")


def test_refusals_are_told_by_their_code(web: FlaskClient, desk: Employee, admin: Employee):
    def closed(who: Employee = desk, **changes: object) -> tuple[int, str]:
        answer = web.post("/api/v1/closures", json={**ASKED, **changes}, headers=who.headers)
        return answer.status_code, answer.json["code"]

    whole = {"kind": "facility", "practitioner_id": None}
    assert closed(end_minute=400, start_minute=300) == (409, "nothing-to-close")
    assert closed(from_date="2026-11-01") == (422, "bad-closure-span")
    assert closed(to_date="2027-03-01") == (422, "bad-closure-span")
    assert closed(practitioner_id=None) == (422, "invalid")
    assert closed(facility="77002") == (403, "forbidden")
    assert closed(**whole) == (403, "forbidden")
    assert web.post("/api/v1/closures", json={**ASKED, **whole}, headers=admin.headers).status_code == 201


def test_another_facilitys_desk_sees_nothing_of_it(
    web: FlaskClient, desk: Employee, other_desk: Employee, closing: Closing, lan: Person
):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    closure = closing.close()
    closing.run()
    item = closing.items(closure)[0]
    assert web.get(f"/api/v1/closures/{closure}", headers=other_desk.headers).status_code == 403
    assert web.get(f"/api/v1/closures/{closure}/items", headers=other_desk.headers).status_code == 403
    called = f"/api/v1/closures/items/{item.id}/called"
    assert web.post(called, json={"outcome": "agreed"}, headers=other_desk.headers).status_code == 404


def test_an_officer_declares_a_holiday_and_each_desk_has_its_own_people(
    web: FlaskClient,
    officer: dict[str, str],
    desk: Employee,
    other_desk: Employee,
    closing: Closing,
    lan: Person,
    minh: Person,
):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.appointments.book(minh, "chi", TUESDAY, 1020)
    asked = {"kind": "holiday", "from_date": TUESDAY.isoformat(), "reason": "holiday", "note": "Quốc tang"}
    dry = web.post("/api/v1/closures", json={**asked, "dry_run": True}, headers=officer)
    assert (dry.json["preview"]["people"], dry.json["preview"]["looked_at"]) == (2, 0)
    made = web.post("/api/v1/closures", json=asked, headers=officer)
    assert made.status_code == 201
    closing.run()
    closing.run()
    url = f"/api/v1/closures/{made.json['id']}"
    assert web.get(url, headers=officer).json["progress"]["people"] == 2
    assert web.get(f"{url}/items", headers=officer).json["items"] == []
    ours = web.get(f"{url}/items", headers=desk.headers).json["items"]
    assert [item["patient_name"] for item in ours] == ["Trần Thị Lan"]
    assert web.get(url, headers=other_desk.headers).json["progress"]["people"] == 1


def test_sessions_off_the_roster_have_their_page(
    at_desk: Browser, web: FlaskClient, desk: Employee, closing: Closing, lan: Person
):
    closing.appointments.book(lan, "an", TUESDAY, 480)
    closing.appointments.away("an", TUESDAY)
    found = web.get("/api/v1/facilities/77001/roster-changes", headers=desk.headers).json["items"]
    assert [(each["people"], each["in_hand"]) for each in found] == [(1, 0)]
    page = at_desk.go("/closures")
    assert page.sees("Buổi khám không còn trong lịch trực", "Mời sang giờ khác")
    page.go(page.links("/new?practitioner=")[0])
    assert page.sees("Bác sĩ bận đột xuất")
    closing.close()
    closing.run()
    assert at_desk.go("/closures").sees("Đang xử lý")


def test_a_form_filled_in_wrongly_says_what_is_wrong(at_desk: Browser, clinic: None):
    page = at_desk.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING | {'start': '25:99'})}")
    assert page.status == 422
    assert page.sees("Giờ chưa đúng")
    page = at_desk.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING | {'from_date': 'mai'})}")
    assert page.sees("Ngày chưa đúng")


def test_the_whole_facility_closes_only_when_that_is_chosen(
    app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock
):
    with system_unit_of_work(engine) as session:
        admin = add_employee(session, Role.FACILITY_ADMIN, "77001")
    page = signed_in(app, engine, settings, clock, admin.token)
    page.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING | {'practitioner': ''})}")
    assert page.status == 422
    assert page.sees("Hãy chọn bác sĩ nghỉ")
    page.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING | {'practitioner': 'all'})}")
    assert page.status == 200


def test_a_desk_that_chose_nobody_is_asked_whom(at_desk: Browser, clinic: None):
    page = at_desk.go(f"/closures/facilities/{PLACE}/preview?{urlencode(MORNING | {'practitioner': ''})}")
    assert page.status == 422
    assert page.sees("Hãy chọn bác sĩ nghỉ")


def test_the_preview_of_a_holiday_says_which_and_invites_nobody_where_nobody_is_booked(
    app: Flask, engine: Engine, settings: Settings, officer: dict[str, str], clock: MovableClock
):
    page = signed_in(app, engine, settings, clock, officer["Authorization"].removeprefix("Bearer "))
    asked = {"from_date": TUESDAY.isoformat(), "note": "Nghỉ chống bão", "plan": "offer"}
    page.go(f"/closures/province/preview?{urlencode(asked)}")
    assert page.sees("Nghỉ lễ: Nghỉ chống bão", "Chưa có ai hẹn")
    assert not page.sees("mời 0 người")
    page.send("/closures/province")
    assert page.sees("Không nghỉ nữa? Mở lại các buổi khám"), "a holiday has no doctor who comes back"
    assert not page.sees("Bác sĩ trở lại")
