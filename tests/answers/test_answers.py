"""Patients answer by the links in their messages, without signing in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.accounts.models import Account
from telehealth.core.answer_link import Purpose
from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.architecture.test_routes import snapshot
from tests.booking.clinic import DOCTORS, Employee, Person, add_employee
from tests.booking.test_booking_over_http import IN_TWO_DAYS, book, count, move, slots
from tests.cast import messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

Told = Callable[[str], str]

OF_APPOINTMENTS = (Purpose.CONFIRM, Purpose.CANCEL, Purpose.ON_MY_WAY, Purpose.MESSAGES)


def start_of(booked: dict) -> datetime:
    return datetime.fromisoformat(booked["start"])


def link_to(settings: Settings, purpose: Purpose, booked: dict) -> str:
    return f"/j/{settings.answer_links.token(purpose, UUID(booked['id']), start_of(booked))}"


def row(engine: Engine, booked: dict) -> dict:
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        found = connection.execute(
            text("SELECT status, version, confirmed_at, on_the_way_at FROM appointment WHERE id = :id"),
            {"id": booked["id"]},
        ).one()
        return dict(found._mapping)


def changes(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT actor_kind, action FROM audit_event WHERE actor_kind = 'link' ORDER BY id")
        )
        return [(event.actor_kind, event.action) for event in found]


def test_the_message_of_a_booking_asks_whether_they_come(browser: Browser, booked: dict, told: Told):
    page = browser.go(told("booked"))
    assert page.status == 200
    assert page.sees("Tôi sẽ đến", "Bệnh viện Thử 77001", booked["code"], "phòng P1", "09:00")
    assert page.links("/j/x"), "a way to cancel"
    assert page.links(f"/appointments/{booked['id']}/move"), "a way to another time"


def test_a_page_names_neither_the_person_nor_what_for(browser: Browser, booked: dict, settings: Settings):
    for purpose in (Purpose.CONFIRM, Purpose.CANCEL, Purpose.ON_MY_WAY):
        page = browser.go(link_to(settings, purpose, booked))
        for telling in ("Lan", "Khám nội", "internal", "Bác sĩ an", "0912"):
            assert telling not in page.text


def test_reminders_ask_what_fits_their_time(booked: dict, told: Told):
    assert told("reminder-day").startswith("/j/c")
    assert told("reminder-hours").startswith("/j/w")


def test_before_a_visit_by_video_nobody_sets_out(web: FlaskClient, lan: Person, told: Told, browser: Browser):
    slot = slots(web, **{"from": IN_TWO_DAYS}, modality="video", practitioner=DOCTORS["chi"])[0]
    book(web, lan, slot_id=slot["id"])
    page = browser.go(told("reminder-hours"))
    assert page.sees("Tôi sẽ có mặt", "Khám qua video")


def test_opening_a_link_changes_nothing(
    web: FlaskClient, booked: dict, settings: Settings, owner_engine: Engine
):
    before = snapshot(owner_engine), count(owner_engine, "audit_event")
    for purpose in OF_APPOINTMENTS:
        link = link_to(settings, purpose, booked)
        for method in ("GET", "HEAD", "GET", "HEAD"):
            assert web.open(link, method=method).status_code < 500
    assert (snapshot(owner_engine), count(owner_engine, "audit_event")) == before


def test_a_page_stays_out_of_indexes_caches_and_referrers(web: FlaskClient, booked: dict, told: Told):
    answer = web.get(told("booked"))
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "strict-origin"


def test_who_will_come_says_so_and_the_desk_sees_it(
    browser: Browser, web: FlaskClient, booked: dict, told: Told, desk: Employee, engine: Engine
):
    page = browser.go(told("reminder-day")).send("confirm")
    assert (page.status, page.sees("Cảm ơn quý vị đã báo")) == (200, True)
    assert changes(engine) == [("link", "booking.confirm")]
    seen = web.get(f"/api/v1/appointments/{booked['id']}", headers=desk.headers)
    assert seen.json["confirmed_at"] is not None
    assert (seen.json["on_the_way_at"], seen.headers["ETag"]) == (None, '"2"')


def test_pressing_again_is_harmless(browser: Browser, booked: dict, told: Told, engine: Engine):
    link = told("booked")
    browser.go(link).send("confirm")
    first = row(engine, booked)
    token = browser.go(f"{link}")
    assert "<form" not in token.text.partition("<main")[2]
    with browser.client.session_transaction() as cookie:
        csrf = cookie["csrf"]
    again = browser.client.post(f"{link}/confirm", data={"csrf_token": csrf})
    assert again.status_code == 303
    assert row(engine, booked) == first
    assert changes(engine) == [("link", "booking.confirm")]


def test_a_button_needs_its_own_page(web: FlaskClient, booked: dict, told: Told, engine: Engine):
    assert web.post(f"{told('booked')}/confirm").status_code == 403
    web.get(told("booked"))
    foreign = web.post(f"{told('booked')}/confirm", headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    assert row(engine, booked)["confirmed_at"] is None


def press(client: FlaskClient, link: str, purpose: str) -> int:
    client.get(link)
    with client.session_transaction() as cookie:
        csrf = cookie["csrf"]
    return client.post(f"{link}/{purpose}", data={"csrf_token": csrf}).status_code


@pytest.mark.parametrize("purpose", OF_APPOINTMENTS)
def test_a_link_does_one_thing_only(
    web: FlaskClient, booked: dict, settings: Settings, engine: Engine, purpose: Purpose
):
    before = row(engine, booked)
    link = link_to(settings, purpose, booked)
    for other in [*Purpose, "join", "x"]:
        if other != purpose:
            assert press(web, link, other) == 404
    assert row(engine, booked) == before


def test_who_cannot_come_gives_the_place_to_others(
    browser: Browser, web: FlaskClient, booked: dict, told: Told, engine: Engine, settings: Settings
):
    page = browser.go(told("reminder-day"))
    page.go(page.links("/j/x")[0])
    assert page.sees("Hủy lịch khám này?", "Giữ lịch, tôi sẽ đến")
    page.send("cancel")
    assert (page.status, page.sees("Lịch khám này đã hủy", "Đặt lịch mới")) == (200, True)
    assert row(engine, booked)["status"] == "cancelled"
    assert changes(engine) == [("link", "booking.cancel")]
    assert messages(engine, settings.cipher, "appointment-cancelled")
    free = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])
    assert booked["slot_id"] in [slot["id"] for slot in free]


def test_who_is_on_the_way_is_expected(
    browser: Browser, booked: dict, told: Told, engine: Engine, clock: MovableClock
):
    clock.now = start_of(booked) - timedelta(hours=2)
    page = browser.go(told("reminder-hours")).send("on-my-way")
    assert page.sees("Nơi khám đã biết quý vị đang đến")
    after = row(engine, booked)
    assert after["on_the_way_at"] == after["confirmed_at"] == clock.now
    clock.now = start_of(booked) + timedelta(minutes=5)
    assert browser.go(told("reminder-hours")).status == 200


def test_nobody_is_on_the_way_days_before(web: FlaskClient, browser: Browser, booked: dict, told: Told):
    page = browser.go(told("reminder-hours"))
    assert (page.status, page.sees("Còn sớm", "05:00", "Báo trước là tôi sẽ đến")) == (409, True)
    assert press(web, told("reminder-hours"), "on-my-way") == 409


@pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.CANCEL, Purpose.ON_MY_WAY])
def test_after_its_time_a_link_says_what_to_do(
    browser: Browser,
    web: FlaskClient,
    booked: dict,
    settings: Settings,
    clock: MovableClock,
    purpose: Purpose,
):
    clock.now = datetime.fromisoformat(booked["end"])
    link = link_to(settings, purpose, booked)
    page = browser.go(link)
    assert (page.status, page.sees("Giờ hẹn này đã qua", "Đặt lịch mới", "1900 9095")) == (410, True)
    assert press(web, link, purpose) == 410


def disrupt(owner_engine: Engine, booked: dict) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO appointment_disruption (id, appointment_id, start_at, found_at)
                   SELECT gen_random_uuid(), id, start_at, created_at FROM appointment WHERE id = :id"""
            ),
            {"id": booked["id"]},
        )


