"""The demonstration: the province in these days, and people to try it as."""

from datetime import timedelta

import pyotp
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from telehealth.core.clock import business_date
from telehealth.core.uow import system_unit_of_work
from telehealth.demo.people import STAFF
from telehealth.demo.services import Demo, load_people, load_province, load_web_numbers
from telehealth.directory.models import OnCall
from telehealth.patients.models import Patient
from telehealth.queueing.models import Queue
from telehealth.queueing.queries import web_queues
from telehealth.settings import Settings
from tests.conftest import MovableClock


def test_a_load_moves_dated_lines_to_these_days_and_makes_people_once(
    client: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock
):
    demo = Demo(settings.secret_key, settings.cipher, clock())
    with system_unit_of_work(engine) as session:
        load_province(session, demo)
        people = load_people(session, demo, [])
    with system_unit_of_work(engine) as session:
        first = session.scalar(select(func.min(OnCall.day)))
        same = load_people(session, demo, people)
        patients = session.scalar(select(func.count()).select_from(Patient))
    today = business_date(clock())
    assert first is not None
    assert today - timedelta(days=7) < first <= today
    assert first.weekday() == 1  # 1 December 2026 is a Tuesday
    assert same == people
    assert patients == 4

    entry = next(item for item in people if item.get("login") == "letan")
    signed_in = client.post(
        "/api/v1/sessions",
        json={
            "login": entry["login"],
            "password": entry["password"],
            "totp": pyotp.TOTP(entry["totp_secret"]).at(clock()),
        },
    )
    assert signed_in.status_code == 201, signed_in.json
    kiosk = next(item for item in people if "device_token" in item)
    assert kiosk["facility"] == "77001"
    assert {item["login"] for item in people if "login" in item} == {person.login for person in STAFF}


def test_numbers_from_the_web_are_there_until_a_facility_decides_otherwise(
    clean_database: None, engine: Engine, settings: Settings, clock: MovableClock
):
    demo = Demo(settings.secret_key, settings.cipher, clock())
    with system_unit_of_work(engine) as session:
        load_province(session, demo)
        load_web_numbers(session, demo)
    with system_unit_of_work(engine) as session:
        first, *others = web_queues(session, clock())
        assert others
        queue = session.get_one(Queue, first.id)
        queue.web_limit, queue.version = 0, queue.version + 1
    with system_unit_of_work(engine) as session:
        load_web_numbers(session, demo)
        assert [each.id for each in web_queues(session, clock())] == [each.id for each in others]
