"""What patients, clerks, doctors and the province see and press; no scripts."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.codes import Modality
from telehealth.encounters.services import Visit, finish, open_visit, start
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, FACILITIES, Employee, Person, known_at, service_id
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser
from tests.referrals.conftest import Caller, paper, referral
from tests.referrals.test_never_lost import province_officer

Opened = Callable[[str], Browser]


@pytest.fixture
def browse(app: Flask, engine: Engine, settings: Settings, clock: MovableClock, clinic: None) -> Opened:
    """Open a browser that is signed in with a token."""

    def opened(token: str) -> Browser:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = token
        return Browser(client, engine, settings.cipher, clock)

    return opened


@pytest.fixture
def visit(engine: Engine, lan: Person, clock: MovableClock, clinic: None) -> str:
    """A visit of Lan's at An's, that is just over."""
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
        seen = Visit(
            FACILITIES["77001"],
            Modality.IN_PERSON,
            patient_id=lan.patient_id,
            practitioner_id=DOCTORS["an"],
            service_id=service_id("77001", "internal"),
        )
        encounter_id = open_visit(session, SYSTEM, seen, now=clock.now)
        start(session, SYSTEM, encounter_id, now=clock.now)
        finish(session, SYSTEM, encounter_id, now=clock.now)
    return str(encounter_id)


@pytest.fixture
def an(browse: Opened, staff: Callable[..., Employee]) -> Browser:
    return browse(staff(Role.PRACTITIONER, "77001", "an").token)


def slots_on(page: Browser) -> list[str]:
    return re.findall(r'name="slot_id" value="([^"]+)"', page.text)


def test_a_doctor_ends_a_visit_with_slot_and_slip_in_one_step(an: Browser, visit: str, lan: Person):
    page = an.go(f"/staff/slips/visits/{visit}/again?on=2026-12-02")
    assert page.status == 200
    assert page.sees("Hẹn khám lại: Trần Thị Lan", "14 ngày", "Bác sĩ an")
    page.send("/again", slot_id=slots_on(page)[0], plan="Nhịn ăn sáng")
    assert page.address.endswith("/paper"), page.text
    assert page.sees("GIẤY HẸN KHÁM LẠI", "HK26-", "02/12/2026", "Nhịn ăn sáng", "Mỗi giấy dùng một lần")
    assert "<svg" in page.text
    page.go(f"/staff/slips/visits/{visit}/again")
    assert page.sees("Lượt khám này đã có giấy hẹn khám lại")


def test_a_slot_that_is_gone_makes_no_slip(engine: Engine, an: Browser, visit: str):
    page = an.go(f"/staff/slips/visits/{visit}/again?on=2026-12-02")
    slot = slots_on(page)[0]
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    page.send("/again", slot_id=slot)
    assert page.status == 409
    assert page.sees("Hẹn khám lại: Trần Thị Lan")
    with system_unit_of_work(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM service_request")) == 0


def test_a_doctor_refers_and_books_for_the_patient(an: Browser, visit: str):
    page = an.go(f"/staff/slips/visits/{visit}/refer")
    page.send(
        target="77002",
        service="internal",
        priority="urgent",
        transfer_reason="above-level",
        diagnosis="Cơn đau thắt ngực",
        icd10="i209",
        summary="Đau ngực",
    )
    assert page.sees("Phiếu chuyển cơ sở", "Cơn đau thắt ngực", "đến hết ngày 14/12/2026", "I20.9"), page.text
    page.send("/book", slot_id=slots_on(page)[0])
    assert page.sees("PHIẾU CHUYỂN CƠ SỞ KHÁM BỆNH", "Bệnh viện Thử 77002")


def test_a_referral_with_a_wrong_code_keeps_what_was_typed(an: Browser, visit: str):
    page = an.go(f"/staff/slips/visits/{visit}/refer")
    page.send(target="77002", transfer_reason="above-level", icd10="tim", summary="Đau ngực khi gắng sức")
    assert page.status == 422
    assert page.sees("Mã bệnh chưa đúng", "Đau ngực khi gắng sức")


def test_a_patient_enters_a_paper_and_books_it(browse: Opened, lan: Person):
    page = browse(lan.token).go("/book")
    page.go(page.links("/my-slips")[0])
    page.go(page.links("/my-slips/new")[0])
    form = {
        "kind": "reexamination",
        "number": "0123/HK",
        "issuer": "Bệnh viện Chợ Rẫy",
        "target": "77001",
        "service": "internal",
    }
    page.send(**form)
    assert page.status == 422
    assert page.sees("Ngày ký chưa đúng")
    page.send(
        **form,
        signed_on__day="20",
        signed_on__month="11",
        signed_on__year="2026",
        appointment_on__day="1",
        appointment_on__month="12",
        appointment_on__year="2026",
    )
    assert page.sees("Giấy hẹn khám lại", "0123/HK", "hẹn ngày 01/12/2026"), page.text
    page.go(page.links("/book/")[0])
    page.send(agree="yes")
    assert page.address.endswith("/done"), page.text
    page.go("/my-slips")
    assert page.sees("Đã đặt giờ")


def test_another_day_is_warned_of_and_decided_at_the_desk(
    browse: Opened, patient: Caller, lan: Person, staff: Callable[..., Employee]
):
    entered = patient.post("/slips", paper(lan.patient_id, appointment_on="2026-12-20")).json
    page = browse(lan.token).go(f"/my-slips/{entered['id']}?from=2026-12-01")
    page.go(page.links("/book/")[0])
    assert page.sees("Ngày khám khác ngày hẹn trên giấy", "20/12/2026")
    page.send(agree="yes")
    assert page.status == 422
    page.send(agree="yes", other_day="yes")
    clerk = browse(staff(Role.DESK, "77001").token).go("/staff/slips")
    assert clerk.sees("Ngày khác giấy, chờ duyệt", "Trần Thị Lan")
    clerk.go(f"/staff/slips/{entered['id']}")
    clerk.send("/decide", answer="refuse")
    assert clerk.status == 422
    clerk.send("/decide", answer="refuse", reason="Chưa đủ thuốc")
    assert clerk.sees("Đã báo không nhận")
    page.go(f"/my-slips/{entered['id']}")
    assert page.sees("Bệnh viện chưa nhận ngày quý vị chọn", "Chưa đủ thuốc")


def test_a_clerk_enters_a_paper_for_somebody_and_books_it(
    browse: Opened, lan: Person, staff: Callable[..., Employee]
):
    clerk = browse(staff(Role.DESK, "77001").token).go(f"/desk/people/{lan.patient_id}")
    clerk.go(clerk.links("/staff/slips/people")[0])
    clerk.send(
        kind="referral",
        number="45/GCT",
        issuer="Trạm Y tế Long Điền",
        signed_on="2026-11-27",
        target="here",
        service="internal",
    )
    assert clerk.sees("Phiếu chuyển cơ sở", "45/GCT", "đến hết ngày 11/12/2026"), clerk.text
    clerk.send("/book", slot_id=slots_on(clerk)[0])
    assert clerk.sees("GIỜ KHÁM THEO PHIẾU CHUYỂN", "không thay giấy gốc")


def test_without_times_the_patient_asks_the_hospital_and_the_province_sees_no_name(
    engine: Engine,
    owner_engine: Engine,
    browse: Opened,
    doctor: Caller,
    lan: Person,
    staff: Callable[..., Employee],
):
    made = doctor.post("/referrals", referral(lan.patient_id)).json
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE clinic_session SET status = 'closed'"))
    page = browse(lan.token).go(f"/my-slips/{made['id']}")
    assert page.sees("Không còn giờ khám trong hạn của giấy")
    page.send("/defer")
    assert page.sees("Đang có người phụ trách: Quầy tiếp đón · Bệnh viện Thử 77001"), page.text
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE service_request SET owner_role = 'province-officer', owner_facility_id = NULL,"
                " escalation_step = 2"
            )
        )
    officer = browse(province_officer(engine, staff).token).go("/staff/slips/escalated")
    assert officer.sees(made["number"], "Bệnh viện Thử 77002")
    assert not officer.sees("Lan")
    officer.send("/hand-over", facility="77002", reason="Mở thêm buổi")
    assert officer.sees("Đã giao cho Bệnh viện Thử 77002", "Không có giấy nào chuyển lên")


def test_the_rules_are_shown_with_their_sources(an: Browser):
    page = an.go("/staff/slips/rules?q=tieu+duong")
    assert page.status == 200
    assert page.sees("Thông tư 01/2025/TT-BYT, Điều 12", "Tiểu đường chưa có biến chứng", "Chờ đối chiếu")
    assert not page.sees("Cao huyết áp")


def test_strangers_see_nothing(browse: Opened, doctor: Caller, lan: Person, minh: Person):
    made = doctor.post("/referrals", referral(lan.patient_id)).json
    assert browse(minh.token).go(f"/my-slips/{made['id']}").status == 404
    assert browse(minh.token).go(f"/staff/slips/{made['id']}").status == 403