def test_nobody_says_they_come_when_the_doctor_is_away(
    browser: Browser, web: FlaskClient, booked: dict, told: Told, owner_engine: Engine, engine: Engine
):
    link = told("booked")
    disrupt(owner_engine, booked)
    page = browser.go(link)
    assert (page.status, page.sees("Giờ khám này phải thay đổi", "Chọn giờ khác", "Hủy lịch")) == (409, True)
    assert press(web, link, "confirm") == 409
    assert row(engine, booked)["confirmed_at"] is None
    page.go(page.links("/j/x")[0]).send("cancel")
    assert page.sees("Lịch khám này đã hủy")


def test_a_link_tells_nothing_of_a_visit_long_past(
    browser: Browser, booked: dict, settings: Settings, clock: MovableClock
):
    clock.now = datetime.fromisoformat(booked["end"]) + timedelta(days=30)
    for purpose in OF_APPOINTMENTS:
        page = browser.go(link_to(settings, purpose, booked))
        assert page.status == 410
        assert booked["code"] not in page.text


def test_the_address_of_a_button_leads_back_to_its_page(browser: Browser, booked: dict, told: Told):
    page = browser.go(f"{told('booked')}/confirm")
    assert (page.address, page.status) == (told("booked"), 200)


def test_the_doctor_sees_who_will_come(
    browser: Browser, web: FlaskClient, booked: dict, told: Told, engine: Engine, clock: MovableClock
):
    browser.go(told("booked")).send("confirm")
    with system_unit_of_work(engine) as session:
        doctor = add_employee(session, Role.PRACTITIONER, "77001")
        session.get_one(Account, doctor.account_id).practitioner_id = DOCTORS["an"]
    clock.now = start_of(booked) - timedelta(minutes=30)
    with web.session_transaction() as cookie:
        cookie["_user_id"] = doctor.token
    assert "Sẽ đến" in web.get("/clinic").get_data(as_text=True)
    assert "Xếp thêm" not in web.get("/clinic").get_data(as_text=True)
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE appointment SET overbooked = true"))
    assert "Xếp thêm" in web.get("/clinic").get_data(as_text=True), "in words, not only by colour"


