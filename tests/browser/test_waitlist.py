"""Waiting for a place on a phone and at the desk: every screen read by axe, none wider than the glass."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.browser.chromium import faults_of, on_first_screen, opened
from tests.waitlist.conftest import Line, few_places, line, link, taken

__all__ = [
    "clinic", "desk", "few_places", "lan", "line", "minh", "other_desk", "set_database_clock", "taken", "web",
]  # fmt: skip

pytestmark = pytest.mark.browser

PHONE, COMPUTER = (390, 844), (1366, 768)
PICTURES = os.environ.get("PICTURES_OF_WAITING")  # a folder, for looking at the screens


class Eyes:
    """Reads each screen, and keeps a picture of it when asked to."""

    def __init__(self, app: Flask, chromium: Browser, site: str) -> None:
        self.app, self.chromium, self.site = app, chromium, site
        self.found: list[str] = []

    def of(self, size: tuple[int, int], token: str | None = None) -> AbstractContextManager[Page]:
        return self._opened(size, token)

    @contextmanager
    def _opened(self, size: tuple[int, int], token: str | None) -> Iterator[Page]:
        with opened(self.chromium, *size, locale="vi-VN") as (page, _complaints):
            if token is not None:
                serializer = SecureCookieSessionInterface().get_signing_serializer(self.app)
                assert serializer is not None
                value = serializer.dumps({"_user_id": token})
                page.context.add_cookies([{"name": "session", "value": value, "url": self.site}])
            yield page

    def look(self, page: Page, path: str, name: str) -> None:
        page.goto(f"{self.site}{path}")
        self.read(page, name)

    def read(self, page: Page, name: str) -> None:
        page.evaluate("document.fonts.ready.then(() => null)")
        self.found += [f"{name}: {fault}" for fault in faults_of(page)]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            self.found.append(f"{name}: wider than the screen")
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.fixture
def eyes(app: Flask, chromium: Browser, site: str) -> Eyes:
    return Eyes(app, chromium, site)


def test_a_family_waits_is_offered_a_place_and_takes_it(
    eyes: Eyes, line: Line, lan: Person, minh: Person, taken: list[dict], engine: Engine
):
    wish = f"/waitlist/join?service=internal&facility=77001&practitioner={DOCTORS['an']}"
    with eyes.of(PHONE, lan.token) as page:
        eyes.look(page, wish, "join")
        page.fill("#last", "2026-11-29")
        page.get_by_role("button", name="Báo cho tôi khi có chỗ").click()
        page.get_by_text("Ngày cuối phải từ hôm nay").first.wait_for()
        eyes.read(page, "join-error")
        page.fill("#last", "2026-12-02")
        page.get_by_role("button", name="Báo cho tôi khi có chỗ").click()
        page.get_by_text("Quý vị đứng đầu danh sách").wait_for()
        eyes.read(page, "mine-waiting")
        line.clock.forward(hours=3)
        line.cancel(minh, taken[0])
        offers = line.run()
        eyes.look(page, "/waitlist", "mine-offered")
        page.get_by_text("Đã có những gì").click()
        eyes.read(page, "mine-history")
    with eyes.of(PHONE) as page:
        eyes.look(page, link(offers[0]), "place")
        on_first_screen(page, page.get_by_role("button", name="Nhận chỗ này"))
        page.get_by_role("button", name="Nhận chỗ này").click()
        page.get_by_role("heading", name="Đã nhận chỗ").wait_for()
        eyes.read(page, "place-accepted")
        page.goto(f"{eyes.site}/j/p{'A' * 32}")
        eyes.read(page, "place-unknown")
    with eyes.of(COMPUTER, lan.token) as page:
        eyes.look(page, "/waitlist", "mine-past-wide")
        eyes.look(page, wish, "join-wide")
    assert eyes.found == []


def test_the_desk_sees_the_line_and_answers_for_those_who_call(
    eyes: Eyes, line: Line, lan: Person, minh: Person, taken: list[dict], desk: Employee
):
    with eyes.of(COMPUTER, desk.token) as page:
        eyes.look(page, "/desk/waitlist", "desk-empty")
        path = f"/desk/people/{lan.patient_id}/waitlist?service=internal&facility=77001"
        eyes.look(page, path, "desk-join")
        page.fill("#last", "2026-12-02")
        page.fill("#first", "2026-12-02")
        page.get_by_label("Sáng", exact=True).check()
        page.get_by_role("button", name="Ghi tên chờ").click()
        page.get_by_role("link", name="Trần Thị Lan").wait_for()
        line.cancel(minh, taken[0])
        line.run(minutes=1)
        eyes.look(page, "/desk/waitlist", "desk-line")
        page.get_by_role("button", name="Nhận giúp").click()
        page.get_by_text("Đã đặt chỗ này").wait_for()
    with eyes.of(PHONE, desk.token) as page:
        line.join(minh)
        eyes.look(page, "/desk/waitlist", "desk-line-phone")
    assert eyes.found == []


def test_who_answers_too_late_is_told_why_on_the_page_and_behind_the_link(
    eyes: Eyes, line: Line, lan: Person, minh: Person, taken: list[dict]
):
    (next_one,) = line.people(5)
    line.join(lan)
    line.join(next_one)
    line.cancel(minh, taken[0])
    (first,) = line.run(minutes=1)
    with eyes.of(PHONE) as page:
        page.goto(f"{eyes.site}{link(first)}")
        line.clock.forward(hours=4)
        page.get_by_role("button", name="Nhận chỗ này").click()
        page.get_by_role("heading", name="Đã quá giờ trả lời").wait_for()
        assert page.get_by_role("button", name="Nhận chỗ này").count() == 0
        eyes.read(page, "place-lapsed")
    second = line.run()[-1]
    assert second["to"] != first["to"]
    with eyes.of(PHONE, lan.token) as page:
        eyes.look(page, "/waitlist", "mine-lapsed")
        page.get_by_text("Chưa trả lời kịp lời mời lúc 08:00").first.wait_for()
        page.get_by_text("Đã có những gì").click()
        eyes.read(page, "mine-lapsed-history")
    assert eyes.found == []
