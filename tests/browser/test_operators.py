"""The operator of the province, in a real browser on the running product: a stuck message goes out, once."""

import json
import urllib.request

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import faults_of, opened
from tests.browser.live import Live, fresh_phone, until
from tests.browser.steps import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

PAGES = ("", "/dead-letters", "/texts", "/trace")
NO_SUCH_NUMBER = {"provider": "twilio", "fault": "reject", "code": 21211, "times": 1}


def refuse_once(live: Live, phone: str) -> None:
    """Let the short message to a phone be refused once; it has no Zalo either."""
    body = json.dumps({**NO_SUCH_NUMBER, "to": phone}).encode()
    wanted = urllib.request.Request(
        f"{live.sandbox}/_sandbox/faults", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(wanted, timeout=10).close()


def stuck(live: Live) -> str:
    """Ask for a code that cannot be delivered; return the phone."""
    phone = fresh_phone(zalo=False)
    refuse_once(live, f"+84{phone[1:]}")
    live.call("/api/v1/otp", {"phone": phone})
    return phone


def test_two_clicks_send_a_stuck_message_once(live: Live, chromium: Browser) -> None:
    phone = stuck(live)
    with opened(chromium, 1366, 768, locale="vi-VN") as (page, complaints):
        sign_in(live, page, "soyte", "/admin/messages/dead-letters")
        second = page.context.new_page()

        def shown() -> bool:
            page.reload()
            return page.get_by_role("button", name="Gửi lại tin Mã xác nhận").count() > 0

        until(shown, "the stuck message on the page")
        second.goto(page.url)
        assert live.messages(phone) == []
        newest(page).click()
        expect(page.get_by_text("Đã cho tin đi lại")).to_be_visible()
        newest(second).click()
        expect(second.get_by_role("alert")).to_contain_text("người khác xử lý rồi")
        live.message(phone, r"Ma xac nhan cua ban la (\d{6})")
        assert len(live.messages(phone)) == 1
        trace(page, live, phone)
        expect(page.locator("main")).to_contain_text("Người trực cho gửi lại")
        expect(page.locator("main")).to_contain_text("Nhà cung cấp đã nhận")
        assert [each for each in complaints if "409" not in each] == []


def newest(page: Page) -> Locator:
    return page.get_by_role("button", name="Gửi lại tin Mã xác nhận").first


def trace(page: Page, live: Live, phone: str) -> None:
    page.goto(f"{live.base}/admin/messages/trace")
    page.get_by_label("Mã lịch hẹn hoặc số điện thoại").fill(phone)
    page.get_by_role("button", name="Tìm").click()
    assert phone not in page.url


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1366, 768)])
def test_no_page_of_operators_has_a_fault(live: Live, chromium: Browser, width: int, height: int) -> None:
    stuck(live)
    with opened(chromium, width, height, locale="vi-VN") as (page, complaints):
        sign_in(live, page, "soyte", "/admin/messages")
        found = []
        for path in PAGES:
            page.goto(f"{live.base}/admin/messages{path}")
            found += [f"{path}: {fault}" for fault in faults_of(page)]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.goto(f"{live.base}/admin/messages")
        page.locator("summary").first.click()
        page.get_by_role("button", name="nghỉ").first.click()
        expect(page.get_by_role("alert").first).to_be_visible()
        found += [f"refusal: {fault}" for fault in faults_of(page)]
        assert found == []
        assert [each for each in complaints if "422" not in each] == []
