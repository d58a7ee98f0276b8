"""The release hour: drawn before it, in line after it, let in at a rate, and nothing felt otherwise."""

from datetime import datetime, timedelta
from itertools import pairwise

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.admission.schemas import WaitingRoomSchema
from tests.admission.conftest import NINE, ROOM, SERVICE, Hour
from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.test_booking_over_http import book, slots
from tests.booking.test_races import together
from tests.patient_portal.browser import Browser

EARLY, LATE = 150, 50


def hold(web: FlaskClient, who: Person, slot: dict):
    return web.post("/api/v1/holds", json={"slot_id": slot["id"]}, headers=who.headers)


def rank_correlation(order: list[int]) -> float:
    """Spearman's, of places against the order of coming."""
    n = len(order)
    return 1 - 6 * sum((place - came) ** 2 for came, place in enumerate(order)) / (n * (n * n - 1))


def test_two_hundred_people_are_drawn_queue_and_come_in_at_the_rate(hour: Hour, chief: Employee):
    hour.arrange(chief, rate_per_minute=60, early_minutes=30)
    early, late = hour.crowd(1000, EARLY), hour.crowd(2000, LATE)
    for number, person in enumerate(early):
        hour.go_to(NINE - timedelta(minutes=25) + timedelta(seconds=5 * number))
        seen = hour.enter(person)
        assert (seen["standing"], seen["admit_at"]) == ("early", None)
    hour.go_to(NINE)
    hour.draw()
    for number, person in enumerate(late):
        hour.go_to(NINE + timedelta(milliseconds=100 * number))
        hour.enter(person)
    drawn = [datetime.fromisoformat(hour.see(person)["admit_at"]) for person in early]
    came = [datetime.fromisoformat(hour.see(person)["admit_at"]) for person in late]
    turns = sorted(drawn + came)
    assert len(set(turns)) == EARLY + LATE
    assert {after - before for before, after in pairwise(turns)} == {timedelta(seconds=1)}
    assert max(drawn) < min(came)
    assert came == sorted(came)
    order = [sorted(drawn).index(turn) for turn in drawn]
    assert abs(rank_correlation(order)) < 0.35, "the draw follows the order of coming"
    hour.go_to(NINE + timedelta(seconds=100, milliseconds=500))
    standing = [hour.see(person)["standing"] for person in (*early, *late)]
    assert standing.count("admitted") == 101


def test_only_who_was_let_in_takes_a_place_and_cannot_hand_it_on(
    hour: Hour, chief: Employee, web: FlaskClient, lan: Person, minh: Person
):
    hour.arrange(chief, rate_per_minute=1)
    hour.go_to(NINE - timedelta(minutes=5))
    hour.enter(lan)
    hour.go_to(NINE)
    hour.draw()
    free = slots(web, practitioner=DOCTORS["an"], limit=3)
    refused = hold(web, minh, free[0])
    assert (refused.status_code, refused.json["code"]) == (409, "waiting-room")
    assert book(web, minh, slot_id=free[0]["id"]).json["code"] == "waiting-room"
    assert hour.see(lan)["standing"] == "admitted"
    assert hold(web, lan, free[0]).status_code == 201
    assert book(web, lan, slot_id=free[1]["id"]).status_code == 201
    waiting = hour.enter(minh)
    assert (waiting["standing"], waiting["ahead"]) == ("waiting", 1)
    assert hold(web, minh, free[2]).status_code == 409
    hour.go_to(NINE + timedelta(minutes=1))
    assert hold(web, minh, free[2]).status_code == 201


def test_one_account_has_one_place_however_often_it_enters_at_once(
    hour: Hour, chief: Employee, app: Flask, lan: Person, engine: Engine
):
    hour.arrange(chief, rate_per_minute=60)
    hour.go_to(NINE + timedelta(seconds=1))

    def entering() -> dict:
        return app.test_client().post(ROOM, headers=lan.headers).json

    answers = together([entering] * 12)
    assert len({answer["admit_at"] for answer in answers}) == 1
    with engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT last_place FROM release").scalar_one()
    assert last == 1


