"""The main job from end to end: a patient on a phone, the kiosk, the board, the doctor; then by video.

One run of the whole product, as `run.py` starts it. Only the real buttons are pressed; what is waited
for is a condition, never a time.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, Playwright, expect

from telehealth.core.clock import business_date
from telehealth.directory.codes import Modality
from tests.browser.chromium import (
    GREEN_WHITE,
    RED_BLUE,
    launch,
    marker_clip,
    opened,
    sees,
    wait_for_state,
)
from tests.browser.live import (
    BY_VIDEO,
    DOCTOR,
    DOCTOR_NAME,
    HOSPITAL,
    HOSPITAL_NAME,
    IN_PERSON,
    ROOM_NAME,
    Live,
    coming_slot,
    fresh_phone,
    is_today,
    wait_out_the_day,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

PATIENT = "Lê Thị Hồng Nhung"
PHONE = fresh_phone(zalo=False)


@dataclass(frozen=True)
class People:
    """Everybody's screen, and what the screens complained of."""

    patient: Page
    kiosk: Page
    board: Page
    doctor: Page
    complaints: dict[str, list[str]]


@dataclass(frozen=True)
class Booked:
    """An appointment as its message tells of it."""

    code: str
    start: datetime


@pytest.fixture
def people(playwright: Playwright, tmp_path: Path) -> Iterator[People]:
    """Open the screens: the phone's camera sees red and blue, the doctor's green and white."""
    with ExitStack() as stack:
        phone = launch(playwright, marker_clip(tmp_path / "phone.y4m", RED_BLUE))
        stack.callback(phone.close)
        hospital = launch(playwright, marker_clip(tmp_path / "hospital.y4m", GREEN_WHITE))
        stack.callback(hospital.close)
        patient, said_patient = stack.enter_context(opened(phone, 390, 844, locale="vi-VN"))
        kiosk, said_kiosk = stack.enter_context(opened(hospital, 1080, 1920, locale="vi-VN"))
        board, said_board = stack.enter_context(opened(hospital, 1920, 1080, locale="vi-VN"))
        doctor, said_doctor = stack.enter_context(opened(hospital, 1366, 768, locale="vi-VN"))
        said = {"patient": said_patient, "kiosk": said_kiosk, "board": said_board, "doctor": said_doctor}
        yield People(patient, kiosk, board, doctor, said)


def test_a_patient_books_is_called_and_meets_the_doctor_by_video(live: Live, people: People) -> None:
    wait_out_the_day()
    booked = book_earliest(live, people.patient)
    desk = Desk(live, booked)
    code = booked.code
    if not is_today(booked.start):  # late in the evening the earliest slot is after midnight
        code = desk.book(IN_PERSON, Modality.IN_PERSON)
    people.board.goto(f"{live.base}/board/{HOSPITAL}")
    number = check_in_at_the_kiosk(live, people.kiosk, code)
    follow_the_number(live, people.patient, number)
    be_called(live, people, number)
    meet_by_video(live, people, desk.book(BY_VIDEO, Modality.VIDEO))
    assert who_was_there(live) == ["patient", "practitioner"]
    assert people.complaints == {"patient": [], "kiosk": [], "board": [], "doctor": []}


