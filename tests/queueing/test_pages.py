"""The pages as plain forms: kiosk, board, clinic, and the phone that follows."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from telehealth.accounts.models import Account
from telehealth.audit.models import AuditEvent
from telehealth.encounters.models import Encounter
from telehealth.queueing.models import StaffCall, Ticket
from tests.conftest import MONDAY_8AM, MovableClock
from tests.queueing.hospital import Hospital


class Browser:
    """A browser without scripts: it reads pages and sends their forms."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""

    def open(self, path: str) -> str:
        answer = self.client.get(path, follow_redirects=True)
        self.page = answer.get_data(as_text=True)
        return self.page

    def send(self, path: str, status: int = 200, **fields: str) -> str:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert token, "no form on the page"
        answer = self.client.post(
            path,
            data={"csrf_token": token[1]} | fields,
            follow_redirects=True,
            headers={"Accept": "text/html"},
        )
        self.page = answer.get_data(as_text=True)
        assert answer.status_code == status, self.page
        return self.page


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    return Browser(client)


@pytest.fixture
def machine(browser: Browser, hospital: Hospital) -> Browser:
    """A kiosk that was put into use."""
    browser.open("/kiosk")
    browser.send("/kiosk/activate", code=hospital.kiosk_token)
    return browser


@pytest.fixture
def console(app: Flask, browser: Browser, hospital: Hospital) -> Browser:
    """The doctor's screen, signed in."""
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.staff_token
    browser.open("/clinic")
    return browser


def number_on(page: str) -> str:
    found = re.search(r"<b>([^<]+)</b>", page)
    assert found, page
    return found[1]


def test_a_machine_is_put_into_use_once(browser: Browser, hospital: Hospital):
    assert "Đưa máy vào sử dụng" in browser.open("/kiosk")
    refused = browser.send("/kiosk/activate", 422, code="wrong token that is far too long")
    assert "Mã của máy chưa đúng" in refused
    assert "CẤP CỨU" in browser.send("/kiosk/activate", code=hospital.kiosk_token)
    assert "Bệnh viện Bà Rịa" in browser.open("/kiosk")


def test_the_first_page_has_every_door(machine: Browser):
    for door in (
        "CẤP CỨU",
        "Đã đặt lịch",
        "Tái khám",
        "Khám BHYT",
        "Không BHYT",
        "Ưu tiên",
        "Đăng ký cho con",
        "Passport / English",
        "Gọi nhân viên",
    ):
        assert door in machine.page


def test_a_walk_in_gets_a_number_and_a_slip(machine: Browser, hospital: Hospital):
    page = machine.send("/kiosk/number", purpose="insured", press_key="press")
    assert number_on(page) == "A001"
    assert "Quầy tiếp đón" in page
    assert "Đến lượt kế tiếp" in page
    assert "<svg" in page
    assert 'data-clear-after="25"' in page
    machine.open("/kiosk")
    assert number_on(machine.send("/kiosk/number", purpose="insured", press_key="press")) == "A001"


def test_a_priority_is_asked_and_kept(machine: Browser, hospital: Hospital):
    assert "Người từ đủ 75 tuổi" in machine.open("/kiosk/priority")
    machine.send("/kiosk/number", priority="aged-75", purpose="other")
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
    assert (ticket.priority_class, ticket.priority_set_by) == ("aged-75", "self")


def test_a_scanned_code_checks_in(machine: Browser, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=5), room="P002")
    page = machine.send("/kiosk/check-in", code=appointment.code)
    assert number_on(page) == "2-001"
    assert "Phòng khám 2" in page


@pytest.mark.parametrize("code", ["", "🙂", "ZZZZZZZZ", "x" * 5000, "'; DROP TABLE ticket; --"])
def test_an_odd_code_is_answered_on_the_kiosks_own_screen(machine: Browser, code: str):
    page = machine.send("/kiosk/check-in", 404, code=code)
    assert "Không tìm thấy lịch hẹn có mã này" in page
    assert "Gọi nhân viên" in page


def typed(code: str) -> dict[str, str]:
    """Return a code as people and scanners give it."""
    return {
        "small": code.lower(),
        "in groups": f" {code[:4].lower()} {code[4:]}\n",
        "with dashes": f"{code[:4]}\u2013{code[4:6]}-{code[6:]}",
        "an address": f"https://kham.example.vn/appointments/{code.lower()}?lang=vi",
        "an address with the code asked": f"https://kham.example.vn/check-in?code={code}",
    }


