"""Any available doctor, and a paper slip of somebody new, in a real browser without scripts."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from telehealth.settings import Settings
from telehealth.web.localization import translate
from tests.booking.clinic import TUESDAY
from tests.booking.conftest import clinic, set_database_clock
from tests.browser.chromium import faults_of, opened
from tests.cast import messages

__all__ = ["clinic", "set_database_clock"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.usefixtures("clinic")]


@pytest.fixture(params=["vi", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[(390, 844), (1366, 768)], ids=["phone", "desktop"])
def page(request: pytest.FixtureRequest, chromium: Browser, site: str, language: str) -> Iterator[Page]:
    width, height = request.param
    with opened(chromium, width, height, java_script_enabled=False, locale=language) as (shown, _):
        shown.goto(f"{site}/en" if language == "en" else site)
        yield shown


def named(page: Page, text: str) -> Any:
    return page.get_by_role("button", name=text, exact=True)


def test_one_tap_takes_the_first_time_and_names_the_doctor(
    page: Page, site: str, language: str, engine: Engine, settings: Settings
) -> None:
    words = partial(translate, language)
    page.goto(f"{site}/book/times?service=internal&facility=77001&from={TUESDAY}")
    page.get_by_role("link", name=words("portal-any-doctor-take")).click()
    expect(page.locator("main")).to_contain_text(words("portal-any-doctor-then"))
    page.locator("#phone").fill("0912345678")
    named(page, words("portal-send-code")).click()
    page.locator("#code").fill(messages(engine, settings.cipher, "otp")[-1]["code"])
    named(page, words("portal-code-check")).click()
    chosen = page.locator(".th-banner").first
    expect(chosen).to_contain_text("BS Bác sĩ ")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_paper_of_somebody_new_begins_with_whose_it_is(
    page: Page, site: str, language: str, engine: Engine, settings: Settings
) -> None:
    words = partial(translate, language)
    page.goto(f"{site}/sign-in?next=/my-slips/new")
    page.locator("#phone").fill("0912345678")
    page.locator("main button").first.click()
    page.locator("#code").fill(messages(engine, settings.cipher, "otp")[-1]["code"])
    page.locator("main button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words("portal-slip-person-title"))
    page.locator('input[name="relation"][value="self"] + span').click()
    page.locator("#full_name").fill("Phan Thị Bưởi")
    page.locator("#birth-year").fill("1958")
    page.locator('input[name="sex"][value="female"] + span').click()
    named(page, words("portal-continue")).click()
    expect(page.locator("main")).to_contain_text("Phan Thị Bưởi")


@pytest.mark.parametrize("width", [390, 1366])
def test_no_new_screen_has_a_fault(chromium: Browser, site: str, width: int) -> None:
    with opened(chromium, width, 844, locale="vi-VN") as (shown, _):
        found = []
        for screen in (
            f"/book/times?service=internal&facility=77001&from={TUESDAY}",
            "/book/slots/any~77001~internal~in-person~20261201T0800",
            "/book/slots/any~77001~internal~in-person~20261201T0303",
        ):
            shown.goto(f"{site}{screen}")
            found += [f"{screen}: {fault}" for fault in faults_of(shown)]
        assert found == []
