"""Kiosk, board, clinic and the phone that follows, at their real sizes, by touch, scanner and keyboard."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.browser.chromium import no_faults
from tests.conftest import MONDAY_8AM, MovableClock
from tests.queueing.hospital import Hospital

pytestmark = pytest.mark.browser

KIOSK, BOARD, CLINIC, PHONE = (1080, 1920), (1920, 1080), (1366, 768), (390, 844)


@pytest.fixture
def hospital(
    site: str, engine: Engine, settings: Settings, clock: MovableClock, clean_database: None
) -> Hospital:
    return Hospital(lambda: system_unit_of_work(engine), settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[object]:
    contexts = []

    def open_page(size: tuple[int, int], cookie: dict[str, str] | None = None) -> Page:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        if cookie:
            context.add_cookies([cookie])  # type: ignore[list-item]
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def kiosk(opened, site: str, hospital: Hospital) -> Page:
    page = opened(KIOSK)
    page.goto(f"{site}/kiosk")
    no_faults(page)
    page.fill("#code", hospital.kiosk_token)
    page.get_by_role("button", name="Bắt đầu").click()
    page.get_by_role("heading", name="Quý vị cần gì?").wait_for()
    return page


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollHeight <= innerHeight"))


def test_the_kiosks_first_page_fits_its_screen(kiosk: Page):
    no_faults(kiosk)
    assert fits(kiosk)
    assert kiosk.evaluate("Math.min(...[...document.querySelectorAll('button,a.th-kiosk__choice')]"
                          ".map(each => each.getBoundingClientRect().height))") >= 72  # fmt: skip
    kiosk.goto(kiosk.url + "?lang=en")
    no_faults(kiosk)
    assert fits(kiosk)


def test_a_scanner_checks_in_from_the_first_page_and_the_screen_forgets(kiosk: Page, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=10))
    kiosk.clock.install()
    kiosk.goto(kiosk.url)
    kiosk.keyboard.type(appointment.code)
    kiosk.keyboard.press("Enter")
    kiosk.get_by_text("1-001").first.wait_for()
    no_faults(kiosk)
    assert fits(kiosk)
    kiosk.clock.run_for(26_000)
    kiosk.get_by_role("heading", name="Quý vị cần gì?").wait_for()
    kiosk.go_back()
    assert "1-001" not in kiosk.content()


def test_a_code_is_typed_on_the_screen(kiosk: Page, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    no_faults(kiosk)
    kiosk.get_by_role("button", name="A", exact=True).click()
    kiosk.get_by_role("button", name="Xóa", exact=True).click()
    for char in appointment.code:
        kiosk.get_by_role("button", name=char, exact=True).click()
    kiosk.get_by_role("button", name="Lấy số").click()
    kiosk.get_by_text("Phòng khám 1").first.wait_for()


def test_a_refusal_and_an_emergency_are_read_at_once(kiosk: Page):
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    kiosk.fill("#code", "ZZZZZZZZ")
    kiosk.get_by_role("button", name="Lấy số").click()
    kiosk.get_by_role("alert").get_by_text("Không tìm thấy lịch hẹn").wait_for()
    no_faults(kiosk)
    kiosk.get_by_role("link", name="Quay lại").click()
    kiosk.get_by_role("button", name="CẤP CỨU").click()
    kiosk.get_by_role("alert").get_by_text("Đi thẳng vào khoa Cấp cứu").wait_for()
    no_faults(kiosk)


def test_the_board_is_read_across_a_hall_and_says_when_it_is_cut_off(opened, site: str, hospital: Hospital):
    for _ in range(3):
        hospital.number()
        hospital.call()
    page = opened(BOARD)
    page.goto(f"{site}/board/77001")
    assert page.locator("[data-number]").inner_text() == "1-003"
    assert page.evaluate("document.querySelector('[data-number]').getBoundingClientRect().height") > 250
    page.get_by_text("Mất kết nối").wait_for()  # this server has no streams
    no_faults(page)
    assert fits(page)


def test_the_phone_follows(opened, site: str, hospital: Hospital):
    hospital.number()
    slip = hospital.number()
    page = opened(PHONE)
    page.goto(f"{site}/t/{slip.public_token}")
    page.get_by_text("Còn 1 người").wait_for()
    no_faults(page)
    page.get_by_text("Qua số thì làm gì?").click()
    page.get_by_text("Quá 10 số thì lấy số mới").wait_for()
    no_faults(page)


def test_a_doctor_calls_by_keyboard(opened, site: str, app: Flask, hospital: Hospital):
    hospital.check_in(hospital.appointment(MONDAY_8AM))
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    value = serializer.dumps({"_user_id": hospital.staff_token, "_fresh": True})
    page = opened(CLINIC, {"name": "session", "value": value, "url": site})
    page.goto(f"{site}/clinic")
    no_faults(page)
    page.keyboard.press("F2")
    page.locator(".th-now__number", has_text="1-001").wait_for()
    page.keyboard.press("F8")
    page.get_by_role("heading", name="Đang phục vụ").wait_for()
    page.get_by_label("Ghi chú ngắn").fill("Uống thuốc đều")
    no_faults(page)
    page.get_by_role("button", name="Lưu ghi chú").click()
    page.get_by_text("Đã lưu ghi chú.").wait_for()
    page.keyboard.press("F9")
    page.get_by_text("Đã khám").wait_for()
