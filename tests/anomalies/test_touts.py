"""Against sellers of places: limits that hold over accounts and records, and the report of their patterns."""

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from telehealth.anomalies.schemas import AnomalyReportSchema
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import services as patients
from telehealth.patients.services import NewPatient
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person, add_person
from tests.booking.test_booking_over_http import book, slots
from tests.booking.test_races import together
from tests.conftest import MovableClock

NATIONAL_ID = "077080001234"
LATER = NOW + timedelta(seconds=1)


def acts_for(
    engine: Engine, settings: Settings, account: Person, name: str, *, at: datetime = NOW, **known: str
) -> Person:
    """Register somebody for an account that has no near relation to them."""
    with system_unit_of_work(engine) as session:
        patient_id = patients.register(
            session,
            account.principal,
            NewPatient(name, birth_year=1980, **known),
            now=at,
            cipher=settings.cipher,
        )
        session.connection().exec_driver_sql(
            "UPDATE account_patient SET relation = 'relative' WHERE patient_id = %s", (patient_id,)
        )
    return replace(account, patient_id=patient_id)


def codes(answers: list) -> Counter:
    return Counter(answer.json.get("code") if answer.status_code != 201 else "ok" for answer in answers)


def test_an_account_books_so_often_a_day_whoever_it_is_for(
    limits, web: FlaskClient, lan: Person, engine: Engine, settings: Settings
):
    limits(account_day=3)
    people = [acts_for(engine, settings, lan, f"Người {number}") for number in range(5)]
    free = slots(web, limit=10)
    answers = [book(web, who, slot_id=slot["id"]) for who, slot in zip(people, free, strict=False)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409, 409]
    assert answers[3].json["code"] == "too-many-by-account"
    path = f"/api/v1/appointments/{answers[0].json['id']}/cancel"
    web.post(path, json={}, headers={**lan.headers, "If-Match": '"1"'})
    assert book(web, people[3], slot_id=free[5]["id"]).status_code == 409


def test_a_national_id_counts_over_all_accounts_even_at_once(
    limits, app: Flask, web: FlaskClient, engine: Engine, settings: Settings
):
    limits(identity_active=2)
    with system_unit_of_work(engine) as session:
        accounts = [add_person(session, settings.cipher, number) for number in range(20, 28)]
    same = [
        acts_for(engine, settings, account, "Trần Văn Một", national_id=NATIONAL_ID) for account in accounts
    ]
    free = slots(web, facility="77001", limit=20)
    starts = list({slot["start"]: slot["id"] for slot in free}.values())

    def booking(who: Person, slot_id: str):
        return lambda: book(app.test_client(), who, slot_id=slot_id)

    calls = [booking(who, slot_id) for who, slot_id in zip(same, starts, strict=False)]
    assert codes(together(calls)) == {"ok": 2, "too-many-by-identity": len(calls) - 2}


def test_without_the_lock_of_the_identity_the_limit_is_overrun(
    limits, app: Flask, web: FlaskClient, engine: Engine, settings: Settings, owner_engine: Engine
):
    """The control: the same race, and everybody counts before anybody has committed."""
    limits(identity_active=2)
    source = "SELECT pg_get_functiondef('check_identity_limits'::regproc)"
    with owner_engine.begin() as connection:
        guarded = connection.execute(text(source)).scalar_one()
        loose = guarded.replace("PERFORM pg_advisory_xact_lock(v_key)", "NULL")
        assert loose != guarded
        loose = re.sub(r"RETURN (NEW|NULL);\s+END", r"PERFORM pg_sleep(1); RETURN \1; END", loose)
        assert "pg_sleep" in loose, "nobody commits before all have counted"
        connection.exec_driver_sql(loose.replace("%", "%%"))
    try:
        test_a_national_id_counts_over_all_accounts_even_at_once(limits, app, web, engine, settings)
        overrun = False
    except AssertionError:
        overrun = True
    finally:
        with owner_engine.begin() as connection:
            connection.exec_driver_sql(guarded.replace("%", "%%"))
    assert overrun


