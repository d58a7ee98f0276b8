"""Searching, booking and cancelling with scripts off: on a phone and a large screen, in both languages."""

from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, expect

from telehealth.web.localization import translate
from tests.browser.chromium import opened
from tests.browser.live import Live, fresh_phone

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(300)]

Words = Callable[[str], str]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def book(live: Live, page: Page, words: Words) -> None:
    number = fresh_phone(zalo=False)
    page.get_by_role("link", name=words("home-book")).first.click()
    page.locator('a[href*="service=internal"]').first.click()
    page.locator(".th-card .th-choices a").last.click()
    page.locator("#phone").fill(number)
    press(page, words("portal-send-code"))
    page.locator("#code").fill(live.message(number, r"\b(\d{6})\b")[1])
    press(page, words("portal-code-check"))
    page.locator('input[name="relation"][value="self"] + span').click()
    page.locator("#full_name").fill("Phan Thị Bưởi")
    page.locator("#birth-year").fill("1958")
    page.locator('input[name="sex"][value="female"] + span').click()
    press(page, words("portal-continue"))
    page.locator('input[name="coverage_basis"][value="none"] + span').click()
    press(page, words("portal-continue"))
    page.locator("#agree + span").click()
    press(page, words("portal-book"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(words("portal-done-title"))


def cancel(page: Page, words: Words) -> None:
    page.goto(page.url.removesuffix("/done"))
    page.get_by_role("link", name=words("portal-cancel"), exact=True).click()
    press(page, words("portal-cancel-yes"))
    expect(page.locator("main")).to_contain_text(words("portal-cancel-reason-missing"))
    page.locator('input[name="reason_code"][value="patient"] + span').click()
    press(page, words("portal-cancel-yes"))
    expect(page.locator("main")).to_contain_text(words("portal-cancelled"))
    expect(page.locator("main")).to_contain_text(words("appointment-status-cancelled"))


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1366, 768)], ids=["phone", "desktop"])
def test_a_booking_is_made_and_cancelled_without_scripts(
    live: Live, chromium: Browser, language: str, width: int, height: int
) -> None:
    words = partial(translate, language)
    with opened(chromium, width, height, java_script_enabled=False, locale=language) as (page, _):
        page.goto(f"{live.base}/en" if language == "en" else live.base)
        book(live, page, words)
        cancel(page, words)
