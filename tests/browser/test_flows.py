"""Each flow of patients and staff in a real browser, every new screen read by axe with no rule off.

Patients' screens are read on a phone in Vietnamese and wide in English, staff's wide and narrow.
"""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from telehealth.core.clock import business_date, system_clock
from telehealth.directory.codes import Modality
from telehealth.directory.keys import facility_key
from tests.browser.chromium import opened
from tests.browser.live import (
    HOSPITAL,
    HOSPITAL_NAME,
    IN_PERSON,
    Live,
    fresh_phone,
    is_today,
    until,
    wait_out_the_day,
)
from tests.browser.steps import (
    Booked,
    Desk,
    book_earliest,
    check_in_at_the_kiosk,
    enter_code,
    put_into_use,
    sign_in,
)
from tests.browser.test_accessibility import Inspection

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("live"), pytest.mark.timeout(600)]

PHONE, COMPUTER = (390, 844), (1366, 768)
MOTHER, SON = "Nguyễn Thị Mận", "Trần Quốc Việt"
ACCOUNT = "1903512345678"  # where the demonstration's deposits go
CODE = r"Ma xac nhan cua ban la (\d{6})"
ADMIN = f"/admin/facilities/{facility_key(HOSPITAL)}"


class Screens(Inspection):
    """Reads each screen at both sizes; a patient's a second time in English."""

    def patient(self, page: Page, name: str) -> None:
        """Read a page on the phone, and what its address shows wide in English."""
        self(page, name)
        tab = page.context.new_page()
        tab.set_viewport_size({"width": COMPUTER[0], "height": COMPUTER[1]})
        tab.goto(f"{page.url}{'&' if '?' in page.url else '?'}lang=en")
        expect(tab.locator("html")).to_have_attribute("lang", "en")
        self(tab, f"{name}, wide in English")
        tab.close()

    def staff(self, page: Page, name: str) -> None:
        """Read a page on a desk's screen, and the same page on a phone."""
        self(page, name)
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        self(page, f"{name}, narrow")
        page.set_viewport_size({"width": COMPUTER[0], "height": COMPUTER[1]})


@dataclass(frozen=True)
class Somebody:
    """Who is signed in, and the appointment they began with."""

    number: str
    state: StorageState
    booked: Booked


@pytest.fixture
def screens() -> Iterator[Screens]:
    """What reads the screens; a test fails for what it found."""
    reader = Screens()
    yield reader
    assert reader.found == []


@pytest.fixture(scope="module")
def mother(live: Live, chromium: Browser) -> Somebody:
    """A woman who booked the earliest time of the province, on her phone."""
    wait_out_the_day()
    number = fresh_phone(zalo=False)
    with opened(chromium, *PHONE, locale="vi-VN") as (page, _):
        booked = book_earliest(live, page, number, name=MOTHER)
        return Somebody(number, page.context.storage_state(), booked)


@pytest.fixture
def phone(chromium: Browser, mother: Somebody) -> Iterator[Page]:
    """Her phone."""
    with opened(chromium, *PHONE, locale="vi-VN", storage_state=mother.state) as (page, _):
        yield page


@pytest.fixture(scope="module")
def at_work(live: Live, chromium: Browser) -> Callable[[str, str], AbstractContextManager[Page]]:
    """Staff's screens; each login signs in once."""
    states: dict[str, StorageState] = {}

    @contextmanager
    def opened_for(login: str, console: str) -> Iterator[Page]:
        with opened(chromium, *COMPUTER, locale="vi-VN", storage_state=states.get(login)) as (page, _):
            if login not in states:
                sign_in(live, page, login, console)
                states[login] = page.context.storage_state()
            yield page

    return opened_for


@pytest.fixture
def clerk(at_work: Callable[[str, str], AbstractContextManager[Page]]) -> Iterator[Page]:
    with at_work("letan", "/desk") as page:
        yield page


@pytest.fixture
def admin(at_work: Callable[[str, str], AbstractContextManager[Page]]) -> Iterator[Page]:
    with at_work("quantri", ADMIN + "/staff") as page:
        yield page


def code_after(live: Live, number: str, ask: Callable[[], None]) -> str:
    """Do what sends a code to a phone, and return that code, not an earlier one."""
    before = len(live.messages(number))
    ask()

    def newest() -> str | None:
        messages = live.messages(number)
        texts = (str(message["text"]) for message in messages[: len(messages) - before])
        return next((found[1] for text in texts if (found := re.search(CODE, text))), None)

    return until(newest, f"a code for {number}")


