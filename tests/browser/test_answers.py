"""A reminder on a phone, answered by its button, and what the desk sees of it."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from notifications.channels.provider import Host
from notifications.dispatcher import Dispatcher
from notifications.settings import NotificationSettings
from telehealth.core.answer_link import Purpose
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.conftest import clinic, desk, lan, set_database_clock, web
from tests.booking.test_booking_over_http import IN_TWO_DAYS, book, slots
from tests.browser.chromium import no_faults, opened
from tests.browser.live import until
from tests.conftest import MovableClock
from tests.notifications.conftest import Listener, SandboxClient, listener, sandbox
from tests.notifications.hosting import QUICK

__all__ = ["clinic", "desk", "lan", "listener", "sandbox", "set_database_clock", "web"]

pytestmark = pytest.mark.browser

LANS_PHONE = "+84912000001"

GoTo = Callable[[datetime], None]
Receive = Callable[[str], str]


@pytest.fixture
def go_to(clock: MovableClock, set_database_clock: Callable[[datetime], None]) -> GoTo:
    """Move both clocks."""

    def move(instant: datetime) -> None:
        clock.now = instant
        set_database_clock(instant)

    return move


@pytest.fixture
def receive(
    engine: Engine, settings: Settings, sandbox: SandboxClient, listener: Listener, site: str
) -> Receive:
    """Send what is due through the providers' sandbox; return the link in Lan's newest message like this."""
    environ = {"PUBLIC_BASE_URL": listener.url, "ZALO_APP_ID": str(uuid4())}
    known = NotificationSettings.from_environ(environ, sandbox_url=sandbox.url)
    host = Host(engine, settings.cipher, listener.url, QUICK.timeout)
    sandbox.phone(LANS_PHONE, zalo=True)
    old = len(sandbox.messages(LANS_PHONE))

    def received(title: str) -> str:
        dispatcher = Dispatcher(
            engine, known.carriers(host), settings.cipher, policy=QUICK, clock="app_clock()"
        )
        stop = threading.Event()
        thread = threading.Thread(target=dispatcher.run, args=(stop,))
        thread.start()
        try:
            message = until(lambda: _titled(_newer(sandbox, old), title), f"a message: {title}")
        finally:
            stop.set()
            thread.join()
        link: str = message["button"][1]
        return link.replace("http://localhost", site)

    return received


def _newer(sandbox: SandboxClient, old: int) -> list[dict[str, Any]]:
    """Return what came to the phone since it held so many messages, newest first."""
    messages = sandbox.messages(LANS_PHONE)
    return messages[: len(messages) - old]


def _titled(messages: list[dict[str, Any]], title: str) -> dict[str, Any] | None:
    return next((message for message in messages if message["title"] == title), None)


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    with opened(chromium, 390, 844) as (page, complaints):
        yield page
    assert complaints == []


@pytest.fixture
def clerk(app: Flask, chromium: Browser, site: str, desk: Employee) -> Iterator[Page]:
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = {"name": "session", "value": serializer.dumps({"_user_id": desk.token}), "url": site}
    with opened(chromium, 1366, 768) as (page, _):
        page.context.add_cookies([cookie])
        yield page


@pytest.fixture
def booked(web: Any, lan: Person) -> dict[str, Any]:
    # Late enough for a reminder two hours before that is no longer at night.
    slot = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[-1]
    made: dict[str, Any] = book(web, lan, slot_id=slot["id"]).json
    return made


def test_a_reminder_is_answered_and_the_desk_sees_it(
    phone: Page, clerk: Page, booked: dict[str, Any], go_to: GoTo, receive: Receive, site: str
) -> None:
    start = datetime.fromisoformat(booked["start"])
    go_to(start - timedelta(days=1))
    link = receive("Nhắc lịch khám sắp tới")
    for _ in range(2):
        phone.goto(link)
        expect(phone.get_by_role("button", name="Tôi sẽ đến")).to_be_visible()
    no_faults(phone)
    go_to(start - timedelta(minutes=50))
    clerk.goto(f"{site}/desk/today")
    line = clerk.get_by_role("row", name="Trần Thị Lan")
    expect(line).to_contain_text("Đã đặt")
    assert "Sẽ đến" not in line.inner_text(), "opening is not answering"
    phone.get_by_role("button", name="Tôi sẽ đến").click()
    expect(phone.get_by_role("heading", name="Cảm ơn quý vị đã báo")).to_be_visible()
    no_faults(phone)
    clerk.reload()
    expect(line).to_contain_text("Sẽ đến")
    phone.goto(receive("Sắp đến giờ khám"))
    no_faults(phone)
    phone.get_by_role("button", name="Tôi đang trên đường").click()
    expect(phone.get_by_role("heading", name="Nơi khám đã biết quý vị đang đến")).to_be_visible()
    clerk.reload()
    expect(line).to_contain_text("Đang trên đường")
    no_faults(clerk)


def test_who_cannot_come_frees_the_place_without_scripts(
    chromium: Browser, web: Any, booked: dict[str, Any], receive: Receive, site: str
) -> None:
    with opened(chromium, 320, 640, java_script_enabled=False) as (page, _):
        page.goto(receive("Đã đặt lịch khám"))
        page.get_by_role("link", name="Hủy lịch").click()
        page.get_by_role("button", name="Tôi không đến được, hủy lịch").click()
        expect(page.get_by_role("heading", name="Lịch khám này đã hủy")).to_be_visible()
    free = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])
    assert booked["slot_id"] in [slot["id"] for slot in free]


def pages_of(web: Any, desk: Employee, booked: dict[str, Any], settings: Settings) -> Iterator[str]:
    """Every page that the links of an appointment open, and one that is none of ours."""
    other = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[0]
    asked = f"/api/v1/appointments/{booked['id']}/offers"
    made = web.post(asked, json={"slot_id": other["id"]}, headers=desk.headers).json
    offers = (Purpose.ACCEPT_OFFER, Purpose.DECLINE_OFFER)
    for purpose in Purpose:
        subject, about = (
            (made["id"], made["expires_at"]) if purpose in offers else (booked["id"], booked["start"])
        )
        yield "/j/" + settings.answer_links.token(purpose, UUID(subject), datetime.fromisoformat(about))
    yield "/j/c" + "A" * 32


@pytest.mark.parametrize("size", [(390, 844), (1366, 768)], ids=["phone", "desk"])
def test_no_answer_page_has_a_fault_before_or_after_its_time(
    chromium: Browser, web: Any, desk: Employee, booked: dict[str, Any], settings: Settings,
    clock: MovableClock, site: str, size: tuple[int, int],
) -> None:  # fmt: skip
    pages = list(pages_of(web, desk, booked, settings))
    with opened(chromium, *size) as (page, _):
        for instant in (clock.now, datetime.fromisoformat(booked["end"]), clock.now + timedelta(days=90)):
            clock.now = instant
            for path in pages:
                page.goto(site + path)
                no_faults(page)


def test_the_desk_chooses_messages_on_a_page_without_faults(
    clerk: Page, lan: Person, booked: dict[str, Any], site: str
) -> None:
    clerk.goto(f"{site}/desk/people/{lan.patient_id}")
    clerk.get_by_role("link", name="Tin nhắn muốn nhận").click()
    expect(clerk.get_by_role("checkbox", checked=True)).to_have_count(4)
    no_faults(clerk)
    clerk.get_by_role("button", name="Ngừng mọi tin nhắc").click()
    expect(clerk.get_by_role("checkbox", checked=True)).to_have_count(0)
