"""Two screens in a hall: every call is shown on both and spoken on the one that may sound, in its order."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from telehealth.boards.codes import Languages
from telehealth.boards.services import Arrangement, open_area
from telehealth.core.clock import system_clock
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services.steps import done, skip, start
from telehealth.settings import Settings
from tests.boards.conftest import administrator
from tests.browser.chromium import no_faults
from tests.browser.live import wait_out_the_day
from tests.conftest import Databases, MovableClock
from tests.queueing.hospital import Hospital
from tests.realtime.harness import PRODUCT, Server, environ_of, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("boards"), pytest.mark.timeout(300)]

WIDE, TALL, COMPUTER, PHONE = (1920, 1080), (1080, 1920), (1366, 768), (390, 844)
RECORD = """
() => {
  window.shown = [];
  const number = document.querySelector("[data-number]");
  new MutationObserver(() => number.textContent && window.shown.push(number.textContent))
    .observe(number, { childList: true });
}
"""


@pytest.fixture
def hospital(engine: Engine, settings: Settings, clean_database: None) -> Hospital:
    return Hospital(lambda: system_unit_of_work(engine), settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def product(databases: Databases, hospital: Hospital, tmp_path: Path) -> Iterator[Server]:
    """Pages and streams on one port, as `run.py` serves them."""
    port = free_port()
    environ = environ_of(databases.app_url, f"http://127.0.0.1:{port}", tmp_path, demo=True)
    server = Server("uvicorn", environ, port=port, app=PRODUCT)
    with running(server):
        yield server


@pytest.fixture
def area(hospital: Hospital) -> str:
    """The address of the boards of two rooms."""
    admin, _token = administrator(hospital)
    rooms = frozenset({hospital.queue("P001"), hospital.queue("P002")})
    wanted = Arrangement("sanh-a", "Sảnh A, tầng 1", rooms, least_seconds=4, languages=Languages.VIETNAMESE)
    with hospital.begin() as session:
        open_area(session, admin, hospital.id, wanted, now=system_clock())
    return "/board/77001/sanh-a"


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(size: tuple[int, int], cookie: dict[str, str] | None = None) -> Page:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale="vi-VN")
        contexts.append(context)
        if cookie:
            context.add_cookies([cookie])  # type: ignore[list-item]
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def fits(page: Page) -> None:
    """Nothing is cut off: neither the page nor any part of it runs over."""
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert (
        page.evaluate(
            """() => [...document.querySelectorAll(".th-board__list, .th-board__call, .th-board__side")]
            .filter((part) => part.scrollHeight > part.clientHeight + 2).length"""
        )
        == 0
    )


def fill(hospital: Hospital, calls: int) -> None:
    """Let people wait for both rooms, and some be called already; all on one day."""
    wait_out_the_day()
    for number in range(calls + 6):
        priority = PriorityClass.PREGNANT if number == 3 else PriorityClass.NONE
        hospital.number("P001", now=system_clock(), priority=priority)
        hospital.number("P002", now=system_clock())
    for _ in range(calls):
        hospital.call("P001", now=system_clock())


def test_two_calls_at_once_are_shown_and_spoken_one_after_the_other_on_every_screen(
    opened: Callable[..., Page], product: Server, hospital: Hospital, area: str
):
    fill(hospital, 4)
    wide, tall = opened(WIDE), opened(TALL)
    asked: dict[Page, list[str]] = {wide: [], tall: []}
    for board in (wide, tall):
        board.on("request", lambda request, page=board: asked[page].append(request.url))
        board.goto(f"http://{product.address}{area}")
        board.evaluate(RECORD)
        expect(board.get_by_text("Chạm vào màn hình một lần để bật tiếng")).to_be_visible()
        no_faults(board)
        fits(board)
    wide.mouse.click(300, 300)
    expect(wide.get_by_text("Chạm vào màn hình một lần để bật tiếng")).to_be_hidden()
    expect(tall.get_by_text("Chạm vào màn hình một lần để bật tiếng")).to_be_visible()
    first, second = hospital.call("P001", now=system_clock()), hospital.call("P002", now=system_clock())
    in_order = [first.number_text, second.number_text]
    for board in (wide, tall):
        expect(board.locator("[data-number]")).to_have_text(second.number_text)
        assert board.evaluate("shown") == in_order
        expect(board.locator("[data-recent] li").first).to_contain_text(first.number_text)
        no_faults(board)
        fits(board)
    spoken = [url.rsplit("/", 1)[1] for url in asked[wide] if "/static/voice/1/vi-south/" in url]
    assert spoken[0] == "call.mp3"
    assert {"one.mp3", "two.mp3", "to.mp3", "clinic.mp3"} <= set(spoken)
    assert not [url for url in asked[tall] if "/static/voice/" in url]


def test_a_restart_loses_no_call_and_says_so_meanwhile(
    opened: Callable[..., Page], product: Server, hospital: Hospital, area: str
):
    fill(hospital, 0)
    board = opened(WIDE)
    board.goto(f"http://{product.address}{area}")
    board.evaluate(RECORD)
    called = [hospital.call("P001", now=system_clock()).number_text]
    expect(board.locator("[data-number]")).to_have_text(called[0])
    product.stop()
    expect(board.get_by_text("Mất kết nối")).to_be_visible()
    no_faults(board)
    called += [hospital.call(room, now=system_clock()).number_text for room in ("P001", "P002", "P001")]
    product.start()
    expect(board.get_by_text("Mất kết nối")).to_be_hidden(timeout=60_000)
    expect(board.locator("[data-number]")).to_have_text(called[-1])
    assert board.evaluate("shown") == called


def test_who_missed_the_call_stands_on_the_board_until_called_again(
    opened: Callable[..., Page], product: Server, hospital: Hospital, area: str
):
    fill(hospital, 0)
    board = opened(TALL)
    board.goto(f"http://{product.address}{area}")
    called = hospital.call("P001", now=system_clock())
    expect(board.locator("[data-number]")).to_have_text(called.number_text)
    with hospital.begin() as session:
        skip(session, hospital.doctor, called.id, now=system_clock())
    expect(board.locator("[data-missed]")).to_have_text(called.number_text)
    no_faults(board)
    fits(board)


@pytest.fixture
def staff(app: Flask, hospital: Hospital, clock: MovableClock) -> dict[str, str]:
    """The cookie of the facility's administrator."""
    _admin, token = administrator(hospital)
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return {"name": "session", "value": serializer.dumps({"_user_id": token, "_fresh": True})}


