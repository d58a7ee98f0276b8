"""Missed visits: what follows by degrees, what does not count, and the word asked for on the day before."""

from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.attendance.schemas import AttendanceSchema
from telehealth.booking import services as booking
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from tests.attendance.conftest import Days
from tests.booking.clinic import Employee, Person, add_employee, known_at
from tests.booking.test_booking_over_http import book, slots
from tests.patient_portal.browser import Browser


def excuse(web: FlaskClient, who: Employee | Person, missed: dict, reason: str = "sick"):
    path = f"/api/v1/appointments/{missed['id']}/no-show/excuse"
    return web.post(path, json={"reason": reason}, headers=who.headers)


def test_the_first_is_a_kind_note_the_second_asks_for_a_word_the_third_leads_to_the_desk(
    days: Days, lan: Person
):
    assert days.grade(lan) is None
    days.miss(lan)
    assert days.grade(lan) == "noted"
    (note,) = days.told("visit-missed")
    assert note["link"] == "http://localhost/missed"
    days.miss(lan)
    assert days.grade(lan) == "must-confirm"
    days.miss(lan)
    shown = days.standing(lan)
    assert not AttendanceSchema().validate(shown)
    assert shown["standing"]["grade"] == "desk-only"
    assert shown["standing"]["until"].startswith("2027-01-02")
    assert [miss["counts"] for miss in shown["misses"]] == [True] * 3


def test_a_grade_runs_its_days_and_the_next_lower_one_follows(days: Days, lan: Person):
    for _ in range(3):
        days.miss(lan)
    for later, grade in ((29, "desk-only"), (2, "must-confirm"), (60, "noted"), (100, None)):
        days.at(12, days=later)
        days.run()
        assert days.grade(lan) == grade


def test_excused_ones_do_not_count(days: Days, web: FlaskClient, lan: Person, desk: Employee):
    first, second = days.miss(lan), days.miss(lan)
    assert days.grade(lan) == "must-confirm"
    assert excuse(web, lan, first).status_code == 403
    answer = excuse(web, desk, first)
    assert (answer.status_code, answer.json["counts"]) == (200, False)
    assert days.grade(lan) == "noted"
    assert excuse(web, desk, second, "appeal").status_code == 200
    assert days.grade(lan) is None
    assert excuse(web, desk, second, "because").status_code == 422


def test_another_facility_excuses_nothing(
    days: Days, web: FlaskClient, lan: Person, other_desk: Employee, engine: Engine
):
    missed = days.miss(lan)
    assert excuse(web, other_desk, missed).status_code == 404
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77002")
    assert excuse(web, other_desk, missed).status_code == 404
    seen = web.get(f"/api/v1/patients/{lan.patient_id}/attendance", headers=other_desk.headers).json
    assert (seen["standing"]["grade"], seen["misses"]) == ("noted", [])


def test_who_comes_after_all_has_missed_nothing(days: Days, lan: Person, engine: Engine):
    missed = days.miss(lan)
    with system_unit_of_work(engine) as session:
        booking.mark_arrived(session, SYSTEM, missed["id"], days.clock.now)
    days.run()
    assert days.grade(lan) is None
    assert [miss["counts"] for miss in days.standing(lan)["misses"]] == [False]


def test_who_must_confirm_is_asked_the_day_before_and_loses_the_place_without_a_word(
    days: Days, web: FlaskClient, lan: Person, engine: Engine
):
    days.miss(lan)
    days.miss(lan)
    made = days.book(lan, days=2)
    days.run()
    assert days.told("visit-confirm") == []
    days.at(9, days=1)
    days.run()
    days.run()
    (asked,) = days.told("visit-confirm")
    assert asked["until"].startswith("18:00")
    days.at(17)
    days.run()
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=lan.headers).json
    assert seen["status"] == "booked"
    days.at(18)
    days.run()
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=lan.headers).json
    assert (seen["status"], seen["cancel_reason"]) == ("cancelled", "not-confirmed")
    with system_unit_of_work(engine) as session:
        freed = session.connection().exec_driver_sql("SELECT count(*) FROM freed_place").scalar_one()
    assert freed > 0


def test_one_tap_keeps_the_place(days: Days, browser: Browser, web: FlaskClient, lan: Person):
    days.miss(lan)
    days.miss(lan)
    made = days.book(lan, days=2)
    days.at(9, days=1)
    days.run()
    link = days.told("visit-confirm")[0]["link"].removeprefix("http://localhost")
    browser.go(link).send("confirm")
    days.at(18)
    days.run()
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=lan.headers).json
    assert seen["status"] == "booked"