def enter_by_code(live: Live, page: Page, number: str) -> None:
    """Sign in with a phone."""
    page.goto(f"{live.base}/sign-in?next=/appointments")
    page.get_by_label("Số điện thoại hoặc email").fill(number)
    enter_code(page, code_after(live, number, page.get_by_role("button", name="Nhận mã").click))
    expect(page).to_have_url(f"{live.base}/appointments")


def take_time(live: Live, page: Page, service: str, days: int, **where: str) -> None:
    """Choose the first time of a service so many days from now: one person cannot be in two places."""
    search = {"service": service, "from": in_days(days), **where}
    page.goto(f"{live.base}/book/times?{urlencode(search)}")
    page.locator(".th-card .th-choices a").first.click()


def in_days(days: int) -> str:
    return (business_date(system_clock()) + timedelta(days=days)).isoformat()


def say_who_and_how(page: Page, name: str) -> None:
    """Choose who will be seen, and the ground on which insurance pays."""
    page.get_by_text(name, exact=True).click()
    page.get_by_role("button", name="Tiếp tục").click()
    page.locator('input[name="coverage_basis"][value="registered-here"] + span').click()
    page.get_by_role("button", name="Tiếp tục").click()


def agree_and_book(page: Page) -> None:
    page.get_by_role("checkbox", name="Tôi đồng ý").check()
    page.get_by_role("button", name="Đặt lịch").click()
    expect(page.get_by_text("Đã đặt lịch xong")).to_be_visible()


def test_a_paper_slip_is_typed_in_and_spent_inside_its_days(
    live: Live, phone: Page, screens: Screens
) -> None:
    today = business_date(system_clock())
    phone.goto(f"{live.base}/book")
    phone.get_by_role("link", name="Tôi có giấy hẹn, giấy chuyển").click()
    screens.patient(phone, "slips")
    phone.get_by_role("link", name="Nhập giấy").click()
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    screens.patient(phone, "slip with faults")
    phone.get_by_text("Phiếu chuyển cơ sở", exact=True).click()
    phone.locator("#number").fill(f"{fresh_phone()[-7:]}/PCCS")
    for part, value in (("", today.day), ("-month", today.month), ("-year", today.year)):
        phone.locator(f"#signed_on{part}").fill(str(value))
    phone.locator("#issuer").fill("Phòng khám Hòa Long")
    phone.locator("#target").select_option(HOSPITAL)
    phone.locator("#service").select_option("internal")
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("heading", name="Giờ khám theo giấy này")).to_be_visible()
    screens.patient(phone, "slip with times")
    slip = phone.url
    phone.goto(f"{slip}?from={in_days(45)}")
    expect(phone.locator(".th-choices a")).to_have_count(0)
    screens.patient(phone, "slip after its days")
    phone.goto(f"{slip}?from={in_days(3)}")
    phone.locator(".th-choices a").first.click()
    screens.patient(phone, "slip to confirm")
    phone.get_by_role("checkbox", name="Tôi đồng ý").check()
    phone.get_by_role("button", name="Đặt lịch").click()
    expect(phone.locator("main")).to_contain_text(HOSPITAL_NAME)
    phone.goto(slip)
    expect(phone.locator("main")).to_contain_text("Đã đặt giờ")
    screens.patient(phone, "slip spent")
    phone.get_by_role("link", name="In giấy").click()
    screens.patient(phone, "slip as paper")


