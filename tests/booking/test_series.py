"""Several visits at once: the rule's days, what is proposed, all or none, cancelled and moved from one on."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from notifications import Outbox
from telehealth.booking.errors import SeriesWithoutDays
from telehealth.booking.series_rules import OnHoliday, SeriesDay, SeriesRule, nearest, series_days
from telehealth.booking.series_schemas import ProposalsSchema, SeriesChangeSchema, SeriesSchema
from telehealth.core.clock import at_local
from telehealth.core.ids import new_id
from telehealth.core.principal import SYSTEM, Role
from telehealth.core.uow import system_unit_of_work
from telehealth.directory.models import CalendarDay
from telehealth.patients.models import Patient
from telehealth.patients.services import change as change_patient
from telehealth.reminders.services import Means, follow_contact_changes
from telehealth.scheduling.services import materialise
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, NOW, Employee, Person, add_employee, known_at, new_key
from tests.booking.test_booking_over_http import count
from tests.cast import messages

MONDAY = date(2026, 12, 7)


def days(rule: SeriesRule, *holidays: date) -> list[str]:
    """Write the days of a rule: `due`, and where a holiday puts it."""
    found = series_days(
        rule,
        holiday=lambda day: day in holidays,
        working=lambda day: day.weekday() < 5 and day not in holidays,
    )
    return [f"{item.due:%d}" + _put(item) for item in found]


def _put(item: SeriesDay) -> str:
    if item.day == item.due:
        return ""
    return f">{item.day:%d}" if item.day else ">"


def test_every_n_days_counts_from_the_first():
    assert days(SeriesRule(MONDAY, 480, every_days=3, visits=4)) == ["07", "10", "13", "16"]
    assert days(SeriesRule(MONDAY, 480, every_days=3, until=date(2026, 12, 13))) == ["07", "10", "13"]


def test_weekdays_of_every_second_week_count_from_the_week_of_the_first():
    wednesday = MONDAY + timedelta(days=2)
    rule = SeriesRule(wednesday, 480, every_weeks=2, weekdays=(0, 2), visits=4)
    assert days(rule) == ["09", "21", "23", "04"]


def test_a_holiday_moves_a_visit_to_the_next_working_day_before_the_next_visit():
    rule = SeriesRule(MONDAY, 480, every_weeks=1, weekdays=(0, 2, 4), visits=3)
    assert days(rule, MONDAY) == ["07>08", "09", "11"]


def test_a_visit_that_holidays_push_into_the_next_one_is_skipped_and_does_not_count():
    rule = SeriesRule(MONDAY, 480, every_weeks=1, weekdays=(0, 2, 4), visits=3)
    assert days(rule, MONDAY, MONDAY + timedelta(days=1)) == ["07>", "09", "11", "14"]


def test_holidays_are_skipped_where_that_is_asked():
    rule = SeriesRule(MONDAY, 480, every_days=2, visits=2, on_holiday=OnHoliday.SKIP)
    assert days(rule, MONDAY) == ["07>", "09", "11"]


def test_a_rule_that_only_holidays_answer_is_refused():
    with pytest.raises(SeriesWithoutDays):
        days(SeriesRule(MONDAY, 480, every_days=1, until=MONDAY, on_holiday=OnHoliday.SKIP), MONDAY)


def test_a_series_never_has_more_than_sixty_visits_nor_takes_more_than_a_year():
    assert len(days(SeriesRule(MONDAY, 480, every_days=1, until=date(2027, 11, 30)))) == 60
    assert len(days(SeriesRule(MONDAY, 480, every_weeks=26, weekdays=(0,), visits=60))) == 3


def test_the_nearest_time_wins_and_the_preferred_doctor_among_equals():
    def at(minute: int):
        return at_local(MONDAY, minute)

    assert nearest([(at(470), False), (at(480), False), (at(480), True)], at(480)) == 2
    assert nearest([(at(470), True), (at(481), False)], at(480)) == 1
    assert nearest([], at(480)) is None


@pytest.fixture
def weeks(engine: Engine, clinic: None) -> None:
    """Three weeks of sessions."""
    with system_unit_of_work(engine) as session:
        materialise(session, [NOW.date() + timedelta(days=offset) for offset in range(22)], NOW)


def order(patient: Person, **rule: object) -> dict:
    asked = {"first": "2026-12-01", "time": "08:00", "every_weeks": 1, "weekdays": [1, 3], "visits": 4}
    return {
        "patient_id": str(patient.patient_id),
        "facility": "77001",
        "service": "internal",
        "practitioner": str(DOCTORS["an"]),
        "rule": {**asked, **rule},
    }


def preview(web: FlaskClient, desk: Employee, patient: Person, **rule: object) -> list[dict]:
    answer = web.post("/api/v1/appointment-series/preview", json=order(patient, **rule), headers=desk.headers)
    assert answer.status_code == 200, answer.json
    assert not ProposalsSchema().validate(answer.json)
    return answer.json["items"]


def book(web: FlaskClient, desk: Employee, patient: Person, slots: list[str], key: str | None = None):
    return web.post(
        "/api/v1/appointment-series",
        json={**order(patient), "slot_ids": slots, "coverage_basis": "listed-disease"},
        headers=desk.headers | ({"Idempotency-Key": key} if key else {}),
    )


def slots_of(items: list[dict]) -> list[str]:
    return [item["slot"]["id"] for item in items]


@pytest.fixture
def booked(web: FlaskClient, weeks: None, desk: Employee, lan: Person) -> dict:
    """Four visits of Lan, on Tuesdays and Thursdays at 8."""
    answer = book(web, desk, lan, slots_of(preview(web, desk, lan)))
    assert answer.status_code == 201, answer.json
    assert not SeriesSchema().validate(answer.json)
    return answer.json


def change(web: FlaskClient, desk: Employee, series: dict, verb: str, **body: object):
    return web.post(
        f"/api/v1/appointment-series/{series['id']}/{verb}",
        json=body,
        headers={**desk.headers, "If-Match": f'"{series["version"]}"'},
    )


def starts(series: dict) -> list[str]:
    return [visit["start"][5:16] for visit in series["visits"] if visit["status"] == "booked"]


def test_each_day_is_proposed_the_time_that_was_asked_with_the_preferred_doctor(
    web: FlaskClient, weeks: None, desk: Employee, lan: Person, engine: Engine
):
    found = preview(web, desk, lan)
    assert [item["slot"]["start"][5:16] for item in found] == [
        "12-01T08:00",
        "12-03T08:00",
        "12-08T08:00",
        "12-10T08:00",
    ]
    assert {item["match"] for item in found} == {"as-asked"}
    assert {item["slot"]["practitioner"]["id"] for item in found} == {str(DOCTORS["an"])}
    assert count(engine, "appointment") == 0


def test_what_is_taken_is_proposed_with_another_doctor_at_another_time_or_on_another_day(
    web: FlaskClient,
    weeks: None,
    desk: Employee,
    lan: Person,
    minh: Person,
    owner_engine: Engine,
    engine: Engine,
):
    with system_unit_of_work(engine) as session:
        known_at(session, minh, "77001")
    taken = slots_of(preview(web, desk, minh))[0]
    assert book(web, desk, minh, [taken]).status_code == 201
    with owner_engine.begin() as connection:
        connection.execute(
            text("UPDATE clinic_session SET status = 'cancelled' WHERE business_date = '2026-12-08'")
        )
    found = preview(web, desk, lan)
    assert [item["match"] for item in found] == ["other-practitioner", "as-asked", "other-day", "as-asked"]
    assert found[2]["slot"]["start"][5:16] == "12-09T08:00"
    later = preview(web, desk, lan, time="13:00", visits=1)
    assert later[0]["match"] == "other-time"
    assert later[0]["slot"]["start"][5:16] == "12-01T09:50"


def test_a_holiday_is_said_and_passed_over(
    web: FlaskClient, weeks: None, desk: Employee, lan: Person, engine: Engine
):
    with system_unit_of_work(engine) as session:
        session.add(CalendarDay(id=new_id(), day=date(2026, 12, 3), kind="holiday", note="Nghỉ bù"))
    moved = preview(web, desk, lan)[1]
    assert (moved["due"], moved["day"]) == ("2026-12-03", "2026-12-04")
    skipped = preview(web, desk, lan, on_holiday="skip")
    assert [item["day"] for item in skipped] == ["2026-12-01", None, "2026-12-08", "2026-12-10", "2026-12-15"]
    assert (skipped[1]["slot"], skipped[1]["match"]) == (None, "none")


def test_all_visits_are_booked_and_one_message_tells_of_them(
    booked: dict, engine: Engine, settings: Settings, web: FlaskClient, lan: Person
):
    assert starts(booked) == ["12-01T08:00", "12-03T08:00", "12-08T08:00", "12-10T08:00"]
    assert messages(engine, settings.cipher, "appointment-booked") == []
    (told,) = messages(engine, settings.cipher, "series-booked")
    assert told["number"] == "4"
    assert len(messages(engine, settings.cipher, "appointment-reminder-day")) == 3
    own = web.get(f"/api/v1/appointment-series/{booked['id']}", headers=lan.headers)
    assert own.status_code == 200
    assert own.json["rule"]["time"] == "08:00"


def test_a_series_is_told_at_the_telephone_that_the_patient_has_meanwhile(
    booked: dict, engine: Engine, settings: Settings, lan: Person
):
    (before,) = messages(engine, settings.cipher, "series-booked")
    with system_unit_of_work(engine) as session:
        number = {"phone": "0987654321"}
        version = session.get_one(Patient, lan.patient_id).version
        change_patient(
            session, SYSTEM, lan.patient_id, number, version=version, now=NOW, cipher=settings.cipher
        )
    means = Means(settings.cipher, Outbox(settings.cipher), settings.answer_links)
    with system_unit_of_work(engine) as session:
        assert follow_contact_changes(session, means, now=NOW) == 1
    told = messages(engine, settings.cipher, "series-booked")
    assert len(told) == 2
    assert before | {"to": "+84987654321"} in told
    with system_unit_of_work(engine) as session:
        waiting = means.outbox.waiting(session, UUID(booked["visits"][0]["id"]), kinds=["series-booked"])
    assert len(waiting) == 1


def test_more_visits_than_a_patient_may_book_otherwise_can_be_booked(
    web: FlaskClient, weeks: None, desk: Employee, lan: Person
):
    found = preview(web, desk, lan, every_weeks=None, weekdays=[], every_days=1, visits=16)
    chosen = slots_of([item for item in found if item["slot"]])
    assert len(chosen) > 12
    assert book(web, desk, lan, chosen).status_code == 201


def test_when_one_slot_is_lost_nothing_is_booked_and_the_answer_says_which(
    web: FlaskClient,
    weeks: None,
    desk: Employee,
    lan: Person,
    minh: Person,
    engine: Engine,
    settings: Settings,
):
    with system_unit_of_work(engine) as session:
        known_at(session, minh, "77001")
    slots = slots_of(preview(web, desk, lan))
    assert book(web, desk, minh, [slots[2]]).status_code == 201
    told = len(messages(engine, settings.cipher, "series-booked"))
    refused = book(web, desk, lan, slots)
    assert (refused.status_code, refused.json["code"], refused.json["slot_id"]) == (
        409,
        "slot-taken",
        slots[2],
    )
    assert count(engine, "appointment") == count(engine, "appointment_series") == 1
    assert count(engine, "claim", "active AND resource_kind = 'practitioner'") == 1
    assert len(messages(engine, settings.cipher, "series-booked")) == told


def test_a_slot_chosen_twice_or_of_another_service_is_refused(
    web: FlaskClient, weeks: None, desk: Employee, lan: Person, engine: Engine
):
    slots = slots_of(preview(web, desk, lan))
    assert book(web, desk, lan, [slots[0], slots[0]]).json["code"] == "series-slot-odd"
    with system_unit_of_work(engine) as session:
        other = session.execute(
            text(
                "SELECT id FROM clinic_session"
                " WHERE service_code = 'desk-only' AND business_date = '2026-12-02'"
            )
        ).scalar_one()
    assert book(web, desk, lan, [f"{other}.840"]).json["code"] == "series-slot-odd"
    assert count(engine, "appointment") == 0


def test_the_same_key_books_once(web: FlaskClient, weeks: None, desk: Employee, lan: Person, engine: Engine):
    slots, key = slots_of(preview(web, desk, lan)), new_key()
    first, again = (book(web, desk, lan, slots, key) for _ in range(2))
    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert count(engine, "appointment") == 4


def test_this_visit_and_the_following_ones_are_cancelled(
    web: FlaskClient, booked: dict, desk: Employee, engine: Engine
):
    after = change(web, desk, booked, "cancel", **{"from": "2026-12-08"})
    assert after.status_code == 200, after.json
    assert not SeriesChangeSchema().validate(after.json)
    assert starts(after.json) == ["12-01T08:00", "12-03T08:00"]
    assert len(after.json["changed"]) == 2
    assert count(engine, "claim", "active") == 4
    assert change(web, desk, booked, "cancel").status_code == 412
    rest = change(web, desk, after.json, "cancel")
    assert starts(rest.json) == []


def test_following_visits_move_to_another_time_and_those_that_cannot_are_named(
    web: FlaskClient, booked: dict, desk: Employee, owner_engine: Engine
):
    with owner_engine.begin() as connection:
        connection.execute(
            text("UPDATE clinic_session SET status = 'cancelled' WHERE business_date = '2026-12-10'")
        )
    after = change(web, desk, booked, "move", time="09:30", **{"from": "2026-12-03"})
    assert after.status_code == 200, after.json
    assert starts(after.json) == ["12-01T08:00", "12-03T09:30", "12-08T09:30", "12-10T08:00"]
    assert [item["code"] for item in after.json["refused"]] == ["nobody-free"]
    assert after.json["rule"]["time"] == "09:30"


def test_a_series_is_its_patients_and_its_facilitys_own(
    web: FlaskClient, booked: dict, other_desk: Employee, minh: Person, lan: Person, engine: Engine
):
    path = f"/api/v1/appointment-series/{booked['id']}"
    for stranger in (other_desk, minh):
        assert web.get(path, headers=stranger.headers).status_code == 404
    with system_unit_of_work(engine) as session:
        doctor = add_employee(session, Role.PRACTITIONER, "77001")
    assert web.get(path, headers=doctor.headers).status_code == 200
    assert change(web, lan, booked, "cancel").status_code == 403
    assert web.post(f"{path[:-37]}/preview", json=order(lan), headers=other_desk.headers).status_code == 403


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"every_days": 2}, "every_days"),
        ({"weekdays": []}, "weekdays"),
        ({"until": "2026-12-31"}, "visits"),
        ({"visits": None}, "visits"),
        ({"visits": None, "until": "9999-12-31"}, "until"),
        ({"time": "8 giờ"}, "time"),
        ({"visits": 61}, "visits"),
        ({"first": "9999-12-30"}, "first"),
    ],
)
def test_an_odd_rule_is_refused(
    web: FlaskClient, weeks: None, desk: Employee, lan: Person, rule: dict, field: str
):
    answer = web.post("/api/v1/appointment-series/preview", json=order(lan, **rule), headers=desk.headers)
    assert answer.status_code == 422, answer.json
    assert field in str(answer.json["fields"])
