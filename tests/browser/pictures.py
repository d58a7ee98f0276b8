"""The pictures of the README, taken of the live product: `python3 run.py test tests/browser/pictures.py`.

Nothing is asserted here; look at what comes out in docs/pictures.
"""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from telehealth.directory.codes import Modality
from telehealth.embedded.place import ROOT
from tests.browser.chromium import launch, opened, sees
from tests.browser.live import BY_VIDEO, HOSPITAL, IN_PERSON, Live, fresh_phone, is_today, wait_out_the_day
from tests.browser.portraits import DOCTOR_SCENE, PATIENT_SCENE, portrait_clip
from tests.browser.steps import (
    Desk,
    book_earliest,
    check_in_at_the_kiosk,
    follow_the_number,
    go_to_the_room,
    open_the_room,
    put_into_use,
    sign_in,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PICTURES = ROOT / "docs" / "pictures"
ON_THE_WAY = {"home", "person", "confirm", "done", "kiosk", "kiosk-ticket", "desk"}
PHONE, KIOSK, BOARD, COMPUTER = (390, 844), (1080, 1920), (1920, 1080), (1366, 768)
SHARP = 2  # pixels of a picture to one of the phone's


SMALLER = """async (png) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL("image/webp", 0.9).split(",")[1];
}"""


def take(page: Page, name: str) -> None:
    """Write one picture, once the fonts are there and nothing moves."""
    page.evaluate("document.fonts.ready.then(() => null)")
    picture = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
    browser = page.context.browser
    assert browser is not None
    workshop = browser.new_page()
    webp = workshop.evaluate(SMALLER, picture)
    workshop.close()
    (PICTURES / f"{name}.webp").write_bytes(base64.b64decode(webp))


def take_on_the_way(page: Page, name: str) -> None:
    if name in ON_THE_WAY:
        take(page, name)


@pytest.fixture
def family(playwright: Playwright, tmp_path: Path) -> Iterator[Browser]:
    browser = launch(playwright, portrait_clip(tmp_path / "patient.y4m", PATIENT_SCENE))
    yield browser
    browser.close()


@pytest.fixture
def hospital(playwright: Playwright, tmp_path: Path) -> Iterator[Browser]:
    browser = launch(playwright, portrait_clip(tmp_path / "doctor.y4m", DOCTOR_SCENE))
    yield browser
    browser.close()


def test_take_the_pictures(live: Live, family: Browser, hospital: Browser) -> None:
    wait_out_the_day()
    PICTURES.mkdir(exist_ok=True)
    number = fresh_phone(zalo=False)
    with (
        opened(family, *PHONE, device_scale_factor=SHARP, locale="vi-VN") as (phone, _),
        opened(hospital, *KIOSK) as (kiosk, _),
        opened(hospital, *COMPUTER) as (doctor, _),
    ):
        phone.goto(f"{live.base}/book/times?service=internal")
        take(phone, "slots")
        booked = book_earliest(live, phone, number, take_on_the_way)
        desk, code = Desk(live, booked), booked.code
        if not is_today(booked.start):
            code = desk.book(IN_PERSON, Modality.IN_PERSON)
        put_into_use(live, kiosk, take_on_the_way)
        call_walk_ins(live, hospital, kiosk)
        own = check_in_at_the_kiosk(kiosk, code, take_on_the_way)
        follow_the_number(live, phone, own)
        take(phone, "follow")
        desk.book(BY_VIDEO, Modality.VIDEO)
        phone.goto(f"{live.base}/appointments")
        take(phone, "appointments")
        sign_in(live, doctor)
        doctor.get_by_role("button", name="Gọi số tiếp theo").click()
        expect(doctor.locator(".th-now__number")).to_have_text(own)
        take(doctor, "clinic")
        take_the_board(live, hospital)
        doctor.get_by_role("button", name="Xong").click()
        take_the_room(live, phone, doctor)
        take_the_messages(live, hospital, number)


def call_walk_ins(live: Live, hospital: Browser, kiosk: Page) -> None:
    """Let three people take numbers for registration, and the clerk call them."""
    for _ in range(3):
        kiosk.get_by_role("link", name="Khám BHYT").click()
        kiosk.get_by_role("button", name="Không mang giấy tờ").click()
        expect(kiosk.get_by_text("Số của quý vị").first).to_be_visible()
        kiosk.goto(f"{live.base}/kiosk")
    with opened(hospital, *COMPUTER) as (clerk, _):
        sign_in(live, clerk, "letan", "/desk", take_on_the_way)
        clerk.goto(f"{live.base}/clinic")
        for desk in ("Quầy đăng ký 1", "Quầy đăng ký 2", "Quầy đăng ký 3"):
            clerk.get_by_label("Chọn phòng hoặc quầy").select_option(label=desk)
            clerk.get_by_role("button", name="Mở", exact=True).click()
            clerk.get_by_role("button", name="Gọi số tiếp theo").click()
            expect(clerk.locator(".th-now__number")).to_be_visible()


def take_the_board(live: Live, hospital: Browser) -> None:
    with opened(hospital, *BOARD) as (board, _):
        board.goto(f"{live.base}/board/{HOSPITAL}")
        take(board, "board")


def take_the_room(live: Live, phone: Page, doctor: Page) -> None:
    """Show both sides of a consultation in one picture."""
    go_to_the_room(live, phone)
    phone.get_by_role("button", name="Vào phòng khám").click()
    open_the_room(live, doctor)
    doctor.get_by_role("button", name="Vào phòng khám").click()
    sees(phone)
    sees(doctor)
    sides = [base64.b64encode(page.screenshot()).decode() for page in (doctor, phone)]
    page = doctor.context.new_page()
    page.set_content(
        "<body style='margin:0;padding:24px;background:#e8eeee;display:flex;gap:24px;height:720px'>"
        + "".join(f"<img style='height:720px' src='data:image/png;base64,{side}'>" for side in sides)
    )
    page.set_viewport_size({"width": 48 + 24 + 1281 + 333, "height": 768})
    take(page, "room")


def take_the_messages(live: Live, hospital: Browser, number: str) -> None:
    with opened(hospital, *COMPUTER) as (inbox, _):
        inbox.goto(f"{live.sandbox}/?to={number}")
        expect(inbox.locator(".bubble").first).to_be_visible()
        take(inbox, "messages")
