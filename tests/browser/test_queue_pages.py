"""Board, clinic and the phone that follows, at their real sizes, by touch and keyboard."""

from collections.abc import Iterator

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

BOARD, CLINIC, PHONE = (1920, 1080), (1366, 768), (390, 844)


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


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollHeight <= innerHeight"))


def test_the_board_is_read_across_a_hall_and_says_when_it_is_cut_off(opened, site: str, hospital: Hospital):
    for _ in range(3):
        hospital.number()
        hospital.call()
    page = opened(BOARD)
    page.goto(f"{site}/board/77001")
    assert page.locator("[data-number]").inner_text() == "1-003"
    page.get_by_text("Mất kết nối").wait_for()  # no streams here; saying so takes height
    assert page.evaluate("document.querySelector('[data-number]').getBoundingClientRect().height") > 240
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
