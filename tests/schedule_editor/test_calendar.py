"""What the calendar shows, and what it costs."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from telehealth.core.ids import new_id
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import CalendarDay
from telehealth.scheduling.models import Blocking, ScheduleException
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, statements
from tests.schedule_editor.conftest import Pages

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
