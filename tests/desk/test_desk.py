"""A clerk's morning, by plain forms."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from telehealth.accounts.services import enrol_device
from telehealth.core.principal import Principal, PrincipalKind
from telehealth.core.uow import system_unit_of_work
from telehealth.queueing.codes import StaffCallKind
from telehealth.queueing.services import call_staff
from telehealth.settings import Settings
from tests.booking.clinic import FACILITIES, Person, known_at
from tests.cast import messages
from tests.conftest import MONDAY_8AM, MovableClock
from tests.patient_portal.browser import Browser
from tests.patient_portal.test_booking_without_scripts import PHONE, to_confirmation
from tests.referrals.conftest import paper

CARD = "077152001234||Nguyễn Thị Sáu|05091952|Nữ|12 Trần Phú, Vũng Tàu|10052021"
SLOT = re.compile(r'name="slot_id" value="((?!any\.)[^"]+)"')
OPTION = re.compile(r'<option value="([0-9a-f-]{36})"')


def scan(desk: Browser, line: str) -> Browser:
    return desk.go("/desk").send("/desk/find", box=line)


def registered(desk: Browser) -> Browser:
    """Scan a new card and register as it says."""
    scan(desk, CARD)
    fields = ("full_name", "birth", "national_id", "address")
    values = {
        name: re.search(rf'id="{name}" name="{name}" type="text" value="([^"]*)"', desk.text)[1]
        for name in fields
    }
    return desk.send("/desk/people", sex="female", phone="0912000999", **values)


def booked(desk: Browser, **fields: str) -> Browser:
    """Register a person, choose the service and book the first time shown."""
    choosing(registered(desk))
    chosen = {"slot_id": SLOT.search(desk.text)[1], "asked": "patient", "coverage": "none", **fields}
    return desk.send("/book", **chosen)


def choosing(desk: Browser, service: str = "internal") -> Browser:
    """Choose a service on a person's page."""
    person = desk.address.split("?")[0]
    return desk.go(f"{person}?service={service}&where=here&modality=in-person")


def appointment_of(desk: Browser) -> str:
    return re.search(r"/desk/appointments/([0-9a-f-]{36})", desk.text + desk.address)[1]


def test_a_new_card_becomes_a_person_and_the_same_card_finds_them(desk: Browser, engine: Engine):
    scan(desk, CARD)
    assert "Chưa có người này" in desk.text
    assert 'value="Nguyễn Thị Sáu"' in desk.text
    assert 'value="05/09/1952"' in desk.text
    registered(desk)
    assert desk.status == 200
    assert "Nguyễn Thị Sáu" in desk.text
    assert "1234" in desk.text
    assert "077152001234" not in desk.text, "masked"
    scan(desk, CARD)
    assert "Nguyễn Thị Sáu" in desk.text
    assert "Đặt lịch" in desk.text
    registered_again = "SELECT count(*) FROM patient_identifier WHERE system = 'national-id' AND active"
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        assert connection.execute(text(registered_again)).scalar_one() == 1


def test_a_person_is_booked_checked_in_and_gets_a_number(
    desk: Browser, engine: Engine, settings: Settings, clock: MovableClock
):
    booked(desk, coverage="registered-here", companion="yes", reason="ho hai tuần")
    assert "Đã đặt lịch" in desk.text
    assert "<svg" in desk.text
    assert "Căn cước công dân" in desk.text
    assert "Thẻ BHYT" in desk.text
    sent = messages(engine, settings.cipher, "appointment-booked")
    assert [message["to"] for message in sent] == ["+84912000999"]
    code = re.search(r'th-qr__code">(\w{8})<', desk.text)[1]
    scan(desk, code.lower())
    assert "Chưa kiểm tra" in desk.text
    desk.send("/coverage", basis="registered-here")
    assert "Đã ghi nhận kiểm tra BHYT" in desk.text
    desk.send("/check-in", priority="none")
    number = re.search(r'th-slip__number">([^<]+)<', desk.text)[1]
    assert "Phòng P1" in desk.text
    scan(desk, code)
    assert "Đã đến" in desk.text
    desk.send("/check-in", priority="none")
    assert re.search(r'th-slip__number">([^<]+)<', desk.text)[1] == number, "the same number again"


CHOSEN = re.compile(r'<option value="([^"]*)" selected>')


