"""Changing the schedule through its pages: seen first, then done, and no more than the role allows."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text

from telehealth.core.ids import new_id
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import ServicePoint
from tests.booking.clinic import DOCTORS, FACILITIES, TUESDAY, add_schedule, service_id
from tests.schedule_editor.conftest import AN_LINE, Pages


def rows(engine: Engine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with system_unit_of_work(engine) as session:
        return [tuple(row) for row in session.execute(text(sql), values)]


def test_a_new_line_is_shown_first_and_nothing_of_it_is_kept(admin: Pages, engine: Engine):
    before = rows(engine, "SELECT count(*) FROM schedule")
    seen = admin.post("/desk/schedule/lines", AN_LINE)
    assert seen.sees("Xem trước thay đổi", "Thêm 13:00–15:00", "Phòng P7")
    assert rows(engine, "SELECT count(*) FROM schedule") == before
    assert rows(engine, "SELECT count(*) FROM clinic_session WHERE room = 'P7'") == [(0,)]


def test_the_preview_of_a_line_names_the_service_of_each_session(admin: Pages):
    line = AN_LINE | {"further_service_ids": [str(service_id("77001", "desk-only"))]}
    seen = admin.post("/desk/schedule/lines", line)
    assert seen.sees("Phòng P7 · Khám nội", "Phòng P7 · Khám đặc biệt")


def test_a_saved_line_has_its_sessions_at_once_and_stands_in_the_trail(admin: Pages, engine: Engine):
    assert admin.do("/desk/schedule/lines", AN_LINE).status == 303
    made = rows(
        engine,
        "SELECT start_minute, slot_count, slot_minutes FROM clinic_session"
        " WHERE room = 'P7' AND business_date = '2026-12-02'",
    )
    assert made == [(780, 6, 20)]
    assert rows(engine, "SELECT origin, version FROM schedule WHERE room = 'P7'") == [("editor", 1)]
    assert rows(engine, "SELECT count(*) FROM audit_event WHERE action = 'schedule.add'") == [(1,)]


def test_a_running_line_is_split_and_its_past_stays(admin: Pages, engine: Engine):
    line = rows(
        engine, "SELECT id FROM schedule WHERE practitioner_id = :an AND start_minute = 480", an=DOCTORS["an"]
    )[0][0]
    form = {
        **AN_LINE,
        "weekdays": [str(day) for day in range(7)],
        "start_minute": "08:00",
        "end_minute": "09:00",
        "slot_minutes": "10",
        "room": "P1",
        "valid_from": "2026-12-02",
        "version": "1",
    }
    assert admin.do(f"/desk/schedule/lines/{line}", form).status == 303
    found = rows(
        engine,
        "SELECT valid_from, valid_to, end_minute, version FROM schedule WHERE practitioner_id = :an"
        " AND start_minute = 480 ORDER BY valid_from",
        an=DOCTORS["an"],
    )
    assert found == [
        (date(2026, 1, 1), date(2026, 12, 1), 600, 2),
        (date(2026, 12, 2), None, 540, 1),
    ]
    shapes = rows(
        engine,
        "SELECT business_date, slot_count FROM clinic_session WHERE practitioner_id = :an"
        " AND start_minute = 480 AND business_date BETWEEN '2026-12-01' AND '2026-12-02' ORDER BY 1",
        an=DOCTORS["an"],
    )
    assert shapes == [(date(2026, 12, 1), 12), (date(2026, 12, 2), 6)]


def test_an_older_version_is_refused(admin: Pages, engine: Engine):
    line = rows(
        engine, "SELECT id FROM schedule WHERE practitioner_id = :an AND start_minute = 480", an=DOCTORS["an"]
    )[0][0]
    assert admin.post(f"/desk/schedule/lines/{line}", {**AN_LINE, "version": "7"}).status == 412


def test_leave_shows_who_would_lose_their_time_and_puts_them_on_the_worklist(
    clerk: Pages, engine: Engine, booked: Callable[..., Any]
):
    booked(TUESDAY, "08:00", name="Trần Thị Hoa")
    leave = {
        "kind": "leave",
        "practitioner_id": str(DOCTORS["an"]),
        "from_date": TUESDAY.isoformat(),
        "note": "Đi họp",
    }
    seen = clerk.post("/desk/schedule/exceptions", leave)
    assert seen.sees("1 lịch hẹn không còn giờ khám", "Trần Thị Hoa", "Bỏ 08:00–10:00")
    assert clerk.save("/desk/schedule/exceptions").status == 303
    assert rows(engine, "SELECT reason FROM roster_change WHERE resolved_at IS NULL") == [("removed",)]
    assert rows(engine, "SELECT status FROM appointment") == [("booked",)]


def test_a_booking_between_preview_and_save_shows_the_preview_again(
    clerk: Pages, engine: Engine, booked: Callable[..., Any]
):
    leave = {"kind": "leave", "practitioner_id": str(DOCTORS["an"]), "from_date": TUESDAY.isoformat()}
    clerk.post("/desk/schedule/exceptions", leave)
    booked(TUESDAY, "08:00", name="Trần Thị Hoa")
    again = clerk.save("/desk/schedule/exceptions")
    assert again.status == 409
    assert again.sees("Lịch vừa thay đổi", "Trần Thị Hoa")
    assert rows(engine, "SELECT count(*) FROM schedule_exception") == [(0,)]
    assert clerk.save("/desk/schedule/exceptions").status == 303


def test_an_emptied_form_says_what_is_missing_and_keeps_the_rest(admin: Pages):
    wrong = admin.post("/desk/schedule/lines", {**AN_LINE, "weekdays": [], "end_minute": "12:00"})
    assert wrong.status == 422
    assert wrong.sees("Chọn ít nhất một ngày trong tuần.", "Giờ kết thúc phải sau giờ bắt đầu.")
    assert 'value="P7"' in wrong.text


def test_changing_it_again_brings_the_form_back_as_it_was_typed(admin: Pages):
    admin.post("/desk/schedule/lines", AN_LINE)
    again = admin.post("/desk/schedule/lines", AN_LINE, step="edit")
    assert again.sees("Thêm ca khám cố định")
    assert 'value="P7"' in again.text
    assert 'value="13:00"' in again.text


def test_nobody_is_rostered_in_two_places_at_once(admin: Pages, engine: Engine):
    elsewhere = {
        **AN_LINE,
        "practitioner_id": str(DOCTORS["chi"]),
        "start_minute": "17:30",
        "end_minute": "19:00",
    }
    refused = admin.post("/desk/schedule/lines", elsewhere)
    assert refused.status == 409
    assert refused.sees("Bác sĩ đã có lịch tại")
    assert admin.post("/desk/schedule/lines", {**elsewhere, "start_minute": "18:00"}).status == 200


def test_the_database_refuses_two_places_whatever_the_code_asks(clinic: None, engine: Engine):
    with pytest.raises(Exception, match="rostered elsewhere"), system_unit_of_work(engine) as session:
        add_schedule(session, "chi", "77001", start=1050, end=1140, origin="editor")


def test_a_room_used_twice_is_a_warning(admin: Pages):
    twice = {**AN_LINE, "practitioner_id": str(DOCTORS["binh"]), "room": "P1", "start_minute": "14:00"}
    seen = admin.post("/desk/schedule/lines", twice)
    assert seen.status == 200
    assert seen.sees("cùng dùng phòng P1")


def test_the_same_session_twice_at_once_is_a_warning(admin: Pages):
    assert not admin.post("/desk/schedule/lines", AN_LINE).sees("mỗi giờ hiện hai lần")
    assert admin.do("/desk/schedule/lines", AN_LINE).status == 303
    again = admin.post("/desk/schedule/lines", {**AN_LINE, "start_minute": "14:00"})
    assert again.sees("đã có ca của dịch vụ này cùng giờ ở đó")


def test_a_room_that_the_facility_does_not_have_is_a_warning(admin: Pages, engine: Engine):
    with system_unit_of_work(engine) as session:
        session.add(
            ServicePoint(id=new_id(), facility_id=FACILITIES["77001"], code="P1", name="P1", kind="clinic")
        )
    nowhere = admin.post("/desk/schedule/lines", {**AN_LINE, "room": "P404"})
    assert nowhere.sees("chưa có phòng P404")
    assert not admin.post("/desk/schedule/lines", {**AN_LINE, "room": "P1"}).sees("chưa có phòng")


def test_a_clerk_changes_the_coming_weeks_and_no_regular_sessions(clerk: Pages, admin: Pages):
    far = {"kind": "leave", "practitioner_id": str(DOCTORS["an"]), "from_date": "2027-02-01"}
    assert clerk.post("/desk/schedule/exceptions", far).status == 409
    assert clerk.plain.count("28 ngày") >= 1
    assert admin.post("/desk/schedule/exceptions", far).status == 200
    swapped = {"kind": "works-like", "from_date": "2026-12-05", "like_weekday": "0"}
    assert clerk.post("/desk/schedule/exceptions", swapped).status == 403
    assert clerk.post("/desk/schedule/lines", AN_LINE).status == 403


@pytest.mark.parametrize("role", [Role.PRACTITIONER, Role.PROVINCE_OFFICER])
def test_others_do_not_come_in(as_role: Callable[..., Pages], role: Role):
    assert as_role(role).go("/desk/schedule").status == 403


def test_another_facilitys_schedule_is_closed(as_role: Callable[..., Pages], engine: Engine):
    other = as_role(Role.FACILITY_ADMIN, "77002")
    line = rows(engine, "SELECT id FROM schedule WHERE practitioner_id = :an LIMIT 1", an=DOCTORS["an"])[0][0]
    assert other.go(f"/desk/schedule/lines/{line}").status == 404
    mine = {**AN_LINE, "service_id": str(service_id("77001", "internal"))}
    assert other.post("/desk/schedule/lines", mine).status == 422


def test_a_blocking_names_those_already_booked_in_it(
    clerk: Pages, engine: Engine, booked: Callable[..., Any]
):
    booked(TUESDAY, "08:00", name="Trần Thị Hoa")
    block = {
        "subject": "practitioner",
        "practitioner_id": str(DOCTORS["an"]),
        "from_date": TUESDAY.isoformat(),
        "start_minute": "08:00",
        "end_minute": "09:00",
        "reason": "Họp khoa",
    }
    assert clerk.post("/desk/schedule/blockings", block).sees("1 lịch hẹn", "Trần Thị Hoa")
    assert clerk.save("/desk/schedule/blockings").status == 303
    assert rows(engine, "SELECT reason, version FROM blocking WHERE lifted_at IS NULL") == [("Họp khoa", 1)]
    key = rows(engine, "SELECT id FROM blocking")[0][0]
    assert clerk.do(f"/desk/schedule/blockings/{key}", {"end": "yes", "version": "1"}).status == 303
    assert rows(engine, "SELECT lifted_at IS NOT NULL FROM blocking") == [(True,)]


def test_one_session_is_moved_to_another_day(admin: Pages, engine: Engine, booked: Callable[..., Any]):
    booked(TUESDAY, "08:00", name="Trần Thị Hoa")
    key = rows(
        engine,
        "SELECT id FROM clinic_session WHERE practitioner_id = :an AND business_date = :day"
        " AND start_minute = 480",
        an=DOCTORS["an"],
        day=TUESDAY,
    )[0][0]
    move = {
        "day": "2026-12-02",
        "start_minute": "15:00",
        "practitioner_id": str(DOCTORS["an"]),
        "room": "P9",
    }
    turned = admin.post(f"/desk/schedule/sessions/{key}/move", {**move, "end_minute": "09:00"})
    assert turned.sees("Giờ kết thúc phải sau giờ bắt đầu")
    assert not turned.sees("Một lượt khám dài hơn cả ca"), "one fault is told once"
    seen = admin.post(f"/desk/schedule/sessions/{key}/move", move)
    assert seen.sees("Bỏ 08:00–10:00", "Thêm 15:00–17:00", "1 lịch hẹn")
    assert admin.save(f"/desk/schedule/sessions/{key}/move").status == 303
    moved = rows(engine, "SELECT business_date, start_minute FROM clinic_session WHERE room = 'P9'")
    assert moved == [(date(2026, 12, 2), 900)]


def test_rooms_policies_and_limits_are_kept(admin: Pages, engine: Engine):
    room = {"kind": "device", "code": "SA1", "name": "Máy siêu âm", "lanes": "2"}
    assert admin.do("/desk/schedule/resources", room).status == 303
    assert admin.post("/desk/schedule/resources", room).status == 422
    policy = f"/desk/schedule/rules/services/{service_id('77001', 'internal')}"
    assert admin.do(policy, {"version": "0", "notice_hours": "3", "release_minute": "07:00"}).status == 303
    assert rows(engine, "SELECT min_notice_minutes, release_minute, version FROM booking_policy") == [
        (180, 420, 1)
    ]
    terms = """SELECT DISTINCT notice_minutes, extract(hour FROM opens_at AT TIME ZONE 'Asia/Ho_Chi_Minh')
                 FROM clinic_session WHERE service_code = 'internal' AND facility_id = '{}'"""
    of_sessions = terms.format(FACILITIES["77001"])
    assert rows(engine, of_sessions) == [(180, 7)], "at once, not when the days are made next"
    assert admin.do(policy, {"version": "1"}).status == 303
    assert rows(engine, of_sessions) == [(None, None)]
    limit = f"/desk/schedule/rules/doctors/{DOCTORS['an']}"
    assert admin.do(limit, {"version": "0", "per_day": "20"}).status == 303
    assert admin.post(limit, {"version": "0", "per_day": "20"}).status == 412
    assert rows(engine, "SELECT count(*) FROM booking_policy") == [(0,)]
    assert rows(engine, "SELECT per_day FROM practitioner_limit") == [(20,)]
    assert admin.go("/desk/schedule/rules").sees("Số người mỗi ngày của bác sĩ")


@pytest.mark.parametrize("view", ["week", "day"])
@pytest.mark.parametrize("by", ["doctor", "room"])
def test_the_calendar_shows_sessions_with_their_places(admin: Pages, view: str, by: str):
    page = admin.go(f"/desk/schedule?view={view}&by={by}&day=2026-12-01")
    assert page.status == 200
    assert page.sees("08:00–10:00", "0/12 chỗ", "Khám nội")