@pytest.mark.parametrize("way", list(typed("ABCDEFGH")))
def test_a_code_is_understood_as_it_is_given(machine: Browser, hospital: Hospital, way: str):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=5), code="7K2MWXYZ")
    assert number_on(machine.send("/kiosk/check-in", code=typed(appointment.code)[way])) == "1-001"


@pytest.mark.parametrize("wrong", ["7KOMWXYZ", "7K0MWXYZ", "IKWMWXYZ", "7KWMWXY", "7KWMWXYZZ"])
def test_a_code_with_a_letter_no_code_has_is_refused_in_words(
    machine: Browser, hospital: Hospital, wrong: str
):
    """Codes have no 0, O, 1, I: nothing is guessed, and nobody else is checked in."""
    for code in ("7KMWXYZ2", "KWMWXYZ2", "7KWMWXYZ"):
        hospital.appointment(MONDAY_8AM + timedelta(minutes=5), code=code)
    page = machine.send("/kiosk/check-in", 404, code=wrong)
    assert "không có số 0" in page
    assert hospital.count(Ticket) == 0


def test_a_slip_taken_before_is_not_given_to_whoever_finds_the_page_open(
    machine: Browser, hospital: Hospital, clock: MovableClock
):
    machine.send("/kiosk/number", purpose="insured", press_key="kept")
    clock.forward(minutes=3)
    page = machine.send("/kiosk/number", 422, purpose="insured", press_key="kept")
    assert "Lần bấm này đã dùng" in page
    assert "A001" not in page


def test_the_wrong_place_is_refused_as_a_conflict(
    machine: Browser, hospital: Hospital, other_hospital: Hospital
):
    appointment = other_hospital.appointment(MONDAY_8AM)
    assert "Bệnh viện Vũng Tàu" in machine.send("/kiosk/check-in", 409, code=appointment.code)


def test_an_odd_button_is_answered_there_too(machine: Browser):
    assert "Chưa lấy được số" in machine.send("/kiosk/number", 422, purpose="gold")


def test_an_emergency_shows_the_way_and_calls_people(machine: Browser, console: Browser, hospital: Hospital):
    with machine.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.kiosk_token
    machine.open("/kiosk")
    assert "Đi thẳng vào khoa Cấp cứu" in machine.send("/kiosk/help", kind="emergency")
    with machine.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.staff_token
    page = console.open("/clinic")
    assert "CẤP CỨU tại Kiosk sảnh A, lúc 08:00" in page
    with hospital.begin() as session:
        call = session.scalars(select(StaffCall)).one()
    assert "CẤP CỨU tại" not in console.send(f"/clinic/staff-calls/{call.id}/answer")


def test_the_kiosk_speaks_english_until_the_next_person(machine: Browser):
    page = machine.open("/kiosk?lang=en")
    assert "How can we help?" in page
    assert "/kiosk/number?lang=en" in page
    assert "Your number" in machine.send("/kiosk/number?lang=en", purpose="foreigner")
    assert "Quý vị cần gì?" in machine.open("/kiosk")


def test_a_machine_that_was_revoked_asks_to_be_put_into_use(machine: Browser, hospital: Hospital):
    from telehealth.accounts.services.devices import revoke_device

    with hospital.begin() as session:
        revoke_device(session, hospital.device_id, MONDAY_8AM)
    assert "Đưa máy vào sử dụng" in machine.open("/kiosk")


def test_the_board_shows_the_last_calls_without_scripts(client: FlaskClient, hospital: Hospital):
    empty = client.get("/board/77001").get_data(as_text=True)
    assert "Chưa gọi số nào" in empty
    hospital.number()
    hospital.number("P002")
    hospital.call()
    hospital.call("P002")
    page = client.get("/board/77001").get_data(as_text=True)
    assert re.search(r"data-number>2-001<.*data-room>Phòng khám 2<", page, re.DOTALL)
    assert "<li><b>1-001</b><span>Phòng khám 1</span></li>" in page
    assert 'data-seq="2"' in page
    assert client.get("/board/nowhere").status_code == 404


def test_the_phone_follows_without_signing_in(client: FlaskClient, hospital: Hospital, clock):
    hospital.number()
    slip = hospital.number()
    page = client.get(f"/t/{slip.public_token}").get_data(as_text=True)
    assert "1-002" in page
    assert "Còn 1 người" in page
    hospital.call()
    hospital.call()
    state = client.get(f"/t/{slip.public_token}?part=state").get_data(as_text=True)
    assert "Đến lượt quý vị. Mời vào Phòng khám 1." in state
    assert "<html" not in state
    clock.forward(days=1)
    assert "nay không còn dùng" in client.get(f"/t/{slip.public_token}").get_data(as_text=True)
    assert client.get("/t/guess").status_code == 404


