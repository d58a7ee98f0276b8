"""Pages as people meet them: on a phone and on a desk, read by axe-core with no rule disabled."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PHONE, SMALL_PHONE, DESK = (390, 844), (320, 640), (1280, 900)
PAGES = ["/", "/privacy", "/accessibility", "/styleguide", "/nowhere"]


def opened(chromium: Browser, address: str, size: tuple[int, int], **options: bool) -> tuple[Page, list[str]]:
    page = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.evaluate("document.fonts.ready.then(() => null)")
    return page, [text for text in said if "404" not in text]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_no_page_has_a_fault_that_axe_finds(chromium: Browser, site: str, size: tuple[int, int]) -> None:
    for path in PAGES:
        page, said = opened(chromium, site + path, size)
        faults = [(path, fault["id"]) for fault in Axe().run(page).response["violations"]]
        assert faults == []
        assert said == []
        page.context.close()


def test_nothing_is_wider_than_the_smallest_phone(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, site, SMALL_PHONE)
    for path in PAGES:
        page.goto(site + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_product_comes_in_its_own_type(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, f"{site}/", PHONE)
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert {name.strip('"') for name in loaded} == {"Be Vietnam Pro"}
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('p')).fontSize)") >= 18


def test_all_six_doors_stand_on_the_first_screen_of_a_phone(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, f"{site}/", PHONE)
    bottoms = page.locator(".th-door").evaluate_all(
        "doors => doors.map(d => d.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) == 6
    assert max(bottoms) <= 844


def test_the_keyboard_skips_to_the_content(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, f"{site}/", DESK)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Đến nội dung chính"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert "th-door" in page.evaluate("document.activeElement.className")


def test_without_scripts_the_page_still_shows_its_doors(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, f"{site}/", PHONE, java_script_enabled=False)
    assert page.locator(".th-door").count() == 6
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("See a doctor")


def test_a_button_pressed_twice_sends_once(chromium: Browser, site: str) -> None:
    page, _ = opened(chromium, f"{site}/styleguide", DESK)
    sent = page.evaluate("""() => {
        const form = document.createElement("form");
        form.innerHTML = '<button data-once>Gửi</button>';
        let sent = 0;
        document.body.append(form);
        window.addEventListener("submit", (event) => {
            if (!event.defaultPrevented) sent += 1;
            event.preventDefault();
        });
        const button = form.querySelector("button");
        button.click(); button.click();
        return sent;
    }""")
    assert sent == 1