def test_a_visit_ends_with_a_day_to_come_again_and_with_a_referral(
    live: Live,
    chromium: Browser,
    mother: Somebody,
    at_work: Callable[[str, str], AbstractContextManager[Page]],
    clerk: Page,
    screens: Screens,
) -> None:
    wait_out_the_day()
    code = mother.booked.code
    if not is_today(mother.booked.start):
        code = Desk(live, mother.booked).book(IN_PERSON, Modality.IN_PERSON)
    with opened(chromium, 1080, 1920) as (kiosk, _):
        put_into_use(live, kiosk)
        number = check_in_at_the_kiosk(kiosk, code)
    with at_work("bacsi", "/clinic") as doctor:
        doctor.goto(f"{live.base}/clinic")
        doctor.get_by_role("button", name="Gọi số tiếp theo").click()
        expect(doctor.locator(".th-now__number")).to_have_text(number)
        doctor.get_by_role("button", name="Bắt đầu").click()
        screens.staff(doctor, "clinic with a visit")
        doctor.get_by_role("link", name="Hẹn khám lại").first.click()
        expect(doctor.get_by_role("heading", level=1)).to_contain_text(MOTHER)
        screens.staff(doctor, "come again")
        doctor.get_by_role("button", name="Cấp giấy hẹn").click()
        expect(doctor.get_by_text("GIẤY HẸN KHÁM LẠI")).to_be_visible()
        expect(doctor.locator("main")).to_contain_text(MOTHER)
        screens.staff(doctor, "re-examination slip")
        doctor.emulate_media(media="print")
        expect(doctor.get_by_role("heading", name="Giấy cho người bệnh")).to_be_hidden()
        expect(doctor.get_by_text("GIẤY HẸN KHÁM LẠI")).to_be_visible()
        doctor.emulate_media(media="screen")
        doctor.goto(f"{live.base}/clinic")
        doctor.get_by_role("link", name="Chuyển cơ sở").click()
        screens.staff(doctor, "refer")
        doctor.locator("#target").select_option("77002")
        doctor.locator("#service").select_option("cardiology")
        doctor.get_by_label("Chẩn đoán").fill("Tăng huyết áp")
        doctor.get_by_label("Tóm tắt bệnh").fill("Huyết áp cao nhiều năm, cần khám chuyên sâu.")
        doctor.get_by_role("button", name="Cấp phiếu chuyển").click()
        expect(doctor.get_by_role("heading", level=1)).to_contain_text("Phiếu chuyển cơ sở")
        screens.staff(doctor, "referral")
        doctor.goto(f"{live.base}/clinic")
        doctor.get_by_role("button", name="Xong").click()
        expect(doctor.locator(".th-now")).to_contain_text("Chưa gọi ai")
    clerk.goto(f"{live.base}/desk")
    clerk.get_by_role("link", name="Giấy hẹn, giấy chuyển").click()
    rows = clerk.get_by_role("row", name=MOTHER)
    expect(rows.filter(has_text="Giấy hẹn khám lại").first).to_contain_text("Đã đặt giờ")
    expect(rows.filter(has_text="Bệnh viện Vũng Tàu").first).to_contain_text("Chưa đặt giờ")
    screens.staff(clerk, "worklist of slips")
    clerk.goto(f"{live.base}/slips/rules")
    screens.staff(clerk, "rules of slips")


def test_a_mother_lets_her_son_act_and_stops_it_with_one_tap(
    live: Live, chromium: Browser, mother: Somebody, phone: Page, screens: Screens
) -> None:
    number = fresh_phone(zalo=False)
    phone.goto(f"{live.base}/account")
    screens.patient(phone, "account")
    phone.get_by_role("link", name="Ai được làm thay tôi?").click()
    phone.get_by_role("link", name="Cho một người làm thay").click()
    screens.patient(phone, "delegation")
    phone.get_by_label("Họ và tên người làm thay").fill(SON)
    phone.get_by_label("Điện thoại hoặc email của người làm thay").fill(number)
    phone.get_by_text("Đặt, đổi và hủy lịch khám").click()
    phone.locator('input[name="until"] + span').first.click()
    phone.get_by_role("checkbox", name="Tôi đồng ý").check()
    ask = phone.get_by_role("button", name="Nhận mã xác nhận").click
    code = code_after(live, mother.number, ask)
    screens.patient(phone, "delegation to confirm")
    enter_code(phone, code)
    expect(phone.get_by_text(f"{SON} được làm thay từ bây giờ.")).to_be_visible()
    screens.patient(phone, "delegations")
    with opened(chromium, *PHONE, locale="vi-VN") as (son, _):
        enter_by_code(live, son, number)
        take_time(live, son, "dermatology", 8)
        son.get_by_role("button", name="Giữ chỗ này").click()
        screens.patient(son, "who is seen")
        say_who_and_how(son, MOTHER)
        agree_and_book(son)
        booked = son.url.removesuffix("/done")
        son.goto(booked)
        expect(son.locator("main")).to_contain_text(MOTHER)
        phone.reload()
        phone.get_by_text("Người này đã làm gì?").click()
        expect(phone.locator("main")).to_contain_text("đặt lịch khám")
        phone.get_by_role("button", name="Thu hồi ngay").click()
        expect(phone.get_by_text(f"{SON} không còn được làm thay nữa.")).to_be_visible()
        screens.patient(phone, "delegation ended")
        refused = son.goto(booked)
        assert refused is not None
        assert refused.status in (403, 404)
        expect(son.locator("main")).not_to_contain_text(MOTHER)
        screens.patient(son, "refused")
    phone.goto(booked)
    expect(phone.locator("main")).to_contain_text(MOTHER)


