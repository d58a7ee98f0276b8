"""The kiosk as plain forms: who is there, what for, and the number."""

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from telehealth.accounts.services.devices import revoke_device
from telehealth.audit.models import AuditEvent
from telehealth.directory.models import ServicePoint
from telehealth.patients.models import Patient, PatientFacility
from telehealth.queueing.models import StaffCall, Ticket
from telehealth.queueing.services import ensure_queues
from tests.conftest import MONDAY_8AM, MovableClock
from tests.kiosk.people import LAN_CARD, LAN_ID, STRANGER_CARD, Town
from tests.queueing.browser import Browser
from tests.queueing.hospital import Hospital

SOON = MONDAY_8AM + timedelta(minutes=5)


def number_on(page: str) -> str:
    found = re.search(r"<b>([^<]+)</b>", page)
    assert found, page
    return found[1]


def hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]+)"', page)
    assert found, page
    return unescape(found[1])


def scan(machine: Browser, text: str, status: int = 200, **more: str) -> str:
    machine.open("/kiosk")
    return machine.send("/kiosk/identify", status, text=text, **more)


def confirm(machine: Browser) -> str:
    page = machine.page
    return machine.send("/kiosk/check-in", who=hidden(page, "who"), appointment=hidden(page, "appointment"))


def test_a_machine_is_put_into_use_once(client: FlaskClient, clock: MovableClock, hospital: Hospital):
    browser = Browser(client)
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
        "Xem lịch hẹn",
        "Giá khám",
        "Góp ý, khiếu nại",
    ):
        assert door in machine.page


def test_a_walk_in_without_papers_gets_a_number_and_a_slip(machine: Browser):
    assert "Không mang giấy tờ" in machine.open("/kiosk/read?purpose=insured")
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
    machine.open("/kiosk/read?purpose=other&priority=pregnant")
    assert hidden(machine.page, "priority") == "pregnant"
    machine.send("/kiosk/number", priority="pregnant", purpose="other")
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
    assert (ticket.priority_class, ticket.priority_set_by) == ("pregnant", "self")


def test_a_booking_code_shows_whose_it_is_and_then_checks_in(machine: Browser, hospital: Hospital):
    appointment = hospital.appointment(SOON, room="P002")
    page = scan(machine, appointment.code)
    assert "L. T. M*" in page
    assert "Lê Thị Mơ" not in page
    page = confirm(machine)
    assert number_on(page) == "2-001"
    assert "Phòng khám 2" in page


@pytest.mark.parametrize("code", ["ZZZZZZZZ", "7KMWXYZ2"])
def test_a_code_that_nobody_has_is_refused_in_words(machine: Browser, code: str):
    assert "Không tìm thấy lịch hẹn có mã này" in scan(machine, code, 404)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Chưa đọc được gì"),
        ("🙂", "Chưa nhận ra mã này"),
        ("x" * 5000, "Mã này dài quá"),
        ("'; DROP TABLE ticket; --", "Chưa nhận ra mã này"),
        ("7715200123", "Chưa có hồ sơ nào"),
        ("07715200123", "Số chưa đủ hoặc thừa"),
        ("7KOMWXYZ", "Chưa nhận ra mã này"),
        ("https://example.com/x", "Mã QR này của nơi khác"),
        ("HK26-7K2MWXYZ", "đưa giấy này cho quầy"),
        (LAN_ID, "Chưa có hồ sơ nào"),
        ("0912345678", "không có lịch hẹn nào với số điện thoại này"),
    ],
)
def test_what_leads_nowhere_is_answered_on_the_kiosks_own_screen(machine: Browser, text: str, words: str):
    page = scan(machine, text, 404 if "Chưa có hồ sơ" in words or "không có lịch" in words else 422)
    assert words in page
    assert "Gọi nhân viên" in page


@pytest.mark.parametrize(
    "text", [LAN_CARD, LAN_ID, "7712345678", "HT3797712345678", "271234567", "0912 345 678"]
)
def test_every_card_of_hers_finds_her_appointment(
    machine: Browser, hospital: Hospital, town: Town, text: str
):
    hospital.appointment(SOON, patient_id=town.lan(at=hospital))
    page = scan(machine, text)
    assert "N. T. L**" in page
    assert "sinh 1952" in page
    assert "Nguyễn" not in page
    assert "345678" not in page
    assert number_on(confirm(machine)) == "1-001"


def test_spoilt_letters_still_find_her_and_say_so(machine: Browser, hospital: Hospital, town: Town):
    hospital.appointment(SOON, patient_id=town.lan(at=hospital))
    page = scan(machine, "".join(char for char in LAN_CARD if char.isascii()))
    assert "N. T. L**" in page
    assert "làm mất dấu" in page


