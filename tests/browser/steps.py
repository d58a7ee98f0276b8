"""What people do with the product, step by step, by the real buttons; `look` is called on each new screen."""

import json
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from playwright.sync_api import Page, expect

from telehealth.core.clock import business_date
from telehealth.directory.codes import Modality
from tests.browser.live import DOCTOR, DOCTOR_NAME, HOSPITAL, HOSPITAL_NAME, ROOM_NAME, Live, coming_slot

PATIENT = "Lê Thị Hồng Nhung"

Look = Callable[[Page, str], None]


def pass_by(page: Page, name: str) -> None:
    """Look at nothing in particular."""


@dataclass(frozen=True)
class Booked:
    """An appointment as its message tells of it."""

    code: str
    start: datetime


def book_earliest(live: Live, phone: Page, number: str, look: Look = pass_by, name: str = PATIENT) -> Booked:
    """Find the earliest slots of the province without an account, and book one of them."""
    phone.goto(live.base)
    look(phone, "home")
    phone.get_by_role("link", name="Đặt lịch khám").first.click()
    look(phone, "services")
    phone.get_by_role("link", name="Khám tim mạch").click()
    expect(phone.locator(".th-card").first).to_contain_text("Bác sĩ nào cũng được")
    first = phone.locator(".th-card", has_text=DOCTOR_NAME).first
    expect(first).to_contain_text(HOSPITAL_NAME)
    look(phone, "times")
    # A time that is just far enough ahead would be lost to who is slow, or looks closely at every screen.
    first.locator(".th-choices a").last.click()
    expect(phone.get_by_role("heading", name="Giờ khám quý vị chọn")).to_be_visible()
    look(phone, "slot")
    phone.get_by_label("Số điện thoại").fill(number)
    phone.get_by_role("button", name="Gửi mã cho tôi").click()
    expect(phone.get_by_text(f"ba số cuối {number[-3:]}")).to_be_visible()
    look(phone, "code")
    enter_code(phone, live.message(number, r"Ma xac nhan cua ban la (\d{6})")[1])
    _say_who(phone, look, name)
    expect(phone.get_by_role("heading", name="Xem lại trước khi đặt")).to_be_visible()
    expect(phone.locator("main")).to_contain_text("chưa kiểm tra")
    look(phone, "confirm")
    phone.get_by_role("checkbox", name="Tôi đồng ý").check()
    phone.get_by_role("button", name="Đặt lịch").click()
    expect(phone.get_by_text("Đã đặt lịch xong")).to_be_visible()
    expect(phone.locator(".th-qr svg")).to_be_visible()
    look(phone, "done")
    code = phone.locator(".th-qr__code").inner_text()
    told = live.message(number, rf"Da dat lich kham (\d\d:\d\d \d\d/\d\d/\d{{4}}), ma {code}")
    return Booked(code, datetime.strptime(f"{told[1]} +0700", "%H:%M %d/%m/%Y %z"))


def _say_who(phone: Page, look: Look, name: str) -> None:
    """Answer who will be seen, and on what ground insurance pays."""
    expect(phone.get_by_role("heading", name="Thông tin người được khám")).to_be_visible()
    look(phone, "person")
    phone.get_by_text("Tôi", exact=True).click()
    phone.get_by_label("Họ và tên").fill(name)
    phone.get_by_label("Năm").fill("1958")
    phone.get_by_text("Nữ", exact=True).click()
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("heading", name="Thêm vài thông tin")).to_be_visible()
    look(phone, "details")
    phone.locator('input[name="coverage_basis"][value="registered-here"] + span').click()
    phone.get_by_role("button", name="Tiếp tục").click()


class Desk:
    """The clerk, who may give a known person a slot that begins within minutes."""

    def __init__(self, live: Live, known: Booked) -> None:
        self.live = live
        self.token = api_token(live, "letan")
        day = business_date(known.start).isoformat()
        found = live.call(f"/api/v1/appointments?facility={HOSPITAL}&date={day}", token=self.token)["items"]
        self.patient_id = next(item["patient_id"] for item in found if item["code"] == known.code)

    def book(self, service: str, modality: Modality) -> str:
        """Book the person's first coming slot that no other test has taken, and return its code."""
        return book_soon(self.live, self.token, self.patient_id, service, modality)


def api_token(live: Live, login: str) -> str:
    """Sign a program of somebody's in."""
    account = live.account(login)
    credentials = {name: account[name] for name in ("login", "password")} | {"totp": live.totp(login)}
    return str(live.call("/api/v1/sessions", credentials)["token"])


