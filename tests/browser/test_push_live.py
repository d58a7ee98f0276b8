"""A reminder all the way: booked, turned on, sent by the worker, sealed, opened, shown on the phone."""

import json
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from notifications.channels.push.signature import Signer
from telehealth.embedded import keys
from tests.browser.chromium import opened
from tests.browser.live import Live, fresh_phone, until
from tests.browser.push import make_up_subscribing, worker_of
from tests.browser.steps import book_earliest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]


class SandboxBrowser:
    """A subscription at the sandbox's push service, which can read what comes for it."""

    def __init__(self, live: Live, number: str) -> None:
        asked = {"to": number, "application_server_key": key_of(live)}
        made = requests.post(f"{live.sandbox}/_sandbox/push-subscriptions", json=asked, timeout=10).json()
        self.endpoint: str = made["endpoint"]
        self.keys: dict[str, str] = made["keys"]


def key_of(live: Live) -> str:
    """What browsers subscribe under: the public half of the key that was made with the other secrets."""
    made = keys.parse((live.log.parent / keys.FILE).read_text())
    return Signer(made["VAPID_PRIVATE_KEY"], "").public_key


def test_a_cancelled_appointment_is_told_on_the_phone_s_own_screen(live: Live, chromium: Browser) -> None:
    number = fresh_phone(zalo=False)
    with opened(chromium, 390, 844, locale="vi-VN") as (page, complaints):
        make_up_subscribing(page.context, SandboxBrowser(live, number))
        booked = book_earliest(live, page, number, name="Trần Thị Sáu")
        page.context.grant_permissions(["notifications"], origin=live.base)
        page.get_by_role("button", name="Bật nhắc lịch").click()
        expect(page.get_by_role("button", name="Tắt nhắc lịch")).to_be_visible()
        cancel(page)
        pushed = until(lambda: payload(live, number), "the copy for the browser")
        assert pushed["title"] == "Lịch khám đã hủy"
        assert booked.code in pushed["body"]
        assert "Sáu" not in json.dumps(pushed, ensure_ascii=False)
        with worker_of(page, live.base) as worker:
            worker.deliver(json.dumps(pushed))
            (shown,) = worker.until_shown(1)
        assert (shown["title"], shown["body"]) == (pushed["title"], pushed["body"])
        assert complaints == []
    channels = sorted(message["channel"] for message in live.messages(number) if "huy" in plain(message))
    assert "sms" in channels, "the copy is beside the message, never instead of it"


def cancel(page: Page) -> None:
    page.get_by_role("link", name="Lịch của tôi").first.click()
    page.locator(".th-card__title a").first.click()
    page.get_by_role("link", name="Hủy lịch").click()
    page.get_by_text("Bận việc").click()
    page.get_by_role("button", name="Hủy lịch hẹn").click()
    expect(page.get_by_text("Đã hủy lịch hẹn")).to_be_visible()


def payload(live: Live, number: str) -> dict[str, Any] | None:
    """What the first push to a person says, as the sandbox's browser opened it."""
    pushes = (message for message in live.messages(number) if message["channel"] == "push")
    return next((message["details"]["payload"] for message in pushes), None)


def plain(message: dict[str, Any]) -> str:
    return str(message["text"])