def test_who_lets_the_turn_pass_goes_to_the_end(hour: Hour, chief: Employee, lan: Person):
    hour.arrange(chief, rate_per_minute=60, hot_minutes=60, admission_minutes=2)
    hour.go_to(NINE + timedelta(seconds=1))
    hour.enter(lan)
    hour.go_to(NINE + timedelta(minutes=5))
    assert hour.see(lan)["standing"] == "lapsed"
    again = hour.enter(lan)
    assert not WaitingRoomSchema().validate(again)
    assert again["standing"] == "admitted"


def test_without_a_rush_nothing_is_felt(
    hour: Hour, chief: Employee, web: FlaskClient, lan: Person, minh: Person, desk: Employee
):
    hour.go_to(NINE + timedelta(seconds=1))
    free = slots(web, practitioner=DOCTORS["an"], limit=9)
    assert hold(web, lan, free[0]).status_code == 201
    assert web.get(ROOM, headers=lan.headers).json["code"] == "no-waiting-room"
    hour.arrange(chief, rate_per_minute=1, hot_minutes=15)
    assert hold(web, minh, free[1]).status_code == 409
    at_desk = book(web, desk, slot_id=free[2]["id"], patient_id=str(lan.patient_id))
    assert at_desk.status_code == 201, at_desk.json
    hour.go_to(NINE + timedelta(minutes=16))
    assert hold(web, minh, free[1]).status_code == 201
    assert web.post(ROOM, headers=minh.headers).status_code == 404


def test_the_room_is_arranged_by_the_facility_s_own_administrator(
    hour: Hour, chief: Employee, web: FlaskClient, desk: Employee, lan: Person
):
    for who in (desk, lan):
        assert web.put(ROOM, json={"rate_per_minute": 5}, headers=who.headers).status_code == 403
    bad = web.put(ROOM, json={"rate_per_minute": 0}, headers=chief.headers)
    assert (bad.status_code, list(bad.json["fields"])) == (422, ["rate_per_minute"])
    elsewhere = f"/api/v1/services/{str(SERVICE)[:-1]}0/waiting-room"
    assert web.put(elsewhere, json={"rate_per_minute": 5}, headers=chief.headers).status_code in (403, 404)


def test_the_page_leads_through_without_scripts(
    hour: Hour, chief: Employee, app: Flask, engine: Engine, lan: Person
):
    hour.arrange(chief, rate_per_minute=1)
    hour.go_to(NINE - timedelta(minutes=5))
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    browser = Browser(client, engine, hour.settings.cipher, hour.clock)
    path = f"/book/waiting-room/{SERVICE}"
    assert path in browser.go("/book/times?service=internal&facility=77001").links("waiting-room")
    assert browser.go(path).sees("Phòng chờ đặt lịch", "09:00")
    browser.send("waiting-room")
    assert browser.sees("Quý vị đã vào phòng chờ", "Trang tự cập nhật")
    hour.go_to(NINE)
    assert browser.go(path).sees("Đang bốc thăm")
    assert client.get(path).headers["Refresh"] == "2"
    hour.draw()
    assert browser.go(path).sees("Đến lượt quý vị", "Chọn giờ khám")
    assert "Refresh" not in client.get(path).headers


def test_who_is_next_is_told_so_and_nobody_is_sent_elsewhere_before_the_hour(
    hour: Hour, chief: Employee, app: Flask, engine: Engine, lan: Person, minh: Person
):
    hour.arrange(chief, rate_per_minute=1)
    hour.go_to(NINE - timedelta(minutes=5))
    browsers = {}
    for who in (lan, minh):
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = who.token
        browsers[who] = Browser(client, engine, hour.settings.cipher, hour.clock)
        hour.enter(who)
    far = browsers[lan].go("/book/times?service=internal&facility=77001&from=2026-12-20")
    assert far.sees("Vào phòng chờ")
    assert not far.sees("Vui lòng chọn ngày khác")
    hour.go_to(NINE)
    hour.draw()
    hour.go_to(NINE + timedelta(seconds=20))
    pages = [each.go(f"/book/waiting-room/{SERVICE}") for each in browsers.values()]
    assert sorted(page.sees("Quý vị là người kế tiếp") for page in pages) == [False, True]
    assert not any(page.sees("còn 0 người") for page in pages)


