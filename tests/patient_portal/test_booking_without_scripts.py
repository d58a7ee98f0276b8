"""The whole way from the first page to the appointment with plain forms, and where it may go wrong."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from telehealth.core.clock import at_local
from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, TUESDAY
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

PHONE = "0912 345 678"
ME = {
    "relation": "self",
    "full_name": "Nguyễn Thị Đào",
    "birth__year": "1962",
    "sex": "female",
}


def to_slot(browser: Browser, *, modality: str = "in-person") -> Browser:
    """Look for a time and choose the first."""
    browser.go("/book").go(browser.links("service=internal")[0])
    doctor = DOCTORS["chi" if modality == "video" else "an"]
    browser.go(f"/book/times?service=internal&from={TUESDAY}&practitioner={doctor}&modality={modality}")
    return browser.go(browser.links("/book/slots/")[0])


def signed_in(browser: Browser, phone: str = PHONE) -> Browser:
    """Give the phone and the code."""
    browser.send(phone=phone)
    return browser.send(code=browser.code())


def to_confirmation(browser: Browser, **person: str) -> Browser:
    """Fill in everything but the last page."""
    signed_in(to_slot(browser))
    browser.send(**{**ME, **person})
    return browser.send(coverage_basis="registered-here", reason="Ho hai tuần nay", companion="yes")


def appointments(browser: Browser) -> list[tuple[str, str]]:
    with system_unit_of_work(browser.engine) as session:
        rows = session.execute(text("SELECT status, coverage_basis FROM appointment ORDER BY created_at, id"))
        return [tuple(row) for row in rows]


def test_a_new_patient_books_the_earliest_time_with_plain_forms(browser: Browser):
    to_slot(browser)
    assert browser.sees("Bệnh viện Thử 77001", "45.000 đ", "Số điện thoại của quý vị")
    browser.send(phone=PHONE)
    assert browser.sees("ba số cuối 678")
    browser.send(code=browser.code())
    assert browser.sees("Thông tin người được khám", "Đang giữ chỗ cho quý vị đến 08:05")
    browser.send(**ME)
    assert browser.sees("Dùng bảo hiểm y tế thế nào?")
    browser.send(coverage_basis="registered-here", reason="Ho hai tuần nay", companion="yes")
    assert browser.sees(
        "Xem lại trước khi đặt",
        "Nguyễn Thị Đào",
        "Đăng ký khám BHYT ban đầu tại đây (Cơ sở y tế chưa kiểm tra)",
        "Ho hai tuần nay",
        "Thẻ bảo hiểm y tế, VssID hoặc VNeID",
    )
    browser.send(agree="yes")
    assert browser.status == 200
    assert browser.sees("Đã đặt lịch xong", "<svg", "Cần chuẩn bị")
    assert appointments(browser) == [("booked", "registered-here")]


def test_nothing_about_the_patient_stands_in_an_address(browser: Browser):
    to_confirmation(browser).send(agree="yes")
    addresses = " ".join(browser.visited)
    for secret in ("912", "345", "Nguy", "1962", "Ho%20", "registered"):
        assert secret not in addresses


def test_a_wrong_code_is_told_at_its_field_and_the_right_one_still_works(browser: Browser):
    to_slot(browser).send(phone=PHONE)
    right = browser.code()
    wrong = "000000" if right != "000000" else "000001"
    browser.send(code=wrong)
    assert browser.status in (401, 422)
    assert browser.sees("Còn chỗ cần sửa", "Mã không đúng hoặc đã hết hạn")
    browser.send(code=right)
    assert browser.sees("Thông tin người được khám")


def test_a_wrong_phone_is_told_and_what_was_typed_stays(browser: Browser):
    to_slot(browser).send(phone="12345")
    assert browser.status == 422
    assert browser.sees('value="12345"', "Vui lòng nhập số điện thoại")


def test_a_new_code_can_be_asked_for(browser: Browser):
    to_slot(browser).send(phone=PHONE)
    browser.send("/code/again")
    assert browser.sees("Đã gửi mã mới")
    browser.send(code=browser.code())
    assert browser.sees("Thông tin người được khám")


def test_pressing_twice_and_going_back_give_one_appointment(browser: Browser):
    to_confirmation(browser)
    page = browser.address
    browser.send(agree="yes")
    done = browser.address
    browser.go(page)
    assert browser.address == done
    token = browser.client.get("/book").get_data(as_text=True).split('name="csrf-token" content="')[1]
    again = browser.client.post(
        page, data={"csrf_token": token.split('"')[0], "agree": "yes"}, headers={"Origin": "http://localhost"}
    )
    assert again.status_code == 303
    assert again.headers["Location"] == done
    assert appointments(browser) == [("booked", "registered-here")]


def test_consent_is_not_taken_for_granted(browser: Browser):
    to_confirmation(browser).send()
    assert browser.status == 422
    assert browser.sees("Vui lòng đánh dấu đồng ý")
    assert "checked" not in browser.text
    assert appointments(browser) == [("held", "none")]


def test_a_lost_slot_shows_the_next_three(new_browser: Callable[[], Browser]):
    quick, slow = new_browser(), new_browser()
    to_slot(quick)
    slow.go(quick.address)
    slow.send(phone="0987654321")
    code = slow.code()
    signed_in(quick)
    slow.send(code=code)
    assert slow.status == 409
    assert slow.sees("Giờ này vừa có người đặt", "Những giờ trống gần nhất")
    others = slow.links("/book/slots/")
    assert len(others) == 3
    slow.go(others[0]).send()
    assert slow.sees("Thông tin người được khám")


def test_after_the_hold_has_run_out_a_free_slot_is_still_booked(
    browser: Browser, clock: MovableClock, set_database_clock
):
    to_confirmation(browser)
    clock.forward(minutes=20)
    set_database_clock(clock())
    browser.go(browser.address)
    assert browser.sees("Đã hết thời gian giữ chỗ")
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong")


def test_after_the_hold_has_run_out_a_slot_may_be_lost(
    new_browser: Callable[[], Browser], clock: MovableClock, set_database_clock
):
    slow, quick = new_browser(), new_browser()
    to_confirmation(slow)
    slot = next(address for address in slow.visited if "/book/slots/" in address)
    clock.forward(minutes=20)
    set_database_clock(clock())
    quick.go(slot).send(phone="0987654321")
    quick.send(code=quick.code())
    quick.send(**{**ME, "full_name": "Lê Văn Nhanh"})
    slow.send(agree="yes")
    assert slow.status == 409
    assert slow.sees("Những giờ trống gần nhất")


def test_a_held_time_that_was_closed_meanwhile_shows_others(browser: Browser):
    to_confirmation(browser)
    with system_unit_of_work(browser.engine) as session:
        session.execute(
            text(
                """INSERT INTO blocking (id, facility_id, practitioner_id, from_at, to_at, reason, created_at)
                   SELECT gen_random_uuid(), facility_id, practitioner_id, start_at, end_at, 'Họp', now()
                     FROM appointment"""
            )
        )
    browser.send(agree="yes")
    assert browser.status == 409
    assert browser.sees("Những giờ trống gần nhất")


ODD_NAMES = ("Trần 😀 Văn", "Robert'); DROP TABLE patient;--", "", "<script>alert(1)</script>", "\x00")
FAULTS = (
    ({"relation": ""}, "Vui lòng cho biết người được khám là ai"),
    ({"sex": ""}, "Vui lòng chọn giới tính"),
    ({"birth__year": ""}, "Vui lòng nhập ngày sinh"),
    ({"birth__year": "3000"}, "không thể ở sau hôm nay"),
    ({"birth__year": "1962", "birth__month": "2", "birth__day": "31"}, "Ngày sinh chưa đúng"),
    ({"birth__day": "5"}, "Ngày sinh chưa đúng"),
    ({"national_id": "123"}, "Số căn cước gồm 12 chữ số"),
    ({"phone": "99"}, "Số điện thoại chưa đúng"),
)


def test_an_odd_name_is_refused_clearly_or_kept_harmless(browser: Browser):
    page = signed_in(to_slot(browser)).address
    for name in ODD_NAMES:
        browser.go(page).send(**{**ME, "full_name": name})
        assert browser.status in (200, 422), name
        assert "<script>alert" not in browser.text
        if browser.status == 422:
            assert browser.sees("Còn chỗ cần sửa"), name
    with system_unit_of_work(browser.engine) as session:
        session.execute(text("SELECT count(*) FROM patient"))


def test_each_fault_in_the_form_is_told_and_nothing_typed_is_lost(browser: Browser):
    page = signed_in(to_slot(browser)).address
    for change, words in FAULTS:
        browser.go(page).send(**{**ME, **change})
        assert browser.status == 422, change
        assert browser.sees("Còn chỗ cần sửa", words, "Nguyễn Thị Đào"), change


def test_a_child_without_papers_or_phone_is_booked_by_a_parent(browser: Browser):
    signed_in(to_slot(browser)).send(
        relation="my-child",
        full_name="Lê Gia Bảo",
        birth__day="9",
        birth__month="5",
        birth__year="2023",
        sex="male",
    )
    browser.send(coverage_basis="registered-here")
    assert browser.sees("Giấy khai sinh hoặc căn cước của trẻ")
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong")


def test_a_foreigner_with_a_passport_is_booked(browser: Browser):
    signed_in(to_slot(browser)).send(
        **{**ME, "full_name": "Jane Smith", "passport_no": "C01X00T47", "nationality": "GB"}
    )
    assert browser.sees("Dùng bảo hiểm y tế thế nào?")


def test_a_second_visit_that_day_is_warned_of_and_booked_when_meant(browser: Browser):
    to_confirmation(browser).send(agree="yes")
    first = browser.links("/appointments/")[0].removesuffix("/calendar.ics")
    browser.go(
        f"/book/times?service=internal&from={TUESDAY}&practitioner={DOCTORS['binh']}&modality=in-person"
    )
    browser.go(browser.links("/book/slots/")[1]).send()
    browser.send(who=re.search(r'name="who" value="([0-9a-f-]{36})"', browser.text)[1])
    browser.send(coverage_basis="none", companion="no")
    assert browser.sees("Người này đã có lịch Khám nội lúc", "hôm đó", "Vẫn đặt")
    assert f'href="{first}"' in browser.text
    browser.send(agree="yes", again="")
    assert browser.status == 409, "an older page, which showed no warning"
    assert len(appointments(browser)) == 2, "held only"
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong")
    assert [status for status, _ in appointments(browser)] == ["booked", "booked"]


def test_the_second_time_the_family_is_there_to_choose_from(browser: Browser):
    to_confirmation(browser).send(agree="yes")
    browser.go("/book/times?service=internal")
    browser.go(browser.links("/book/slots/")[-1]).send()
    assert browser.sees("Ai sẽ được khám?", "Nguyễn Thị Đào", "Sinh 1962")
    browser.send()
    assert browser.status == 422
    assert browser.sees("Vui lòng chọn người được khám")
    browser.send(who="new")
    assert browser.sees("Thông tin người được khám")


def test_a_video_visit_says_before_confirming_that_insurance_does_not_pay(browser: Browser):
    to_slot(browser, modality="video")
    assert browser.sees("Bảo hiểm y tế không chi trả khám qua video tại nhà")
    signed_in(browser).send(**ME)
    assert not browser.sees("Dùng bảo hiểm y tế thế nào?")
    browser.send()
    assert browser.sees("Vui lòng chọn bệnh")
    browser.send(condition="I10")
    assert browser.sees("Xem lại trước khi đặt", "Bảo hiểm y tế không chi trả")
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong", "bấm Vào phòng khám")


def test_a_condition_that_is_not_listed_goes_to_times_in_person_or_to_advice(browser: Browser):
    signed_in(to_slot(browser, modality="video")).send(**ME)
    assert browser.sees("Cao huyết áp", "Tôi muốn khám trực tiếp")
    browser.send(condition="other", reason="Đau ngực")
    assert browser.sees("Bệnh này cần bác sĩ khám trực tiếp", "Bệnh viện Thử 77001", "Chỉ tư vấn qua video")
    assert browser.links("/book/slots/")
    browser.send("/details")
    assert browser.sees("Xem lại trước khi đặt", "Chỉ tư vấn, không kê đơn", "Đau ngực")
    browser.send(agree="yes")
    assert browser.sees("Đã đặt lịch xong")
    with system_unit_of_work(browser.engine) as session:
        kept = session.execute(text("SELECT consultation_only, code_sealed FROM appointment_condition")).one()
    assert tuple(kept) == (True, None)


def test_giving_the_slot_back_frees_it_at_once(new_browser: Callable[[], Browser]):
    first, second = new_browser(), new_browser()
    slot = to_slot(first).address
    signed_in(first).send("/release")
    assert first.sees("Giờ còn trống") or first.sees("Khám nội")
    second.go(slot).send(phone="0987654321")
    second.send(code=second.code())
    assert second.sees("Thông tin người được khám")


def test_changing_one_s_mind_lets_the_slot_before_go(browser: Browser):
    signed_in(to_slot(browser))
    every = browser.go(f"/book/times?service=internal&practitioner={DOCTORS['an']}").links("/book/slots/")
    for slot in every[:5]:
        browser.go(slot).send()
        assert browser.sees("Thông tin người được khám"), browser.status
    assert [status for status, _ in appointments(browser)].count("held") == 1


def test_a_slot_that_is_too_soon_says_why_and_shows_others(
    browser: Browser, clock: MovableClock, set_database_clock
):
    clock.now = at_local(TUESDAY, 7 * 60 + 39)
    set_database_clock(clock())
    browser.go(ANY_DOCTOR).send(phone=PHONE)
    clock.forward(minutes=2)
    set_database_clock(clock())
    browser.send(code=browser.code())
    assert browser.status == 409
    assert browser.sees("Giờ này đã quá sát", "Những giờ trống gần nhất", "đến thẳng quầy tiếp đón")


ANY_DOCTOR = "/book/slots/any~77001~internal~in-person~20261201T0800"


@pytest.mark.parametrize("any_doctor", [False, True], ids=["a doctor", "any doctor"])
@pytest.mark.parametrize(
    ("minutes_before", "told"),
    [(30, None), (20, None), (19, "Giờ này đã quá sát"), (1, "Giờ này đã quá sát"), (0, "Giờ này đã qua")],
)
def test_an_old_link_tells_the_true_reason(
    browser: Browser,
    clock: MovableClock,
    set_database_clock,
    any_doctor: bool,
    minutes_before: int,
    told: str | None,
):
    link = ANY_DOCTOR if any_doctor else first_of_an(browser)
    clock.now = at_local(TUESDAY, 8 * 60 - minutes_before)
    set_database_clock(clock())
    browser.go(link)
    if told is None:
        assert (browser.status, browser.sees("Gửi mã cho tôi")) == (200, True)
        return
    assert (browser.status, browser.sees(told, "Giờ quý vị chọn: 08:00")) == (409, True)
    assert browser.sees("quầy tiếp đón") == (told == "Giờ này đã quá sát")
    assert not browser.sees("có người đặt")
    assert not browser.sees("hết chỗ")
    assert browser.go(browser.links("/book/slots/")[0]).sees("Gửi mã cho tôi")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("status = 'closed'", ("Buổi khám này tạm ngưng nhận lịch", "chọn giờ khác")),
        ("opens_at = start_at - interval '1 hour'", ("Chưa đến giờ mở đặt lịch", "từ 07:00 ngày 01/12/2026")),
        ("online_quota = 0", ("Chưa giữ được giờ này", "hết chỗ đặt qua mạng")),
    ],
)
def test_an_old_link_to_a_session_that_changed_tells_how(
    browser: Browser, owner_engine: Engine, change: str, told: tuple[str, str]
):
    link = first_of_an(browser)
    with owner_engine.begin() as connection:
        connection.execute(
            text(f"UPDATE clinic_session SET {change} WHERE id = :id"),
            {"id": link.rsplit("/", 1)[1].split(".")[0]},
        )
    assert browser.go(link).status == 409
    assert browser.sees(*told, "Giờ quý vị chọn", "Những giờ trống gần nhất")
    assert 'name="phone"' not in browser.text, "nobody is sent a code for what cannot be had"


def test_an_old_link_to_a_place_that_is_taken_says_so_but_not_to_who_holds_it(
    new_browser: Callable[[], Browser],
):
    mine, theirs = new_browser(), new_browser()
    link = first_of_an(mine)
    signed_in(mine.go(link))
    assert theirs.go(link).sees("Giờ này vừa có người đặt", "Những giờ trống gần nhất")
    assert theirs.status == 409
    assert mine.go(link).sees("Giữ chỗ này")


def first_of_an(browser: Browser) -> str:
    """Return the address of the doctor's first slot on Tuesday."""
    path = f"/book/times?service=internal&facility=77001&practitioner={DOCTORS['an']}&from={TUESDAY}"
    return browser.go(path).links("/book/slots/")[0]


