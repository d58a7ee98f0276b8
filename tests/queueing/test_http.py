"""The API with a kiosk's token and a doctor's, and the wall between two hospitals."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.crypto import token_hash
from telehealth.queueing.models import Ticket
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Caller, Hospital

API = "/api/v1"


def test_a_kiosk_gives_numbers_and_a_second_press_gives_the_same(kiosk: Caller, hospital: Hospital):
    path = f"{API}/queues/{hospital.queue('registration')}/tickets"
    first = kiosk.post(path, {"priority": "pregnant", "purpose": "insured"}, Idempotency_Key="one press")
    again = kiosk.post(path, {"priority": "pregnant", "purpose": "insured"}, Idempotency_Key="one press")
    assert (first.status_code, first.json["number"], first.json["priority"]) == (201, "A001", "pregnant")
    assert again.json == first.json
    assert kiosk.post(path).json["number"] == "A002"


def test_bad_presses_are_refused_with_words(kiosk: Caller, hospital: Hospital):
    path = f"{API}/queues/{hospital.queue('registration')}/tickets"
    odd = kiosk.post(path, {"priority": "famous"})
    assert (odd.status_code, odd.json["code"]) == (422, "invalid")
    assert kiosk.post(path, {"colour": "red"}).status_code == 422
    assert kiosk.post(f"{API}/queues/{uuid4()}/tickets").status_code == 404
    assert kiosk.post(path, Idempotency_Key="x" * 300).status_code == 400
    assert kiosk.client.post(path, json={}).status_code in (401, 403)


def test_a_code_checks_in_and_a_wrong_one_is_explained(kiosk: Caller, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=10))
    slip = kiosk.post(f"{API}/check-ins", {"code": appointment.code})
    assert (slip.status_code, slip.json["number"], slip.json["room"]) == (201, "1-001", "Phòng khám 1")
    assert slip.json["wait_range_minutes"] == {"low": 0, "high": 5}
    wrong = kiosk.post(f"{API}/check-ins", {"code": "NOSUCHCD"})
    assert (wrong.status_code, wrong.json["code"]) == (404, "check-in-unknown-code")


def test_the_wrong_hospital_is_named_in_both_languages(
    kiosk: Caller, hospital: Hospital, other_hospital: Hospital
):
    appointment = other_hospital.appointment(MONDAY_8AM + timedelta(days=1))
    body = {"code": appointment.code}
    vietnamese = kiosk.post(f"{API}/check-ins", body, Accept_Language="vi")
    english = kiosk.post(f"{API}/check-ins", body, Accept_Language="en")
    assert vietnamese.status_code == 409
    assert "Bệnh viện Vũng Tàu, lúc 08:00 ngày 01/12/2026" in vietnamese.json["detail"]
    assert "at 08:00 on 01/12/2026" in english.json["detail"]


def test_check_in_by_id(doctor: Caller, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    path = f"{API}/appointments/{appointment.id}/check-in"
    assert doctor.post(path).status_code == 428
    assert doctor.post(path, If_Match='"9"').status_code == 412
    answer = doctor.post(path, If_Match='"1"')
    assert doctor.post(path, If_Match='"1"').json["number"] == "1-001"
    assert (answer.status_code, answer.json["number"]) == (201, "1-001")
    assert answer.headers["ETag"] == '"1"'


def test_a_doctor_calls_begins_and_finishes(doctor: Caller, hospital: Hospital):
    appointment = hospital.appointment(MONDAY_8AM)
    hospital.check_in(appointment)
    queue_id = hospital.queue("P001")
    line = doctor.get(f"{API}/queues/{queue_id}/line").json
    assert [(each["number"], each["reason"]) for each in line["tickets"]] == [("1-001", "appointment-time")]
    answer = doctor.post(f"{API}/queues/{queue_id}/call-next")
    called, etag = answer.json, answer.headers["ETag"]
    assert (called["number"], called["status"], called["room"]) == ("1-001", "called", "Phòng khám 1")
    for step, status in (("recall", "called"), ("start", "serving"), ("done", "done")):
        answer = doctor.post(f"{API}/tickets/{called['id']}/{step}", If_Match=etag)
        etag = answer.headers["ETag"]
        assert (answer.status_code, answer.json["status"]) == (200, status)
    late = doctor.post(f"{API}/tickets/{called['id']}/done", If_Match=etag)
    assert (late.status_code, late.json["code"], late.json["ticket_status"]) == (
        409,
        "ticket-moved-on",
        "done",
    )
    empty = doctor.post(f"{API}/queues/{queue_id}/call-next")
    assert (empty.status_code, empty.json["code"]) == (409, "queue-empty")


def test_an_old_version_is_412(doctor: Caller, hospital: Hospital):
    hospital.number()
    called = hospital.call()
    assert doctor.post(f"{API}/tickets/{called.id}/start").status_code == 428
    assert doctor.post(f"{API}/tickets/{called.id}/start", If_Match='"1"').status_code == 412
    assert doctor.post(f"{API}/tickets/{called.id}/start", If_Match='"2"').status_code == 200


def test_a_person_goes_on_to_the_cashier(doctor: Caller, hospital: Hospital):
    hospital.number()
    called = hospital.call()
    cashier = {"queue_id": str(hospital.queue("cashier"))}
    moved = doctor.post(f"{API}/tickets/{called.id}/transfer", cashier, If_Match='"2"')
    assert (moved.status_code, moved.json["number"], moved.json["room"]) == (201, "T001", "Quầy thu phí")


def test_the_queues_of_a_hospital_are_public_and_nameless(client: FlaskClient, hospital: Hospital):
    hospital.number("registration")
    answer = client.get(f"{API}/queues?facility=77001").json
    waiting = {queue["code"]: queue["waiting"] for queue in answer["items"]}
    assert waiting == {"registration": 1, "P001": 0, "P002": 0, "cashier": 0}
    assert client.get(f"{API}/queues?facility=nothing").status_code == 404
    assert client.get(f"{API}/queues").status_code == 422


def test_whoever_holds_the_slip_may_follow_it_and_sees_nothing_personal(
    client: FlaskClient, hospital: Hospital
):
    hospital.number(patient_id=hospital.patient())
    slip = hospital.number(patient_id=hospital.patient())
    hospital.call()
    answer = client.get(f"{API}/tickets/{slip.public_token}")
    assert answer.json == {
        "number": "1-002",
        "facility": "Bệnh viện Bà Rịa",
        "queue_name": "Phòng khám 1",
        "room": "Phòng khám 1",
        "business_date": "2026-11-30",
        "status": "waiting",
        "now_calling": "1-001",
        "people_ahead": 0,
        "wait_range_minutes": {"low": 0, "high": 5},
        "come_by": None,
        "paused_until": None,
        "paused_reason": None,
    }
    assert client.get(f"{API}/tickets/{'x' * 22}").status_code == 404
    assert client.get(f"{API}/tickets/{'x' * 500}").status_code == 404
    assert client.get(f"{API}/tickets/{slip.id}").status_code == 404


def test_a_kiosk_may_not_call_and_a_patient_may_not_issue(kiosk: Caller, hospital: Hospital):
    hospital.number()
    queue_id = hospital.queue("P001")
    assert kiosk.post(f"{API}/queues/{queue_id}/call-next").status_code == 403
    assert kiosk.get(f"{API}/queues/{queue_id}/line").status_code == 403


def test_another_hospitals_kiosk_and_staff_reach_nothing(
    app: Flask, kiosk: Caller, hospital: Hospital, other_hospital: Hospital
):
    ticket = hospital.number()
    appointment = hospital.appointment(MONDAY_8AM)
    stranger = Caller(app.test_client(), other_hospital.staff_token)
    machine = Caller(app.test_client(), other_hospital.kiosk_token)
    queue_id = hospital.queue("P001")
    assert stranger.post(f"{API}/queues/{queue_id}/call-next").status_code == 403
    assert stranger.get(f"{API}/queues/{queue_id}/line").status_code == 403
    assert stranger.post(f"{API}/tickets/{ticket.id}/park", If_Match='"1"').status_code == 404
    assert machine.post(f"{API}/queues/{queue_id}/tickets").status_code == 403
    assert machine.post(f"{API}/appointments/{appointment.id}/check-in", If_Match='"1"').status_code == 404
    assert machine.post(f"{API}/tickets/{ticket.id}/print-status", {"status": "printed"}).status_code == 404
    assert kiosk.post(f"{API}/tickets/{ticket.id}/print-status", {"status": "printed"}).status_code == 204


def test_the_database_itself_hides_tickets_of_others(hospital: Hospital, other_hospital: Hospital):
    """The second wall: the same query as three principals, and as nobody."""
    hospital.number()
    seen = {}
    for name, token in (
        ("own kiosk", hospital.kiosk_token),
        ("other kiosk", other_hospital.kiosk_token),
        ("own doctor", hospital.staff_token),
        ("nobody", None),
    ):
        with hospital.begin() as session:
            session.execute(text("SELECT set_config('app.kind', '', true)"))
            if token:
                session.execute(
                    text("SELECT * FROM app_enter(:token, :now)"),
                    {"token": token_hash(token), "now": MONDAY_8AM},
                )
            seen[name] = session.scalar(text("SELECT count(*) FROM ticket"))
    assert seen == {"own kiosk": 1, "other kiosk": 0, "own doctor": 1, "nobody": 0}


@pytest.fixture
def one_deadlock(owner_engine: Engine) -> Iterator[None]:
    """The first step of a ticket that is noted fails as if two transactions had stopped each other."""
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            """
            CREATE SEQUENCE trial_step;
            GRANT USAGE ON SEQUENCE trial_step TO telehealth_app;
            CREATE FUNCTION trial_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('trial_step') = 1 THEN
                    RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER trial_fault BEFORE INSERT ON ticket_event FOR EACH ROW
                EXECUTE FUNCTION trial_fault();
            """
        )
    yield
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION trial_fault CASCADE; DROP SEQUENCE trial_step")


@pytest.mark.usefixtures("one_deadlock")
def test_a_press_that_meets_a_deadlock_is_tried_again(kiosk: Caller, hospital: Hospital):
    path = f"{API}/queues/{hospital.queue('registration')}/tickets"
    assert (kiosk.post(path).status_code, hospital.count(Ticket)) == (201, 1)


def test_a_call_that_meets_a_deadlock_is_tried_again(
    doctor: Caller, hospital: Hospital, request: pytest.FixtureRequest
):
    hospital.number()
    request.getfixturevalue("one_deadlock")
    answer = doctor.post(f"{API}/queues/{hospital.queue('P001')}/call-next")
    assert (answer.status_code, answer.json["call_count"]) == (200, 1)


def test_a_key_used_for_another_appointment_is_refused_and_leaves_nothing(kiosk: Caller, hospital: Hospital):
    first, second = (hospital.appointment(MONDAY_8AM + timedelta(minutes=m)) for m in (10, 20))
    kiosk.post(f"{API}/check-ins", {"code": first.code}, Idempotency_Key="kept")
    again = kiosk.post(f"{API}/check-ins", {"code": second.code}, Idempotency_Key="kept")
    assert (again.status_code, again.json["code"]) == (422, "press-reused")
    assert "Lần bấm này đã dùng" in again.json["detail"]
    assert hospital.status_of(second) == "booked"
    assert hospital.count(Ticket) == 1
