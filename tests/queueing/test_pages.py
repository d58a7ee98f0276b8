"""The pages as plain forms: board, clinic, and the phone that follows."""

import re
from collections import Counter

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from telehealth.accounts.models import Account
from telehealth.audit.models import AuditEvent
from telehealth.encounters.models import Encounter
from telehealth.queueing.models import Ticket
from tests.conftest import MONDAY_8AM
from tests.queueing.browser import Browser
from tests.queueing.hospital import Hospital


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    return Browser(client)


@pytest.fixture
def console(app: Flask, browser: Browser, hospital: Hospital) -> Browser:
    """The doctor's screen, signed in."""
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.staff_token
    browser.open("/clinic")
    return browser


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
