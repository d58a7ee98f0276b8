"""What the calendar shows, and what it costs."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.ids import new_id
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import CalendarDay
from telehealth.scheduling.models import Blocking, ScheduleException
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, Person, service_id, statements
from tests.booking.conftest import lan, web
from tests.schedule_editor.conftest import AN_LINE, Pages

__all__ = ["lan", "web"]

HERE = FACILITIES["77001"]
MOST_STATEMENTS = 16  # the sign-in and the transaction included
LISTS = ("lines", "exceptions", "blockings", "resources", "rules")


def test_holidays_leave_and_blockings_are_drawn(admin: Pages, engine: Engine):
    with system_unit_of_work(engine) as session:
        session.add(
            CalendarDay(
                id=new_id(), day=TUESDAY + timedelta(days=1), kind="holiday", note="Ngày truyền thống"
            )
        )
        session.add(
            ScheduleException(
                id=new_id(),
                facility_id=HERE,
                practitioner_id=DOCTORS["an"],
                kind="leave",
                from_date=TUESDAY,
                to_date=TUESDAY,
                note="Đi học",
            )
        )
        session.add(
            Blocking(
                facility_id=HERE,
                practitioner_id=DOCTORS["binh"],
                from_at=NOW + timedelta(days=1),
                to_at=NOW + timedelta(days=1, hours=1),
                reason="Họp khoa",
                created_at=NOW,
            )
        )
    page = admin.go("/desk/schedule?day=2026-12-01")
    assert page.sees("Ngày truyền thống", "Nghỉ cả ngày · Đi học", "Khóa 08:00–09:00 · Họp khoa")
    assert 'class="is-today"' in admin.go("/desk/schedule").text


def test_the_services_of_one_line_share_their_places(
    admin: Pages, web: FlaskClient, lan: Person, engine: Engine
):
    line = AN_LINE | {"further_service_ids": [str(service_id("77001", "desk-only"))]}
    assert admin.do("/desk/schedule/lines", line).status == 303
    page = f"/desk/schedule?day=2026-12-02&view=day&doctor={DOCTORS['an']}"
    with system_unit_of_work(engine) as session:
        cards = session.execute(
            text(
                """SELECT count(*), sum(slot_count * capacity) FROM clinic_session
                    WHERE room = 'P7' AND business_date = '2026-12-02'"""
            )
        ).one()
    assert tuple(cards) == (2, 12), "two sessions over the same six places"
    whole = admin.go(page)
    others = 12 + 6  # of An's own morning and of the special hour
    assert whole.sees(f"0/{others + 6}"), "counted once"
    assert not whole.sees(f"0/{others + 12}")
    answer = web.get(
        "/api/v1/slots", query_string={"service": "internal", "from": "2026-12-02T13:00:00+07:00"}
    )
    slot = next(each for each in answer.json["items"] if each["room"] == "P7")
    booked = web.post(
        "/api/v1/appointments",
        json={"slot_id": slot["id"], "patient_id": str(lan.patient_id)},
        headers=lan.headers,
    )
    assert booked.status_code == 201, booked.json
    assert admin.go(page).sees("1/6 chỗ", "0/6 chỗ (dịch vụ khác cùng ca: 1)", f"1/{others + 6}")


def test_what_is_kept_for_a_door_is_never_more_than_full(admin: Pages, engine: Engine):
    with system_unit_of_work(engine) as session:
        session.execute(
            text(
                """INSERT INTO session_quota (clinic_session_id, door, reserved, booked, falls_at)
                   SELECT id, 'counter', 2, 4, end_at FROM clinic_session
                    WHERE business_date = '2026-12-01' AND practitioner_id = :an AND start_minute = 480"""
            ),
            {"an": DOCTORS["an"]},
        )
    page = admin.go("/desk/schedule?day=2026-12-01&view=day")
    assert page.sees("giữ cho quầy 2/2")
    assert not page.sees("4/2")


def test_a_filter_keeps_the_others_out(admin: Pages):
    assert admin.go(f"/desk/schedule?doctor={DOCTORS['binh']}").sees("08:00–09:00")
    assert not admin.sees("08:00–10:00")
    assert admin.go("/desk/schedule?doctor=nobody&service=x&day=never&view=year").status == 200


def test_weeks_that_are_not_made_yet_are_planned(admin: Pages):
    assert admin.go("/desk/schedule?day=2027-06-01").sees("Chưa mở đặt", "12 chỗ")


@pytest.mark.parametrize("view", ["week", "day"])
def test_the_calendar_costs_few_statements(admin: Pages, engine: Engine, view: str):
    admin.go("/desk/schedule")
    with statements(engine) as seen:
        admin.go(f"/desk/schedule?view={view}&day=2026-12-01")
    assert len(seen) <= MOST_STATEMENTS, seen


@pytest.mark.parametrize("page", LISTS)
def test_each_list_costs_few_statements(admin: Pages, engine: Engine, page: str):
    admin.go("/desk/schedule")
    with statements(engine) as seen:
        assert admin.go(f"/desk/schedule/{page}").status == 200
    assert len(seen) <= MOST_STATEMENTS, seen