def test_one_phone_of_two_people_asks_who_it_is(machine: Browser, hospital: Hospital, town: Town):
    for patient_id in (town.lan(at=hospital), hospital.patient()):
        hospital.appointment(SOON, patient_id=patient_id)
    with hospital.begin() as session:
        lan = session.scalars(select(Patient).where(Patient.full_name == "Nguyễn Thị Lan")).one()
        mo = session.scalars(select(Patient).where(Patient.full_name == "Lê Thị Mơ")).one()
        mo.phone_index = lan.phone_index
    page = scan(machine, "0912345678")
    assert "Quý vị là ai?" in page
    assert ("N. T. L**" in page, "L. T. M*" in page) == (True, True)


def test_a_person_known_elsewhere_is_known_here_only_after_saying_so(
    machine: Browser, hospital: Hospital, other_hospital: Hospital, town: Town
):
    lan = town.lan(at=other_hospital)
    scan(machine, LAN_CARD, purpose="insured")

    def known_here() -> bool:
        with hospital.begin() as session:
            return session.get(PatientFacility, (lan, hospital.id)) is not None

    assert not known_here()
    who = hidden(machine.page, "who")
    machine.send("/kiosk/number", who=who, purpose="insured")
    assert known_here()
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        trail = set(session.scalars(select(AuditEvent.action).where(AuditEvent.patient_id == lan)))
    assert (ticket.patient_id, ticket.purpose) == (lan, "insured")
    assert {"kiosk.identify", "ticket.issue"} <= trail


def test_a_birth_date_gives_the_priority_that_nobody_has_to_claim(
    machine: Browser, hospital: Hospital, town: Town, clock: MovableClock
):
    clock.forward(days=300)
    town.lan(at=hospital)
    scan(machine, LAN_CARD, purpose="reexamination")
    machine.send("/kiosk/number", who=hidden(machine.page, "who"), purpose="reexamination")
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
    assert (ticket.priority_class, ticket.priority_set_by) == ("aged-75", "birth-date")


def test_a_card_registers_somebody_new_without_asking_again(machine: Browser, hospital: Hospital):
    page = scan(machine, STRANGER_CARD, purpose="insured")
    assert "Lần đầu đến khám ở đây" in page
    assert "Trần Văn Khách" in page
    assert "077095004321" not in page
    page = machine.send("/kiosk/choose", who=hidden(page, "who"), purpose="insured", phone="0987 654 321")
    assert "Quý vị muốn khám ở đâu?" in page
    page = machine.send("/kiosk/number", who=hidden(page, "who"), purpose="insured", phone="0987 654 321")
    assert number_on(page) == "A001"
    with hospital.begin() as session:
        known = session.scalars(select(Patient)).one()
        assert (known.full_name, known.birth_date, known.sex) == ("Trần Văn Khách", "1995-02-11", "male")
        assert known.phone_index is not None
        assert session.scalars(select(Ticket.patient_id)).one() == known.id
    assert "T. V. K****" in scan(machine, STRANGER_CARD)


def test_a_wrong_phone_is_said_and_nobody_is_registered(machine: Browser, hospital: Hospital):
    page = scan(machine, STRANGER_CARD, purpose="other")
    page = machine.send("/kiosk/number", 422, who=hidden(page, "who"), purpose="insured", phone="12")
    assert "Số điện thoại chưa đúng" in page
    assert hospital.count(Patient) == 0


def test_a_card_with_lost_letters_registers_nobody(machine: Browser, hospital: Hospital):
    page = scan(machine, STRANGER_CARD.replace("ầ", "?").replace("ă", "?"), 404, purpose="insured")
    assert "Chưa có hồ sơ nào" in page
    assert hospital.count(Patient) == 0


def test_a_walk_in_chooses_from_the_days_real_roster(machine: Browser, hospital: Hospital, town: Town):
    hospital.appointment(SOON, room="P002")
    town.lan(at=hospital)
    page = scan(machine, LAN_CARD, purpose="self-pay")
    page = machine.send("/kiosk/choose", who=hidden(page, "who"), purpose="self-pay")
    assert "Trần Văn Bình" in page
    assert "Phòng khám 2" in page
    assert "Phòng khám 1" not in page
    room = re.search(r'name="queue" value="([0-9a-f-]{36})"', page)
    assert room
    page = machine.send("/kiosk/number", who=hidden(page, "who"), purpose="self-pay", queue=room[1])
    assert number_on(page) == "2-001"


