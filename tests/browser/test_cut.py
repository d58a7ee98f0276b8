"""A kiosk whose line is cut: it goes on by itself, loses nothing, and hands everything in once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Engine, select, text, update
from werkzeug.serving import BaseWSGIServer, make_server

from telehealth.accounts.models import AccessSession, Device
from telehealth.booking.models import Appointment
from telehealth.core.clock import business_date
from telehealth.core.uow import system_unit_of_work
from telehealth.patients.models import Patient
from telehealth.printing.agent import Agent, serve
from telehealth.printing.emulator import Emulator, Paper
from telehealth.printing.printers import Printer
from telehealth.queueing.leased import handed_in, numbers_of_the_day
from telehealth.queueing.models import NumberLease, StaffCall, Ticket
from telehealth.settings import Settings
from tests.browser.chromium import no_faults
from tests.conftest import MONDAY_8AM, MovableClock
from tests.kiosk.people import LAN_CARD, STRANGER_CARD, Town
from tests.queueing.hospital import Hospital

pytestmark = pytest.mark.browser

STANDING, TABLET, TURNED = (1080, 1920), (1280, 800), (800, 1280)
HELD = """() => new Promise(resolve => {
    const open = indexedDB.open("kiosk-numbers", 1);
    open.onsuccess = () => {
        const store = name => new Promise(done => {
            const asked = open.result.transaction(name).objectStore(name).getAll();
            asked.onsuccess = () => done(asked.result);
        });
        Promise.all([store("leases"), store("presses"), store("facts")]).then(([leases, presses, facts]) => {
            open.result.close();
            resolve({
                free: leases.reduce((sum, each) => sum + each.numbers.length - each.given, 0),
                presses: presses.map(each => each.text),
                plain: JSON.stringify(presses),
                calls: facts.filter(each => each.name.startsWith("call:")).length,
            });
        });
    };
})"""
SCAN = """text => { for (const key of [...text, "Enter"])
    document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); }"""


@dataclass
class Centre:
    """The server that the kiosk reaches, or does not."""

    app: Flask
    port: int = 0
    server: BaseWSGIServer | None = field(default=None, repr=False)
    thread: Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.port = self.server.port
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        if self.server is None or self.thread is None:
            return
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.server = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def centre(app: Flask) -> Iterator[Centre]:
    centre = Centre(app)
    centre.start()
    yield centre
    centre.stop()


@pytest.fixture
def hospital(engine: Engine, settings: Settings, clock: MovableClock, clean_database: None) -> Hospital:
    return Hospital(lambda: system_unit_of_work(engine), settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@contextmanager
def kiosk_at(
    chromium: Browser, centre: Centre, hospital: Hospital, size: tuple[int, int] = STANDING
) -> Iterator[tuple[BrowserContext, Page]]:
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale="vi-VN")
    context.add_init_script("window.print = () => window.dispatchEvent(new Event('afterprint'))")
    page = context.new_page()
    page.goto(f"{centre.address}/kiosk")
    page.fill("#code", hospital.kiosk_token)
    page.get_by_role("button", name="Bắt đầu").click()
    page.get_by_role("heading", name="Quý vị cần gì?").wait_for()
    until(page, "navigator.serviceWorker.controller !== null")
    page.evaluate("dispatchEvent(new Event('online'))")
    until_held(page, lambda held: held["free"] > 0)
    yield context, page
    context.close()


@pytest.fixture
def kiosk(chromium: Browser, centre: Centre, hospital: Hospital) -> Iterator[Page]:
    with kiosk_at(chromium, centre, hospital) as (_context, page):
        yield page


def until(page: Page, said: str) -> None:
    """Ask the page until it says yes; its policy lets nobody wait inside it."""
    for _ in range(150):
        if page.evaluate(said):
            return
        page.wait_for_timeout(100)
    raise AssertionError(said)


def until_held(page: Page, wanted) -> dict:
    """Ask the kiosk's own store until it says so."""
    for _ in range(150):
        held = page.evaluate(HELD)
        if wanted(held):
            return held
        page.wait_for_timeout(100)
    raise AssertionError(held)


def cut_page(page: Page) -> None:
    page.get_by_text("Đang mất kết nối", exact=True).wait_for()
    page.get_by_role("heading", name="Quý vị cần gì?").wait_for()