def test_a_second_visit_that_day_is_asked_about_and_booked_when_meant(desk: Browser, engine: Engine):
    person = registered(desk).address
    first = SLOT.search(choosing(desk).text)[1]
    standing = appointment_of(desk.send("/book", slot_id=first, asked="patient", coverage="none"))
    choosing(desk.go(person))
    later = SLOT.findall(desk.text)[-1]
    desk.send("/book", slot_id=later, asked="family", coverage="none", reason="xem kết quả")
    assert desk.status == 409
    assert desk.sees("Người này đã có lịch Khám nội lúc", "hôm đó", "Vẫn đặt", "xem kết quả")
    assert f"/desk/appointments/{standing}" in desk.text
    with system_unit_of_work(engine) as session:
        assert session.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 1
    desk.send(slot_id=later)
    assert desk.sees("Đã đặt lịch")
    with system_unit_of_work(engine) as session:
        assert session.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 2
        asked = session.execute(text("SELECT asked_by FROM consent ORDER BY id")).scalars().all()
    assert sorted(asked) == ["family", "patient"]


def test_no_service_is_chosen_for_the_clerk_and_a_hasty_enter_books_nothing(desk: Browser, engine: Engine):
    registered(desk)
    person = desk.address
    assert 'name="slot_id"' not in desk.text, "no time of a service that nobody chose"
    assert "Chọn dịch vụ" in desk.text
    assert desk.go(f"{person}?service=&where=here&modality=in-person").status == 422
    assert desk.sees('<a href="#service">Dịch vụ: Chưa có thông tin này.</a>')
    assert re.search(r'<select[^>]*id="service"[^>]*aria-invalid="true"[^>]* required', desk.text)
    choosing(desk.go(person))
    slot = SLOT.search(desk.text)[1]
    desk.send("/book", service="", slot_id=slot, asked="patient", coverage="none")
    assert desk.status == 422
    with system_unit_of_work(engine) as session:
        assert session.execute(text("SELECT count(*) FROM appointment")).scalar_one() == 0


def test_what_the_person_or_the_desk_had_last_is_suggested_and_not_chosen(desk: Browser, engine: Engine):
    booked(desk)
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE appointment SET status = 'arrived', start_at = start_at - interval '7 days'")
        )
        person = session.execute(text("SELECT patient_id FROM appointment")).scalar_one()
    desk.go(f"/desk/people/{person}")
    assert desk.sees("Lần trước khám ở đây")
    assert 'name="slot_id"' not in desk.text
    assert CHOSEN.findall(desk.text.split('id="where"')[0]) == []
    desk.go(desk.links("service=internal")[0])
    assert SLOT.search(desk.text)
    assert not desk.sees("Lần trước khám ở đây")
    desk.go("/desk/people/new").send("/desk/people", full_name="Lê Văn Bảy", birth="1950", sex="male")
    assert desk.sees("Quầy này vừa đặt")
    assert not desk.sees("Lần trước khám ở đây")
    assert 'name="slot_id"' not in desk.text


def test_a_paper_to_come_again_is_the_first_thing_to_book_by(desk: Browser, lan: Person, engine: Engine):
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
    entered = desk.client.post("/api/v1/slips", json=paper(lan.patient_id), headers=lan.headers)
    assert entered.status_code == 201, entered.json
    desk.go(f"/desk/people/{lan.patient_id}")
    assert desk.sees("Giấy hẹn khám lại số 0123/HK: đặt theo giấy này", "Khám nội")
    by_paper = rf'href="/staff/slips/{entered.json["id"]}" autofocus'
    assert re.search(by_paper, desk.text), "Enter goes to the paper, which is spent there"
    assert 'name="slot_id"' not in desk.text


def test_the_only_service_of_a_place_needs_no_choice(at_desk: Callable[[str], Browser], engine: Engine):
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE healthcare_service SET active = (code = 'internal') WHERE facility_id = :place"),
            {"place": FACILITIES["77001"]},
        )
    station = registered(at_desk("77001"))
    assert SLOT.search(station.text)


def test_everything_about_a_person_leaves_a_row(desk: Browser, engine: Engine):
    booked(desk)
    desk.go("/desk/today")
    with engine.connect() as connection:
        actions = set(connection.execute(text("SELECT action FROM audit_event")).scalars())
        details = str(
            connection.execute(text("SELECT details FROM audit_event WHERE action = 'desk.book'")).all()
        )
    assert {
        "patient.register",
        "patient.read",
        "booking.book",
        "desk.book",
        "desk.slip",
        "booking.list",
    } <= actions
    assert "'asked': 'patient'" in details


