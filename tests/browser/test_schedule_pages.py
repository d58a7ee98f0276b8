"""The schedule in a real browser: a week on a desktop, a day on a phone, a change seen before it is made."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, add_clinic, add_employee, service_id
from tests.browser.chromium import faults_of, opened
from tests.conftest import MovableClock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SCREENS = (
    "?day=2026-12-01",
    "?day=2026-12-01&view=day",
    "?day=2026-12-01&by=room",
    "/lines",
    "/lines/new",
    "/import",
    "/exceptions/new?kind=extra",
    "/blockings/new",
    "/rules",
    f"/waiting-rooms/{service_id('77001', 'internal')}",
)


@pytest.fixture
def signed_in(app: Flask, engine: Engine, clean_database: None, clock: MovableClock) -> str:
    """The cookie of the hospital's administrator."""
    with system_unit_of_work(engine) as session:
        add_clinic(session)
        employee = add_employee(session, Role.FACILITY_ADMIN, "77001")
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return str(serializer.dumps({"_user_id": employee.token}))


@pytest.fixture(params=[(1366, 850), (390, 844)], ids=["desktop", "phone"])
def page(
    request: pytest.FixtureRequest, chromium: Browser, site: str, signed_in: str
) -> Iterator[tuple[Page, int]]:
    width, height = request.param
    with opened(chromium, width, height, locale="vi-VN") as (shown, _):
        shown.context.add_cookies([{"name": "session", "value": signed_in, "url": site}])
        yield shown, width


def test_no_screen_of_the_schedule_has_a_fault(page: tuple[Page, int], site: str) -> None:
    shown, _width = page
    found = []
    for screen in SCREENS:
        shown.goto(f"{site}/desk/schedule{screen}")
        found += [f"{screen}: {fault}" for fault in faults_of(shown)]
        if not shown.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found.append(f"{screen}: wider than the screen")
    assert found == []


def test_a_phone_lists_a_day_and_a_desktop_shows_the_week(page: tuple[Page, int], site: str) -> None:
    shown, width = page
    shown.goto(f"{site}/desk/schedule?day=2026-12-01")
    week, agenda = shown.locator(".th-week"), shown.locator(".th-agenda")
    expect(week).to_be_visible(visible=width > 900)
    expect(agenda).to_be_visible(visible=width <= 900)
    shown.locator("a.th-shift:visible", has_text="08:00–10:00").first.press("Enter")
    expect(shown.get_by_role("heading", level=1)).to_contain_text("Bác sĩ an")


def test_leave_is_seen_before_it_is_saved(page: tuple[Page, int], site: str) -> None:
    shown, _width = page
    shown.goto(f"{site}/desk/schedule/exceptions/new?kind=leave&doctor={DOCTORS['an']}&day=2026-12-01")
    shown.get_by_role("button", name="Xem trước").click()
    expect(shown.get_by_role("heading", level=1)).to_have_text("Xem trước thay đổi")
    assert faults_of(shown) == []
    shown.get_by_role("button", name="Lưu thay đổi").click()
    expect(shown.get_by_text("Đã lưu thay đổi lịch.")).to_be_visible()
    shown.goto(f"{site}/desk/schedule?day=2026-12-01")
    expect(shown.locator(":visible", has_text="Nghỉ cả ngày").first).to_be_visible()


@pytest.fixture
def desktop(chromium: Browser, site: str, signed_in: str) -> Iterator[Page]:
    with opened(chromium, 1366, 850, locale="vi-VN") as (shown, complaints):
        shown.context.add_cookies([{"name": "session", "value": signed_in, "url": site}])
        yield shown
        assert complaints == []


def an_shift(page: Page) -> Locator:
    """An's morning session in the calendar."""
    return page.locator(f"[data-row='{DOCTORS['an']}'][data-day='2026-12-01'] .th-shift").first


def an_afternoon(page: Page) -> Locator:
    """An's other service, which Bình does not have."""
    return page.locator(f"[data-row='{DOCTORS['an']}'][data-day='2026-12-01'] .th-shift").last


def lift(page: Page, shift: Locator, right: float) -> tuple[float, float]:
    """Press on a session, so far from its left side (or before its right side); return where."""
    shift.scroll_into_view_if_needed()
    box = shift.bounding_box()
    assert box is not None
    x, y = box["x"] + (right if right > 0 else box["width"] + right), box["y"] + 12
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 10, y, steps=2)
    return x, y


def test_a_session_dragged_to_another_day_and_doctor_is_seen_first_then_saved(
    desktop: Page, site: str
) -> None:
    desktop.goto(f"{site}/desk/schedule?day=2026-12-01")
    lift(desktop, an_afternoon(desktop), 20)
    target = desktop.locator(f"[data-row='{DOCTORS['binh']}'][data-day='2026-12-02']")
    place = target.bounding_box()
    assert place is not None
    desktop.mouse.move(place["x"] + 40, place["y"] + 10, steps=5)
    expect(desktop.locator(".th-ghost")).to_contain_text("14:00–15:00 · BS Bác sĩ binh, Thứ Tư 02/12")
    expect(desktop.get_by_role("status").first).to_contain_text("Bác sĩ binh, Thứ Tư 02/12")
    assert faults_of(desktop) == []
    desktop.mouse.up()
    expect(desktop.get_by_role("heading", level=1)).to_have_text("Xem trước thay đổi")
    expect(desktop.get_by_text("Thêm 14:00–15:00 · BS Bác sĩ binh")).to_be_visible()
    elsewhere = desktop.context.new_page()
    elsewhere.goto(f"{site}/desk/schedule?day=2026-12-01")
    expect(an_afternoon(elsewhere)).to_contain_text("14:00–15:00")
    elsewhere.close()
    desktop.get_by_role("button", name="Lưu thay đổi").click()
    expect(desktop.get_by_text("Đã lưu thay đổi lịch.")).to_be_visible()
    expect(target.locator(".th-shift", has_text="14:00–15:00")).to_be_visible()
    expect(desktop.locator(f"[data-row='{DOCTORS['an']}'] .th-mark")).to_contain_text("Không khám 14:00")


