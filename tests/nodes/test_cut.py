"""Check-in, calling and the board go on through a cut of the line, and are settled afterwards."""

import urllib.request
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from telehealth.core.clock import business_date
from tests.conftest import MONDAY_8AM, MovableClock
from tests.nodes.machine import Machine, rows
from tests.queueing.hospital import Caller, Hospital

TICKETS = """SELECT id, queue_id, business_date, number, status, version, priority_class, appointment_id,
    encounter_id, patient_id, visit_id, issued_by, press_key, issued_at, waiting_since, resume_after,
    called_at, called_lane, call_count, service_point_id, served_at, done_at, public_token_hash
    FROM ticket ORDER BY id"""
EVENTS = """SELECT ticket_id, kind, at, actor_kind, actor_id, service_point_id FROM ticket_event
    ORDER BY ticket_id, at, kind"""
SAME = (
    TICKETS,
    EVENTS,
    "SELECT * FROM visit ORDER BY id",
    "SELECT * FROM visit_order ORDER BY id",
    "SELECT * FROM board_event ORDER BY seq",
    "SELECT * FROM staff_call ORDER BY id",
    """SELECT id, patient_id, practitioner_id, appointment_id, status, version, started_at, ended_at
         FROM encounter ORDER BY id""",
    "SELECT id, status, version, updated_at FROM appointment ORDER BY id",
)


def same_everywhere(centre: Engine, node: Engine) -> None:
    for sql in SAME:
        assert rows(centre, sql) == rows(node, sql), sql


def shown_alike(node: Machine, *tickets: dict[str, Any]) -> None:
    """What the hall, its figures, the queues and followers show is the same at the centre and at the node."""
    token = node.hospital.admin_token
    here, there = Caller(node.app.test_client(), token), Caller(node.centre_app.test_client(), token)
    day = business_date(node.clock())
    for path in (
        "/api/v1/facilities/77001/hall",
        f"/api/v1/facilities/77001/queue-figures?from={day}&to={day}",
        "/api/v1/queues?facility=77001",
        "/api/v1/facilities/77001/board",
        *(f"/api/v1/tickets/{ticket['public_token']}" for ticket in tickets),
    ):
        shown = here.get(path)
        assert shown.status_code == 200, (path, shown.json)
        assert shown.json == there.get(path).json, path


def the_page(node: Machine, ticket: dict[str, Any]) -> str:
    """The page behind a slip of the node, as a phone outside finds it at the centre."""
    with urllib.request.urlopen(f"{node.cable.url}/t/{ticket['public_token']}") as answer:
        return str(answer.read().decode())


def test_a_node_gets_the_facility_and_nothing_of_others(machine: Machine, hospital: Hospital, engine: Engine):
    patient = hospital.patient()
    appointment = hospital.appointment(MONDAY_8AM + timedelta(minutes=30), patient_id=patient)
    other = Hospital(hospital.begin, hospital.cipher, "77002", "Bệnh viện Vũng Tàu").build()
    elsewhere = other.appointment(MONDAY_8AM + timedelta(hours=1))

    assert machine.round()

    people = {row[0] for row in rows(machine.engine, "SELECT id FROM patient")}
    assert patient in people
    assert elsewhere.patient_id not in people
    assert rows(machine.engine, "SELECT id FROM appointment") == [(appointment.id,)]
    assert {row[0] for row in rows(machine.engine, "SELECT login FROM account")} == {
        "bs.77001", "admin.77001",
    }  # fmt: skip


def test_without_duty_a_node_gives_no_number(machine: Machine):
    machine.rounds()
    answer = machine.kiosk.post(f"/api/v1/queues/{machine.hospital.queue('P001')}/tickets")
    assert answer.status_code == 409
    assert answer.json["code"] in ("node-not-on-duty", "no-numbers-at-the-node")


def test_while_it_is_on_duty_the_centre_refuses(node: Machine, centre_kiosk: Caller, hospital: Hospital):
    answer = centre_kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets")
    assert (answer.status_code, answer.json["code"]) == (409, "queues-at-the-node")


def test_check_in_call_and_board_go_on_through_a_cut(
    machine: Machine, hospital: Hospital, engine: Engine, clock: MovableClock
):
    booked = hospital.appointment(MONDAY_8AM + timedelta(minutes=20), code="ABCD2345")
    node = machine.on_duty()
    node.cable.cut()
    assert not node.round()

    arrived = node.kiosk.post("/api/v1/check-ins", {"code": "ABCD2345"})
    assert arrived.status_code == 201, arrived.json
    walk_in = node.number()
    clock.forward(minutes=2)
    assert node.call()["number"] == walk_in["number"]
    called = node.call()
    board = node.kiosk.get("/api/v1/facilities/77001/board").json
    assert called["number"] in str(board)
    node.take(called, "start")
    clock.forward(minutes=5)
    node.take(called | {"version": '"3"'}, "done")
    assert rows(engine, "SELECT count(*) FROM ticket") == [(0,)]

    node.cable.mend()
    node.rounds()

    followed = the_page(node, walk_in)
    assert walk_in["number"] in followed
    assert hospital.status_of(booked) == "fulfilled"
    assert rows(engine, "SELECT kind, reason, row_id FROM node_exception") == []
    same_everywhere(engine, node.engine)
    shown_alike(node, walk_in, arrived.json)