def test_the_one_who_asked_and_what_was_agreed_are_kept(desk: Browser, engine: Engine):
    booked(desk, asked="phone")
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        given = connection.execute(text("SELECT purpose, channel FROM consent")).one()
    assert given == ("booking-on-behalf", "desk")


@pytest.mark.parametrize("asked", ["", "somebody", "📱"])
def test_a_booking_nobody_asked_for_is_refused(desk: Browser, asked: str):
    assert booked(desk, asked=asked).status == 422
    assert "ai yêu cầu" in desk.text


def test_a_time_taken_meanwhile_is_said_with_the_next_ones_below(desk: Browser, lan: Person):
    choosing(registered(desk))
    slot = SLOT.findall(desk.text)[-1]
    taken = desk.client.post(
        "/api/v1/appointments", json={"slot_id": slot, "patient_id": str(lan.patient_id)}, headers=lan.headers
    )
    assert taken.status_code == 201, taken.json
    person = desk.address
    first = desk.send("/book", slot_id=slot, asked="patient", coverage="none")
    if first.status == 200:  # two lanes: the second place of that time
        desk.go(person).send("/book", slot_id=slot, asked="patient", coverage="none")
    assert desk.status == 409
    assert SLOT.search(desk.text), "other times are offered"


@pytest.mark.parametrize("slot", ["", "x", "00000000-0000-0000-0000-000000000000.480", "../../etc", "😀"])
def test_a_time_that_does_not_exist_is_refused(desk: Browser, slot: str):
    assert 400 <= booked(desk, slot_id=slot).status < 500


def test_a_clerk_books_elsewhere_and_sees_only_what_they_booked(
    at_desk: Callable[[str], Browser], engine: Engine, settings: Settings, lan: Person
):
    station = at_desk("77002")
    registered(station)
    person = station.address.split("?")[0]
    station.go(f"{person}?service=internal&where=anywhere&modality=in-person")
    assert "Bệnh viện Thử 77001" in station.text
    station.send("/book", slot_id=SLOT.search(station.text)[1], asked="patient", coverage="none")
    assert "Đã đặt lịch" in station.text, station.text
    assert "Bệnh viện Thử 77001" in station.text
    assert len(messages(engine, settings.cipher, "appointment-booked")) == 1
    appointment = appointment_of(station)
    station.go(f"/desk/appointments/{appointment}")
    station.send("/cancel", reason="patient")
    assert "Đã hủy lịch" in station.text
    made = station.client.get("/desk")
    assert made.status_code == 200
    hospitals = station.client.post(
        "/api/v1/appointments",
        json={"slot_id": "x", "patient_id": str(lan.patient_id)},
        headers=lan.headers,
    )
    assert hospitals.status_code in (404, 422)


def test_a_clerk_who_books_elsewhere_for_others_is_not_bound_by_the_limits_against_touts(
    limits, at_desk: Callable[[str], Browser], engine: Engine
):
    limits(account_day=1, phone_active=1, identity_active=1)
    station = at_desk("77002")
    registered(station)
    person = station.address.split("?")[0]
    for chosen in (0, -1):
        station.go(f"{person}?service=internal&where=anywhere&modality=in-person")
        free = SLOT.findall(station.text)
        station.send("/book", slot_id=free[chosen], asked="patient", coverage="none", again="yes")
        assert "Đã đặt lịch" in station.text, station.text
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('app.kind', 'system', true)"))
        by_the_online_door = "SELECT count(*) FROM appointment WHERE status = 'booked' AND channel = 'online'"
        assert connection.execute(text(by_the_online_door)).scalar_one() == 2


def test_another_desk_sees_neither_the_person_nor_the_appointment(
    desk: Browser, at_desk: Callable[[str], Browser]
):
    booked(desk)
    appointment = appointment_of(desk)
    other = at_desk("77002")
    assert other.go(f"/desk/appointments/{appointment}").status == 404
    assert other.go(f"/desk/appointments/{appointment}/slip").status == 404
    assert "Nguyễn Thị Sáu" not in scan(other, "sáu").text
    assert "Nguyễn Thị Sáu" in scan(other, CARD).text, "who shows the card is found"


