"""Clinic sessions follow the rosters; those with bookings are never lost."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, text, update

from telehealth.core.ids import new_id
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import CalendarDay, HealthcareService
from telehealth.scheduling.models import Schedule
from telehealth.scheduling.queries import SlotQuery, sessions_of
from telehealth.scheduling.services import Materialised, find_slots, materialise
from tests.booking.clinic import DOCTORS, FACILITIES, NOW, TUESDAY, add_clinic

NEXT_MONTH = date(2027, 1, 20)


@pytest.fixture(autouse=True)
def _clinic(engine: Engine, clean_database: None) -> None:
    with system_unit_of_work(engine) as session:
        add_clinic(session)


def again(engine: Engine, *days: date) -> Materialised:
    with system_unit_of_work(engine) as session:
        return materialise(session, days or (TUESDAY,), NOW)


def an_on(engine: Engine, day: date = TUESDAY):
    with system_unit_of_work(engine) as session:
        found = sessions_of(session, FACILITIES["77001"], day, practitioner_id=DOCTORS["an"])
        return [item for item in found if item.start.hour == 1]


def change(engine: Engine, **values: object) -> None:
    with system_unit_of_work(engine) as session:
        session.execute(
            update(Schedule)
            .where(Schedule.practitioner_id == DOCTORS["an"], Schedule.start_minute == 480)
            .values(**values)
        )


def take(engine: Engine, places: int = 1) -> None:
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE clinic_session SET booked = :n WHERE id = :id"),
            {"n": places, "id": an_on(engine)[0].id},
        )


def test_a_day_that_is_up_to_date_is_left_alone(engine: Engine):
    assert again(engine) == Materialised()


def test_a_changed_roster_changes_its_sessions(engine: Engine):
    change(engine, room="P9", capacity=3)
    assert again(engine).changed == 1
    assert (an_on(engine)[0].room, an_on(engine)[0].places) == ("P9", 36)


def test_a_removed_line_cancels_its_sessions_and_a_restored_one_opens_them(engine: Engine):
    change(engine, active=False)
    assert again(engine).cancelled == 1
    assert an_on(engine)[0].status == "cancelled"
    change(engine, active=True)
    again(engine)
    assert an_on(engine)[0].status == "open"


def test_a_session_with_bookings_stays_and_somebody_must_look(engine: Engine):
    take(engine)
    change(engine, active=False)
    done = again(engine)
    assert (done.cancelled, done.kept) == (0, 1)
    assert an_on(engine)[0].status == "closed"
    change(engine, active=True, slot_minutes=20)
    assert again(engine).kept == 1
    assert an_on(engine)[0].slot_minutes == 10
    assert again(engine) == Materialised()
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text("SELECT reason, resolved_at IS NULL, isempty(worked) FROM roster_change ORDER BY reason")
        ).all()
    assert [tuple(row) for row in rows] == [("changed", True, False), ("removed", False, True)]
    change(engine, slot_minutes=10)
    again(engine)
    assert an_on(engine)[0].status == "open"
    with system_unit_of_work(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM roster_change WHERE resolved_at IS NULL")) == 0


def test_a_session_with_bookings_may_grow(engine: Engine):
    take(engine, places=3)
    change(engine, end_minute=660, room="P2")
    assert (again(engine).changed, an_on(engine)[0].places, an_on(engine)[0].booked) == (1, 18, 3)


def test_a_smaller_online_share_never_falls_below_what_is_booked(engine: Engine):
    with system_unit_of_work(engine) as session:
        session.execute(
            text("UPDATE clinic_session SET booked = 5, online_booked = 5 WHERE id = :id"),
            {"id": an_on(engine)[0].id},
        )
        session.execute(update(HealthcareService).values(online_share_percent=10))
    again(engine)
    assert an_on(engine)[0].online_quota == 5


def test_a_newly_declared_holiday_empties_the_day(engine: Engine):
    with system_unit_of_work(engine) as session:
        session.add(CalendarDay(id=new_id(), day=TUESDAY, facility_id=None, kind="holiday", note="Nghỉ"))
    assert again(engine).cancelled == 4
    with system_unit_of_work(engine) as session:
        session.execute(delete(CalendarDay))
    again(engine)
    assert an_on(engine)[0].status == "open"


def test_days_beyond_the_horizon_are_made_when_somebody_looks(engine: Engine):
    query = SlotQuery("internal", from_=datetime.fromisoformat("2027-01-20T00:00:00+07:00"), limit=1)
    with system_unit_of_work(engine) as session:
        assert find_slots(session, query, now=NOW) == []
    with system_unit_of_work(engine) as session:
        later = NOW + timedelta(days=40)
        materialise(session, [NEXT_MONTH], later)
        assert find_slots(session, query, now=later)[0].start.date() == NEXT_MONTH


def test_processes_that_make_the_same_days_at_once_make_them_once(engine: Engine):
    days = [NEXT_MONTH + timedelta(days=offset) for offset in range(6)]
    gate = threading.Barrier(4)
    done: list[Materialised] = []

    def make() -> None:
        gate.wait()
        done.append(again(engine, *days))

    threads: list[threading.Thread] = [threading.Thread(target=make) for _ in range(4)]
    run: Callable[[], None]
    for run in [thread.start for thread in threads] + [thread.join for thread in threads]:
        run()
    assert sum(item.added for item in done) == 5 * 4 + 1  # on Sunday only the video session
    assert sum(item.days for item in done) == 6