@pytest.mark.parametrize("size", [COMPUTER, PHONE])
def test_the_hall_its_figures_and_its_boards_are_read_and_arranged(
    opened: Callable[..., Page],
    site: str,
    hospital: Hospital,
    staff: dict[str, str],
    clock: MovableClock,
    size: tuple[int, int],
):
    for minute in range(12):
        hospital.number("P001", now=clock.now - timedelta(minutes=75 - minute))
        hospital.number("registration", now=clock.now - timedelta(minutes=20 - minute))
    for number in range(6):
        called = hospital.call("P001", now=clock.now - timedelta(minutes=40 - number))
        with hospital.begin() as session:
            if number == 2:
                skip(session, hospital.doctor, called.id, now=clock.now)
                continue
            start(session, hospital.doctor, called.id, now=clock.now)
            if number < 5:
                done(session, hospital.doctor, called.id, now=clock.now, cipher=hospital.cipher)
    page = opened(size, staff | {"url": site})
    page.goto(f"{site}/hall")
    expect(page.get_by_role("row", name="Phòng khám 1").first).to_contain_text("phút")
    no_faults(page)
    page.goto(f"{site}/hall/figures")
    expect(page.get_by_role("img", name="Thời gian chờ, Theo giờ vào hàng")).to_be_visible()
    no_faults(page)
    page.goto(f"{site}/admin/facilities/{hospital.id}/boards/new")
    no_faults(page)
    page.get_by_label("Tên khu vực").fill("Sảnh A, tầng 1")
    page.get_by_label("Địa chỉ của bảng").fill("Sảnh A")
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_text("Địa chỉ chỉ gồm chữ thường").first).to_be_visible()
    no_faults(page)
    page.get_by_label("Địa chỉ của bảng").fill("sanh-a")
    page.get_by_role("checkbox", name="Phòng khám 1").first.check()
    page.get_by_role("button", name="Lưu").click()
    page.get_by_role("link", name="/board/77001/sanh-a").click()
    expect(page.get_by_role("heading", name="Sảnh A, tầng 1")).to_be_visible()