def press(page: Page, way_in: str = "Khám BHYT") -> str:
    """Take a number at reception and go away."""
    page.get_by_role("button", name=way_in).click()
    page.locator("[data-queues] button").first.click()
    number = page.locator("[data-screen=number] b")
    expect(number).to_contain_text("A0")
    said = number.inner_text()
    page.get_by_role("button", name="Xong").click()
    return said


def back(page: Page) -> None:
    page.get_by_role("link", name="Xem lịch hẹn").wait_for(timeout=20_000)


def tickets(hospital: Hospital) -> list[tuple[int, str, str]]:
    with hospital.begin() as session:
        rows = session.execute(
            select(Ticket.number, Ticket.status, Ticket.priority_class).order_by(
                Ticket.issued_at, Ticket.number
            )
        )
        return [tuple(row) for row in rows]


def test_five_numbers_are_given_out_without_a_line_and_each_is_handed_in_once(
    kiosk: Page, hospital: Hospital, centre: Centre
):
    before = hospital.number("registration").number_text
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    first = [press(kiosk), press(kiosk, "Tái khám"), press(kiosk, "Không BHYT")]
    kiosk.reload()
    cut_page(kiosk)
    given = [*first, press(kiosk), press(kiosk)]
    assert kiosk.evaluate(HELD)["presses"] != []
    assert len(set(given)) == 5
    assert before not in given
    assert hospital.count(Ticket) == 1
    during = hospital.number("registration").number_text
    kiosk.context.set_offline(False)
    back(kiosk)
    assert until_held(kiosk, lambda held: not held["presses"])["presses"] == []
    assert sorted(f"A{number:03d}" for number, *_ in tickets(hospital)) == sorted([before, during, *given])
    with hospital.begin() as session:
        numbers = numbers_of_the_day(
            session, hospital.queue("registration"), business_date(MONDAY_8AM), MONDAY_8AM
        )
    assert not numbers.unexplained


def test_a_dead_server_is_a_cut_too_and_a_power_loss_shows_the_number_again(
    kiosk: Page, hospital: Hospital, centre: Centre
):
    centre.stop()
    kiosk.goto(f"{centre.address}/kiosk")
    cut_page(kiosk)
    kiosk.get_by_role("button", name="Khám BHYT").click()
    kiosk.locator("[data-queues] button").first.click()
    shown = kiosk.locator("[data-screen=number] b")
    expect(shown).to_contain_text("A0")
    number = shown.inner_text()
    again = kiosk.context.new_page()
    kiosk.close()
    again.goto(f"{centre.address}/kiosk")
    expect(again.locator("[data-screen=number] b")).to_have_text(number)
    again.get_by_role("button", name="Xong").click()
    cut_page(again)
    assert press(again) != number
    centre.start()
    back(again)
    until_held(again, lambda held: not held["presses"])
    assert len(tickets(hospital)) == 2


def test_the_slip_comes_out_of_the_printer_beside_the_machine_while_the_server_is_dead(
    chromium: Browser, app: Flask, centre: Centre, hospital: Hospital
):
    paper, sizes = Paper(), list[float]()
    with Emulator(paper) as emulator, serve(Agent(Printer(emulator.address)), centre.address, 0) as agent:
        for each in (emulator, agent):
            Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02}).start()
        services = app.extensions["telehealth"]
        told = replace(services.settings, print_agent_url=f"http://127.0.0.1:{agent.server_address[1]}")
        app.extensions["telehealth"] = replace(services, settings=told)
        try:
            with kiosk_at(chromium, centre, hospital) as (_context, kiosk):
                centre.stop()
                kiosk.goto(f"{centre.address}/kiosk")
                cut_page(kiosk)
                for outcome in ("Vui lòng nhận phiếu", "Số này vẫn có hiệu lực: xin ghi lại hoặc chụp ảnh"):
                    kiosk.get_by_role("button", name="Khám BHYT").click()
                    kiosk.locator("[data-queues] button").first.click()
                    kiosk.get_by_text(outcome).wait_for()
                    no_faults(kiosk)
                    shown = kiosk.locator("[data-screen=number] b").bounding_box()
                    sizes.append(shown["height"] if shown else 0.0)
                    assert kiosk.evaluate("document.documentElement.scrollHeight <= innerHeight")
                    kiosk.get_by_role("button", name="Xong").click()
                    paper.paper_out = True
                centre.start()
                back(kiosk)
                until_held(kiosk, lambda held: not held["presses"])
        finally:
            app.extensions["telehealth"] = services
            for each in (emulator, agent):
                each.shutdown()
    assert len(paper.slips) == 1
    assert sizes[1] > sizes[0]
    with hospital.begin() as session:
        assert session.scalars(select(StaffCall.kind)).all() == ["printer"]
        statuses = session.scalars(select(Ticket.print_status).order_by(Ticket.number)).all()
    assert statuses == ["printed", "failed"]


