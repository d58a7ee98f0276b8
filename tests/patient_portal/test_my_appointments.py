"""My appointments: seeing, cancelling, the calendar, who may not."""

import re
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine, text

from telehealth.core.clock import business_date
from telehealth.core.uow import system_unit_of_work
from telehealth.patient_portal.routes.moving import TIMES_SHOWN
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser
from tests.patient_portal.test_booking_without_scripts import ME, to_confirmation, to_slot


def booked(browser: Browser) -> str:
    """Book, and return the appointment's address."""
    to_confirmation(browser).send(agree="yes")
    return browser.address.removesuffix("/done")


def test_a_coming_appointment_is_listed_and_shown_with_its_code(browser: Browser):
    page = booked(browser)
    browser.go("/appointments")
    assert browser.sees("Sắp tới", "Nguyễn Thị Đào", "Đã đặt")
    browser.go(page)
    assert browser.sees("<svg", "Mã lịch hẹn", "Cơ sở y tế chưa kiểm tra")


def test_the_calendar_file_says_when_and_where_and_nothing_about_the_patient(browser: Browser):
    page = booked(browser)
    answer = browser.client.get(f"{page}/calendar.ics")
    assert answer.mimetype == "text/calendar"
    body = answer.get_data(as_text=True)
    assert "BEGIN:VEVENT" in body
    assert "Nguy" not in body
    assert "internal" not in body