def test_a_deposit_is_asked_paid_and_seen(
    live: Live, phone: Page, clerk: Page, admin: Page, screens: Screens
) -> None:
    take_time(live, phone, "endocrinology", 18, facility=HOSPITAL, modality="in-person")
    expect(phone.locator("main")).to_contain_text("Dịch vụ này cần đặt cọc")
    screens.patient(phone, "time with a deposit")
    phone.get_by_role("button", name="Giữ chỗ này").click()
    say_who_and_how(phone, MOTHER)
    screens.patient(phone, "confirm with a deposit")
    agree_and_book(phone)
    screens.patient(phone, "booked with a deposit")
    phone.get_by_role("link", name=re.compile("^Đặt cọc .* ngay$")).click()
    screens.patient(phone, "deposit due")
    rows = phone.locator(".nhsuk-summary-list__row")
    words = rows.filter(has_text="Nội dung chuyển khoản").locator("dd").first.inner_text()
    pay(live, ACCOUNT, 20_000, words)
    expect(phone.locator("main")).to_contain_text(re.compile(r"30\.000"))
    screens.patient(phone, "deposit paid in part")
    pay(live, ACCOUNT, 30_000, words)
    expect(phone.get_by_text("Đã nhận tiền đặt cọc")).to_be_visible()
    screens.patient(phone, "deposit paid")
    pay(live, ACCOUNT, 70_000, "chuyen tien kham")
    clerk.goto(f"{live.base}/desk/payments")
    expect(clerk.locator("main")).to_contain_text("chuyen tien kham")
    screens.staff(clerk, "transfers and refunds")
    admin.goto(f"{live.base}{ADMIN}/payments")
    screens.staff(admin, "terms of deposits")


