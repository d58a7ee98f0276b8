"""The clerk's keys: a service is found by typing, and nothing is booked that nobody chose."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import NOW, Employee, Person, known_at
from tests.booking.conftest import clinic, desk, lan, set_database_clock
from tests.browser.test_waitlist import COMPUTER, PHONE, Eyes, eyes
from tests.conftest import MovableClock

__all__ = ["clinic", "desk", "eyes", "lan", "set_database_clock"]

pytestmark = pytest.mark.browser


@pytest.fixture
def person(engine: Engine, desk: Employee, lan: Person) -> str:
    """The path of the page of somebody whom the desk knows."""
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
    return f"/desk/people/{lan.patient_id}"


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_a_service_is_chosen_by_a_few_keys_and_booked_by_one_more(
    eyes: Eyes, desk: Employee, person: str, clock: MovableClock
):
    clock.forward(minutes=1)
    with eyes.of(COMPUTER, desk.token) as page:
        eyes.look(page, person, "desk-person")
        box = page.get_by_role("combobox", name="Dịch vụ")
        expect(box).to_be_focused()
        page.keyboard.type("kdb")
        expect(page.get_by_role("option", name="Khám đặc biệt")).to_have_attribute("aria-selected", "true")
        eyes.read(page, "desk-person-typing")
        page.keyboard.press("Control+a")
        page.keyboard.type("noi")
        expect(page.get_by_role("listbox").get_by_role("option")).to_have_text(["Khám nội"])
        page.keyboard.press("Enter")
        expect(page.get_by_text("Giờ trống sớm nhất: Khám nội")).to_be_visible()
        assert focused(page) == "slot_id"
        eyes.read(page, "desk-person-times")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Đã đặt lịch")).to_be_visible()
    assert eyes.found == []


def test_enter_on_nothing_typed_and_on_what_fits_nothing_books_nothing(
    eyes: Eyes, desk: Employee, person: str
):
    with eyes.of(COMPUTER, desk.token) as page:
        page.goto(f"{eyes.site}{person}")
        page.keyboard.type("rang")
        expect(page.get_by_text("Không có mục nào khớp")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Không có mục nào khớp")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"service=&"))
        expect(page.get_by_role("alert")).to_contain_text("Chưa có thông tin này")
        expect(page.locator("#service")).to_have_attribute("aria-invalid", "true")
        eyes.read(page, "desk-person-refused")
        page.get_by_role("combobox", name="Dịch vụ").fill("no")
        page.keyboard.press("Tab")
        expect(page.get_by_role("combobox", name="Dịch vụ")).to_have_value("Khám nội")
    with eyes.of(PHONE, desk.token) as page:
        eyes.look(page, person, "desk-person-phone")
        page.get_by_role("combobox", name="Dịch vụ").click()
        page.get_by_role("option", name="Khám nội").click()
        expect(page.get_by_text("Giờ trống sớm nhất: Khám nội")).to_be_visible()
        eyes.read(page, "desk-person-times-phone")
    assert eyes.found == []


def test_who_comes_that_day_already_is_shown_before_a_second_booking(
    eyes: Eyes, desk: Employee, lan: Person, person: str, clock: MovableClock
):
    clock.forward(minutes=1)
    with eyes.of(COMPUTER, desk.token) as page:
        page.goto(f"{eyes.site}{person}?service=internal")
        page.get_by_role("button", name="Đặt lịch này").click()
        expect(page.get_by_role("heading", name="Đã đặt lịch")).to_be_visible()
        page.goto(f"{eyes.site}{person}?service=internal")
        page.locator("label", has=page.locator("[name=slot_id]")).nth(-2).click()
        page.get_by_role("button", name="Đặt lịch này").click()
        expect(page.get_by_role("heading", name="Người này đã có lịch hôm đó")).to_be_visible()
        expect(page.get_by_role("link", name=re.compile("Xem lịch lúc"))).to_be_focused()
        eyes.read(page, "desk-again")
        page.get_by_role("button", name="Vẫn đặt").click()
        expect(page.get_by_role("heading", name="Đã đặt lịch")).to_be_visible()
        eyes.look(page, "/desk/today", "desk-today")
    with eyes.of(PHONE, desk.token) as page:
        eyes.look(page, "/desk/today", "desk-today-phone")
    with eyes.of(PHONE, lan.token) as page:
        times = f"/book/times?service=internal&facility=77001&modality=in-person&from={NOW.date()}"
        page.goto(f"{eyes.site}{times}")
        page.locator("a[href*='/book/slots/']").nth(1).click()
        page.locator("form[method=post] button[type=submit]").last.click()
        eyes.read(page, "who")
        page.get_by_text("Trần Thị Lan").click()
        page.get_by_role("button", name="Tiếp tục").click()
        page.get_by_role("button", name="Tiếp tục").click()
        eyes.read(page, "details-refused")
        page.get_by_text("Không dùng BHYT").click()
        page.get_by_role("button", name="Tiếp tục").click()
        expect(page.get_by_text("Người này đã có lịch Khám nội").first).to_be_visible()
        eyes.read(page, "confirm-again")
        page.get_by_role("button", name="Vẫn đặt").click()
        eyes.read(page, "confirm-again-unticked")
    assert eyes.found == []
