"""The rest of a day at a node: signing in, the outpatient path, pauses, what people say, many at once."""

import threading
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import Engine, text

from telehealth.accounts.models import Account
from telehealth.accounts.passwords import hash_password
from telehealth.core.principal import SYSTEM
from telehealth.nodes import journal
from telehealth.nodes.services.round import run_round
from telehealth.queueing.services import tidy_web_numbers
from telehealth.visits import services as visits
from tests.cast import PASSWORD, TOTP_SECRET
from tests.conftest import MovableClock
from tests.nodes.machine import Machine, rows
from tests.nodes.test_cut import same_everywhere
from tests.nodes.test_settlement import waiting
from tests.queueing.hospital import Hospital


def test_staff_sign_in_at_the_node_while_the_line_is_cut(
    machine: Machine, hospital: Hospital, clock: MovableClock
):
    with hospital.begin() as session:
        doctor = session.get_one(Account, hospital.account_id)
        doctor.password_hash = hash_password(PASSWORD)
        doctor.totp_confirmed_at = clock()
        doctor.totp_secret_sealed = hospital.cipher.seal_text(
            TOTP_SECRET, f"account.totp_secret:{hospital.account_id}"
        )
    node = machine.on_duty()
    node.cable.cut()
    answer = node.app.test_client().post(
        "/api/v1/sessions",
        json={"login": "bs.77001", "password": PASSWORD, "totp": pyotp.TOTP(TOTP_SECRET).at(clock())},
    )
    assert answer.status_code in (200, 201), answer.json


def test_who_may_no_longer_work_here_may_not_at_the_node(node: Machine, hospital: Hospital):
    node.number()
    with hospital.begin() as session:
        session.execute(text("DELETE FROM membership WHERE account_id = :id"), {"id": hospital.account_id})
    node.rounds()
    answer = node.doctor.post(f"/api/v1/queues/{hospital.queue('P001')}/call-next")
    assert answer.status_code == 403


def test_a_kiosk_that_is_revoked_is_revoked_at_the_node(node: Machine, hospital: Hospital):
    with hospital.begin() as session:
        session.execute(text("UPDATE device SET revoked_at = now()"))
    node.rounds()
    assert node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets").status_code == 401


def test_the_path_goes_on_at_the_node(node: Machine, hospital: Hospital, engine: Engine):
    node.cable.cut()
    ticket = node.number("registration")
    called = node.doctor.post(
        f"/api/v1/queues/{hospital.queue('registration')}/call-next",
        {"service_point_id": str(hospital.point("Q01"))},
    )
    assert called.json["number"] == ticket["number"]
    moved = node.doctor.post(
        f"/api/v1/tickets/{called.json['id']}/transfer",
        {"queue_id": str(hospital.queue("P001"))},
        If_Match=called.headers["ETag"],
    )
    assert moved.status_code in (200, 201), moved.json
    node.take(node.call(), "start", "done")
    node.cable.mend()
    node.rounds()
    assert waiting(engine) == []
    same_everywhere(engine, node.engine)
    assert rows(engine, "SELECT count(DISTINCT visit_id), count(*) FROM ticket")[0][0] == 1


def test_a_pause_and_an_opinion_and_a_call_for_help_are_settled(
    node: Machine, hospital: Hospital, engine: Engine
):
    queue = hospital.queue("P001")
    paused = node.doctor.post(f"/api/v1/queues/{queue}/pause", {"reason": "break"})
    assert paused.status_code in (200, 204), paused.json
    said = node.kiosk.post("/api/v1/feedback", {"rating": 2, "topics": [], "phone": "0912345678"})
    assert said.status_code == 201, said.json
    help_ = node.kiosk.post("/api/v1/staff-calls", {"kind": "help"})
    assert help_.status_code == 201, help_.json
    node.rounds()
    assert waiting(engine) == []
    ((feedback_id, sealed),) = rows(engine, "SELECT id, phone_sealed FROM feedback")
    assert hospital.cipher.open_text(sealed, f"feedback.phone:{feedback_id}") == "+84912345678"
    assert rows(engine, "SELECT kind FROM staff_call") == [("help",)]
    state = """SELECT paused_reason, closed FROM queue_counter
                WHERE queue_id = :queue AND business_date = '2026-11-30'"""
    assert rows(engine, state, queue=queue) == rows(node.engine, state, queue=queue) == [("break", False)]
    assert node.number()["number"] == "1-001"


def test_jobs_of_the_centre_pass_over_what_is_the_nodes(
    node: Machine, hospital: Hospital, clock: MovableClock
):
    node.number()
    node.rounds()
    clock.forward(hours=24)
    with hospital.begin() as session:
        assert visits.end_day(session, SYSTEM, now=clock()) == 0
        assert tidy_web_numbers(session, now=clock()) == 0
    with node.begin() as session:
        assert visits.end_day(session, SYSTEM, now=clock()) == 1
    node.rounds()
    assert rows(node.centre, "SELECT end_reason FROM visit") == [("day-over",)]


def test_an_appointment_that_was_moved_meanwhile_waits_for_the_desk(
    machine: Machine, hospital: Hospital, clock: MovableClock, engine: Engine
):
    booked = hospital.appointment(clock() + timedelta(minutes=10), code="ABCD2345")
    node = machine.on_duty()
    node.cable.cut()
    assert node.kiosk.post("/api/v1/check-ins", {"code": "ABCD2345"}).status_code == 201
    with hospital.begin() as session:
        session.execute(
            text(
                "UPDATE appointment SET start_at = start_at + interval '1 day', version = 2,"
                " end_at = end_at + interval '1 day'"
            )
        )
    node.cable.mend()
    node.rounds()
    assert waiting(engine) == [("appointment", "appointment-moved")]
    assert hospital.status_of(booked) == "booked"
    node.take(node.call(), "start", "done")
    node.rounds()
    assert waiting(engine) == [("appointment", "appointment-moved")]


def test_many_at_once_are_settled_in_an_order_that_fits(
    node: Machine, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Batches are cut while others write: what depends on something never comes before it."""
    monkeypatch.setattr(journal, "LARGEST_BATCH", 11)
    over = threading.Event()
    problems: list[object] = []

    def press(queue: str) -> None:
        for _ in range(12):
            answer = node.kiosk.post(f"/api/v1/queues/{node.hospital.queue(queue)}/tickets")
            if answer.status_code != 201:
                problems.append(answer.json)
            called = node.doctor.post(f"/api/v1/queues/{node.hospital.queue(queue)}/call-next")
            if called.status_code == 200:
                node.take(dict(called.json) | {"version": called.headers["ETag"]}, "start", "done")

    def settle() -> None:
        while not over.is_set():
            run_round(node.node)

    settling = threading.Thread(target=settle)
    settling.start()
    pressing = [threading.Thread(target=press, args=(queue,)) for queue in ("P001", "P002", "P001")]
    for each in pressing:
        each.start()
    for each in pressing:
        each.join()
    over.set()
    settling.join()
    node.rounds()
    assert problems == []
    assert waiting(engine) == []
    same_everywhere(engine, node.engine)
    assert rows(engine, "SELECT count(*) FROM ticket") == [(36,)]
