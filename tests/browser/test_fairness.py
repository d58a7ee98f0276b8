"""Missed visits, patterns of touts, the waiting room: each screen read by axe, none too wide."""

import pytest

from tests.admission.conftest import NINE, SERVICE, Hour, chief, hour
from tests.attendance.conftest import Days, days
from tests.booking.clinic import Employee, Person
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.booking.test_booking_over_http import book, slots
from tests.browser.test_waitlist import COMPUTER, PHONE, Eyes, eyes

__all__ = [
    "chief", "clinic", "days", "desk", "eyes", "hour", "lan", "minh", "other_desk", "set_database_clock",
    "web",
]  # fmt: skip

pytestmark = pytest.mark.browser


def test_who_missed_visits_sees_where_they_stand_and_the_desk_hears_them(
    eyes: Eyes, days: Days, lan: Person, desk: Employee
):
    days.miss(lan)
    days.miss(lan)
    with eyes.of(PHONE, lan.token) as page:
        eyes.look(page, "/appointments", "mine-restricted")
        page.get_by_text("cần xác nhận sẽ đến").wait_for()
        eyes.look(page, "/missed", "missed")
    with eyes.of(COMPUTER, desk.token) as page:
        eyes.look(page, f"/desk/people/{lan.patient_id}/missed", "desk-missed")
        page.get_by_label("Lý do không tính").first.select_option("disaster")
        page.get_by_role("button", name="Không tính lần này").first.click()
        page.get_by_text("Lần này không tính nữa").wait_for()
        eyes.read(page, "desk-excused")
    assert eyes.found == []


def test_an_administrator_looks_at_patterns(eyes: Eyes, days: Days, lan: Person, chief: Employee):
    for slot in slots(days.web, facility="77001", limit=5)[:4:2]:
        book(days.web, lan, slot_id=slot["id"])
    with days.work.engine.begin() as connection:
        connection.exec_driver_sql("SELECT set_config('app.kind', 'system', true)")
        connection.exec_driver_sql("UPDATE account_patient SET relation = 'relative'")
    with eyes.of(COMPUTER, chief.token) as page:
        path = f"/admin/facilities/{next(iter(chief.principal.facilities()))}/anomalies"
        eyes.look(page, path, "anomalies")
    with eyes.of(PHONE, chief.token) as page:
        eyes.look(page, path, "anomalies-phone")
    assert eyes.found == []


def test_the_waiting_room_on_a_phone(eyes: Eyes, hour: Hour, chief: Employee, lan: Person, minh: Person):
    hour.arrange(chief, rate_per_minute=1)
    path = f"/book/waiting-room/{SERVICE}"
    with eyes.of(PHONE, lan.token) as page:
        hour.go_to(NINE.replace(minute=0))
        eyes.look(page, path, "room-outside")
        page.get_by_role("button", name="Vào phòng chờ").click()
        page.get_by_role("heading", name="Đến lượt quý vị").wait_for()
        eyes.read(page, "room-admitted")
    with eyes.of(PHONE, minh.token) as page:
        page.goto(f"{eyes.site}{path}")
        page.get_by_role("button", name="Vào phòng chờ").click()
        page.get_by_role("heading", name="Quý vị đang xếp hàng").wait_for()
        eyes.read(page, "room-waiting")
    assert eyes.found == []