def book_earliest(live: Live, phone: Page) -> Booked:
    """Find the earliest slot of the province without an account and book it; return its code and time."""
    phone.goto(live.base)
    phone.get_by_role("link", name="Đặt lịch khám").first.click()
    phone.get_by_role("link", name="Khám tim mạch").click()
    first = phone.locator(".th-card").first
    expect(first).to_contain_text(HOSPITAL_NAME)
    expect(first).to_contain_text(DOCTOR_NAME)
    first.locator(".th-choices a").first.click()
    expect(phone.get_by_role("heading", name="Giờ khám quý vị chọn")).to_be_visible()
    phone.get_by_label("Số điện thoại").fill(PHONE)
    phone.get_by_role("button", name="Gửi mã cho tôi").click()
    expect(phone.get_by_text(f"ba số cuối {PHONE[-3:]}")).to_be_visible()
    phone.locator("#code").fill(live.message(PHONE, r"Ma xac nhan cua ban la (\d{6})")[1])
    say_who(phone)
    expect(phone.get_by_role("heading", name="Xem lại trước khi đặt")).to_be_visible()
    expect(phone.locator("main")).to_contain_text("chưa kiểm tra")
    phone.get_by_role("checkbox", name="Tôi đồng ý").check()
    phone.get_by_role("button", name="Đặt lịch").click()
    expect(phone.get_by_text("Đã đặt lịch xong")).to_be_visible()
    expect(phone.locator(".th-qr svg")).to_be_visible()
    code = phone.locator(".th-qr__code").inner_text()
    told = live.message(PHONE, rf"Da dat lich kham (\d\d:\d\d \d\d/\d\d/\d{{4}}), ma {code}")
    return Booked(code, datetime.strptime(f"{told[1]} +0700", "%H:%M %d/%m/%Y %z"))


def say_who(phone: Page) -> None:
    """Answer who will be seen, and on what ground insurance pays."""
    expect(phone.get_by_role("heading", name="Thông tin người được khám")).to_be_visible()
    phone.get_by_text("Tôi", exact=True).click()
    phone.get_by_label("Họ và tên").fill(PATIENT)
    phone.get_by_label("Năm").fill("1958")
    phone.get_by_text("Nữ", exact=True).click()
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("heading", name="Thêm vài thông tin")).to_be_visible()
    phone.locator('input[name="coverage_basis"][value="registered-here"] + span').click()
    phone.get_by_role("button", name="Tiếp tục").click()


class Desk:
    """The clerk, who may give a known person a slot that begins within minutes."""

    def __init__(self, live: Live, known: Booked) -> None:
        clerk = live.account("letan")
        credentials = {name: clerk[name] for name in ("login", "password")} | {"totp": live.totp("letan")}
        self.live = live
        self.token = live.call("/api/v1/sessions", credentials)["token"]
        day = business_date(known.start).isoformat()
        found = live.call(f"/api/v1/appointments?facility={HOSPITAL}&date={day}", token=self.token)["items"]
        self.patient_id = next(item["patient_id"] for item in found if item["code"] == known.code)

    def book(self, service: str, modality: Modality) -> str:
        """Book the person's coming slot and return its code."""
        asked = {"slot_id": coming_slot(service, modality), "patient_id": self.patient_id}
        return str(self.live.call("/api/v1/appointments", asked, self.token)["code"])


def check_in_at_the_kiosk(live: Live, kiosk: Page, code: str) -> str:
    """Put the machine into use, check in by the code and return the number on the slip."""
    kiosk.goto(f"{live.base}/kiosk")
    kiosk.get_by_label("Mã của máy").fill(live.kiosk_token(HOSPITAL))
    kiosk.get_by_role("button", name="Bắt đầu").click()
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    kiosk.get_by_role("textbox", name="Mã lịch hẹn").fill(code)
    kiosk.get_by_role("button", name="Lấy số").click()
    slip = kiosk.locator(".th-kiosk__ticket")
    expect(slip).to_contain_text("Số của quý vị")
    expect(slip).to_contain_text(ROOM_NAME)
    return slip.locator("b").inner_text()


def follow_the_number(live: Live, phone: Page, number: str) -> None:
    """Go from the appointment to the number's own page, which then changes by itself."""
    phone.goto(f"{live.base}/appointments")
    phone.locator(".th-card", has_text="Đã đến").get_by_role("link").first.click()
    phone.get_by_role("link", name="Theo dõi số thứ tự").click()
    expect(phone.locator(".th-ticket__number")).to_have_text(number)
    expect(phone.locator("[data-here]")).to_contain_text("Bạn là người kế tiếp")