def test_a_doctor_works_through_the_day(console: Browser, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    hospital.check_in(appointment)
    page = console.open("/clinic")
    assert "Phòng khám 1" in page
    assert "Lê Thị Mơ" in page
    assert "Đến giờ hẹn" in page
    assert "Đang gọi" in console.send("/clinic/call-next")
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
    assert "Ghi chú ngắn" in console.send(f"/clinic/tickets/{ticket.id}/start")
    with hospital.begin() as session:
        visit = session.scalars(select(Encounter)).one()
    page = console.send(f"/clinic/encounters/{visit.id}/note", note="Huyết áp 150/90, hẹn lại sau 2 tuần 🙂")
    assert "Huyết áp 150/90" in page
    with hospital.begin() as session:
        sealed = session.get_one(Encounter, visit.id).note_sealed
    assert sealed is not None
    assert b"150/90" not in sealed
    console.send(f"/clinic/tickets/{ticket.id}/done")
    assert "Đã khám" in console.page
    assert "Không còn ai đang chờ" in console.send("/clinic/call-next")


def reads(hospital: Hospital) -> Counter[str]:
    with hospital.begin() as session:
        return Counter(session.scalars(select(AuditEvent.action).where(AuditEvent.patient_id.is_not(None))))


def test_opening_the_day_leaves_a_trail_and_what_renews_itself_does_not(console: Browser, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    hospital.check_in(appointment)
    ticket = hospital.call()
    console.open("/clinic")
    console.send(f"/clinic/tickets/{ticket.id}/start")
    with hospital.begin() as session:
        visit = session.scalars(select(Encounter)).one()
    console.send(f"/clinic/encounters/{visit.id}/note", note="Hẹn lại sau 2 tuần")
    before = reads(hospital)
    console.open("/clinic")
    opened = reads(hospital) - before
    assert opened == {"booking.list": 1, "encounter.read-note": 1}
    before = reads(hospital)
    for _ in range(3):
        part = console.open("/clinic?part=line")
        assert "Lê Thị Mơ" not in part
        assert "Hẹn lại" not in part
    assert reads(hospital) == before


def test_who_has_no_day_of_their_own_sees_it_in_figures(console: Browser, hospital: Hospital):
    for status in ("booked", "booked", "noshow", "expired"):
        hospital.appointment(MONDAY_8AM, status=status)
    with hospital.begin() as session:
        session.get_one(Account, hospital.account_id).practitioner_id = None
    page = console.open("/clinic")
    assert "<dd>2</dd>" in page
    assert "<dd>1</dd>" in page
    assert "Lê Thị Mơ" not in page
    assert reads(hospital) == {}


def test_the_line_alone_may_be_fetched(console: Browser, hospital: Hospital):
    hospital.appointment(MONDAY_8AM)
    part = console.open("/clinic?part=line")
    assert "Gọi số tiếp theo" in part
    assert "<html" not in part


def test_a_desk_chooses_its_place(console: Browser, hospital: Hospital):
    hospital.number("registration")
    places = re.findall(r'<option value="([^"]+)"[^>]*>([^<]+)<', console.page)
    desk = next(value for value, name in places if name == "Quầy đăng ký 2")
    assert "Quầy tiếp đón" in console.send("/clinic/place", place=desk)
    assert "A001" in console.send("/clinic/call-next")
    with hospital.begin() as session:
        assert session.scalars(select(Ticket.service_point_id)).one() is not None


def test_a_video_appointment_has_the_way_to_its_room(console: Browser, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM, modality="video", room="")
    assert f"/appointments/{appointment.id}/room" in console.open("/clinic")


def test_a_note_that_is_too_long_is_refused(console: Browser, hospital: Hospital):
    hospital.number()
    called = hospital.call()
    hospital.appointment(MONDAY_8AM)
    console.open("/clinic")
    console.send(f"/clinic/tickets/{called.id}/start")
    with hospital.begin() as session:
        visit = session.scalars(select(Encounter)).one()
    assert "2.000 ký tự" in console.send(f"/clinic/encounters/{visit.id}/note", 422, note="a" * 2001)


def test_nobody_signed_out_sees_the_clinic(client: FlaskClient):
    assert client.get("/clinic", headers={"Accept": "text/html"}).status_code in (302, 401)