@pytest.mark.parametrize("doctor", [DOCTORS["an"], None], ids=["a doctor", "any doctor"])
def test_a_time_that_was_shown_can_be_taken_though_typing_takes_its_time(
    browser: Browser, clock: MovableClock, set_database_clock, doctor: str | None
):
    def at(minute: int) -> None:
        clock.now = datetime(2026, 12, 1, 0, minute, tzinfo=UTC)
        set_database_clock(clock.now)

    chosen = "" if doctor is None else f"&practitioner={doctor}"
    times = f"/book/times?service=internal&facility=77001&modality=in-person&from={TUESDAY}{chosen}"
    at(30)
    shown = browser.go(times).links("/book/slots/")[0]
    at(38)
    assert shown not in browser.go(times).links("/book/slots/"), "22 minutes before: not shown any more"
    browser.go(shown).send(phone=PHONE)
    at(39)
    browser.send(code=browser.code()).send(**ME)
    at(43)
    browser.send(coverage_basis="registered-here").send(agree="yes")
    assert browser.sees("Đã đặt lịch xong"), "what is held was taken in time"


def test_the_pages_of_a_hold_open_only_for_who_holds_it(new_browser: Callable[[], Browser]):
    first, stranger = new_browser(), new_browser()
    to_confirmation(first)
    hold = first.address
    assert stranger.go(hold).sees("Đăng nhập")
    to_slot(stranger).send(phone="0987654321")
    stranger.send(code=stranger.code())
    for page in ("who", "person", "details", "confirm"):
        stranger.go(hold.replace("confirm", page))
        assert stranger.status == 404
    assert not stranger.sees("Nguyễn Thị Đào")


def test_everything_is_there_in_english(browser: Browser):
    browser.go("/en")
    to_confirmation(browser)
    assert browser.sees("Check before you book", "Registered here") or browser.sees("Check before you book")
    browser.send(agree="yes")
    assert browser.sees("Your appointment is booked")


def test_an_unknown_slot_is_not_found(browser: Browser):
    for slot in ("x", "00000000-0000-0000-0000-000000000000.480", "%00", "..%2f"):
        assert browser.go(f"/book/slots/{slot}").status == 404, slot