def test_cancelling_asks_why_and_frees_the_place(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/cancel")
    browser.send()
    assert browser.status == 422
    assert browser.sees("Vui lòng chọn một lý do")
    browser.send(reason_code="patient-better")
    assert browser.sees("Đã hủy lịch hẹn", "Đã qua", "Đã hủy")
    browser.go(f"{page}/cancel")
    assert browser.address == page


def test_cancelling_twice_is_told_as_the_one_cancelling_that_it_is(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/cancel")
    form = browser.text
    browser.send(reason_code="patient")
    browser.text, browser.address = form, f"{page}/cancel"
    browser.send(reason_code="patient")
    assert (browser.status, browser.address) == (200, "/appointments")
    assert browser.sees("Đã hủy lịch hẹn")


def test_from_its_hour_on_the_page_says_why_it_can_no_longer_be_changed(
    browser: Browser, clock: MovableClock, engine: Engine
):
    page = booked(browser)
    assert not browser.go(page).sees("chỉ tự hủy được trước")
    with system_unit_of_work(engine) as session:
        start = session.scalar(text("SELECT start_at FROM appointment"))
    clock.now = start + timedelta(minutes=1)
    browser.go(page)
    assert browser.sees("chỉ tự hủy được trước", "chỉ tự đổi giờ được trước")
    assert browser.links(f"{page}/cancel") == []


def test_an_old_page_does_not_cancel_what_has_changed(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/cancel").send(reason_code="patient", version="7")
    assert browser.status == 412


def test_a_message_leads_to_the_appointment_of_its_people_only(
    new_browser: Callable[[], Browser],
):
    mine, stranger = new_browser(), new_browser()
    page = booked(mine)
    code = mine.text.split('th-qr__code">')[1].split("<")[0]
    assert mine.go(f"/a/{code}").address == page
    to_slot(stranger).send(phone="0987654321")
    stranger.send(code=stranger.code())
    assert stranger.go(f"/a/{code}").status == 404
    assert stranger.go(page).status == 404
    assert stranger.go(f"{page}/calendar.ics").status == 404
    assert not stranger.go("/appointments").sees("Nguyễn Thị Đào")


def test_who_is_not_signed_in_signs_in_first(browser: Browser):
    browser.go("/appointments")
    assert browser.address.startswith("/sign-in?next=")


def test_the_room_opens_a_quarter_of_an_hour_before(browser: Browser, clock: MovableClock):
    to_slot(browser, modality="video").send(phone="0912345678")
    browser.send(code=browser.code()).send(**ME)
    browser.send(condition="J00").send(agree="yes")
    page = browser.address.removesuffix("/done")
    assert browser.go(page).sees("Phòng khám mở trước giờ hẹn 15 phút")
    clock.now = clock.now.replace(month=12, day=1, hour=9, minute=50)
    browser.go(page).send("/room")
    assert (browser.status, browser.address[:6]) == (200, "/room/")


def test_earlier_visits_can_be_booked_again(browser: Browser, clock: MovableClock):
    booked(browser)
    clock.forward(days=2)
    browser.go("/book?kind=follow-up")
    assert browser.sees("Các lần khám trước", "Bác sĩ")
    browser.go(browser.links("practitioner=")[0])
    assert browser.sees("Bác sĩ")
    assert browser.links("/book/slots/")


def test_the_family_is_shown_with_masked_numbers(browser: Browser):
    to_confirmation(browser, national_id="077162000123").send(agree="yes")
    browser.go("/account")
    assert browser.sees("Hồ sơ gia đình", "Nguyễn Thị Đào", "1962", "0123")
    assert not browser.sees("077162000123")


def test_who_missed_too_many_visits_hears_so_when_chosen_not_at_the_end(
    browser: Browser, new_browser: Callable[[], Browser], owner_engine: Engine
):
    to_confirmation(browser, national_id="077162000123")
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO booking_restriction
               SELECT id, 'desk-only', created_at, created_at + interval '30 days' FROM patient"""
        )
    browser.go(browser.address.replace("/confirm", "/who"))
    browser.send(who=re.findall(r'name="who" value="([0-9a-f-]{36})"', browser.text)[0])
    assert browser.status == 409
    assert browser.sees("Vì đã vắng một số lịch hẹn", "tổng đài", "cấp cứu", "Người khác")
    newcomer = to_slot(new_browser()).send(phone="0987654321")
    newcomer.send(code=newcomer.code()).send(**ME, national_id="077162000123")
    assert newcomer.status == 409
    assert newcomer.sees("Số giấy tờ này cần được kiểm tra")
    assert not newcomer.sees("vắng")


def test_pages_that_name_the_family_while_booking_leave_a_row_each(browser: Browser):
    to_confirmation(browser)

    def rows() -> int:
        with system_unit_of_work(browser.engine) as session:
            asked = text("SELECT count(*) FROM audit_event WHERE action = 'patient.read'")
            return session.execute(asked).scalar_one()

    assert browser.sees("Nguyễn Thị Đào")
    confirmation = browser.address
    for page in (confirmation, confirmation.replace("/confirm", "/who")):
        before = rows()
        assert browser.go(page).sees("Nguyễn Thị Đào")
        assert rows() == before + 1


def test_another_time_is_chosen_confirmed_and_keeps_the_code(browser: Browser):
    page = booked(browser)
    browser.go(page)
    code = browser.text.split('th-qr__code">')[1].split("<")[0]
    assert browser.sees("Đổi giờ")
    browser.go(f"{page}/move")
    offered = re.findall(rf'href="({page}/move/[^"]+)"', browser.text)
    assert offered
    browser.go(offered[-1])
    assert browser.sees("Đổi sang giờ này?", "Giữ giờ cũ")
    browser.send()
    assert browser.address == page
    assert browser.sees("Đã đổi giờ hẹn", code)
    browser.go(offered[0]).send(version="1")
    assert browser.status == 412


def test_another_time_confirmed_twice_is_told_as_the_one_move_that_it_is(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/move")
    wanted = re.findall(rf'href="({page}/move/[^"]+)"', browser.text)[-1]
    form = browser.go(wanted).text
    browser.send()
    assert browser.sees("Đã đổi giờ hẹn")
    browser.text, browser.address = form, wanted
    browser.send()
    assert (browser.status, browser.address) == (200, page)
    assert browser.sees("Đã đổi giờ hẹn")


def other_times(browser: Browser, page: str) -> set[str]:
    return set(re.findall(rf'href="{page}/move/([^"?]+)"', browser.text))


def free_there(browser: Browser) -> list[SlotView]:
    """Return what is free for the appointment's service at its place, a few pages of it."""
    with system_unit_of_work(browser.engine) as session:
        asked = text(
            "SELECT s.code, a.facility_id FROM appointment a JOIN healthcare_service s ON s.id = a.service_id"
        )
        service, facility_id = session.execute(asked).one()
        query = SlotQuery(service, facility_id, modality="in-person", limit=3 * TIMES_SHOWN)
        return earliest_slots(session, query, now=browser.clock.now)


def test_every_other_time_can_be_reached_when_moving_page_by_page(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/move")
    free = {slot.id for slot in free_there(browser)}
    offered = other_times(browser, page)
    assert offered < free
    while free - offered and (later := browser.links("/move?after=")):
        offered |= other_times(browser.go(later[0]), page)
    assert free <= offered


def test_another_time_is_looked_for_from_a_day_on(browser: Browser):
    page = booked(browser)
    free = free_there(browser)
    day = business_date(free[-1].start)
    assert day > business_date(free[0].start)
    browser.go(f"{page}/move?from={day.isoformat()}")
    assert browser.sees(f'value="{day.isoformat()}"')
    earlier = {slot.id for slot in free if business_date(slot.start) < day}
    assert free[-1].id in other_times(browser, page)
    assert not earlier & other_times(browser, page)


def test_who_comes_too_late_for_another_time_keeps_the_old_one(browser: Browser):
    page = booked(browser)
    browser.go(f"{page}/move")
    browser.go(re.findall(rf'href="({page}/move/[^"]+)"', browser.text)[-1])
    with system_unit_of_work(browser.engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    browser.send()
    assert browser.status == 409
    assert browser.sees("giờ hẹn cũ vẫn còn", "Nơi khám này chưa có giờ khác")
    assert browser.go(page).sees("Đổi giờ", "Đã đặt")
