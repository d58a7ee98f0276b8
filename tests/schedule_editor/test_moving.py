"""Moving a session through the form that a drag fills: regular ones and extra ones, wherever they may go."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from telehealth.core.uow import system_unit_of_work
from tests.booking.clinic import DOCTORS, TUESDAY
from tests.schedule_editor.conftest import Pages

WEDNESDAY = date(2026, 12, 2)


def sessions(engine: Engine, doctor: str, day: date) -> list[tuple[Any, ...]]:
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text(
                "SELECT start_minute, slot_count * slot_minutes, room FROM clinic_session"
                " WHERE practitioner_id = :who AND business_date = :day AND status <> 'cancelled'"
                " ORDER BY start_minute"
            ),
            {"who": DOCTORS[doctor], "day": day},
        )
        return [tuple(row) for row in rows]


def session_at(engine: Engine, doctor: str, day: date, start: int) -> str:
    with system_unit_of_work(engine) as session:
        key = session.execute(
            text(
                "SELECT id FROM clinic_session WHERE practitioner_id = :who AND business_date = :day"
                " AND start_minute = :start AND status <> 'cancelled'"
            ),
            {"who": DOCTORS[doctor], "day": day, "start": start},
        ).scalar_one()
        return f"/desk/schedule/sessions/{key}/move"


def to(day: date, start: str, end: str = "", doctor: str = "an", room: str = "P1") -> dict[str, str]:
    return {
        "day": day.isoformat(),
        "start_minute": start,
        "end_minute": end,
        "practitioner_id": str(DOCTORS[doctor]),
        "room": room,
    }


def test_a_session_moved_by_half_an_hour_stays_whole(
    admin: Pages, engine: Engine, booked: Callable[..., Any]
):
    booked(TUESDAY, "08:00", name="Trần Thị Hoa")
    booked(TUESDAY, "09:00", number=2)
    address = session_at(engine, "an", TUESDAY, 480)
    seen = admin.post(address, to(TUESDAY, "08:30", "10:30"))
    assert seen.sees("Thêm 08:30–10:30", "1 lịch hẹn không còn giờ khám", "Trần Thị Hoa")
    assert admin.save(address).status == 303
    assert (510, 120, "P1") in sessions(engine, "an", TUESDAY)


def test_a_session_gets_another_end(admin: Pages, engine: Engine):
    address = session_at(engine, "an", WEDNESDAY, 480)
    assert admin.do(address, to(WEDNESDAY, "08:00", "11:00")).status == 303
    assert sessions(engine, "an", WEDNESDAY)[0] == (480, 180, "P1")
    assert admin.post(session_at(engine, "an", WEDNESDAY, 480), to(WEDNESDAY, "08:00", "07:00")).status == 422


def test_a_session_moved_once_is_moved_again_and_leaves_nothing_behind(admin: Pages, engine: Engine):
    address = session_at(engine, "an", TUESDAY, 480)
    assert admin.do(address, to(WEDNESDAY, "15:00", "17:00", "binh", "P9")).status == 303
    assert (900, 120, "P9") in sessions(engine, "binh", WEDNESDAY)
    again = session_at(engine, "binh", WEDNESDAY, 900)
    assert admin.do(again, to(TUESDAY, "08:00", "", "an", "P1")).status == 303
    assert (900, 120, "P9") not in sessions(engine, "binh", WEDNESDAY)
    assert (480, 120, "P1") in sessions(engine, "an", TUESDAY)


def test_the_calendar_comes_back_as_it_was_shown(admin: Pages, engine: Engine):
    address = session_at(engine, "an", TUESDAY, 480)
    admin.post(address, {**to(WEDNESDAY, "08:30"), "view": "day", "by": "room"})
    done = admin.save(address)
    assert done.status == 303
    assert "day=2026-12-02&amp;view=day&amp;by=room" in done.text


def test_only_what_is_to_come_can_be_dragged(admin: Pages):
    coming = admin.go("/desk/schedule?day=2026-12-01").text
    assert "/move" in coming
    assert "Dời ca này" in coming
    past = admin.go("/desk/schedule?day=2026-11-17")
    assert "data-move" not in past.text
    assert past.sees("Đã qua")
    assert "Chưa mở đặt" not in past.plain.replace("Ngừng nhận Chưa mở đặt", "")


def test_a_session_cannot_vanish_where_the_doctor_has_one_already(admin: Pages, engine: Engine):
    address = session_at(engine, "an", TUESDAY, 480)
    refused = admin.post(address, to(TUESDAY, "08:00", doctor="binh"))
    assert refused.status == 409
    assert refused.sees("Không mở được ca vào giờ đó")
    assert admin.post(address, to(TUESDAY, "08:05", doctor="binh")).status == 200
