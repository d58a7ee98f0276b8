"""Reminders in the browser: offered at the right moment, shown, tapped, turned off, gone with the sign-in."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Playwright, expect
from sqlalchemy import Engine

from notifications.subscriptions import Subscriptions
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.conftest import clinic, set_database_clock
from tests.browser.chromium import CHROMIUM, FLAGS, faults_of, opened
from tests.browser.push import make_up_subscribing, worker_of
from tests.notifications.push_service import MadeUpBrowser
from tests.patient_portal.browser import Browser
from tests.patient_portal.conftest import browser, new_browser
from tests.patient_portal.test_my_appointments import booked

pytestmark = pytest.mark.browser
__all__ = ["browser", "clinic", "new_browser", "set_database_clock"]

OFFER = "Nhận nhắc lịch ngay trên"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)


@dataclass
class Phone:
    """A signed-in patient's phone on the page after booking."""

    page: Page
    site: str
    push: MadeUpBrowser
    done: str
    appointment: str
    complaints: list[str]

    def go(self, path: str) -> Page:
        self.page.goto(self.site + path)
        return self.page

    def allow(self) -> None:
        self.page.context.grant_permissions(["notifications"], origin=self.site)

    @property
    def card(self) -> Any:
        return self.page.locator(".th-push")


def carry_over(client: FlaskClient, context: BrowserContext, site: str) -> None:
    """Let a real browser go on where the one without scripts has signed in."""
    cookie = client.get_cookie("session")
    assert cookie is not None
    context.add_cookies([{"name": "session", "value": cookie.value, "url": site}])


@pytest.fixture
def phone(chromium: Chromium, site: str, browser: Browser) -> Iterator[Phone]:
    appointment = booked(browser)
    with opened(chromium, 390, 844, locale="vi-VN", user_agent=ANDROID, has_touch=True) as (page, complaints):
        push = MadeUpBrowser()
        make_up_subscribing(page.context, push)
        carry_over(browser.client, page.context, site)
        yield Phone(page, site, push, f"{appointment}/done", appointment, complaints)
        assert complaints == []


@pytest.fixture
def kept(engine: Engine) -> Callable[[], int]:
    def count() -> int:
        with system_unit_of_work(engine) as session:
            query = "SELECT count(*) FROM notifications.push_subscription"
            return int(session.connection().exec_driver_sql(query).scalar_one())

    return count


def test_nothing_is_asked_before_the_tap_and_after_it_the_browser_is_kept(
    phone: Phone, kept: Callable[[], int]
) -> None:
    page = phone.go(phone.done)
    expect(page.get_by_role("heading", name=OFFER)).to_be_visible()
    assert page.evaluate("window.asked") == 0
    assert kept() == 0
    phone.allow()
    page.get_by_role("button", name="Bật nhắc lịch").click()
    heading = page.get_by_role("heading", name="Điện thoại này đang nhận nhắc lịch")
    expect(heading).to_be_focused()
    assert page.evaluate("window.asked") == 1
    assert kept() == 1
    phone.go("/appointments")
    expect(page.get_by_role("heading", name="Điện thoại này đang nhận nhắc lịch")).to_be_visible()
    assert page.evaluate("window.asked") == 0


def test_later_means_not_for_weeks_but_the_account_page_still_has_it(phone: Phone) -> None:
    page = phone.go(phone.done)
    page.get_by_role("button", name="Để sau").click()
    expect(phone.card).to_be_hidden()
    phone.go("/appointments")
    expect(page.locator('[data-island="push"][data-state="nothing"]')).to_be_hidden()
    phone.go("/account")
    expect(page.get_by_role("heading", name=OFFER)).to_be_visible()
    page.evaluate("localStorage.push = JSON.stringify({ later: Date.now() - 1 })")
    phone.go("/appointments")
    expect(page.get_by_role("heading", name=OFFER)).to_be_visible()
    assert page.evaluate("window.asked") == 0


def turned_on(phone: Phone) -> Page:
    page = phone.go("/account")
    phone.allow()
    page.get_by_role("button", name="Bật nhắc lịch").click()
    expect(page.get_by_role("button", name="Tắt nhắc lịch")).to_be_visible()
    return page


def test_a_pushed_reminder_is_shown_once_and_its_tap_leads_to_the_appointment(phone: Phone) -> None:
    page = turned_on(phone)
    tag = uuid4().hex
    reminder = {
        "title": "Nhắc lịch khám",
        "body": "BV Bà Rịa, 08:30 thứ Ba 24/11. Mã K7Q2M9PX.",
        "url": f"{phone.site}{phone.appointment}",
        "tag": tag,
    }
    with worker_of(page, phone.site) as worker:
        for _ in range(2):
            worker.deliver(json.dumps(reminder))
        (shown,) = worker.until_shown(1)
        assert (shown["title"], shown["body"], shown["tag"]) == ("Nhắc lịch khám", reminder["body"], tag)
        address = worker.tap()
        page.goto(address)
        expect(page.get_by_role("heading", name="Lịch hẹn")).to_be_visible()
        assert page.url == reminder["url"]
        assert worker.notices() == [], "a tapped notice goes away"


