"""The sandbox's page, in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.chromium import faults_of, launch, opened
from tests.notifications.conftest import Listener, SandboxClient
from tests.notifications.sandboxes import TWILIO, TWILIO_SEND, new_phone, until
from tests.notifications.test_sandbox_mail import connected, new_address, written
from tests.notifications.test_sandbox_push import browser_of, push
from tests.notifications.test_sandbox_zalo import FIRST, call, message, refreshed, told

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=\"document.title='taken over'\"><script>document.title='taken over'</script>"


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


def sms(sandbox: SandboxClient, to: str, text: str) -> None:
    form = {"To": to, "From": "SKTINH", "Body": text}
    requests.post(sandbox.url + TWILIO_SEND, data=form, auth=TWILIO, timeout=5).raise_for_status()


def national(phone: str) -> str:
    digits = "0" + phone[3:]
    return f"{digits[:4]} {digits[4:7]} {digits[7:]}"


def phone_on(page: Page, phone: str) -> Any:
    return page.locator(".phone", has_text=national(phone))


def test_every_kind_of_message_is_shown_where_a_person_would_see_it(
    sandbox: SandboxClient, chromium: Browser
) -> None:
    phone, token = new_phone(), str(refreshed(sandbox.url, FIRST, "inbox")["access_token"])
    sms(sandbox, phone, "482913 la ma xac nhan.")
    assert call(sandbox, token, "/message/template", message(phone))[0] == 0
    push(sandbox, browser_of(sandbox, phone), b'{"title": "Turn", "body": "Room 12"}')
    with opened(chromium, 1366, 900) as (page, complaints):
        page.goto(f"{sandbox.url}/?to=0{phone[3:]}")
        shown = phone_on(page, phone)
        expect(shown.locator(".sms .code")).to_have_text("482913")
        expect(shown.locator(".lock .banner")).to_contain_text("Room 12")
        action = shown.get_by_role("link", name="Xem hoặc đổi lịch")
        expect(action).to_have_attribute("href", "http://127.0.0.1:8000/j/abc")
        expect(shown.locator(".told.delivered")).to_have_count(3)
        expect(page.locator(".phone")).to_have_count(1)
        assert complaints == []


def test_a_mail_opens_with_its_text_its_form_and_its_headers(
    sandbox: SandboxClient, chromium: Browser
) -> None:
    to = new_address()
    with connected(sandbox) as client:
        client.send_message(written(to, List_Unsubscribe="<https://example.vn/u>"))
    with opened(chromium, 390, 844) as (page, _):
        page.goto(f"{sandbox.url}/?to={to}")
        page.locator(".mail > summary").click()
        expect(page.locator(".letter .words")).to_have_text("Mời ông bà đến lúc 08:30.")
        page.get_by_text("Phần đầu thư").click()
        expect(page.get_by_text("https://example.vn/u")).to_be_visible()
        page.get_by_text("Xem bản có định dạng").click()
        expect(page.frame_locator("iframe").locator("b")).to_have_text("08:30")


def test_a_message_cannot_take_over_the_page(sandbox: SandboxClient, chromium: Browser) -> None:
    phone, to = new_phone(), new_address()
    sms(sandbox, phone, HOSTILE + " javascript:alert(1)")
    push(sandbox, browser_of(sandbox, phone), b'{"title": "<b>x</b>", "body": "y", "url": "javascript:1"}')
    mail = written(to)
    mail.get_body(("html",)).set_content(HOSTILE + "<b>seen</b>", subtype="html")
    mail.replace_header("Subject", HOSTILE)
    with connected(sandbox) as client:
        client.send_message(mail)
    with opened(chromium, 1366, 900) as (page, _):
        page.goto(f"{sandbox.url}/?to={phone}")
        expect(phone_on(page, phone).locator(".sms .bubble")).to_contain_text("<script>")
        expect(phone_on(page, phone).locator(".banner strong")).to_have_text("<b>x</b>")
        assert page.locator("a[href^='javascript']").count() == 0
        page.goto(f"{sandbox.url}/?to={to}")
        page.locator(".mail > summary").click()
        page.get_by_text("Xem bản có định dạng").click()
        expect(page.frame_locator("iframe").locator("b")).to_have_text("seen")
        assert page.title() == "Điện thoại thử nghiệm"


def test_what_is_on_the_page_stays_while_new_messages_arrive(
    sandbox: SandboxClient, chromium: Browser
) -> None:
    phone = new_phone()
    sms(sandbox, phone, "first")
    with opened(chromium, 390, 844) as (page, _):
        page.goto(f"{sandbox.url}/?to={phone}")
        bubbles = phone_on(page, phone).locator(".bubble")
        expect(bubbles).to_have_text(["first"])
        bubbles.first.evaluate("node => { node.marked = true; }")
        words = phone_on(page, phone).get_by_role("textbox")
        words.fill("Tôi đang viết")
        sms(sandbox, phone, "second")
        expect(bubbles).to_have_text(["first", "second"])
        assert bubbles.first.evaluate("node => node.marked")
        expect(words).to_have_value("Tôi đang viết")
        expect(words).to_be_focused()
        expect(page.get_by_role("status")).to_contain_text("1 tin mới")


def test_a_person_follows_writes_and_leaves_by_buttons(
    sandbox: SandboxClient, listener: Listener, chromium: Browser
) -> None:
    phone = new_phone()
    with opened(chromium, 390, 844) as (page, _):
        page.goto(f"{sandbox.url}/?to={phone}")
        shown = phone_on(page, phone)
        shown.get_by_role("button", name="Theo dõi").click()
        expect(shown.get_by_role("button", name="Bỏ theo dõi")).to_be_visible()
        shown.get_by_role("button", name="Chia sẻ số điện thoại").click()
        shown.get_by_role("textbox").fill("Đổi lịch giúp tôi")
        shown.get_by_role("button", name="Gửi").click()
        expect(shown.locator(".sent-in .bubble")).to_have_text("Đổi lịch giúp tôi")
        shown.get_by_role("button", name="Bỏ theo dõi").click()
        expect(shown.get_by_role("button", name="Theo dõi", exact=True)).to_be_visible()
    until(lambda: bool(told(listener, "user_submit_info", phone[1:])))
    user = told(listener, "user_submit_info", phone[1:])[0][1]["sender"]["id"]
    until(lambda: all(told(listener, name, user) for name in ("follow", "user_send_text", "unfollow")))
    assert sandbox.messages(phone) == []


def test_a_phone_without_zalo_has_nothing_to_follow_with(sandbox: SandboxClient, chromium: Browser) -> None:
    phone = new_phone()
    sandbox.phone(phone, zalo=False)
    sms(sandbox, phone, "Xin chao")
    with opened(chromium, 390, 844) as (page, _):
        page.goto(f"{sandbox.url}/?to={phone}")
        expect(phone_on(page, phone).locator(".bubble")).to_have_text("Xin chao")
        expect(phone_on(page, phone).get_by_role("button")).to_have_count(0)


def test_a_receipt_changes_the_line_below_its_message(sandbox: SandboxClient, chromium: Browser) -> None:
    phone = new_phone()
    browser = browser_of(sandbox, phone)
    place = f"{sandbox.url}/_sandbox/push-subscriptions/{browser['id']}"
    requests.post(place, json={"online": False}, timeout=5).raise_for_status()
    push(sandbox, browser, b'{"title": "Turn", "body": "Room 12"}')
    with opened(chromium, 390, 844) as (page, _):
        page.goto(f"{sandbox.url}/?to={phone}")
        expect(page.locator(".banner .told")).to_contain_text("Chờ máy bật")
        requests.post(place, json={"online": True}, timeout=5).raise_for_status()
        expect(page.locator(".banner .told")).to_contain_text("Đã nhận")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1366, 900)])
def test_the_page_is_accessible_and_fits(
    sandbox: SandboxClient, chromium: Browser, width: int, height: int
) -> None:
    phone, to = new_phone(), new_address()
    sandbox.fault("twilio", "undelivered", to=phone)
    sms(sandbox, phone, "482913 la ma xac nhan. " + "x" * 80)
    push(sandbox, browser_of(sandbox, phone), b'{"title": "Turn", "body": "Room 12", "url": "http://x.vn/"}')
    with connected(sandbox) as client:
        client.send_message(written(to))
    with opened(chromium, width, height) as (page, _):
        page.goto(sandbox.url)
        expect(phone_on(page, phone).locator(".failed")).to_be_visible()
        expect(page.locator(".mailbox").first).to_be_visible()
        assert faults_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto(f"{sandbox.url}/?to={to}x")
        expect(page.locator("#empty")).to_be_visible()
        assert faults_of(page) == []