def pay(live: Live, account: str, amount: int, words: str) -> None:
    """Let the demonstration's bank tell the hospital of a transfer."""
    body = {"facility": HOSPITAL, "account_no": account, "amount": amount, "content": words}
    request = urllib.request.Request(
        f"{live.sandbox}/_sandbox/bank-transfers",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
    assert told["answer"] == 200


def test_the_desk_books_with_any_doctor_and_beside_somebody_for_a_reason(
    live: Live, clerk: Page, screens: Screens
) -> None:
    wait_out_the_day()
    find(live, clerk, "0912000101", "Nguyễn Thị Đào")
    look_for_times(clerk)
    screens.staff(clerk, "person with times")
    clerk.get_by_role("radio", name="Bác sĩ nào cũng được").check()
    clerk.get_by_role("button", name="Đặt lịch này").click()
    expect(clerk.get_by_role("heading", name="Đã đặt lịch")).to_be_visible()
    screens.staff(clerk, "slip of the desk")
    find(live, clerk, "0912000102", "Trần Văn Ân")
    look_for_times(clerk)
    clerk.get_by_text("Xếp thêm vào giờ đã kín").click()
    clerk.get_by_role("button", name="Xếp thêm").click()
    expect(clerk.get_by_label("Lý do xếp thêm")).to_be_visible()
    expect(clerk.get_by_role("alert")).to_be_visible()
    screens.staff(clerk, "no reason given")
    clerk.get_by_label("Lý do xếp thêm").fill("Bác sĩ hẹn quay lại lấy kết quả")
    clerk.get_by_role("button", name="Xếp thêm").click()
    expect(clerk.get_by_role("heading", name="Đã đặt lịch")).to_be_visible()


def find(live: Live, clerk: Page, number: str, name: str) -> None:
    """Find a person of the demonstration by the phone."""
    clerk.goto(f"{live.base}/desk")
    clerk.locator("#box").fill(number)
    clerk.get_by_role("button", name="Tìm").click()
    clerk.get_by_role("link", name=name).first.click()


def look_for_times(clerk: Page) -> None:
    """See the free times of the doctor who is always there."""
    expect(clerk.get_by_role("heading", name="Đặt lịch", exact=True)).to_be_visible()
    clerk.get_by_role("combobox", name="Dịch vụ").fill("tim mach")
    clerk.keyboard.press("Enter")
    expect(clerk.get_by_role("radio", name="Bác sĩ nào cũng được")).to_be_attached()


def test_a_video_visit_is_for_listed_conditions_and_a_relative_may_join(
    live: Live, chromium: Browser, phone: Page, screens: Screens
) -> None:
    take_time(live, phone, "internal", 5, modality="video")
    phone.get_by_role("button", name="Giữ chỗ này").click()
    phone.get_by_text(MOTHER, exact=True).click()
    phone.get_by_role("button", name="Tiếp tục").click()
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    screens.patient(phone, "video, no condition said")
    phone.locator("#condition").select_option(label="Bệnh khác, hoặc chưa rõ bệnh gì")
    phone.get_by_role("button", name="Tiếp tục").click()
    expect(phone.get_by_role("heading", name="Bệnh này cần bác sĩ khám trực tiếp")).to_be_visible()
    expect(phone.locator(".th-card").first).to_contain_text("Khám trực tiếp")
    screens(phone, "not by video")
    phone.locator(".nhsuk-back-link").click()
    phone.locator("#condition").select_option(index=2)
    phone.get_by_role("button", name="Tiếp tục").click()
    screens.patient(phone, "confirm a video visit")
    agree_and_book(phone)
    screens.patient(phone, "video visit booked")
    phone.goto(phone.url.removesuffix("/done"))
    screens.patient(phone, "appointment by video")
    phone.get_by_role("link", name="Mời người thân").click()
    screens.patient(phone, "invite")
    number = fresh_phone(zalo=False)
    phone.get_by_label("Họ và tên người được mời").fill(SON)
    phone.get_by_label("Điện thoại hoặc email của người được mời").fill(number)
    phone.get_by_role("checkbox", name="Người bệnh muốn").check()
    phone.get_by_role("button", name="Gửi lời mời").click()
    expect(phone.get_by_text(f"Đã gửi lời mời tới {SON}.")).to_be_visible()
    screens.patient(phone, "invited")
    link = live.message(number, r"https?://\S+/j/\S+")[0]
    with opened(chromium, *PHONE, locale="vi-VN") as (son, _):
        son.goto(link)
        expect(son.get_by_role("heading", name="Lời mời cùng khám qua video")).to_be_visible()
        screens.patient(son, "invitation")
        phone.get_by_role("button", name="Rút lời mời").click()
        expect(phone.get_by_text("Đã rút lời mời.")).to_be_visible()
        son.goto(link)
        expect(son.get_by_role("heading", name="Liên kết không dùng được")).to_be_visible()
        screens.patient(son, "invitation withdrawn")


def test_a_family_puts_its_visits_into_a_calendar(live: Live, phone: Page, screens: Screens) -> None:
    phone.goto(f"{live.base}/appointments")
    screens.patient(phone, "appointments")
    phone.get_by_role("link", name="Đưa lịch hẹn vào lịch của điện thoại").click()
    phone.get_by_role("button", name="Tạo địa chỉ lịch").click()
    expect(phone.get_by_text("Địa chỉ lịch của quý vị đã sẵn sàng")).to_be_visible()
    screens.patient(phone, "calendar")
    feed = phone.locator("#address").input_value()
    with urllib.request.urlopen(feed, timeout=30) as answer:
        calendar = answer.read().decode()
    assert "BEGIN:VEVENT" in calendar
    assert MOTHER not in calendar


def test_no_screen_of_an_administrator_has_a_fault(live: Live, admin: Page, screens: Screens) -> None:
    for path in (
        "/exports",
        f"{ADMIN}/webhooks",
        f"{ADMIN}/anomalies",
        "/desk/schedule",
        "/desk/schedule/rules",
        "/desk/schedule/resources",
    ):
        answer = admin.goto(live.base + path)
        assert answer is not None
        assert answer.status == 200, path
        screens.staff(admin, path)
