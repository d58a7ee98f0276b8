"""A session with places for a window: everybody is told within what time to come."""

from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.models import Schedule
from telehealth.scheduling.services import materialise
from tests.booking.clinic import NOW, TUESDAY, derived_id
from tests.cast import messages
from tests.patient_portal.browser import Browser
from tests.patient_portal.test_booking_without_scripts import to_confirmation

WITHIN = "Đến trong khoảng 08:00 đến 09:00"


def test_who_books_a_window_is_told_until_when_to_come(browser: Browser, engine: Engine):
    with system_unit_of_work(engine) as session:
        line = session.get_one(Schedule, derived_id("test-schedule", "an", "77001", "internal", 480))
        line.mode, line.slot_minutes, line.capacity = "session", 60, 3
        session.flush()
        materialise(session, [TUESDAY], NOW)
    to_confirmation(browser)
    assert WITHIN in browser.text
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong", f"{WITHIN}. Đưa mã này ở máy lấy số")
    assert "trước giờ hẹn 15 phút" not in browser.text
    assert WITHIN in browser.go("/appointments").text
    link = messages(engine, browser.cipher, "appointment-booked")[-1]["link"]
    browser.go(link[link.index("/j/") :])
    assert browser.sees("Quý vị sẽ đến khám chứ?", WITHIN)
    browser.send("/confirm")
    assert browser.sees(f"Vui lòng {WITHIN.lower()}")
    assert "trước giờ hẹn 15 phút" not in browser.text


def test_who_books_an_hour_is_told_the_hour_alone(browser: Browser):
    to_confirmation(browser).send(agree="yes")
    assert "Đến trong khoảng" not in browser.text
    assert "Đến trước giờ hẹn 15 phút" in browser.text