def test_people_are_found_by_parts_of_the_name_year_and_phone(desk: Browser):
    registered(desk)
    for box in ("sáu", "sau", "nguyen sau", "NGUYỄN THỊ SÁU", "sáu 1952", "0912000999", "sau 0912 000 999"):
        assert "1 người phù hợp" in scan(desk, box).text, box
    for box in ("sáu 1953", "0912000998", "khong ai ca"):
        assert "Chưa có người này" in scan(desk, box).text, box


def test_a_searched_name_stands_in_no_address(desk: Browser):
    registered(desk)
    scan(desk, "sáu 1952")
    assert desk.address == "/desk/find"


@pytest.mark.parametrize(
    "line",
    [
        "|",
        "||||||",
        "077152001234|",
        "a|b|c|d|e|f|g",
        "x" * 5000,
        "|" * 5000,
        "'; DROP TABLE patient; --",
        "%",
        "_",
        "\\",
        "<script>alert(1)</script>",
        "😀😀",
        "\x00",
        "077152001234||<b>x</b>|99999999|?|",
    ],
)
def test_bad_scans_of_every_shape_are_borne(desk: Browser, line: str):
    page = scan(desk, line)
    assert page.status in (200, 422)
    assert "<script>alert" not in page.text
    assert "<b>x</b>" not in page.text


def test_an_empty_box_says_what_to_do(desk: Browser):
    assert scan(desk, "  ").status == 422
    assert "Hãy quét thẻ" in desk.text


@pytest.mark.parametrize(
    ("change", "text_shown"),
    [
        ({"full_name": ""}, "nhập họ và tên"),
        ({"birth": "32/13/1952"}, "Ngày sinh chưa đúng"),
        ({"birth": ""}, "nhập ngày sinh"),
        ({"birth": "2030"}, "sau hôm nay"),
        ({"phone": "12"}, "Số điện thoại chưa đúng"),
        ({"national_id": "12"}, "12 chữ số"),
        ({"insurance_no": "XX"}, "15 ký tự"),
        ({"sex": "bird"}, "giới tính"),
    ],
)
def test_a_fault_in_the_form_is_said_at_its_field_and_nothing_typed_is_lost(
    desk: Browser, change: dict[str, str], text_shown: str
):
    good = {"full_name": "Lê Văn Bảy", "birth": "1950", "sex": "male"}
    desk.go("/desk/people/new").send("/desk/people", **{**good, **change, "address": "Ấp Ba"})
    assert desk.status == 422
    assert text_shown in desk.text
    assert 'value="Ấp Ba"' in desk.text


def test_a_number_that_does_not_fit_warns_and_goes_on(desk: Browser):
    desk.go("/desk/people/new").send(
        "/desk/people", full_name="Lê Văn Bảy", birth="1950", sex="male", national_id="077152009999"
    )
    assert desk.status == 200
    assert "không khớp với giới tính" in desk.text


def test_somebody_without_an_appointment_gets_one_number_a_press(desk: Browser):
    registered(desk)
    person = desk.address
    queue = OPTION.search(desk.text.split('id="queue"')[1])[1]
    fields = {"queue": queue, "priority": "aged-75"}
    first = re.search(r'th-slip__number">([^<]+)<', desk.send("/number", **fields).text)
    assert first
    assert "Chọn hàng chờ" in desk.go(person).text, "no queue is chosen beforehand"
    assert desk.send("/number", queue="", priority="none").status == 422
    assert desk.sees('<a href="#queue">Hàng chờ: Chưa có thông tin này.</a>')
    assert desk.go(person).send("/number", queue="x", priority="none").status == 400


def test_an_appointment_is_cancelled_once_and_by_its_version(
    desk: Browser, engine: Engine, settings: Settings
):
    booked(desk)
    place = f"/desk/appointments/{appointment_of(desk)}"
    desk.go(place)
    stale = dict(desk._form("/coverage")[1])
    desk.send("/coverage", basis="emergency")
    desk.client.post(
        f"{place}/cancel", data={**stale, "reason": "patient"}, headers={"Origin": "http://localhost"}
    )
    assert "Đã đặt" in desk.go(place).text, "an old page changes nothing"
    assert "Đã hủy lịch" in desk.send("/cancel", reason="patient").text
    assert len(messages(engine, settings.cipher, "appointment-cancelled")) == 1
    for reason in ("", "because"):
        assert desk.client.post(f"{place}/cancel", data={**stale, "reason": reason}).status_code == 400