def test_a_day_lets_a_session_go_to_another_hour_or_end_later(desktop: Page, site: str) -> None:
    desktop.goto(f"{site}/desk/schedule?day=2026-12-01&view=day")
    lane = desktop.locator(f"[data-row='{DOCTORS['an']}']").bounding_box()
    assert lane is not None
    hour = lane["width"] / 10  # 07:00 to 17:00
    x, y = lift(desktop, an_shift(desktop), 30)
    desktop.mouse.move(x + hour / 2, y, steps=4)
    expect(desktop.locator(".th-ghost")).to_contain_text("08:30–10:30")
    desktop.keyboard.press("Escape")
    expect(desktop.locator(".th-ghost")).to_have_count(0)
    desktop.mouse.up()
    desktop.goto(f"{site}/desk/schedule?day=2026-12-01&view=day")
    x, y = lift(desktop, an_shift(desktop), -4)
    desktop.mouse.move(x + hour, y, steps=4)
    expect(desktop.locator(".th-ghost")).to_contain_text("08:00–11:00")
    desktop.mouse.up()
    expect(desktop.get_by_role("button", name="Lưu thay đổi")).to_be_visible()
    desktop.get_by_role("button", name="Sửa lại").click()
    expect(desktop.get_by_label("Đến giờ")).to_have_value("11:00")


def test_a_click_still_opens_a_session_and_the_keyboard_can_move_it(desktop: Page, site: str) -> None:
    desktop.goto(f"{site}/desk/schedule?day=2026-12-01")
    shift = an_shift(desktop)
    shift.focus()
    desktop.keyboard.press("Tab")
    move = desktop.locator(".th-block__move:focus")
    expect(move).to_have_text("Dời ca này 08:00–10:00")
    assert faults_of(desktop) == []
    move.press("Enter")
    expect(desktop.get_by_label("Từ giờ")).to_have_value("08:00")
    desktop.go_back()
    shift.click()
    expect(desktop.get_by_role("heading", level=1)).to_contain_text("Bác sĩ an")


def test_a_finger_that_stays_lifts_a_session_and_one_that_moves_scrolls(
    chromium: Browser, site: str, signed_in: str
) -> None:
    with opened(chromium, 1366, 850, locale="vi-VN", has_touch=True) as (shown, _):
        shown.context.add_cookies([{"name": "session", "value": signed_in, "url": site}])
        shown.goto(f"{site}/desk/schedule?day=2026-12-01")
        box = an_shift(shown).bounding_box()
        place = shown.locator(f"[data-row='{DOCTORS['an']}'][data-day='2026-12-06']").bounding_box()
        assert box is not None
        assert place is not None
        start = {"x": box["x"] + 20, "y": box["y"] + 12}
        end = {"x": place["x"] + 20, "y": place["y"] + 12}
        finger = shown.context.new_cdp_session(shown)

        def touch(kind: str, *points: dict[str, float]) -> None:
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

        touch("touchStart", start)
        touch("touchMove", {"x": start["x"], "y": start["y"] + 30})
        touch("touchEnd")
        expect(shown.locator(".th-ghost")).to_have_count(0)
        shown.reload()  # else the calendar may still be rolling, and a finger only stops it
        touch("touchStart", start)
        expect(shown.locator(".th-ghost")).to_be_visible()
        touch("touchMove", end)
        expect(shown.locator(".th-ghost")).to_contain_text("Chủ nhật 06/12")
        touch("touchEnd")
        expect(shown.get_by_role("heading", level=1)).to_have_text("Xem trước thay đổi")


def test_a_file_is_taken_out_changed_and_brought_back(
    page: tuple[Page, int], site: str, owner_engine: Engine
) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                """UPDATE practitioner SET licence_no = '00000' || length(name) || '/77-CCHN'
                    WHERE licence_no IN ('an/77-CCHN', 'binh/77-CCHN')"""
            )
        )
    shown, _width = page
    shown.goto(f"{site}/desk/schedule/lines")
    csv = shown.get_by_role("link", name="CSV").get_attribute("href")
    roster = shown.context.request.get(f"{site}{csv}").text()
    shown.get_by_role("link", name="Nhập từ tệp").click()

    def look(content: str) -> None:
        file = {"name": "ca-kham.csv", "mimeType": "text/csv", "buffer": content.encode()}
        shown.locator("#file").set_input_files(file)
        shown.get_by_role("button", name="Xem trước").click()

    look(roster.replace("P1", "P99"))
    expect(shown.get_by_role("table")).to_contain_text("P99")
    assert faults_of(shown) == []
    look(roster.replace(",08:00,10:00,10,", ",08:00,10:00,20,"))
    expect(shown.get_by_text("Đổi 1 ca khám")).to_be_visible()
    assert faults_of(shown) == []
    shown.get_by_role("button", name="Lưu thay đổi").click()
    expect(shown.get_by_text("Đã lưu thay đổi lịch.")).to_be_visible()