def test_moving_there_oneself_takes_a_turn_too(
    hour: Hour, chief: Employee, web: FlaskClient, lan: Person, desk: Employee
):
    hour.go_to(NINE + timedelta(seconds=1))
    sessions = {
        slot["id"].split(".")[0]: slot
        for slot in slots(web, facility="77001", service="internal", modality="in-person", limit=100)
    }
    first, *free = sessions.values()
    made = book(web, lan, slot_id=first["id"]).json
    hour.arrange(chief, rate_per_minute=1)
    path, tag = f"/api/v1/appointments/{made['id']}/reschedule", {"If-Match": f'"{made["version"]}"'}
    asked = {"slot_id": free[0]["id"]}
    refused = web.post(path, json=asked, headers={**lan.headers, **tag})
    assert (refused.status_code, refused.json["code"]) == (409, "waiting-room")
    moved = web.post(path, json=asked, headers={**desk.headers, **tag})
    assert moved.status_code == 200, moved.json
    hour.enter(lan)
    own = web.post(
        path,
        json={"slot_id": free[1]["id"]},
        headers={**lan.headers, "If-Match": f'"{moved.json["version"]}"'},
    )
    assert own.status_code == 200, own.json


def test_who_leaves_gives_up_the_place_and_nobody_else_s_turn_changes(
    hour: Hour, chief: Employee, web: FlaskClient, lan: Person, minh: Person, engine: Engine
):
    place = f"{ROOM}/place"
    assert web.delete(place, headers=lan.headers).json["code"] == "no-waiting-room"
    hour.arrange(chief, rate_per_minute=1)
    hour.go_to(NINE - timedelta(minutes=5))
    hour.enter(lan)
    assert web.delete(place, headers=lan.headers).status_code == 204
    assert web.delete(place, headers=lan.headers).status_code == 204
    assert hour.see(lan)["standing"] == "outside"
    hour.enter(minh)
    hour.go_to(NINE)
    hour.draw()
    assert hour.see(minh)["standing"] == "admitted", "who has left is not drawn"
    turn = hour.enter(lan)
    third = hour.crowd(3000, 1)[0]
    behind = hour.enter(third)
    assert web.delete(place, headers=lan.headers).status_code == 204
    assert hour.see(third)["admit_at"] == behind["admit_at"]
    assert hour.see(minh)["standing"] == "admitted", "others cannot be sent away"
    hour.go_to(datetime.fromisoformat(turn["admit_at"]))
    free = slots(web, practitioner=DOCTORS["an"], limit=1)[0]
    assert hold(web, lan, free).json["code"] == "waiting-room"
    assert hour.enter(lan)["admit_at"] > behind["admit_at"]
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT count(*) FROM audit_event WHERE action = 'admission.leave' AND actor_id = %s",
            (lan.account_id,),
        ).scalar_one()
    assert rows == 3


def test_the_button_to_leave_works_without_scripts_and_says_what_it_gives_up(
    hour: Hour, chief: Employee, app: Flask, engine: Engine, lan: Person
):
    hour.arrange(chief, rate_per_minute=1)
    hour.go_to(NINE - timedelta(minutes=5))
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    browser = Browser(client, engine, hour.settings.cipher, hour.clock)
    path = f"/book/waiting-room/{SERVICE}"
    assert not browser.go(path).sees("Rời phòng chờ")
    browser.send("waiting-room")
    assert browser.sees("Rời phòng chờ thì bỏ chỗ đang xếp")
    browser.send("/leave")
    assert browser.sees("không còn giữ chỗ xếp hàng", "Vào phòng chờ")
    browser.send("waiting-room")
    hour.go_to(NINE)
    hour.draw()
    assert browser.go(path).sees("Đến lượt quý vị", "Rời phòng chờ")