def test_a_word_by_telephone_keeps_the_place_too(
    days: Days, web: FlaskClient, lan: Person, desk: Employee, other_desk: Employee
):
    days.miss(lan)
    days.miss(lan)
    made = days.book(lan, days=2)
    days.at(9, days=1)
    days.run()
    path, tag = f"/api/v1/appointments/{made['id']}/confirm", {"If-Match": f'"{made["version"]}"'}
    assert web.post(path, headers={**other_desk.headers, **tag}).status_code == 404
    assert web.post(path, headers=desk.headers).status_code == 428
    assert web.post(path, headers={**desk.headers, **tag}).json["confirmed_at"]
    days.at(18)
    days.run()
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=lan.headers).json
    assert seen["status"] == "booked"


def test_who_booked_after_the_hour_or_cannot_be_reached_is_not_asked(
    days: Days, lan: Person, owner_engine: Engine
):
    days.miss(lan)
    days.miss(lan)
    days.at(13)
    days.book(lan, days=1)
    days.run()
    assert days.told("visit-confirm") == []
    days.book(lan, days=2)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE account SET phone_sealed = NULL")
    days.at(9, days=1)
    days.run()
    assert days.told("visit-confirm") == []


def test_nobody_is_kept_from_the_desk_or_from_walking_in(
    days: Days, web: FlaskClient, lan: Person, engine: Engine
):
    for _ in range(3):
        days.miss(lan)
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
        clerk = add_employee(session, Role.DESK, "77001", number=7)
    free = slots(web, **{"from": f"{days.clock.now:%Y-%m-%dT%H:%M:%S}Z"}, facility="77001")
    answer = book(web, clerk, slot_id=free[0]["id"], patient_id=str(lan.patient_id))
    assert answer.status_code == 201, answer.json


def must_confirm(days: Days, *people: Person) -> None:
    """What two missed visits lead to."""
    with system_unit_of_work(days.engine) as session:
        for who in people:
            session.connection().exec_driver_sql(
                "INSERT INTO booking_restriction VALUES (%s, 'must-confirm', %s, %s)",
                (who.patient_id, days.clock.now, days.clock.now + timedelta(days=30)),
            )


def test_whose_doctor_is_away_is_not_asked_and_loses_nothing(
    days: Days, web: FlaskClient, lan: Person, minh: Person, engine: Engine
):
    must_confirm(days, lan, minh)
    early, late = days.book(lan, days=2), days.book(minh, days=2)
    disrupt = """INSERT INTO appointment_disruption (id, appointment_id, start_at, found_at)
                 SELECT gen_random_uuid(), id, start_at, updated_at FROM appointment WHERE id = %s"""
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT set_config('app.kind', 'system', true)")
        connection.exec_driver_sql(disrupt, (early["id"],))
    days.at(9, days=1)
    days.run()
    assert len(days.told("visit-confirm")) == 1
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT set_config('app.kind', 'system', true)")
        connection.exec_driver_sql(disrupt, (late["id"],))
    days.at(18)
    days.run()
    for who, made in ((lan, early), (minh, late)):
        assert web.get(f"/api/v1/appointments/{made['id']}", headers=who.headers).json["status"] == "booked"


def test_one_that_cannot_be_released_keeps_no_other(
    days: Days, web: FlaskClient, lan: Person, minh: Person, owner_engine: Engine
):
    must_confirm(days, lan, minh)
    made = [(who, days.book(who, days=2)) for who in (lan, minh)]
    days.at(9, days=1)
    days.run()
    days.at(18)
    stuck = min(each["id"] for _, each in made)
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER TABLE appointment ADD CONSTRAINT stuck CHECK (id <> '{stuck}' OR status <> 'cancelled')"
        )
    try:
        days.run()
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE appointment DROP CONSTRAINT stuck")
    for who, each in made:
        seen = web.get(f"/api/v1/appointments/{each['id']}", headers=who.headers).json
        assert seen["status"] == ("booked" if each["id"] == stuck else "cancelled")


def test_the_desk_reads_about_a_person_what_the_family_reads_about_itself(
    days: Days, web: FlaskClient, lan: Person, desk: Employee
):
    own = {**lan.headers, "Accept": "text/html"}
    behind_the_desk = {**desk.headers, "Accept": "text/html"}
    path = f"/desk/people/{lan.patient_id}/missed"
    assert "Được đặt lịch như thường." in web.get(path, headers=behind_the_desk).text
    for told, spoken in (
        ("Nhắc người bệnh lần sau", "Quý vị đặt lịch như thường"),
        ("người bệnh phải xác nhận sẽ đến", "quý vị cần xác nhận sẽ đến"),
        ("Đặt giúp tại đây như thường", "quý vị đặt lịch tại quầy"),
    ):
        days.miss(lan)
        page = web.get(path, headers=behind_the_desk).text
        assert told in page
        assert "quý vị" not in page.lower()
        assert spoken in web.get("/missed", headers=own).text
