"""From a press to dots on paper: browser, agent and a printer without paper; and what goes wrong."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, select

from telehealth.core.uow import system_unit_of_work
from telehealth.printing.agent import Agent, serve
from telehealth.printing.emulator import Emulator, Paper
from telehealth.printing.printers import Printer
from telehealth.queueing.models import StaffCall, Ticket
from telehealth.settings import Settings
from tests.conftest import MovableClock
from tests.queueing.hospital import Hospital

pytestmark = pytest.mark.browser


@pytest.fixture
def hospital(
    site: str, engine: Engine, settings: Settings, clock: MovableClock, clean_database: None
) -> Hospital:
    return Hospital(lambda: system_unit_of_work(engine), settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def agent(app: Flask, site: str, paper: Paper) -> Iterator[str]:
    """The agent beside the kiosk, which the product knows by its setting."""
    with Emulator(paper) as emulator, serve(Agent(Printer(emulator.address)), site, 0) as server:
        for each in (emulator, server):
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02}).start()
        services = app.extensions["telehealth"]
        address = f"http://127.0.0.1:{server.server_address[1]}"
        told = replace(services.settings, print_agent_url=address)
        app.extensions["telehealth"] = replace(services, settings=told)
        yield address
        app.extensions["telehealth"] = services
        for each in (emulator, server):
            each.shutdown()


@pytest.fixture
def kiosk(chromium: Browser, site: str, hospital: Hospital) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1080, "height": 1920}, locale="vi-VN")
    page = context.new_page()
    page.add_init_script(
        "window.print = () => { window.printedHere = true; dispatchEvent(new Event('afterprint')) }"
    )
    page.goto(f"{site}/kiosk")
    page.fill("#code", hospital.kiosk_token)
    page.get_by_role("button", name="Bắt đầu").click()
    page.get_by_role("link", name="Khám BHYT").click()
    yield page
    context.close()


def noted(page: Page, status: str) -> object:
    """Wait until the page has told the server what became of the slip."""
    return page.expect_request_finished(
        lambda request: "print-status" in request.url and status in (request.post_data or "")
    )


def ticket_of(hospital: Hospital) -> Ticket:
    with hospital.begin() as session:
        return session.scalars(select(Ticket)).one()


def test_a_press_prints_a_slip_and_again_on_wish(kiosk: Page, agent: str, paper: Paper, hospital: Hospital):
    with noted(kiosk, "printed"):
        kiosk.get_by_role("button", name="Không mang giấy tờ").click()
    kiosk.get_by_text("Vui lòng nhận phiếu ở khe bên dưới").wait_for()
    assert len(paper.slips) == 1
    assert ticket_of(hospital).print_status == "printed"
    assert kiosk.evaluate("window.printedHere") is None
    with noted(kiosk, "printed"):
        kiosk.get_by_role("button", name="In lại phiếu").click()
    assert len(paper.slips) == 2
    assert [paper.slips[0].tobytes() == paper.slips[1].tobytes()] == [True]


@pytest.mark.parametrize("fault", ["paper_out", "cover_open"])
def test_a_printer_that_fails_leaves_the_number_on_the_screen_and_calls_staff(
    kiosk: Page, agent: str, paper: Paper, hospital: Hospital, fault: str
):
    setattr(paper, fault, True)
    with noted(kiosk, "failed"):
        kiosk.get_by_role("button", name="Không mang giấy tờ").click()
    kiosk.get_by_text("Số này vẫn có hiệu lực").wait_for()
    assert kiosk.locator(".th-kiosk__ticket b").inner_text() == "A001"
    ticket = ticket_of(hospital)
    assert (ticket.status, ticket.print_status) == ("waiting", "failed")
    with hospital.begin() as session:
        assert session.scalars(select(StaffCall.kind)).all() == ["printer"]
    assert paper.slips == []


@pytest.mark.parametrize("told_of_one", [False, True])
def test_a_machine_without_an_agent_prints_by_its_browser(
    app: Flask, kiosk: Page, hospital: Hospital, told_of_one: bool
):
    services = app.extensions["telehealth"]
    nobody = replace(services.settings, print_agent_url="http://127.0.0.1:1" if told_of_one else "")
    app.extensions["telehealth"] = replace(services, settings=nobody)
    with noted(kiosk, "printed"):
        kiosk.get_by_role("button", name="Không mang giấy tờ").click()
    app.extensions["telehealth"] = services
    assert kiosk.evaluate("window.printedHere") is True
    assert ticket_of(hospital).print_status == "printed"