def book_soon(live: Live, token: str, patient_id: str, service: str, modality: Modality) -> str:
    """Book a person's first coming slot that no other test has taken, and return its code."""
    for minutes in range(2, 8):
        asked = {"slot_id": coming_slot(service, modality, minutes), "patient_id": patient_id}
        try:
            return str(live.call("/api/v1/appointments", asked, token)["code"])
        except urllib.error.HTTPError as refused:
            if json.load(refused)["code"] != "slot-taken":
                raise
    raise AssertionError("every coming slot is taken")


def put_into_use(live: Live, kiosk: Page, look: Look = pass_by) -> None:
    """Make a machine the hospital's kiosk, as its administrator does once."""
    kiosk.goto(f"{live.base}/kiosk")
    look(kiosk, "kiosk-activate")
    kiosk.get_by_label("Mã của máy").fill(live.kiosk_token(HOSPITAL))
    kiosk.get_by_role("button", name="Bắt đầu").click()
    expect(kiosk.get_by_role("heading", name="Quý vị cần gì?")).to_be_visible()
    look(kiosk, "kiosk")


def check_in_at_the_kiosk(kiosk: Page, code: str, look: Look = pass_by) -> str:
    """Check in by the code, from the kiosk's first screen, and return the number on the slip."""
    kiosk.get_by_role("link", name="Đã đặt lịch").click()
    expect(kiosk.get_by_role("textbox", name="Mã hẹn")).to_be_visible()
    look(kiosk, "kiosk-code")
    kiosk.get_by_role("textbox", name="Mã hẹn").fill(code)
    kiosk.get_by_role("button", name="Tiếp tục").click()
    expect(kiosk.get_by_role("heading", name="Có đúng là quý vị không?")).to_be_visible()
    look(kiosk, "kiosk-confirm")
    kiosk.get_by_role("button", name="Đúng, lấy số khám").click()
    slip = kiosk.locator(".th-kiosk__ticket")
    expect(slip).to_contain_text("Số của quý vị")
    expect(slip).to_contain_text(ROOM_NAME)
    look(kiosk, "kiosk-ticket")
    return slip.locator("b").inner_text()


def follow_the_number(live: Live, phone: Page, number: str, look: Look = pass_by) -> None:
    """Go from the appointment to the number's own page, which then changes by itself."""
    phone.goto(f"{live.base}/appointments")
    look(phone, "appointments")
    phone.locator(".th-card", has_text="Đã đến").get_by_role("link").first.click()
    phone.get_by_role("link", name="Theo dõi số thứ tự").click()
    expect(phone.locator(".th-ticket__number")).to_have_text(number)
    look(phone, "follow")


def enter_code(page: Page, code: str) -> None:
    """Type a code once the page's scripts run: they send it when it is whole."""
    page.wait_for_load_state()
    page.locator("#code").fill(code)


def sign_in(
    live: Live, page: Page, login: str = DOCTOR, console: str = "/clinic", look: Look = pass_by
) -> None:
    """Sign somebody in with password and authenticator, on the way to their console."""
    page.goto(f"{live.base}{console}")
    look(page, "staff-sign-in")
    page.get_by_label("Tên đăng nhập").fill(login)
    page.get_by_label("Mật khẩu").fill(live.account(login)["password"])
    page.get_by_role("button", name="Tiếp tục").click()
    expect(page.locator("#code")).to_be_visible()
    look(page, "staff-code")
    enter_code(page, live.totp(login))
    expect(page).to_have_url(f"{live.base}{console}")
    look(page, console.strip("/"))


def call_and_finish(doctor: Page, number: str, look: Look = pass_by) -> None:
    """Call the next number, begin and finish with it."""
    doctor.get_by_role("button", name="Gọi số tiếp theo").click()
    expect(doctor.locator(".th-now__number")).to_have_text(number)
    look(doctor, "clinic-called")
    doctor.get_by_role("button", name="Bắt đầu").click()
    expect(doctor.locator(".th-now")).to_contain_text("Đang phục vụ")
    look(doctor, "clinic-serving")
    doctor.get_by_role("button", name="Xong").click()
    expect(doctor.locator(".th-now")).to_contain_text("Chưa gọi ai")


def go_to_the_room(live: Live, phone: Page) -> None:
    """Go by one tap from `my appointments` to the room of a video appointment."""
    phone.goto(live.base)
    phone.get_by_role("link", name="Lịch của tôi").first.click()
    phone.get_by_role("button", name="Vào phòng khám").click()
    expect(phone.get_by_role("heading", name="Chuẩn bị vào phòng khám")).to_be_visible()


def open_the_room(live: Live, doctor: Page) -> None:
    """Go from the doctor's day to the patient's room."""
    doctor.goto(f"{live.base}/clinic")
    doctor.get_by_role("row", name=PATIENT).get_by_role("button", name="Vào phòng video").click()
    expect(doctor.get_by_role("heading", name="Chuẩn bị vào phòng khám")).to_be_visible()
