"""Every screen of the journey read by axe-core with no rule disabled, and a booking without a mouse."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from telehealth.directory.codes import Modality
from tests.browser.chromium import faults_of, opened
from tests.browser.live import BY_VIDEO, HOSPITAL, IN_PERSON, Live, fresh_phone, is_today, wait_out_the_day
from tests.browser.steps import (
    PATIENT,
    Desk,
    book_earliest,
    call_and_finish,
    check_in_at_the_kiosk,
    follow_the_number,
    go_to_the_room,
    put_into_use,
    sign_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

MOST_TABS = 80
FOCUSED = """() => {
  const at = document.activeElement;
  const name = at.getAttribute("aria-label") || (at.labels && at.labels[0]?.textContent) || at.textContent;
  return { id: at.id, name: name.trim(), seen: at.matches(":focus-visible") };
}"""


class Inspection:
    """Reads each screen once and keeps what axe finds and what is too wide."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.screens: list[str] = []

    def __call__(self, page: Page, name: str) -> None:
        page.evaluate("document.fonts.ready.then(() => null)")
        self.screens.append(name)
        self.found += [f"{name}: {fault}" for fault in faults_of(page)]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            self.found.append(f"{name}: wider than the screen")


@pytest.fixture
def look() -> Inspection:
    return Inspection()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    with opened(chromium, 390, 844, locale="vi-VN") as (page, _):
        yield page


def test_no_screen_of_the_journey_has_a_fault(
    live: Live, chromium: Browser, phone: Page, look: Inspection
) -> None:
    wait_out_the_day()
    booked = book_earliest(live, phone, fresh_phone(zalo=False), look, name="Phạm Văn Sáu")
    desk, code = Desk(live, booked), booked.code
    if not is_today(booked.start):
        code = desk.book(IN_PERSON, Modality.IN_PERSON)
    with opened(chromium, 1080, 1920) as (kiosk, _):
        put_into_use(live, kiosk, look)
        number = check_in_at_the_kiosk(kiosk, code, look)
    follow_the_number(live, phone, number, look)
    with opened(chromium, 1366, 768) as (doctor, _):
        sign_in(live, doctor, look=look)
        call_and_finish(doctor, number, look)
    with opened(chromium, 1920, 1080) as (board, _):
        board.goto(f"{live.base}/board/{HOSPITAL}")
        look(board, "board")
    desk.book(BY_VIDEO, Modality.VIDEO)
    go_to_the_room(live, phone)
    look(phone, "room")
    assert look.found == []
    assert len(look.screens) >= 16


def test_no_screen_of_the_desk_has_a_fault(live: Live, chromium: Browser, look: Inspection) -> None:
    with opened(chromium, 1366, 768) as (desk, _):
        sign_in(live, desk, "letan", "/desk", look)
        for path in ("/desk/today", "/desk/people/new"):
            desk.goto(live.base + path)
            look(desk, path)
    assert look.found == []


def test_no_refusal_has_a_fault(live: Live, chromium: Browser, phone: Page, look: Inspection) -> None:
    phone.goto(f"{live.base}/nowhere")
    look(phone, "not found")
    phone.goto(f"{live.base}/book/times?service=cardiology")
    phone.locator(".th-card .th-choices a").last.click()
    phone.get_by_label("Số điện thoại").fill("123")
    phone.get_by_role("button", name="Gửi mã cho tôi").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    look(phone, "wrong phone")
    phone.get_by_label("Số điện thoại").fill(fresh_phone())
    phone.get_by_role("button", name="Gửi mã cho tôi").click()
    phone.locator("#code").fill("000000")
    expect(phone.get_by_role("alert")).to_be_visible()
    look(phone, "wrong code")
    with opened(chromium, 1080, 1920) as (kiosk, _):
        put_into_use(live, kiosk)
        kiosk.get_by_role("link", name="Đã đặt lịch").click()
        kiosk.get_by_role("textbox", name="Mã hẹn").fill("AAAAAAAA")
        kiosk.get_by_role("button", name="Tiếp tục").click()
        expect(kiosk.get_by_role("alert")).to_be_visible()
        look(kiosk, "unknown code")
    assert look.found == []


def test_a_booking_needs_no_mouse(live: Live, phone: Page) -> None:
    number = fresh_phone(zalo=False)
    phone.goto(live.base)
    go_on(phone, "^Đặt lịch khám")
    go_on(phone, "^Khám tim mạch")
    for _ in range(2):  # not the earliest: its notice may end while this is typed
        pass_by_link(phone, r"^Chọn \d\d:\d\d")
    go_on(phone, r"^Chọn \d\d:\d\d")
    write(phone, "phone", number)
    go_on(phone, "^Gửi mã cho tôi$")
    code = live.message(number, r"Ma xac nhan cua ban la (\d{6})")[1]
    with phone.expect_navigation():  # the last digit sends the code
        write(phone, "code", code)
    choose(phone, "^Tôi$")
    write(phone, "full_name", PATIENT)
    write(phone, "birth-year", "1958")
    choose(phone, "^Nữ$")
    go_on(phone, "^Tiếp tục$")
    choose(phone, "^Đăng ký khám BHYT")
    go_on(phone, "^Tiếp tục$")
    choose(phone, "^Tôi đồng ý")
    go_on(phone, "^Đặt lịch$")
    expect(phone.get_by_text("Đã đặt lịch xong")).to_be_visible()
    expect(phone.locator(".th-qr__code")).to_be_visible()


def go_on(page: Page, name: str) -> None:
    """Go by the Tab key to a link or button of that name, press Enter and come to the next page."""
    tab_to(page, lambda at: re.search(name, at["name"]) is not None, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def pass_by_link(page: Page, name: str) -> None:
    """Go by the Tab key to a link or button of that name, and one further."""
    tab_to(page, lambda at: re.search(name, at["name"]) is not None, name)
    page.keyboard.press("Tab")


def choose(page: Page, name: str) -> None:
    """Go by the Tab key to a choice and take it."""
    tab_to(page, lambda at: re.search(name, at["name"]) is not None, name)
    page.keyboard.press("Space")


def write(page: Page, field: str, text: str) -> None:
    """Go by the Tab key to a field and write into it."""
    tab_to(page, lambda at: at["id"] == field, field)
    page.keyboard.type(text)


def tab_to(page: Page, wanted: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Press Tab until the focus is there, and see that it shows."""
    for _ in range(MOST_TABS):
        at = page.evaluate(FOCUSED)
        if wanted(at):
            assert at["seen"], f"{what} has the focus and does not show it"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to {what} by the keyboard")
