"""A hospital's morning on six screens at once: kiosk, two boards, desk, doctor, and a phone that follows.

One person with an appointment goes the whole path: kiosk, room, cashier, laboratory, back to the room near
the front, cashier, pharmacy. A walk-in is handed on by the desk meanwhile. Only real buttons are pressed;
what is waited for is a state on a screen, never a time.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from telehealth.directory.codes import Modality
from tests.browser.chromium import opened
from tests.browser.live import HOSPITAL, IN_PERSON, ROOM_NAME, Live, wait_out_the_day
from tests.browser.steps import api_token, book_soon, check_in_at_the_kiosk, put_into_use, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

SIZES = {
    "kiosk": (1080, 1920),
    "halls": (1920, 1080),
    "stations": (1920, 1080),
    "desk": (1366, 768),
    "doctor": (1366, 768),
    "phone": (390, 844),
}
DESK, CASHIER = "Quầy đăng ký 1", "Quầy thu phí 1"
LABORATORY, PHARMACY = "Phòng lấy mẫu 1", "Quầy phát thuốc 1"
MOST_BEFORE = 12


@dataclass(frozen=True)
class Screens:
    """The six, and what they complained of."""

    kiosk: Page
    halls: Page
    stations: Page
    desk: Page
    doctor: Page
    phone: Page
    complaints: dict[str, list[str]]


@pytest.fixture
def screens(chromium: Browser) -> Iterator[Screens]:
    with ExitStack() as stack:
        pages: dict[str, Any] = {}
        complaints = {}
        for name, (width, height) in SIZES.items():
            page = opened(chromium, width, height, locale="vi-VN")
            pages[name], complaints[name] = stack.enter_context(page)
        yield Screens(**pages, complaints=complaints)


def test_a_morning_on_six_screens(live: Live, screens: Screens) -> None:
    wait_out_the_day()
    hang_up_boards(live, screens)
    put_into_use(live, screens.kiosk)
    sign_in(live, screens.doctor)
    code = appointment(live)
    sign_in(live, screens.desk, "letan", "/clinic")
    walk_in = number_without_papers(screens.kiosk)
    mine, follow = check_in(screens.kiosk, code)
    waiting = [number_of_the_room(live) for _ in range(2)]
    screens.phone.goto(follow)
    expect(number_on(screens.phone)).to_have_text(mine)

    at(screens.desk, DESK)
    call(screens.desk, walk_in)
    call(screens.doctor, mine)
    # Two calls at once: one after the other, none wiped out; the other board shows neither.
    expect(shown(screens.halls)).to_have_text(mine)
    expect(screens.halls.locator("[data-recent]")).to_contain_text(walk_in)
    expect(screens.phone.get_by_text(f"Đến lượt quý vị. Mời vào {ROOM_NAME}.")).to_be_visible()
    handed_on = hand_on(screens.desk, ROOM_NAME)

    cashier = order_tests(screens.doctor)
    expect(number_on(screens.phone)).to_have_text(cashier)
    at(screens.desk, CASHIER)
    serve(screens, cashier, "Đã thu")
    laboratory = next_number(screens.phone, cashier)
    at(screens.desk, LABORATORY)
    serve(screens, laboratory, "Đã lấy mẫu")
    screens.desk.get_by_role("button", name="Có kết quả").last.click()
    back = next_number(screens.phone, laboratory)

    # Back with results: after one more person, before those who came this morning.
    expect(line(screens.doctor)).to_contain_text([back])
    order = line(screens.doctor).all_inner_texts()
    assert order.index(back) < min(order.index(each) for each in (waiting[1], handed_on))
    call(screens.doctor, back)
    expect(screens.phone.get_by_text(f"Đến lượt quý vị. Mời vào {ROOM_NAME}.")).to_be_visible()
    prescribe(screens.doctor)

    settled = next_number(screens.phone, back)
    at(screens.desk, CASHIER)
    serve(screens, settled, "Đã thu")
    medicines = next_number(screens.phone, settled)
    at(screens.desk, PHARMACY)
    serve(screens, medicines, "Đã phát thuốc")
    expect(screens.phone.locator(".th-journey")).to_contain_text("Đã xong các bước hôm nay")

    own = [walk_in, mine, *waiting, handed_on, cashier, laboratory, back, settled, medicines]
    assert len(set(own)) == len(own)
    of_stations = {cashier, laboratory, settled, medicines}
    assert not of_stations & set(screens.halls.locator("[data-recent] b").all_inner_texts())
    empty_the_room(screens.doctor)
    assert screens.complaints == {name: [] for name in SIZES}


def hang_up_boards(live: Live, screens: Screens) -> None:
    """One board for the halls and the doctor's room, one for cashier, laboratory and pharmacy."""
    queues = live.call(f"/api/v1/queues?facility={HOSPITAL}")["items"]
    token = api_token(live, "quantri")
    areas = {"kham-benh": ("registration", ROOM_NAME), "thu-phi": ("cashier", "sampling", "pharmacy")}
    for page, (code, wanted) in zip((screens.halls, screens.stations), areas.items(), strict=True):
        own = [each["id"] for each in queues if each["kind"] in wanted or each["name"] in wanted]
        area = {"name": f"Sảnh {code}", "code": code, "queues": own, "least_seconds": 4, "muted": True}
        live.call(f"/api/v1/facilities/{HOSPITAL}/board-areas", area, token)
        page.goto(f"{live.base}/board/{HOSPITAL}/{code}")


def appointment(live: Live) -> str:
    """Register somebody at the desk and book the next free minutes of the doctor's."""
    token = api_token(live, "letan")
    person = {"full_name": "Võ Thị Bảy", "birth_year": 1961, "sex": "female"}
    patient = live.call("/api/v1/patients", person, token)
    return book_soon(live, token, patient["id"], IN_PERSON, Modality.IN_PERSON)