def test_a_cancelled_visit_is_not_confirmed(
    browser: Browser, web: FlaskClient, lan: Person, booked: dict, told: Told
):
    link = told("booked")
    web.post(
        f"/api/v1/appointments/{booked['id']}/cancel", json={}, headers={**lan.headers, "If-Match": '"1"'}
    )
    page = browser.go(link)
    assert (page.status, page.sees("Lịch khám này đã hủy", "Đặt lịch mới")) == (410, True)
    assert press(web, link, "confirm") == 410


def test_who_has_checked_in_asks_the_desk(
    browser: Browser, web: FlaskClient, booked: dict, settings: Settings, engine: Engine
):
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        connection.execute(text("UPDATE appointment SET status = 'arrived'"))
    link = link_to(settings, Purpose.CANCEL, booked)
    assert browser.go(link).sees("Quý vị đã làm thủ tục đến khám")
    assert press(web, link, "cancel") == 409
    assert row(engine, booked)["status"] == "arrived"


def test_the_link_of_the_old_time_answers_no_more(
    browser: Browser, web: FlaskClient, lan: Person, booked: dict, told: Told, engine: Engine
):
    old = told("booked")
    browser.go(old).send("confirm")
    other = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[1]
    assert move(web, lan, booked, other["id"], 2).status_code == 200
    assert row(engine, booked)["confirmed_at"] is None, "what was said of the old time is not said of the new"
    page = browser.go(old)
    assert (page.status, page.sees("Lịch khám này đã đổi giờ", "1900 9095")) == (410, True)
    assert press(web, old, "confirm") == 410
    assert row(engine, booked)["confirmed_at"] is None
    assert browser.go(told("moved")).sees("Tôi sẽ đến", other["start"][11:16])


def test_the_link_of_the_old_time_says_cancelled_when_the_visit_is(
    browser: Browser, web: FlaskClient, lan: Person, booked: dict, told: Told
):
    old = told("booked")
    other = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[1]
    move(web, lan, booked, other["id"])
    web.post(
        f"/api/v1/appointments/{booked['id']}/cancel", json={}, headers={**lan.headers, "If-Match": '"2"'}
    )
    page = browser.go(old)
    assert (page.status, page.sees("Lịch khám này đã hủy")) == (410, True)


def test_a_link_that_is_not_ours_opens_nothing(
    browser: Browser, booked: dict, told: Told, settings: Settings
):
    mine = told("booked")
    forged = mine[:-1] + ("A" if mine[-1] != "A" else "B")
    nobody = f"/j/{settings.answer_links.token(Purpose.CONFIRM, new_id(), start_of(booked))}"
    for link in (forged, nobody):
        page = browser.go(link)
        assert (page.status, page.sees("Đường dẫn này không mở được", "Đặt lịch mới")) == (404, True)
        assert booked["code"] not in page.text


def test_links_into_video_rooms_open_as_before(web: FlaskClient):
    assert web.get("/j/" + "a" * 32).status_code == 410


def test_guessing_comes_to_an_end(web: FlaskClient, clinic: None):
    statuses = {web.get("/j/c" + "A" * 32).status_code for _ in range(302)}
    assert statuses == {404, 429}


def test_two_presses_at_once_are_one_answer(app: Flask, booked: dict, told: Told, engine: Engine):
    link = told("booked")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: press(app.test_client(), link, "confirm"), range(4)))
    assert set(found) <= {303, 200}
    assert row(engine, booked)["version"] == 2
    assert changes(engine) == [("link", "booking.confirm")]


def test_the_holder_of_a_link_sees_one_appointment_and_its_person(
    web: FlaskClient, lan: Person, minh: Person, booked: dict, engine: Engine
):
    others = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])
    book(web, minh, slot_id=others[1]["id"])
    book(web, lan, slot_id=slots(web, practitioner=DOCTORS["binh"])[0]["id"])
    with engine.connect() as connection:
        connection.execute(
            text("SELECT set_config('app.kind', 'link', true), set_config('app.appointment', :id, true)"),
            {"id": booked["id"]},
        )
        assert connection.execute(text("SELECT id::text FROM appointment")).scalars().all() == [booked["id"]]
        assert connection.execute(text("SELECT id FROM patient")).scalars().all() == [lan.patient_id]
