"""The desk finds a time on a day, from an hour, with a doctor; and what a blocking closes is said."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from telehealth.core.ids import new_id
from telehealth.core.uow import system_unit_of_work
from telehealth.scheduling.models import Blocking
from tests.booking.clinic import DOCTORS, FACILITIES, NOW
from tests.desk.test_desk import SLOT, registered
from tests.patient_portal.browser import Browser

BLOCKED = re.compile(r'id="blocked-slot".*?</select>', re.DOTALL)


@pytest.fixture
def person(desk: Browser) -> str:
    """The page of somebody known here."""
    registered(desk)
    return desk.address.split("?")[0]


def block(engine: Engine, *roles: str) -> None:
    """Doctor An has a meeting on Tuesday from 08:30 to 09:30."""
    with system_unit_of_work(engine) as session:
        session.add(
            Blocking(
                id=new_id(),
                facility_id=FACILITIES["77001"],
                practitioner_id=DOCTORS["an"],
                from_at=NOW + timedelta(hours=24.5),
                to_at=NOW + timedelta(hours=25.5),
                reason="Họp giao ban",
                override_roles=list(roles),
                created_at=NOW,
            )
        )


def test_the_clerk_asks_for_a_day_an_hour_and_a_doctor(desk: Browser, person: str):
    desk.go(f"{person}?service=internal&day=2026-12-02&hour=08:30&doctor={DOCTORS['an']}")
    times = re.findall(r"(\d\d:\d\d), Thứ (\w+)", desk.text.split("slot_id", 1)[1])
    assert times[0] == ("08:30", "Tư")
    assert "Bác sĩ binh ·" not in desk.text
    assert 'value="any.' not in desk.text, "a doctor was asked for"


def test_any_doctor_from_an_hour_is_not_booked_before_it(desk: Browser, person: str, engine: Engine):
    desk.go(f"{person}?service=internal&day=2026-12-02&hour=09:20")
    chosen = re.search(r'value="(any\.[0-9-]+)"', desk.text)[1]
    desk.send(
        "/book",
        slot_id=chosen,
        asked="patient",
        coverage="none",
        service="internal",
        where="here",
        modality="in-person",
        day="2026-12-02",
        hour="09:20",
    )
    assert "Đã đặt lịch" in desk.text
    with system_unit_of_work(engine) as session:
        start = session.execute(text("SELECT start_at FROM appointment")).scalar_one()
    assert start == NOW + timedelta(hours=49, minutes=20)


@pytest.mark.parametrize(
    "given", ["day=0001-01-01", "day=9999-12-31", "day=x&hour=99", "hour=09:00", "doctor=x"]
)
def test_what_cannot_be_read_is_passed_over(desk: Browser, person: str, given: str):
    assert desk.go(f"{person}?service=internal&{given}").status == 200
    assert SLOT.search(desk.text)


def test_later_times_are_one_link_away(desk: Browser, person: str):
    desk.go(f"{person}?service=internal&doctor={DOCTORS['an']}")
    link = re.search(r'href="([^"]+)"[^>]*>Xem giờ muộn hơn', desk.text)[1].replace("&amp;", "&")
    first = SLOT.search(desk.text)[1]
    desk.go(link)
    assert SLOT.search(desk.text)[1] != first


def test_a_blocking_is_said_to_the_desk_and_offered_only_to_whom_it_names(
    desk: Browser, person: str, engine: Engine
):
    block(engine, "facility-admin")
    desk.go(f"{person}?service=internal&day=2026-12-01&doctor={DOCTORS['an']}")
    assert "đang khóa lịch từ 08:30" in desk.text
    assert "Họp giao ban" in desk.text
    assert "Quản trị cơ sở" in desk.text
    assert not BLOCKED.search(desk.text)
    free = desk.text.split("Giờ trống sớm nhất")[1].split("</fieldset>")[0]
    assert "08:20, Thứ Ba" in free
    assert "08:30, Thứ Ba" not in free


def test_who_is_named_books_a_blocked_time_with_a_reason(desk: Browser, person: str, engine: Engine):
    block(engine, "desk")
    desk.go(f"{person}?service=internal&day=2026-12-01&doctor={DOCTORS['an']}")
    offered = re.findall(r'value="([^"]+)"[^>]*>(\d\d:\d\d)', BLOCKED.search(desk.text)[0])
    assert [at for _slot, at in offered] == ["08:30", "08:40", "08:50", "09:00", "09:10", "09:20"]
    fields = {"slot_id": offered[0][0], "service": "internal", "asked": "patient", "coverage": "none"}
    desk.send("/override", **fields, day="2026-12-01", override_why=" ")
    assert "Hãy ghi lý do đặt vào giờ đang khóa" in desk.text
    assert desk.status == 422
    desk.send("/override", **fields, day="2026-12-01", override_why="Bác sĩ An đồng ý")
    assert "Đã đặt lịch" in desk.text
    with system_unit_of_work(engine) as session:
        details = session.execute(
            text("SELECT details FROM audit_event WHERE action = 'booking.book'")
        ).scalar_one()
    assert details["override"] is True