def be_called(live: Live, people: People, number: str) -> None:
    """The doctor calls: board and phone show it by themselves. The visit begins and is finished."""
    doctor, phone = people.doctor, people.patient
    sign_in(live, doctor)
    expect(doctor.get_by_role("cell", name=number)).to_be_visible()
    doctor.get_by_role("button", name="Gọi số tiếp theo").click()
    expect(doctor.locator(".th-now__number")).to_have_text(number)
    expect(people.board.locator("[data-number]")).to_have_text(number)
    expect(people.board.locator("[data-room]")).to_have_text(ROOM_NAME)
    expect(phone.get_by_text(f"Đến lượt bạn. Mời vào {ROOM_NAME}.")).to_be_visible()
    doctor.get_by_role("button", name="Bắt đầu").click()
    expect(doctor.locator(".th-now")).to_contain_text("Đang phục vụ")
    expect(phone.get_by_text(f"Bạn đang được phục vụ tại {ROOM_NAME}.")).to_be_visible()
    doctor.get_by_role("button", name="Xong").click()
    expect(doctor.locator(".th-now")).to_contain_text("Chưa gọi ai")
    expect(phone.get_by_text("Số này đã xong")).to_be_visible()


def sign_in(live: Live, page: Page) -> None:
    """Sign the doctor in with password and authenticator, on the way to /clinic."""
    page.goto(f"{live.base}/clinic")
    page.get_by_label("Tên đăng nhập").fill(DOCTOR)
    page.get_by_label("Mật khẩu").fill(live.account(DOCTOR)["password"])
    page.get_by_role("button", name="Tiếp tục").click()
    page.locator("#code").fill(live.totp(DOCTOR))
    expect(page).to_have_url(f"{live.base}/clinic")


def meet_by_video(live: Live, people: People, code: str) -> None:
    """A video appointment of the same patient: both come, see each other, leave; the doctor ends it."""
    live.message(PHONE, rf"ma {code}")
    patient, doctor = people.patient, people.doctor
    patient.goto(live.base)
    patient.get_by_role("link", name="Lịch của tôi").first.click()
    patient.get_by_role("button", name="Vào phòng khám").click()
    enter_the_room(patient)
    wait_for_state(patient, "waiting")
    doctor.goto(f"{live.base}/clinic")
    doctor.get_by_role("row", name=PATIENT).get_by_role("button", name="Vào phòng video").click()
    enter_the_room(doctor)
    assert sees(patient) == ("green", "white")
    assert sees(doctor) == ("red", "blue")
    patient.get_by_role("button", name="Rời phòng").click()
    expect(patient.get_by_text("Quý vị đã rời phòng")).to_be_visible()
    wait_for_state(doctor, "waiting")
    doctor.get_by_role("button", name="Kết thúc buổi khám").click()
    doctor.get_by_role("dialog").get_by_role("button", name="Kết thúc").click()
    expect(doctor.get_by_text("Buổi khám đã kết thúc")).to_be_visible()
    patient.goto(f"{live.base}/appointments")
    expect(patient.locator("main")).to_contain_text("Đã khám")


def enter_the_room(page: Page) -> None:
    """Look at oneself, then go in."""
    expect(page.get_by_role("heading", name="Chuẩn bị vào phòng khám")).to_be_visible()
    page.get_by_role("button", name="Vào phòng khám").click()


def who_was_there(live: Live) -> list[str]:
    """Return the roles of those whose stay the finished video Encounter keeps, with both ends in order."""
    with psycopg.connect(live.database_url) as database:
        rows = database.execute(
            """
            SELECT p.role FROM encounter e JOIN encounter_participant p ON p.encounter_id = e.id
            WHERE e.modality = 'video' AND e.status = 'finished' AND e.started_at <= e.ended_at
              AND p.joined_at < p.left_at AND p.left_at <= e.ended_at
            ORDER BY p.role
            """
        ).fetchall()
    return [role for (role,) in rows]