@pytest.mark.parametrize(
    ("payload", "opens"),
    [
        ("not JSON", "/appointments"),
        ('{"title": "x", "url": "https://evil.example/"}', "/appointments"),
        ('{"title": "x", "url": "javascript:alert(1)"}', "/appointments"),
    ],
)
def test_an_odd_message_is_still_a_notice_and_leads_nowhere_else(
    phone: Phone, payload: str, opens: str
) -> None:
    page = turned_on(phone)
    with worker_of(page, phone.site) as worker:
        worker.deliver(payload)
        (shown,) = worker.until_shown(1)
        assert shown["title"] in ("x", "Y tế gần bạn")
        assert shown["body"]
        assert worker.tap() == phone.site + opens


def test_a_sample_shows_whether_the_phone_lets_notices_through(phone: Phone) -> None:
    page = turned_on(phone)
    page.get_by_role("button", name="Xem thử").click()
    expect(page.get_by_text("Không thấy lời nhắc thử?")).to_be_visible()
    with worker_of(page, phone.site) as worker:
        (shown,) = worker.notices()
        assert shown["title"] == "Lời nhắc sẽ hiện như thế này"
        assert worker.tap() == f"{phone.site}/appointments"


def test_one_tap_turns_it_off(phone: Phone, kept: Callable[[], int]) -> None:
    page = turned_on(phone)
    page.get_by_role("button", name="Tắt nhắc lịch").click()
    expect(page.get_by_role("heading", name=OFFER)).to_be_focused()
    assert kept() == 0
    assert page.evaluate("localStorage['made-up-subscription'] ?? null") is None


def test_signing_out_gives_the_browser_back(phone: Phone, kept: Callable[[], int]) -> None:
    page = turned_on(phone)
    with worker_of(page, phone.site) as worker:
        worker.deliver('{"title": "Nhắc lịch khám"}')
        worker.until_shown(1)
        page.get_by_role("button", name="Đăng xuất").click()
        expect(page.get_by_role("heading", name="Khám bệnh gần nhà")).to_be_visible()
        assert worker.notices() == [], "what stood on the screen goes too"
    assert kept() == 0
    assert page.evaluate("localStorage['made-up-subscription'] ?? null") is None


def test_who_signs_in_over_another_does_not_see_the_other_s_reminders(phone: Phone) -> None:
    page = turned_on(phone)
    page.evaluate('localStorage.push = localStorage.push.replace(/"owner":"[^"]+/, \'"owner":"another\')')
    phone.go("/appointments")
    expect(page.get_by_role("heading", name=OFFER)).to_be_visible()
    page.wait_for_function("localStorage['made-up-subscription'] === undefined")
    assert json.loads(page.evaluate("localStorage.push"))["owner"] is None


def test_what_a_browser_lost_is_repaired_without_a_question(phone: Phone, kept: Callable[[], int]) -> None:
    page = turned_on(phone)
    page.evaluate("localStorage.removeItem('made-up-subscription')")
    phone.go("/appointments")
    expect(page.get_by_role("button", name="Tắt nhắc lịch")).to_be_visible()
    assert page.evaluate("localStorage['made-up-subscription'] !== undefined")
    assert kept() == 1


def test_a_subscription_that_the_service_exchanges_is_exchanged_here(
    phone: Phone, settings: Settings, engine: Engine
) -> None:
    page, new = turned_on(phone), MadeUpBrowser()
    with worker_of(page, phone.site) as worker:
        worker.give_up(phone.push, new)
    with system_unit_of_work(engine) as session:
        owner = session.connection().exec_driver_sql("SELECT owner FROM notifications.push_subscription")
        (kept,) = Subscriptions(settings.cipher).of(session, owner.scalar_one())
    assert (kept.endpoint, kept.auth) == (new.endpoint, new.keys["auth"])


def test_without_a_network_there_is_a_page_with_telephones_and_nothing_of_the_person(phone: Phone) -> None:
    page = phone.go("/appointments")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    phone.go("/appointments")
    page.context.set_offline(True)
    page.goto(phone.site + phone.appointment, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Chưa có mạng")).to_be_visible()
    assert "Đào" not in page.content()
    assert page.locator('a[href="tel:115"]').is_visible()
    stored = page.evaluate(
        """async () => {
          const names = await caches.keys();
          const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
          return all.flat().map((request) => new URL(request.url).pathname);
        }"""
    )
    assert [path for path in stored if not path.startswith("/static/dist/")] == ["/offline"]
    page.context.set_offline(False)
    page.get_by_role("link", name="Thử lại").click()
    expect(page.get_by_role("heading", name="Lịch hẹn")).to_be_visible()
    phone.complaints.clear()


def test_the_card_has_no_fault_on_any_of_its_pages(phone: Phone) -> None:
    for width, height in ((390, 844), (1366, 768)):
        phone.page.set_viewport_size({"width": width, "height": height})
        for path in (phone.done, "/appointments", "/account", "/offline"):
            page = phone.go(path)
            if path != "/offline":
                expect(page.get_by_role("heading", name=OFFER)).to_be_visible()
            page.evaluate("document.fonts.ready.then(() => null)")
            assert faults_of(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_chromium_finds_nothing_that_keeps_it_from_being_installed(
    playwright: Playwright, site: str, tmp_path: Path
) -> None:
    context = playwright.chromium.launch_persistent_context(tmp_path, executable_path=CHROMIUM, args=FLAGS)
    try:
        page = context.new_page()
        page.goto(site)
        tools = context.new_cdp_session(page)
        manifest = tools.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert re.search(r'"short_name": "Y tế gần bạn"', manifest["data"])
        assert tools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    finally:
        context.close()