def test_a_room_where_nobody_sits_takes_nobody(machine: Browser, hospital: Hospital):
    page = machine.send("/kiosk/number", 409, purpose="self-pay", queue=str(hospital.queue("P001")))
    assert "vừa ngừng nhận thêm người" in page


def test_whoever_waits_already_keeps_the_number(machine: Browser, hospital: Hospital, town: Town):
    town.lan(at=hospital)
    for _ in range(2):
        page = scan(machine, LAN_CARD, purpose="reexamination")
        page = machine.send("/kiosk/number", who=hidden(page, "who"), purpose="reexamination")
        assert number_on(page) == "A001"
    assert hospital.count(Ticket) == 1


def test_a_pass_is_good_for_this_machine_and_for_minutes(
    machine: Browser, hospital: Hospital, town: Town, clock: MovableClock
):
    town.lan(at=hospital)
    who = hidden(scan(machine, LAN_CARD, purpose="insured"), "who")
    for spoilt in (who[:-6] + "AAAAA=", "x", "é", "A" * 5000):
        assert "quét lại từ đầu" in machine.send("/kiosk/number", 410, who=spoilt, purpose="insured")
        machine.open("/kiosk")
    clock.forward(minutes=4)
    assert "quét lại từ đầu" in machine.send("/kiosk/number", 410, who=who, purpose="insured")
    assert hospital.count(Ticket) == 0


def test_only_an_appointment_that_was_shown_is_checked_in(machine: Browser, hospital: Hospital, town: Town):
    town.lan(at=hospital)
    another = hospital.appointment(SOON)
    who = hidden(scan(machine, LAN_CARD, purpose="insured"), "who")
    machine.send("/kiosk/check-in", 410, who=who, appointment=str(another.id))
    machine.open("/kiosk")
    machine.send("/kiosk/check-in", 410, appointment=str(another.id))
    assert hospital.count(Ticket) == 0


def test_a_slip_under_the_scanner_shows_how_it_stands(machine: Browser, hospital: Hospital):
    slip = hospital.number("P001")
    page = scan(machine, f"https://kham.example.vn/t/{slip.public_token}")
    assert "1-001" in page
    assert "Đang chờ" in page


def test_coming_appointments_are_looked_up_without_checking_in(
    machine: Browser, hospital: Hospital, town: Town
):
    lan = town.lan(at=hospital)
    hospital.appointment(SOON + timedelta(days=3), patient_id=lan)
    page = scan(machine, LAN_CARD, purpose="look-up")
    assert "Lịch hẹn của quý vị ở đây" in page
    assert "Khám nội" in page
    assert 'name="who"' not in page
    assert hospital.count(Ticket) == 0


def test_prices_are_shown(machine: Browser):
    page = machine.open("/kiosk/prices")
    assert "Khám nội" in page
    assert "chưa gồm xét nghiệm" in page


def test_the_wrong_place_is_refused_with_the_right_one(
    machine: Browser, hospital: Hospital, other_hospital: Hospital
):
    appointment = other_hospital.appointment(MONDAY_8AM)
    assert "Bệnh viện Vũng Tàu" in scan(machine, appointment.code, 409)


def test_a_slip_taken_before_is_not_given_to_whoever_finds_the_page_open(
    machine: Browser, hospital: Hospital, clock: MovableClock
):
    machine.open("/kiosk/read?purpose=insured")
    machine.send("/kiosk/number", purpose="insured", press_key="kept")
    machine.open("/kiosk")
    clock.forward(minutes=4)
    page = machine.send("/kiosk/number", 422, purpose="insured", press_key="kept")
    assert "Lần bấm này đã dùng" in page
    assert "A001" not in page


def test_an_odd_button_is_answered_there_too(machine: Browser):
    assert "Chưa lấy được số" in machine.send("/kiosk/number", 422, purpose="gold")
    assert "Chưa lấy được số" in machine.open("/kiosk/read?purpose=gold")


def test_an_emergency_shows_the_way_and_calls_people(machine: Browser, hospital: Hospital):
    assert "Đi thẳng vào khoa Cấp cứu" in machine.send("/kiosk/help", kind="emergency")
    with hospital.begin() as session:
        call = session.scalars(select(StaffCall)).one()
    assert (call.kind, call.place) == ("emergency", "Kiosk sảnh A")
    with machine.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.staff_token
    page = machine.open("/clinic")
    assert "CẤP CỨU tại Kiosk sảnh A, lúc 08:00" in page
    assert "CẤP CỨU tại" not in machine.send(f"/clinic/staff-calls/{call.id}/answer")


