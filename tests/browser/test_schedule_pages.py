"""The schedule in a real browser: a week on a desktop, a day on a phone, a change seen before it is made."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, add_clinic, add_employee
from tests.browser.chromium import faults_of, opened
from tests.conftest import MovableClock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SCREENS = (
    "?day=2026-12-01",
    "?day=2026-12-01&view=day",
    "?day=2026-12-01&by=room",
    "/lines",
    "/lines/new",
    "/exceptions/new?kind=extra",
    "/blockings/new",
    "/rules",
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