def test_the_day_is_shown_by_doctor(desk: Browser):
    booked(desk)
    home = desk.go("/desk").text
    assert "Bác sĩ" in home
    doctor = re.search(r"/desk/today\?doctor=([0-9a-f-]+)", home)[1]
    assert "Nguyễn Thị Sáu" in desk.go(f"/desk/today?doctor={doctor}").text
    assert "Nguyễn Thị Sáu" not in desk.go(f"/desk/today?doctor={FACILITIES['77001']}").text
    assert desk.go("/desk/today?doctor=x").status == 400


def test_a_desk_works_at_its_own_facilities_only(desk: Browser):
    desk.go("/desk")
    token = re.search(r'name="csrf_token" value="([^"]+)"', desk.text)[1]
    foreign = {"csrf_token": token, "facility": str(FACILITIES["77002"])}
    assert desk.client.post("/desk/facility", data=foreign).status_code == 403


def test_patients_and_strangers_do_not_come_behind_the_desk(desk: Browser, lan: Person):
    assert desk.client.get("/desk", headers=lan.headers).status_code == 403
    assert (
        desk.client.get(
            "/desk", headers={"Authorization": "Bearer x", "Accept": "application/json"}
        ).status_code
        == 401
    )


def kiosk_call(
    engine: Engine, facility: str, kind: StaffCallKind, place: str, device: UUID | None = None, at: int = 0
) -> None:
    machine = Principal(kind=PrincipalKind.KIOSK, display_name=place, device_id=device)
    pressed = MONDAY_8AM + timedelta(minutes=at)
    with system_unit_of_work(engine) as session:
        call_staff(session, machine, FACILITIES[facility], kind, now=pressed)


def test_a_call_that_is_pressed_again_says_how_often_and_when_last(
    desk: Browser, engine: Engine, clock: MovableClock
):
    with system_unit_of_work(engine) as session:
        facility = FACILITIES["77001"]
        device = enrol_device(
            session, kind="kiosk", facility_id=facility, name="A", enrolled_by=None, now=MONDAY_8AM
        )
    for at in (0, 4, 12):
        kiosk_call(engine, "77001", StaffCallKind.EMERGENCY, "Kiosk sảnh A", device.device_id, at)
    page = " ".join(desk.go("/desk/staff-calls").text.split())
    assert page.count("CẤP CỨU tại Kiosk sảnh A") == 1
    assert "CẤP CỨU tại Kiosk sảnh A, lúc 08:00, bấm 3 lần, lần cuối 08:12" in page


def test_a_kiosks_call_is_shown_on_every_page_until_somebody_goes(desk: Browser, engine: Engine):
    kiosk_call(engine, "77001", StaffCallKind.EMERGENCY, "Kiosk sảnh A")
    kiosk_call(engine, "77002", StaffCallKind.HELP, "Kiosk nơi khác")
    for page in ("/desk", "/desk/today", "/desk/people/new", "/desk/staff-calls"):
        desk.go(page)
        assert "CẤP CỨU tại Kiosk sảnh A, lúc 08:00" in desk.text, page
        assert "Kiosk nơi khác" not in desk.text
    assert "<html" not in desk.text
    assert 'data-line="/desk/staff-calls"' in desk.go("/desk").text
    answer = re.search(r'action="(/desk/staff-calls/[^"]+/answer)"', desk.text)[1]
    assert "CẤP CỨU tại" not in desk.send(answer).text


def test_a_call_from_another_hospital_is_not_answered_here(
    desk: Browser, at_desk: Callable[[str], Browser], engine: Engine
):
    kiosk_call(engine, "77001", StaffCallKind.HELP, "Kiosk sảnh A")
    answer = re.search(r'action="(/desk/staff-calls/[^"]+/answer)"', desk.go("/desk").text)[1]
    stranger = at_desk("77002").go("/desk")
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', stranger.text)[1]
    assert stranger.client.post(answer, data={"csrf_token": csrf}).status_code == 404
    assert "Cần giúp tại Kiosk sảnh A" in desk.go("/desk").text