def test_a_card_is_kept_sealed_until_its_person_is_known_and_then_wiped(
    kiosk: Page, hospital: Hospital, settings: Settings
):
    lan = Town(hospital.begin, settings.cipher).lan(at=hospital)
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    for card in (LAN_CARD, STRANGER_CARD):
        kiosk.evaluate(SCAN, card)
        kiosk.get_by_text("Đã đọc thẻ").wait_for()
        kiosk.locator("[data-queues] button").first.click()
        kiosk.get_by_role("button", name="Xong").click()
        cut_page(kiosk)
    held = kiosk.evaluate(HELD)
    assert len(held["presses"]) == 2
    for part in (*LAN_CARD.split("|")[:3], *STRANGER_CARD.split("|")[:3]):
        assert part == "" or part not in held["plain"]
    kiosk.context.set_offline(False)
    back(kiosk)
    until_held(kiosk, lambda held: not held["presses"])
    with hospital.begin() as session:
        people = session.scalars(select(Ticket.patient_id).order_by(Ticket.number)).all()
        assert people[0] == lan
        assert session.get_one(Patient, people[1]).full_name == STRANGER_CARD.split("|")[2]


def test_a_code_typed_in_a_cut_is_kept_sealed_and_checks_its_owner_in(kiosk: Page, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=10))
    code = appointment.code
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    kiosk.get_by_role("button", name="Đã đặt lịch").click()
    go_on = kiosk.get_by_role("button", name="Tiếp tục")
    for char in code:
        expect(go_on).to_be_disabled()
        kiosk.get_by_role("button", name=char, exact=True).click()
    go_on.click()
    kiosk.get_by_text("Đã giữ mã").wait_for()
    kiosk.locator("[data-queues] button").first.click()
    kiosk.get_by_role("button", name="Xong").click()
    assert code not in kiosk.evaluate(HELD)["plain"]
    kiosk.get_by_role("button", name="Đã đặt lịch").click()
    expect(kiosk.locator("[data-entry]")).to_have_value("")
    kiosk.get_by_role("button", name="Quay lại").click()
    kiosk.context.set_offline(False)
    back(kiosk)
    until_held(kiosk, lambda held: not held["presses"])
    with hospital.begin() as session:
        assert session.scalars(select(Ticket.appointment_id)).all() == [appointment.id]
        assert session.get_one(Appointment, appointment.id).status == "arrived"


def test_an_emergency_in_a_cut_rings_here_and_is_told_with_its_time(
    kiosk: Page, hospital: Hospital, clock: MovableClock
):
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    for _ in range(2):
        kiosk.get_by_role("button", name="CẤP CỨU").click()
        kiosk.get_by_text("Chuông đang kêu").wait_for()
        kiosk.get_by_role("button", name="Tắt chuông").click()
        expect(kiosk.get_by_text("Chuông đang kêu")).to_be_hidden()
        kiosk.get_by_role("button", name="Quay lại").click()
    assert hospital.count(StaffCall) == 0
    clock.forward(minutes=20)
    kiosk.context.set_offline(False)
    back(kiosk)
    with hospital.begin() as session:
        call = session.scalars(select(StaffCall)).one()
    assert (call.kind, call.presses, call.told_at) == ("emergency", 2, clock())
    assert call.at < call.told_at - timedelta(minutes=15)
    kiosk.evaluate("dispatchEvent(new Event('online'))")
    until_held(kiosk, lambda held: not held["calls"])


