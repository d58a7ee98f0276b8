"""The kiosk on its standing screen and on tablets: by touch, by scanner, and what it leaves behind."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.browser.chromium import no_faults
from tests.conftest import MONDAY_8AM, MovableClock
from tests.kiosk.people import LAN_CARD, STRANGER_CARD, Town
from tests.queueing.hospital import Hospital

pytestmark = pytest.mark.browser

STANDING, TABLET, TURNED = (1080, 1920), (1280, 800), (800, 1280)
SCREENS = [STANDING, TABLET, TURNED]
SMALLEST_TARGET = 72
HIGHEST_REACH = 0.42
"""Of a screen 1 m high whose lower edge hangs at 80 cm: this is 138 cm above the floor."""


@pytest.fixture
def hospital(
    site: str, engine: Engine, settings: Settings, clock: MovableClock, clean_database: None
) -> Hospital:
    return Hospital(lambda: system_unit_of_work(engine), settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def town(hospital: Hospital, settings: Settings) -> Town:
    return Town(hospital.begin, settings.cipher)


@pytest.fixture
def open_kiosk(chromium: Browser, site: str, hospital: Hospital) -> Iterator[object]:
    contexts = []

    def opened(size: tuple[int, int] = STANDING, *, workers: str = "allow") -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="vi-VN", service_workers=workers
        )
        contexts.append(context)
        page = context.new_page()
        page.add_init_script("window.print = () => undefined")
        page.goto(f"{site}/kiosk")
        no_faults(page)
        page.fill("#code", hospital.kiosk_token)
        page.get_by_role("button", name="Bắt đầu").click()
        page.get_by_role("heading", name="Quý vị cần gì?").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def kiosk(open_kiosk) -> Page:
    return open_kiosk()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollHeight <= innerHeight"))


def smallest_target(page: Page) -> float:
    return page.evaluate(
        "Math.min(...[...document.querySelectorAll('button, a.th-kiosk__choice')]"
        ".map(each => each.getBoundingClientRect().height))"
    )


def scan(page: Page, text: str) -> None:
    """Type as a scanner does, letters with marks included."""
    page.evaluate(
        """text => { for (const key of [...text, "Enter"])
            document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); }""",
        text,
    )


@pytest.mark.parametrize("size", SCREENS)
def test_the_first_page_fits_every_screen_in_both_languages(open_kiosk, size: tuple[int, int]):
    kiosk = open_kiosk(size)
    address = kiosk.url
    for language in ("", "?lang=en"):
        kiosk.goto(address + language)
        no_faults(kiosk)
        assert fits(kiosk)
        assert smallest_target(kiosk) >= SMALLEST_TARGET


def test_a_person_in_a_wheelchair_reaches_every_way_in(kiosk: Page):
    tops = kiosk.evaluate(
        """[...document.querySelectorAll('main button, main a.th-kiosk__choice')]
            .map(each => each.getBoundingClientRect().bottom / innerHeight)"""
    )
    reachable = [bottom for bottom in tops if bottom >= HIGHEST_REACH]
    assert len(reachable) >= len(tops) - 2, "only the emergency and the first door may begin higher"


def test_a_scanner_checks_in_from_the_first_page_and_the_screen_forgets(
    kiosk: Page, hospital: Hospital, town: Town
):
    hospital.appointment(MONDAY_8AM + timedelta(minutes=10), patient_id=town.lan(at=hospital))
    kiosk.clock.install()
    kiosk.goto(kiosk.url)
    scan(kiosk, LAN_CARD)
    kiosk.get_by_text("N. T. L**").wait_for()
    no_faults(kiosk)
    assert fits(kiosk)
    kiosk.get_by_role("button", name="Đúng, lấy số khám").click()
    kiosk.get_by_text("1-001").first.wait_for()
    no_faults(kiosk)
    assert fits(kiosk)
    kiosk.clock.run_for(26_000)
    kiosk.get_by_role("heading", name="Quý vị cần gì?").wait_for()
    with suppress(Error):  # the browser has nothing to go back to
        kiosk.go_back()
    expect(kiosk.locator("body")).not_to_contain_text("1-001")
    expect(kiosk.locator("body")).not_to_contain_text("N. T. L")


def test_a_question_left_open_goes_back_to_the_start(kiosk: Page, hospital: Hospital, town: Town):
    town.lan(at=hospital)
    kiosk.clock.install()
    kiosk.goto(kiosk.url)
    scan(kiosk, LAN_CARD)
    kiosk.get_by_text("N. T. L**").wait_for()
    kiosk.clock.run_for(61_000)
    kiosk.get_by_role("heading", name="Quý vị cần gì?").wait_for()


def test_a_slow_line_brings_the_start_all_the_same(open_kiosk, hospital: Hospital, town: Town):
    kiosk = open_kiosk(workers="block")  # a worker in between asks unseen: nobody could make it wait
    home = kiosk.url
    kiosk.clock.install()
    kiosk.goto(f"{home}/read?purpose=insured")
    asked: list[Route] = []
    released: list[bool] = []

    def keep_waiting(route: Route) -> None:
        asked.append(route)
        if released:
            route.continue_()

    kiosk.context.route(home, keep_waiting)
    with kiosk.expect_request(home):
        kiosk.clock.run_for(61_000)
    kiosk.clock.run_for(5_000)
    assert len(asked) <= 2, "not anew in every second: each would give up the one before"
    released.append(True)
    for route in asked:
        with suppress(Error):  # given up for a later one
            route.continue_()
    kiosk.get_by_role("heading", name="Quý vị cần gì?").wait_for()


@pytest.mark.parametrize("size", SCREENS)
def test_a_number_is_typed_on_the_screen(open_kiosk, hospital: Hospital, town: Town, size: tuple[int, int]):
    kiosk = open_kiosk(size)
    hospital.appointment(MONDAY_8AM, patient_id=town.lan(at=hospital))
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    no_faults(kiosk)
    assert smallest_target(kiosk) >= 56
    kiosk.get_by_role("button", name="A", exact=True).click()
    kiosk.get_by_role("button", name="Xóa", exact=True).click()
    for char in "0912345678":
        kiosk.get_by_role("button", name=char, exact=True).click()
    kiosk.get_by_role("button", name="Tiếp tục").click()
    kiosk.get_by_role("button", name="Đúng, lấy số khám").click()
    kiosk.get_by_text("Phòng khám 1").first.wait_for()


def test_somebody_new_is_registered_from_the_card_and_chooses_a_room(kiosk: Page, hospital: Hospital):
    hospital.appointment(MONDAY_8AM + timedelta(minutes=5), room="P002")
    kiosk.get_by_role("link", name="Khám BHYT").click()
    kiosk.get_by_role("textbox", name="Mã hẹn").fill(STRANGER_CARD)
    kiosk.get_by_role("button", name="Tiếp tục").click()
    kiosk.get_by_text("Trần Văn Khách").wait_for()
    no_faults(kiosk)
    assert fits(kiosk)
    for char in "0987654321":
        kiosk.get_by_role("button", name=char, exact=True).click()
    kiosk.get_by_role("button", name="Đúng, tiếp tục").click()
    kiosk.get_by_role("heading", name="Quý vị muốn khám ở đâu?").wait_for()
    no_faults(kiosk)
    kiosk.get_by_role("button", name="Khám nội").click()
    kiosk.get_by_text("2-001").first.wait_for()


def test_a_refusal_and_an_emergency_are_read_at_once(kiosk: Page):
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    kiosk.fill("#text", "ZZZZZZZZ")
    kiosk.get_by_role("button", name="Tiếp tục").click()
    kiosk.get_by_role("alert").get_by_text("Không tìm thấy lịch hẹn").wait_for()
    no_faults(kiosk)
    kiosk.get_by_role("link", name="Quay lại").click()
    kiosk.get_by_role("button", name="CẤP CỨU").click()
    kiosk.get_by_role("alert").get_by_text("Đi thẳng vào khoa Cấp cứu").wait_for()
    no_faults(kiosk)


def test_prices_and_complaints_have_their_screens(kiosk: Page):
    kiosk.get_by_role("link", name="Giá khám").click()
    kiosk.get_by_role("rowheader", name="Khám nội").wait_for()
    no_faults(kiosk)
    kiosk.get_by_role("link", name="Quay lại").click()
    kiosk.get_by_role("link", name="Góp ý, khiếu nại").click()
    no_faults(kiosk)
    assert fits(kiosk)
    kiosk.get_by_label("Không hài lòng", exact=False).nth(1).check(force=True)
    kiosk.get_by_label("Chờ lâu").check(force=True)
    kiosk.get_by_role("button", name="Gửi").click()
    kiosk.get_by_text("Cảm ơn quý vị").wait_for()
    no_faults(kiosk)


def test_no_field_offers_what_the_last_person_typed(kiosk: Page):
    for door in ("Đã đặt lịch", "Góp ý, khiếu nại"):
        kiosk.get_by_role("link", name=door).click()
        fields = kiosk.locator("input.th-kiosk__entry")
        assert {each.get_attribute("autocomplete") for each in fields.all()} == {"off"}
        kiosk.get_by_role("link", name="Quay lại").click()


def test_the_screen_is_read_out_in_its_language_and_again_on_wish(kiosk: Page):
    home = kiosk.url
    for language, name in (("", "Nghe đọc"), ("&lang=en", "Listen")):
        prompt = f"/prompts/1/{'en' if language else 'vi'}/read.mp3"
        with kiosk.expect_response(lambda answer, prompt=prompt: prompt in answer.url) as heard:
            kiosk.goto(f"{home}/read?purpose=insured{language}")
        assert heard.value.ok
        kiosk.get_by_role("button", name=name).click()
        kiosk.locator("[data-spoke=yes]").wait_for()