def number_without_papers(kiosk: Page) -> str:
    """Take a number for reception, as somebody does who has no papers, and leave the screen empty."""
    kiosk.get_by_role("link", name="Không BHYT / Theo yêu cầu").click()
    kiosk.get_by_role("button", name="Không mang giấy tờ").click()
    slip = kiosk.locator(".th-kiosk__ticket")
    expect(slip).to_contain_text("Quầy tiếp đón")
    number = slip.locator("b").inner_text()
    kiosk.get_by_role("link", name="Xong").click()
    expect(kiosk.get_by_role("heading", name="Quý vị cần gì?")).to_be_visible()
    return number


def check_in(kiosk: Page, code: str) -> tuple[str, str]:
    """Check in; return the number and the address that the slip leads to."""
    number = check_in_at_the_kiosk(kiosk, code)
    slip = json.loads(kiosk.locator("[data-slip]").get_attribute("data-slip") or "{}")
    return number, str(slip["address"])


def number_of_the_room(live: Live) -> str:
    """Give somebody else a number of the doctor's room, as any kiosk does."""
    queues = live.call(f"/api/v1/queues?facility={HOSPITAL}")["items"]
    room = next(each["id"] for each in queues if each["name"] == ROOM_NAME)
    press = {"priority": "none", "purpose": "other"}
    return str(live.call(f"/api/v1/queues/{room}/tickets", press, live.kiosk_token(HOSPITAL))["number"])


def at(console: Page, place: str) -> None:
    """Sit down at another desk, counter or room."""
    console.get_by_label("Chọn phòng hoặc quầy").select_option(label=place)
    console.get_by_role("button", name="Mở", exact=True).click()
    expect(console.get_by_label("Chọn phòng hoặc quầy").locator("option:checked")).to_have_text(place)


def call(console: Page, number: str) -> None:
    """Call until it is this number's turn; whoever comes before is let go at once."""
    now = console.locator(".th-now")
    for _ in range(MOST_BEFORE):
        before = now.inner_text()
        console.get_by_role("button", name="Gọi số tiếp theo").click()
        expect(now).not_to_have_text(before, use_inner_text=True)
        if now.locator(".th-now__number").inner_text() == number:
            return
        finish(console)
    raise AssertionError(f"{number} was not called")


def finish(console: Page) -> None:
    """Be through with whoever was called; the button is the last of the row and named after the station."""
    console.locator(".th-clinic__steps button[data-hotkey=F9]").click()
    expect(console.locator(".th-now")).to_contain_text("Chưa gọi ai")


def serve(screens: Screens, number: str, button: str) -> None:
    """Call at the stations; their board and the phone show it; do what is done there."""
    call(screens.desk, number)
    expect(shown(screens.stations)).to_have_text(number)
    expect(screens.phone.get_by_text("Đến lượt quý vị.")).to_be_visible()
    screens.desk.get_by_role("button", name="Bắt đầu").click()
    expect(screens.desk.locator(".th-now")).to_contain_text("Đang phục vụ")
    screens.desk.get_by_role("button", name=button).click()
    expect(screens.desk.locator(".th-now")).to_contain_text("Chưa gọi ai")


def hand_on(desk: Page, place: str) -> str:
    """Send whoever was called on to a room, and return the number there."""
    desk.get_by_role("button", name="Bắt đầu").click()
    expect(desk.locator(".th-now")).to_contain_text("Đang phục vụ")
    desk.get_by_text("Chuyển đến nơi khác").click()
    desk.get_by_label("Nơi đến").select_option(label=place)
    desk.get_by_role("button", name="Chuyển", exact=True).click()
    return told(desk, rf"Mời người bệnh đến {place}, số (\S+)\.")


def order_tests(doctor: Page) -> str:
    """Begin with the person and send them for tests; return the number at the cashier's."""
    doctor.get_by_role("button", name="Bắt đầu").click()
    expect(doctor.locator(".th-now")).to_contain_text("Đang phục vụ")
    doctor.get_by_role("button", name="Chỉ định xét nghiệm").click()
    return told(doctor, r"Mời người bệnh đến Quầy thu phí, số (\S+)\.")


def prescribe(doctor: Page) -> None:
    doctor.get_by_role("button", name="Bắt đầu").click()
    expect(doctor.locator(".th-now")).to_contain_text("Đang phục vụ")
    doctor.get_by_role("button", name="Kê đơn").click()
    expect(doctor.get_by_text("Đã ghi nhận kê đơn")).to_be_visible()
    finish(doctor)


def told(console: Page, words: str) -> str:
    """Return what a console says of where somebody goes now."""
    said = console.get_by_text(re.compile(words)).first
    expect(said).to_be_visible()
    found = re.search(words, said.inner_text())
    assert found
    return found[1]


def next_number(phone: Page, last: str) -> str:
    """Return the number that the phone shows by itself after this one."""
    expect(number_on(phone)).not_to_have_text(last)
    return number_on(phone).inner_text()


def empty_the_room(doctor: Page) -> None:
    """See everybody who still waits: other tests find an empty room."""
    for _ in range(MOST_BEFORE):
        if not line(doctor).count():
            return
        doctor.get_by_role("button", name="Gọi số tiếp theo").click()
        expect(doctor.locator(".th-now__number")).to_be_visible()
        finish(doctor)


def number_on(phone: Page) -> Any:
    return phone.locator(".th-ticket__number")


def shown(board: Page) -> Any:
    return board.locator("[data-number]")


def line(console: Page) -> Any:
    """The numbers that wait, in the order they are called in."""
    return console.locator("table:has(th:text-is('Chờ từ')) tbody td:first-child")