def test_whoever_pressed_when_the_line_broke_has_one_number(kiosk: Page, hospital: Hospital):
    """The server gave a number whose answer never came: it leaves the line, the one on the screen counts."""
    lost = []

    def swallow(route) -> None:
        route.fetch()
        lost.append(route.request.url)
        kiosk.context.set_offline(True)
        route.abort()

    kiosk.get_by_role("link", name="Tái khám").click()
    kiosk.context.route("**/kiosk/number", swallow)
    kiosk.get_by_role("button", name="Không mang giấy tờ").click()
    cut_page(kiosk)
    assert lost
    number = press(kiosk)
    kiosk.context.unroute("**/kiosk/number")
    kiosk.context.set_offline(False)
    back(kiosk)
    until_held(kiosk, lambda held: not held["presses"])
    waiting = [f"A{number:03d}" for number, status, _ in tickets(hospital) if status == "waiting"]
    assert waiting == [number]
    assert len(tickets(hospital)) == 2


def test_a_kiosk_that_used_up_its_numbers_shows_the_way_to_the_printed_list(kiosk: Page, hospital: Hospital):
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    for _ in range(kiosk.evaluate(HELD)["free"]):
        press(kiosk)
    kiosk.get_by_role("heading", name="Máy này đã hết số").wait_for()
    no_faults(kiosk)
    kiosk.context.set_offline(False)
    back(kiosk)
    kiosk.evaluate("dispatchEvent(new Event('online'))")
    until_held(kiosk, lambda held: not held["presses"] and held["free"] > 0)


def test_numbers_of_a_revoked_kiosk_go_to_the_desk(kiosk: Page, hospital: Hospital):
    kiosk.context.set_offline(True)
    cut_page(kiosk)
    given = [press(kiosk), press(kiosk)]
    with hospital.begin() as session:
        session.execute(update(Device).values(revoked_at=MONDAY_8AM))
        session.execute(
            update(AccessSession).where(AccessSession.device_id.is_not(None)).values(revoked_at=MONDAY_8AM)
        )
    kiosk.context.set_offline(False)
    kiosk.get_by_role("heading", name="Đưa máy vào sử dụng").wait_for(timeout=20_000)
    assert kiosk.evaluate(HELD)["presses"] == []
    with hospital.begin() as session:
        assert [each.number_text for each in handed_in(session, hospital.id, hospital.cipher)] == given
    assert hospital.count(Ticket) == 0


def test_two_tabs_never_give_the_same_number_and_settle_once(
    chromium: Browser, centre: Centre, hospital: Hospital
):
    with kiosk_at(chromium, centre, hospital) as (context, one):
        two = context.new_page()
        two.goto(f"{centre.address}/kiosk")
        two.get_by_role("heading", name="Quý vị cần gì?").wait_for()
        context.set_offline(True)
        for tab in (one, two):
            cut_page(tab)
        given = [press(tab) for _ in range(2) for tab in (one, two)]
        context.set_offline(False)
        back(one)
        back(two)
        until_held(one, lambda held: not held["presses"])
    assert sorted(f"A{number:03d}" for number, *_ in tickets(hospital)) == sorted(given)


@pytest.mark.parametrize("size", [STANDING, TABLET, TURNED])
def test_the_pages_of_a_cut_fit_and_have_no_faults(
    chromium: Browser, centre: Centre, hospital: Hospital, size: tuple[int, int]
):
    with kiosk_at(chromium, centre, hospital, size) as (context, page):
        context.set_offline(True)
        cut_page(page)
        for language in ("", "?lang=en"):
            page.goto(f"{centre.address}/kiosk/cut{language}")
            page.locator("[data-screen=start]").wait_for()
            for go in ("start", "code", "priority", "emergency"):
                if go != "start":
                    page.locator(f"[data-screen=start] [data-go={go}]").click()
                no_faults(page)
                assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), go
                if go != "start":
                    page.locator("[data-back]").click()


def test_a_block_of_yesterday_is_not_given_out(kiosk: Page, hospital: Hospital, clock: MovableClock):
    clock.now += timedelta(days=1)
    kiosk.goto(kiosk.url)
    kiosk.evaluate("dispatchEvent(new Event('online'))")

    def returned() -> bool:
        with hospital.begin() as session:
            ended = session.scalars(select(NumberLease.ended_at).order_by(NumberLease.granted_at)).all()
        return len(ended) > 1 and ended[0] is not None

    for _ in range(100):
        if returned():
            break
        kiosk.wait_for_timeout(100)
    assert returned()
    with hospital.begin() as session:
        assert session.scalar(text("SELECT count(DISTINCT business_date) FROM number_lease")) == 2
