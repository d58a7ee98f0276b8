"""The hall at a glance: how many wait, how long, and which room calls nobody though people wait."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from telehealth.core.principal import Role
from telehealth.queueing.codes import StaffCallKind
from telehealth.queueing.services import call_staff
from tests.boards.conftest import administrator
from tests.conftest import MONDAY_8AM, MovableClock
from tests.forms import post_form
from tests.queueing.hospital import Caller, Hospital

API = "/api/v1/facilities/77001/hall"


def named(items: list[dict], name: str) -> dict:
    return next(each for each in items if each["name"] == name)


def test_the_hall_tells_who_waits_longest_and_what_each_room_does(
    admin: Caller, doctor: Caller, hospital: Hospital, clock: MovableClock
):
    hospital.number("registration", now=MONDAY_8AM - timedelta(minutes=75))
    hospital.number("registration")
    for _ in range(3):
        hospital.number("P001")
    serving = hospital.call("P001")
    doctor.post(f"/api/v1/tickets/{serving.id}/start", If_Match='"2"')
    state = admin.get(API).json
    assert (state["waiting"], state["longest_minutes"], state["idle"]) == (4, 75, 0)
    desk = named(state["queues"], "Quầy tiếp đón")
    assert (desk["waiting"], desk["longest_minutes"], desk["too_long"]) == (2, 75, True)
    room = named(state["points"], "Phòng khám 1")
    assert (room["state"], room["number"], room["waiting"]) == ("serving", "1-001", 2)
    assert named(state["points"], "Phòng khám 2")["state"] == "unused"
    assert "Cấp cứu 1" not in [point["name"] for point in state["points"]]


def test_a_room_that_calls_nobody_though_people_wait_stands_out(
    admin: Caller, doctor: Caller, hospital: Hospital, clock: MovableClock
):
    for _ in range(2):
        hospital.number("P001")
    called = hospital.call("P001")
    assert named(admin.get(API).json["points"], "Phòng khám 1")["state"] == "calling"
    doctor.post(f"/api/v1/tickets/{called.id}/done", If_Match='"2"')
    assert named(admin.get(API).json["points"], "Phòng khám 1")["state"] == "free"
    clock.forward(minutes=20)
    state = admin.get(API).json
    assert (state["idle"], named(state["points"], "Phòng khám 1")["state"]) == (1, "idle")


def test_the_page_shows_the_same_and_the_calls_of_kiosks(
    signed_in: FlaskClient, hospital: Hospital, clock: MovableClock
):
    hospital.number("P001")
    with hospital.begin() as session:
        call_staff(session, hospital.kiosk, hospital.id, StaffCallKind.EMERGENCY, now=MONDAY_8AM)
    page = signed_in.get("/hall").get_data(as_text=True)
    assert "Phòng khám 1" in page
    assert "CẤP CỨU tại Kiosk sảnh A" in page
    part = signed_in.get("/hall?part=state").get_data(as_text=True)
    assert "<html" not in part
    answered = (
        signed_in.get("/hall").get_data(as_text=True).split('action="/hall/staff-calls/')[1].split("/")[0]
    )
    assert post_form(signed_in, "/hall", f"/hall/staff-calls/{answered}/answer").status_code == 303
    assert "CẤP CỨU tại" not in signed_in.get("/hall").get_data(as_text=True)


def test_a_hall_is_watched_by_its_own_desk_and_administrator_only(
    app: Flask, clock: MovableClock, other_admin: Caller, doctor: Caller, kiosk: Caller, hospital: Hospital
):
    desk = Caller(app.test_client(), administrator(hospital, Role.DESK)[1])
    assert desk.get(API).status_code == 200
    for stranger in (other_admin, doctor, kiosk):
        assert stranger.get(API).status_code == 403
        assert stranger.get("/api/v1/facilities/77001/queue-figures").status_code == 403
    assert app.test_client().get(API).status_code == 401


def test_a_pause_is_seen_in_the_hall_and_is_no_idleness(
    admin: Caller, doctor: Caller, hospital: Hospital, signed_in: FlaskClient, clock: MovableClock
):
    for _ in range(2):
        hospital.number("P001")
    called = hospital.call("P001")
    doctor.post(f"/api/v1/tickets/{called.id}/done", If_Match='"2"')
    doctor.post(f"/api/v1/queues/{hospital.queue('P001')}/pause", {"reason": "break"})
    clock.forward(minutes=20)
    state = admin.get(API).json
    assert named(state["queues"], "Phòng khám 1")["paused_reason"] == "break"
    assert (state["idle"], named(state["points"], "Phòng khám 1")["state"]) == (0, "free")
    page = signed_in.get("/hall").get_data(as_text=True)
    assert "Tạm dừng: nghỉ giữa giờ" in page
    assert "Chưa có ai hôm nay" in page
