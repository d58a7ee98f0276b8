"""The pages of webhooks, lists and calendars: read by axe, on a phone and on a desk's screen."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import FACILITIES, Employee, Person
from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock, web
from tests.browser.test_waitlist import COMPUTER, PHONE, Eyes, eyes
from tests.webhooks.conftest import admin, receiver, subscribed, tick
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_deliveries import booked

__all__ = [
    "admin", "clinic", "desk", "eyes", "lan", "minh", "receiver", "set_database_clock", "subscribed", "tick",
    "web",
]  # fmt: skip

pytestmark = pytest.mark.browser

SIZES = {"phone": PHONE, "computer": COMPUTER}
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
HOME = f"/admin/facilities/{FACILITIES['77001']}/webhooks"


@pytest.mark.parametrize("size", SIZES)
def test_an_administrator_connects_a_system_and_sees_what_it_was_told(
    eyes: Eyes,
    web,
    admin: Employee,
    lan: Person,
    receiver: Receiver,
    subscribed,
    tick: Callable[[], None],
    size: str,
):
    receiver.statuses = [204, 404]
    booked(web, lan)
    booked(web, lan, 1)
    tick()
    with eyes.of(SIZES[size], admin.token) as page:
        eyes.look(page, HOME, f"webhooks-{size}")
        page.get_by_role("button", name="Thêm kết nối").click()
        page.get_by_text("Vui lòng đặt tên").first.wait_for()
        eyes.read(page, f"webhooks-error-{size}")
        page.fill("#name", "Kho dữ liệu tỉnh")
        page.fill("#url", "https://93.184.215.14/hook")
        page.get_by_role("button", name="Thêm kết nối").click()
        page.get_by_text("Khóa ký, chỉ hiện một lần").wait_for()
        eyes.read(page, f"webhooks-secret-{size}")
        eyes.look(page, f"{HOME}/{subscribed[0]}", f"webhooks-deliveries-{size}")
        page.get_by_role("button", name="Gửi thử").click()
        page.get_by_text("Đã gửi thử").wait_for()
    assert eyes.found == []


@pytest.mark.parametrize("size", SIZES)
def test_a_clerk_takes_a_list_along(eyes: Eyes, web, desk: Employee, lan: Person, tmp_path: Path, size: str):
    booked(web, lan)
    with eyes.of(SIZES[size], desk.token) as page:
        eyes.look(page, "/exports", f"exports-{size}")
        page.fill("#to", "2027-11-30")
        page.get_by_role("button", name="Tải về").click()
        page.get_by_text("nhiều nhất 31 ngày").first.wait_for()
        eyes.read(page, f"exports-error-{size}")
        page.fill("#to", "2026-12-03")
        with page.expect_download() as coming:
            page.get_by_role("button", name="Tải về").click()
        coming.value.save_as(tmp_path / "list.xlsx")
    rows = load_workbook(io.BytesIO((tmp_path / "list.xlsx").read_bytes())).worksheets[0]
    assert rows["E2"].value == "Trần Thị Lan"
    assert eyes.found == []


@pytest.mark.parametrize("size", SIZES)
def test_a_family_puts_its_appointments_into_a_calendar(eyes: Eyes, web, lan: Person, size: str):
    booked(web, lan)
    with eyes.of(SIZES[size], lan.token) as page:
        page.goto(f"{eyes.site}/appointments")
        page.get_by_role("link", name="Đưa lịch hẹn vào lịch của điện thoại").click()
        page.get_by_role("button", name="Tạo địa chỉ lịch").wait_for()
        eyes.read(page, f"calendar-{size}")
        page.get_by_role("button", name="Tạo địa chỉ lịch").click()
        page.get_by_text("Địa chỉ lịch của quý vị đã sẵn sàng").wait_for()
        eyes.read(page, f"calendar-made-{size}")
    assert eyes.found == []


@pytest.mark.parametrize("size", SIZES)
def test_long_names_of_browsers_and_long_paths_fit_the_glass(
    eyes: Eyes, web, lan: Person, engine: Engine, size: str
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE access_session SET user_agent = :name"), {"name": BROWSER})
    with eyes.of(SIZES[size], lan.token) as page:
        eyes.look(page, "/account/sign-ins", f"sign-ins-{size}")
        eyes.look(page, "/api/docs", f"api-docs-{size}")
    assert eyes.found == []
