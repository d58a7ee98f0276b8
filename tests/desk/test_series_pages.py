"""The desk books several visits with one press, and the patient sees which of how many each is."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.services import materialise
from tests.booking.clinic import NOW, Person, known_at
from tests.patient_portal.browser import Browser

ASKED = {
    "service": "internal",
    "first": "2026-12-01",
    "time": "08:00",
    "repeat": "weeks",
    "every": "1",
    "weekday": ["1", "3"],
    "visits": "3",
    "on_holiday": "move",
}


@pytest.fixture
def asking(engine: Engine, desk: Browser, lan: Person) -> Browser:
    """The clerk at the form for Lan, with two weeks of sessions."""
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
        materialise(session, [NOW.date() + timedelta(days=offset) for offset in range(15)], NOW)
    desk.go(f"/desk/people/{lan.patient_id}")
    assert desk.sees("Đặt nhiều buổi")
    return desk.go(*desk.links("/series"))


def previewed(desk: Browser, **change: object) -> Browser:
    address = desk.address.partition("?")[0]
    return desk.go(f"{address}?{urlencode({**ASKED, **change}, doseq=True)}")


def test_a_series_is_previewed_booked_moved_and_cancelled(asking: Browser, app: Flask, lan: Person):
    desk = previewed(asking)
    slots = re.findall(r'name="slot_id" value="([^"]+)"', desk.text)
    assert len(slots) == 3
    desk.send("/series", slot_id=slots, weekday=["1", "3"], asked="patient", coverage="none")  # type: ignore[arg-type]
    assert desk.sees("Đã đặt 3 buổi", "Còn 3 buổi sắp tới")
    own = app.test_client()
    with own.session_transaction() as cookie:
        cookie["_user_id"] = lan.token
    booked = own.get("/api/v1/appointments", headers=lan.headers).json["items"]
    assert "Buổi 2/3" in own.get(f"/appointments/{booked[1]['id']}").get_data(as_text=True)
    desk.send("/move", time="09:00", **{"from": "2026-12-03"})
    assert desk.sees("Đã đổi giờ 2 buổi")
    desk.send("/cancel", **{"from": "2026-12-08"})
    assert desk.sees("Đã hủy 1 buổi", "Còn 2 buổi sắp tới")
    assert "Buổi 2/2" in own.get(f"/appointments/{booked[1]['id']}").get_data(as_text=True)


def test_what_is_wrong_with_the_rule_stands_at_its_field(asking: Browser):
    assert previewed(asking, weekday=[]).sees("Vui lòng chọn ít nhất một thứ trong tuần.")
    assert previewed(asking, visits="").sees("Vui lòng ghi số buổi, hoặc ngày cuối.")


def test_nothing_is_booked_when_a_chosen_time_is_lost(asking: Browser, app: Flask, lan: Person):
    desk = previewed(asking)
    slots = re.findall(r'name="slot_id" value="([^"]+)"', desk.text)
    lost = {"patient_id": str(lan.patient_id), "slot_id": slots[1]}
    assert app.test_client().post("/api/v1/appointments", json=lost, headers=lan.headers).status_code == 201
    desk.send("/series", slot_id=slots, weekday=["1", "3"], asked="patient", coverage="none")  # type: ignore[arg-type]
    assert desk.status == 409
    assert desk.sees("Các buổi còn chỗ")
    assert len(app.test_client().get("/api/v1/appointments", headers=lan.headers).json["items"]) == 1
