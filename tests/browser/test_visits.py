"""A visit by buttons: tests ordered, cashier, laboratory, back to the room, pharmacy; phone and desk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from telehealth.visits.codes import EventKind
from tests.conftest import MovableClock
from tests.visits.wards import Wards

pytestmark = pytest.mark.browser

COMPUTER, PHONE = (1366, 768), (390, 844)
Opened = Callable[..., Page]


@pytest.fixture
def wards(site: str, engine: Engine, settings: Settings, clock: MovableClock, clean_database: None) -> Wards:
    return Wards.build(lambda: system_unit_of_work(engine), settings, clock, "77001", "Bệnh viện Bà Rịa")


@pytest.fixture
def opened(chromium: Browser, app: Flask, site: str, tmp_path: Path) -> Iterator[Opened]:
    contexts = []

    def open_page(size: tuple[int, int], token: str | None = None) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="vi-VN", base_url=site
        )
        contexts.append(context)
        if token:
            serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
            value = serializer.dumps({"_user_id": token, "_fresh": True})
            context.add_cookies([{"name": "session", "value": value, "url": site}])
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def looks_well(page: Page, folder: Path, name: str) -> None:
    page.evaluate("document.fonts.ready.then(() => null)")
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert [fault["id"] for fault in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def at(page: Page, place: str) -> None:
    page.goto("/clinic")
    page.get_by_label("Chọn phòng hoặc quầy").select_option(label=place)
    page.get_by_role("button", name="Mở", exact=True).click()


def serve(page: Page, wards: Wards, place: str, number: str) -> None:
    """Go to a room or counter, call and begin."""
    wards.now()
    at(page, place)
    page.get_by_role("button", name="Gọi số tiếp theo").click()
    expect(page.locator(".th-now__number")).to_have_text(number)
    page.get_by_role("button", name="Bắt đầu").click()
    expect(page.locator(".th-now")).to_contain_text("Đang phục vụ")


def test_a_doctor_sends_somebody_for_tests_and_sees_them_again(opened: Opened, wards: Wards, tmp_path: Path):
    slip = wards.hospital.number("P001", patient_id=wards.hospital.patient(), now=wards.now())
    staff = opened(COMPUTER, wards.hospital.staff_token)
    phone = opened(PHONE)
    serve(staff, wards, "Phòng khám 1", "1-001")
    looks_well(staff, tmp_path, "1-doctor")
    staff.get_by_label("Chụp, siêu âm").check()
    staff.get_by_role("button", name="Chỉ định xét nghiệm").click()
    expect(staff.get_by_text("Mời người bệnh đến Quầy thu phí, số T001.")).to_be_visible()
    expect(staff.get_by_text("Đang đi làm xét nghiệm (1)")).to_be_visible()
    looks_well(staff, tmp_path, "2-doctor-out")
    phone.goto(f"/t/{slip.public_token}")
    expect(phone.locator(".th-ticket__number")).to_have_text("T001")
    expect(phone.locator(".th-journey")).to_contain_text("Tiếp theo:")
    looks_well(phone, tmp_path, "3-phone")
    serve(staff, wards, "Quầy thu phí 1", "T001")
    looks_well(staff, tmp_path, "4-cashier")
    staff.get_by_role("button", name="Đã thu").click()
    expect(staff.locator(".th-now")).to_contain_text("Chưa gọi ai")
    serve(staff, wards, "Lấy mẫu 1", "X001")
    staff.get_by_role("button", name="Đã lấy mẫu").click()
    expect(staff.get_by_text("Chờ trả kết quả (1)")).to_be_visible()
    looks_well(staff, tmp_path, "5-laboratory")
    serve(staff, wards, "X-quang 1", "H001")
    staff.get_by_role("button", name="Đã chụp xong").click()
    expect(staff.get_by_text("Chờ trả kết quả (1)")).to_be_visible()
    staff.get_by_role("button", name="Có kết quả").click()
    phone.reload()
    expect(phone.locator(".th-journey")).to_contain_text("Đã có 1/2 kết quả")
    looks_well(phone, tmp_path, "6-phone-waits")
    at(staff, "Lấy mẫu 1")
    staff.get_by_role("button", name="Có kết quả").click()
    at(staff, "Phòng khám 1")
    expect(staff.get_by_text("2/2 kết quả")).to_be_visible()
    expect(staff.get_by_role("cell", name="1-002", exact=True)).to_be_visible()
    looks_well(staff, tmp_path, "7-doctor-all-in")
    serve(staff, wards, "Phòng khám 1", "1-002")
    staff.get_by_role("button", name="Kê đơn").click()
    expect(staff.get_by_text("Đã ghi nhận kê đơn")).to_be_visible()
    staff.get_by_role("button", name="Xong").click()
    serve(staff, wards, "Quầy thu phí 1", "T002")
    staff.get_by_role("button", name="Đã thu").click()
    phone.reload()
    expect(phone.locator(".th-ticket__number")).to_have_text("D001")
    serve(staff, wards, "Phát thuốc 1", "D001")
    staff.get_by_role("button", name="Đã phát thuốc").click()
    phone.reload()
    expect(phone.locator(".th-journey")).to_contain_text("Đã xong các bước hôm nay")
    looks_well(phone, tmp_path, "8-phone-done")


def test_the_desk_finds_a_visit_and_the_worklist_is_readable(opened: Opened, wards: Wards, tmp_path: Path):
    visit = wards.arrive("registration")
    wards.pass_by("registration")
    second = wards.arrive(insured=True)
    wards.serve("P001")
    wards.tell(second, EventKind.TESTS_ORDERED, "XN1")
    wards.tell(second, EventKind.RESULT_READY, "XN9")
    for size, name in ((COMPUTER, "desk"), (PHONE, "desk-phone")):
        page = opened(size, wards.clerk_token)
        page.goto("/desk/visits")
        expect(page.get_by_text("Chưa có phòng khám")).to_be_visible()
        looks_well(page, tmp_path, f"{name}-1-home")
        page.get_by_label("Mã lượt khám").fill(wards.visit(second).code)
        page.get_by_role("button", name="Tìm").click()
        expect(page.get_by_role("heading", name="Đường đi hôm nay")).to_be_visible()
        looks_well(page, tmp_path, f"{name}-2-visit")
        page.goto("/desk/visit-events")
        expect(page.get_by_text("Chưa có chỉ định này")).to_be_visible()
        looks_well(page, tmp_path, f"{name}-3-worklist")
        page.goto("/desk/visit-path")
        looks_well(page, tmp_path, f"{name}-4-rule")
        page.goto(f"/desk/visits/{visit}")
        looks_well(page, tmp_path, f"{name}-5-no-room")
