"""A doctor is called away: the desk closes the morning, a phone accepts in one tap, the list shows it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.settings import NotificationSettings
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import closures as closures_job
from telehealth.jobs.work import work
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, TUESDAY, Employee, Person, known_at
from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock
from tests.browser.chromium import no_faults, on_first_screen, opened
from tests.browser.live import until
from tests.conftest import MovableClock
from tests.notifications.conftest import Listener, SandboxClient, listener, sandbox
from tests.notifications.hosting import QUICK
from tests.reminders.appointments import Appointments
from tests.reminders.conftest import appointments

__all__ = ["appointments", "clinic", "desk", "lan", "listener", "minh", "sandbox", "set_database_clock"]

pytestmark = pytest.mark.browser

LANS_PHONE = "+84912000001"
PLACE = FACILITIES["77001"]


@pytest.fixture
def receive(
    engine: Engine, settings: Settings, sandbox: SandboxClient, listener: Listener, site: str
) -> Callable[[], str]:
    """Send what is due through the providers' sandbox; return the link in Lan's newest message."""
    environ = {"PUBLIC_BASE_URL": listener.url, "ZALO_APP_ID": str(uuid4())}
    known = NotificationSettings.from_environ(environ, sandbox_url=sandbox.url)
    host = Host(engine, settings.cipher, listener.url, QUICK.timeout)
    sandbox.phone(LANS_PHONE, zalo=True)

    def received() -> str:
        dispatcher = Dispatcher(
            engine, known.carriers(host), settings.cipher, policy=QUICK, clock="app_clock()"
        )
        stop = threading.Event()
        thread = threading.Thread(target=dispatcher.run, args=(stop,))
        thread.start()
        try:
            message = until(
                lambda: next(
                    (each for each in sandbox.messages(LANS_PHONE) if "giờ khám mới" in each["title"]), None
                ),
                "an invitation to another time",
            )
        finally:
            stop.set()
            thread.join()
        link: str = message["button"][1]
        return link.replace("http://localhost", site)

    return received


@pytest.fixture
def carry_out(app: Flask, settings: Settings, clock: MovableClock) -> Iterator[Callable[[], None]]:
    """What the worker does in a tick."""
    mine = replace(work(settings), clock=clock)
    yield lambda: closures_job.run(mine, clock.now)
    mine.engine.dispose()


@pytest.fixture
def both(appointments: Appointments, lan: Person, minh: Person, engine: Engine) -> Appointments:
    """Lan and Minh are known at the desk."""
    with system_unit_of_work(engine) as session:
        known_at(session, minh, "77001")
    return appointments


@pytest.fixture
def clerk(app: Flask, chromium: Browser, site: str, desk: Employee) -> Iterator[Page]:
    with opened(chromium, 1366, 768) as (page, complaints):
        page.context.add_cookies([_signed_in(app, site, desk)])
        yield page
    assert complaints == []


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    with opened(chromium, 390, 844) as (page, complaints):
        yield page
    assert complaints == []


def _signed_in(app: Flask, site: str, who: Employee) -> dict[str, str]:
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return {"name": "session", "value": serializer.dumps({"_user_id": who.token}), "url": site}


def test_the_desk_closes_a_phone_accepts_in_one_tap_and_the_list_shows_it(
    clerk: Page,
    phone: Page,
    both: Appointments,
    lan: Person,
    minh: Person,
    carry_out: Callable[[], None],
    receive: Callable[[], str],
    site: str,
) -> None:
    both.book(lan, "an", TUESDAY, 480)
    both.book(minh, "an", TUESDAY, 500)
    clerk.goto(f"{site}/desk")
    clerk.get_by_role("link", name="Bác sĩ bận, ngày nghỉ").click()
    no_faults(clerk)
    clerk.get_by_role("main").get_by_role("link", name="Bác sĩ bận đột xuất").click()
    no_faults(clerk)
    clerk.get_by_label("Ai nghỉ").select_option(label="BS Bác sĩ an")
    clerk.get_by_label("Từ ngày").fill(TUESDAY.isoformat())
    clerk.get_by_text("Buổi sáng", exact=True).click()
    clerk.get_by_role("button", name="Xem trước").click()
    expect(clerk.get_by_role("heading", name="Xem trước khi làm")).to_be_visible()
    expect(clerk.locator("main")).to_contain_text("2 người có chỗ cùng ngày, cùng chuyên khoa, tại đây")
    no_faults(clerk)
    clerk.get_by_role("button", name="Đóng buổi khám và mời 2 người").click()
    expect(clerk.locator("main")).to_contain_text("Đang xử lý 0/2")
    no_faults(clerk)
    carry_out()

    phone.goto(receive())
    expect(phone.locator("main")).to_contain_text("Bác sĩ binh")
    expect(phone.locator("main")).to_contain_text("Khác với lịch cũ: bác sĩ")
    on_first_screen(phone, phone.get_by_role("button", name="Đổi sang giờ mới"))
    no_faults(phone)
    phone.get_by_role("button", name="Đổi sang giờ mới").click()
    expect(phone.get_by_role("heading", name="Đã đổi sang giờ mới")).to_be_visible()
    no_faults(phone)

    clerk.get_by_role("link", name="Tất cả").click()
    expect(clerk.get_by_role("row", name="Trần Thị Lan")).to_contain_text("Đồng ý")
    line = clerk.get_by_role("row", name="Lê Văn Minh")
    expect(line).to_contain_text("Đã mời")
    no_faults(clerk)
    line.get_by_role("combobox").select_option(label="Đồng ý giờ mới")
    line.get_by_role("button", name="Đã gọi").click()
    expect(clerk.get_by_text("Lê Văn Minh đồng ý. Đã ghi giờ mới.")).to_be_visible()


@pytest.fixture
def without_phones(both: Appointments, lan: Person, minh: Person, owner_engine: Engine) -> None:
    """Lan is booked with An, Minh with Bình, who is away; neither can be told."""
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM account_patient")
    both.book(lan, "an", TUESDAY, 480)
    both.book(minh, "binh", TUESDAY, 480)
    both.away("binh", TUESDAY)


@pytest.fixture
def session_cookie(app: Flask, site: str, desk: Employee) -> dict[str, str]:
    return _signed_in(app, site, desk)


@pytest.mark.parametrize("size", [(390, 844), (1366, 768)], ids=["phone", "desk"])
def test_no_page_of_closures_has_a_fault(
    chromium: Browser,
    without_phones: None,
    session_cookie: dict[str, str],
    carry_out: Callable[[], None],
    site: str,
    size: tuple[int, int],
) -> None:
    asked = {
        "practitioner": str(DOCTORS["an"]),
        "from_date": TUESDAY.isoformat(),
        "part": "morning",
        "plan": "offer",
        "reason": "sick",
    }
    at = f"{site}/closures/facilities/{PLACE}"
    with opened(chromium, *size) as (page, _):
        page.context.add_cookies([session_cookie])
        page.goto(f"{at}/preview?{urlencode(asked)}")
        no_faults(page)
        page.get_by_role("button", name="Đóng buổi khám").click()
        no_faults(page)
        carry_out()
        page.reload()
        expect(page.locator("main")).to_contain_text("Cần gọi 1 người")
        no_faults(page)
        page.get_by_role("link", name="In danh sách gọi").click()
        no_faults(page)
        for address in (at, f"{at}/new", f"{at}/preview?{urlencode(asked | {'from_date': 'x'})}"):
            page.goto(address)
            no_faults(page)


def test_on_a_phone_the_console_begins_with_one_line_of_pages_and_shows_which_it_is(
    chromium: Browser, site: str, session_cookie: dict[str, str]
) -> None:
    with opened(chromium, 390, 844) as (page, _):
        page.context.add_cookies([session_cookie])
        page.goto(f"{site}/desk/schedule/rules")
        line = page.locator(".th-side").bounding_box()
        here = page.locator(".th-side [aria-current]").bounding_box()
        assert line is not None
        assert here is not None
        assert line["height"] < 64
        assert here["x"] >= 0
        assert here["x"] + here["width"] <= 390
        page.goto(f"{site}/desk")
        expect(page.locator(".th-key").first).to_be_hidden()


def test_keys_beside_the_pages_are_whole(
    chromium: Browser, site: str, session_cookie: dict[str, str]
) -> None:
    with opened(chromium, 1366, 768) as (page, _):
        page.context.add_cookies([session_cookie])
        page.goto(f"{site}/desk")
        clipped = (
            "keys => keys.filter(key => key.scrollWidth > key.clientWidth + 1).map(key => key.innerText)"
        )
        assert page.locator(".th-side .th-key").evaluate_all(clipped) == []