def test_the_first_page_counts_the_day_and_names_nobody(desk: Browser):
    booked(desk)
    desk.go("/desk")
    assert "Nguyễn Thị Sáu" not in desk.text
    assert re.findall(r"<dd>(\d+)</dd>", desk.text) == ["1", "0", "0", "0"]


def test_another_time_is_offered_by_message_and_the_old_one_stays(
    desk: Browser, engine: Engine, settings: Settings
):
    slip = booked(desk)
    desk.go(f"/desk/appointments/{appointment_of(slip)}")
    assert desk.sees("Đề nghị giờ khác", "Giờ đề nghị không được giữ chỗ")
    times = re.findall(r'name="slot_id" value="([^"]+)"', desk.text)
    assert len(times) >= 2
    desk.send("/offer", slot_id=times[1])
    assert desk.sees("Đã gửi đề nghị", "Chờ trả lời")
    (told,) = messages(engine, settings.cipher, "appointment-offer")
    assert "/j/o" in told["link"]
    assert desk.client.get(told["link"].removeprefix("http://localhost")).status_code == 200


def test_a_time_that_is_not_there_is_not_offered(desk: Browser, engine: Engine, settings: Settings):
    slip = booked(desk)
    desk.go(f"/desk/appointments/{appointment_of(slip)}")
    desk.send("/offer", slot_id="nowhere")
    assert desk.status in (404, 409, 422)
    assert messages(engine, settings.cipher, "appointment-offer") == []


def test_another_hospitals_desk_offers_nothing(desk: Browser, at_desk: Callable[[str], Browser]):
    slip = booked(desk)
    appointment_id = appointment_of(slip)
    other = at_desk("77002").go("/desk")
    refused = other.client.post(
        f"/desk/appointments/{appointment_id}/offer",
        data={"slot_id": "x"},
        headers={"Origin": "http://localhost"},
    )
    assert refused.status_code in (400, 403, 404)


def test_somebody_is_added_to_a_time_that_is_taken_only_with_a_reason(
    desk: Browser, lan: Person, engine: Engine
):
    booked(desk)
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
    page = f"/desk/people/{lan.patient_id}?service=internal&where=here&modality=in-person"
    desk.go(page)
    assert "Xếp thêm vào giờ đã kín" in desk.text
    slot = re.search(r'<option value="([0-9a-f-]{36}\.\d+)"', desk.text)[1]
    desk.send("/overbook", slot_id=slot, why=" ")
    assert "Hãy ghi lý do xếp thêm" in desk.text
    desk.send("/overbook", slot_id=slot, why="Bác sĩ An đồng ý")
    assert "Đã đặt lịch" in desk.text
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text("SELECT overbooked, overbook_reason_sealed IS NOT NULL, lane FROM appointment ORDER BY lane")
        ).all()
    assert [tuple(row) for row in rows] == [(False, False, 1), (True, True, 2)]
    day = re.findall(r"<tr>.*?</tr>", desk.go("/desk/today").text, re.DOTALL)
    assert [("Xếp thêm" in row, "Trần Thị Lan" in row) for row in day[1:]] in (
        [(False, False), (True, True)],
        [(True, True), (False, False)],
    ), "who was put beside the others is marked in words, and nobody else"


def test_whichever_doctor_has_seen_the_person_or_has_the_fewest_is_booked(desk: Browser, engine: Engine):
    choosing(registered(desk))
    any_doctor = re.search(r'name="slot_id" value="(any\.[0-9-]+)"', desk.text)[1]
    desk.send("/book", slot_id=any_doctor, asked="patient", coverage="none")
    assert "Đã đặt lịch" in desk.text
    with system_unit_of_work(engine) as session:
        booked_for = session.execute(
            text("SELECT min(start_at) OVER () = start_at FROM appointment WHERE status = 'booked'")
        ).scalar_one()
    assert booked_for


def test_who_booked_for_themselves_is_found_by_the_telephone_they_sign_in_with(
    at_desk: Callable[[str], Browser], app: Flask, engine: Engine, settings: Settings, clock: MovableClock
):
    to_confirmation(Browser(app.test_client(), engine, settings.cipher, clock)).send(agree="yes")
    desk = at_desk("77001")
    assert "Nguyễn Thị Đào" in scan(desk, PHONE).text
    assert "Chưa có người này" in scan(at_desk("77002"), PHONE).text