def restrict(owner_engine: Engine, patient_id: UUID) -> None:
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO booking_restriction VALUES (%s, 'desk-only', %s, %s)",
            (patient_id, NOW - timedelta(days=1), NOW + timedelta(days=1)),
        )


def test_who_books_at_the_desk_cannot_come_again_as_a_newcomer(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine, settings: Settings, owner_engine: Engine
):
    first = acts_for(engine, settings, lan, "Trần Văn Một", national_id=NATIONAL_ID)
    again = acts_for(engine, settings, minh, "Trần Văn Mốt", at=LATER, national_id=NATIONAL_ID)
    free = list({slot["start"]: slot for slot in slots(web, limit=20)}.values())
    assert book(web, again, slot_id=free[0]["id"]).status_code == 201, "nothing holds yet"
    restrict(owner_engine, first.patient_id)
    refused = book(web, again, slot_id=free[1]["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "identity-at-desk")
    held = web.post("/api/v1/holds", json={"slot_id": free[1]["id"]}, headers=again.headers).json
    confirmed = book(web, again, hold_id=held["id"])
    assert (confirmed.status_code, confirmed.json["code"]) == (409, "identity-at-desk")
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE healthcare_service SET code = 'emergency' WHERE code = 'internal'")
    assert book(web, again, slot_id=free[2]["id"]).status_code == 201, "emergency care is never refused"


def test_a_strangers_misses_under_my_number_do_not_close_the_door_to_me(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine, settings: Settings, owner_engine: Engine
):
    mine = acts_for(engine, settings, lan, "Trần Văn Một", national_id=NATIONAL_ID)
    stranger = acts_for(engine, settings, minh, "Trần Văn Một", at=LATER, national_id=NATIONAL_ID)
    restrict(owner_engine, stranger.patient_id)
    assert book(web, mine, slot_id=slots(web)[0]["id"]).status_code == 201


def test_a_telephone_counts_over_all_records_that_share_it(
    limits, web: FlaskClient, lan: Person, engine: Engine, settings: Settings
):
    limits(phone_active=2)
    people = [acts_for(engine, settings, lan, f"Người {n}", phone="0977000111") for n in range(3)]
    free = slots(web, limit=10)
    answers = [book(web, who, slot_id=slot["id"]) for who, slot in zip(people, free, strict=False)]
    assert codes(answers) == {"ok": 2, "too-many-by-phone": 1}


def test_an_appointment_cannot_be_given_to_another_person(
    web: FlaskClient, lan: Person, minh: Person, owner_engine: Engine
):
    made = book(web, lan, slot_id=slots(web)[0]["id"]).json
    give = text("UPDATE appointment SET patient_id = :to WHERE id = :id")
    with pytest.raises(DBAPIError) as refused, owner_engine.begin() as connection:
        connection.execute(give, {"to": minh.patient_id, "id": made["id"]})
    assert isinstance(refused.value.orig, psycopg.errors.CheckViolation)
    for method in ("PUT", "PATCH", "POST"):
        answer = web.open(
            f"/api/v1/appointments/{made['id']}",
            method=method,
            json={"patient_id": str(minh.patient_id)},
            headers=lan.headers,
        )
        assert answer.status_code == 405
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=lan.headers).json
    assert seen["patient_id"] == str(lan.patient_id)


def test_two_records_of_one_person_become_one_with_all_that_hangs_on_them(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine
):
    made = book(web, lan, slot_id=slots(web)[0]["id"]).json
    wish = {"service": "internal", "from": "2026-12-02", "to": "2026-12-02"}
    for who in (lan, minh):
        asked = wish | {"patient_id": str(who.patient_id)}
        assert web.post("/api/v1/waitlist", json=asked, headers=who.headers).status_code == 201
    with system_unit_of_work(engine) as session:
        connection = session.connection()
        for who in (lan, minh):
            connection.exec_driver_sql(
                "INSERT INTO booking_restriction VALUES (%s, 'noted', %s, %s)",
                (who.patient_id, NOW, NOW + timedelta(days=9)),
            )
        merging = "SELECT merge_patients(%s, %s, %s)"
        outcome = connection.exec_driver_sql(merging, (lan.patient_id, minh.patient_id, NOW)).scalar_one()
    assert outcome == "ok"
    seen = web.get(f"/api/v1/appointments/{made['id']}", headers=minh.headers).json
    assert seen["patient_id"] == str(minh.patient_id)
    waiting = web.get("/api/v1/waitlist", headers=minh.headers).json["items"]
    assert sorted(each["state"] for each in waiting) == ["left", "waiting"]


def test_the_report_names_patterns_with_evidence_and_nothing_clinical(
    web: FlaskClient, lan: Person, chief: Employee, officer: Employee, desk: Employee, engine: Engine,
    settings: Settings, clock: MovableClock,
):  # fmt: skip
    people = [acts_for(engine, settings, lan, f"Người {number}") for number in range(6)]
    free = slots(web, facility="77001", limit=20)
    made = [
        book(web, who, slot_id=slot["id"], reason="đau bụng").json
        for who, slot in zip(people, free, strict=False)
    ]
    with system_unit_of_work(engine) as session:
        buyers = [add_person(session, settings.cipher, number) for number in (30, 31)]
    for appointment, buyer in zip(made, buyers, strict=False):
        clock.forward(minutes=1)
        tag = {"If-Match": f'"{appointment["version"]}"'}
        web.post(f"/api/v1/appointments/{appointment['id']}/cancel", json={}, headers={**lan.headers, **tag})
        clock.forward(seconds=40)
        assert book(web, buyer, slot_id=appointment["slot_id"]).status_code == 201
    clock.forward(minutes=1)
    answer = web.get("/api/v1/anomalies?facility=77001", headers=chief.headers)
    assert answer.status_code == 200
    assert not AnomalyReportSchema().validate(answer.json)
    found = {each["kind"]: each for each in answer.json["items"]}
    assert {"many-people", "handed-over", "burst"} <= set(found)
    assert (found["many-people"]["count"], found["many-people"]["people"]) == (6, 6)
    assert (found["handed-over"]["count"], found["handed-over"]["ending"]) == (2, "001")
    assert "đau" not in answer.get_data(as_text=True)
    line = {"kind": "handed-over", "subject": found["handed-over"]["subject"], "facility": "77001"}
    assert web.post("/api/v1/anomalies/check", json=line, headers=chief.headers).status_code == 204
    again = web.get("/api/v1/anomalies?facility=77001", headers=chief.headers).json["items"]
    assert {each["kind"]: bool(each["checked_at"]) for each in again}["handed-over"]
    assert web.get("/api/v1/anomalies", headers=chief.headers).status_code == 403
    assert web.get("/api/v1/anomalies?facility=77001", headers=desk.headers).status_code == 403
    everywhere = web.get("/api/v1/anomalies", headers=officer.headers).json["items"]
    assert "handed-over" in {each["kind"] for each in everywhere}
    elsewhere = web.get("/api/v1/anomalies?facility=77002", headers=officer.headers).json["items"]
    assert elsewhere == []


def test_the_database_gives_the_report_to_nobody_else(
    engine: Engine, clinic: None, lan: Person, desk: Employee
):
    ask = text("SELECT count(*) FROM booking_anomalies(NULL, '2000-01-01')")
    for kind, account in (
        ("patient", lan.account_id),
        ("staff", desk.account_id),
        ("anonymous", UUID(int=0)),
    ):
        with engine.begin() as connection:
            connection.execute(
                text("SELECT set_config('app.kind', :kind, true), set_config('app.account', :account, true)"),
                {"kind": kind, "account": str(account)},
            )
            oversees = connection.execute(text("SELECT oversees_bookings(NULL)")).scalar_one()
            assert (oversees, connection.execute(ask).scalar_one()) == (False, 0)