def test_nobody_presses_for_the_printer(machine: Browser, hospital: Hospital):
    machine.send("/kiosk/help", 422, kind="printer")
    assert hospital.count(StaffCall) == 0


def test_the_kiosk_speaks_english_until_the_next_person(machine: Browser):
    page = machine.open("/kiosk?lang=en")
    assert "How can we help?" in page
    assert "/kiosk/read?purpose=foreigner&amp;lang=en" in page
    machine.open("/kiosk/read?purpose=foreigner&lang=en")
    assert "Your number" in machine.send("/kiosk/number?lang=en", purpose="foreigner")
    assert "Quý vị cần gì?" in machine.open("/kiosk")


def test_a_machine_that_was_revoked_asks_to_be_put_into_use(machine: Browser, hospital: Hospital):
    with hospital.begin() as session:
        revoke_device(session, hospital.device_id, MONDAY_8AM)
    assert "Đưa máy vào sử dụng" in machine.open("/kiosk")


def test_nothing_of_a_person_is_in_a_cookie_an_address_or_a_cache(
    machine: Browser, hospital: Hospital, town: Town
):
    hospital.appointment(SOON, patient_id=town.lan(at=hospital))
    before = {each.key for each in machine.client._cookies.values()}
    answer = machine.client.post(
        "/kiosk/identify",
        data={"csrf_token": hidden(machine.page, "csrf_token"), "text": LAN_CARD},
        headers={"Accept": "text/html"},
    )
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert {each.key for each in machine.client._cookies.values()} == before
    with machine.client.session_transaction() as cookie:
        assert not any("Lan" in str(value) or LAN_ID in str(value) for value in cookie.values())


def test_a_machine_does_not_look_for_people_by_the_hundred(machine: Browser, clock: MovableClock):
    for each in range(20):
        scan(machine, f"0771520{each:05d}", 404)
    assert "Máy này đang bận" in scan(machine, LAN_ID, 429)
    clock.forward(minutes=1)
    scan(machine, LAN_ID, 404)


def test_whoever_is_refused_gets_a_number_for_reception_by_one_press(machine: Browser, hospital: Hospital):
    page = scan(machine, "077052009999", 404, purpose="insured", priority="pregnant")
    assert "Lấy số đến quầy tiếp đón" in page
    page = machine.send(
        "/kiosk/number", purpose=hidden(page, "purpose"), priority=hidden(page, "priority"),
        press_key=hidden(page, "press_key"),
    )  # fmt: skip
    assert number_on(page) == "A001"
    with hospital.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert (ticket.purpose, ticket.priority_class) == ("insured", "pregnant")


def test_looking_up_in_vain_takes_no_number(machine: Browser):
    page = scan(machine, "077052009999", 404, purpose="look-up")
    assert "Chưa tìm thấy" in page
    assert "Lấy số đến quầy tiếp đón" not in page


def test_a_large_house_asks_for_the_service_first(machine: Browser, hospital: Hospital, town: Town):
    many_rooms(hospital, 7)
    hospital.number("P001")
    town.lan(at=hospital)
    page = scan(machine, LAN_CARD, purpose="self-pay")
    page = machine.send("/kiosk/choose", who=hidden(page, "who"), purpose="self-pay")
    assert "7 phòng" in page
    assert "Phòng khám 2" not in page
    service = re.search(r'name="service" value="([0-9a-f-]{36})"', page)
    assert service
    page = machine.send("/kiosk/choose", who=hidden(page, "who"), purpose="self-pay", service=service[1])
    assert "Bác sĩ nào cũng được" in page
    quickest = re.search(r'th-kiosk__choice--warm" name="queue" value="([0-9a-f-]{36})"', page)
    assert quickest
    page = machine.send("/kiosk/number", who=hidden(page, "who"), purpose="self-pay", queue=quickest[1])
    assert number_on(page) == "2-001"


def many_rooms(hospital: Hospital, count: int) -> None:
    """Let somebody sit in so many rooms today."""
    rooms = {f"P{number:03d}": f"Phòng khám {number}" for number in range(1, count + 1)}
    with hospital.begin() as session:
        there = set(session.scalars(select(ServicePoint.code).where(ServicePoint.facility_id == hospital.id)))
        session.add_all(
            ServicePoint(id=uuid4(), facility_id=hospital.id, code=code, name=name, kind="clinic")
            for code, name in rooms.items()
            if code not in there
        )
        session.flush()
        ensure_queues(session, hospital.id)
    for room in rooms:
        hospital.appointment(SOON, room=room)
