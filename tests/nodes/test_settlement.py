"""What a node did is taken in once, whatever becomes of the line; what does not fit waits for the desk."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from telehealth.nodes import intake, journal
from telehealth.nodes.line import HttpLine
from telehealth.nodes.services import duty
from telehealth.nodes.services.round import LineDown, Refused
from telehealth.nodes.slice import PARTS
from tests.conftest import MONDAY_8AM, MovableClock
from tests.nodes.machine import Machine, rows
from tests.nodes.test_cut import same_everywhere
from tests.queueing.hospital import Caller, Hospital

CARD = "079052001234||Trần Văn Hai|01011952|Nam|1 Lê Lợi, Bà Rịa|01012021"
PERSON = "SELECT patient_id FROM patient_identifier WHERE value_index = :index"
EVENTS = "SELECT count(*) FROM ticket_event"
TRAIL = "SELECT count(*) FROM audit_event WHERE action LIKE 'encounter.%'"


def next_batch(node: Machine) -> dict[str, Any]:
    """The batch that the node would hand in next, as it goes over the line."""
    with node.begin() as session:
        batch = journal.next_batch(session, node.settings.cipher)
    assert batch is not None
    (epoch,) = rows(node.engine, "SELECT epoch FROM this_node")[0]
    return {"number": batch.number, "epoch": epoch, "clock_ahead_ms": 0, "entries": batch.entries}


def waiting(engine: Engine) -> list[tuple[Any, ...]]:
    return rows(engine, "SELECT kind, reason FROM node_exception WHERE settled_at IS NULL ORDER BY 1, 2")


def work(node: Machine, times: int = 3) -> None:
    for _ in range(times):
        node.number()
        node.take(node.call(), "start", "done")


def test_a_batch_that_is_sent_twice_is_taken_in_once(node: Machine, engine: Engine):
    work(node)
    batch = next_batch(node)
    first = node.node.line.settle(batch)
    counted = rows(engine, EVENTS)
    assert node.node.line.settle(batch) == first
    assert rows(engine, EVENTS) == counted
    node.rounds()
    same_everywhere(engine, node.engine)


def test_without_the_watermark_the_same_batch_leaves_duplicates(
    node: Machine, engine: Engine, owner_engine: Engine
):
    """The control: one guard is taken away from the same path, and the loss is seen."""
    work(node)
    batch = next_batch(node)
    node.node.line.settle(batch)
    counted = rows(engine, EVENTS)[0][0]
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM node_batch")
        connection.exec_driver_sql("UPDATE edge_node SET last_batch = 0")
    node.node.line.settle(batch)
    assert rows(engine, EVENTS)[0][0] == 2 * counted


def test_an_answer_that_is_lost_leaves_nothing_twice(node: Machine, engine: Engine):
    work(node)
    node.cable.lose_answers = True
    assert not node.round()
    with pytest.raises(LineDown):
        node.node.line.settle(next_batch(node))
    node.cable.lose_answers = False
    node.rounds()
    same_everywhere(engine, node.engine)
    assert waiting(engine) == []


def test_a_node_that_starts_again_in_the_middle_goes_on_where_it_was(
    node: Machine, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(journal, "LARGEST_BATCH", 7)
    work(node, 4)
    sent = []

    class Failing(HttpLine):
        def settle(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
            answer = super().settle(batch)
            sent.append(batch["number"])
            if len(sent) == 2:
                raise KeyboardInterrupt
            return answer

    whole = node.node.line
    object.__setattr__(node.node, "line", Failing(whole._base.removesuffix("/api/v1/nodes"), whole._token))
    with pytest.raises(KeyboardInterrupt):
        node.round()
    node.start()
    node.rounds()
    same_everywhere(engine, node.engine)
    assert rows(engine, "SELECT count(DISTINCT number), max(number) FROM node_batch")[0] == tuple(
        rows(node.engine, "SELECT count(DISTINCT batch), max(batch) FROM node_journal")[0]
    )


def test_batches_come_in_order_and_never_change(node: Machine):
    work(node, 1)
    batch = next_batch(node)
    with pytest.raises(Refused) as early:
        node.node.line.settle(batch | {"number": batch["number"] + 1})
    assert early.value.code == "batch-out-of-order"
    node.node.line.settle(batch)
    other = json.loads(json.dumps(batch))
    other["entries"][0]["row"]["x"] = 1
    with pytest.raises(Refused) as changed:
        node.node.line.settle(other)
    assert changed.value.code == "batch-changed"


def test_an_appointment_that_was_cancelled_meanwhile_waits_for_the_desk(
    machine: Machine, hospital: Hospital, engine: Engine, admin: Caller, owner_engine: Engine
):
    booked = hospital.appointment(MONDAY_8AM + timedelta(minutes=20), code="ABCD2345")
    node = machine.on_duty()
    node.cable.cut()
    assert node.kiosk.post("/api/v1/check-ins", {"code": "ABCD2345"}).status_code == 201
    with hospital.begin() as session:
        session.execute(text("UPDATE appointment SET status = 'cancelled', version = 2"))
    node.cable.mend()
    node.rounds()

    assert hospital.status_of(booked) == "cancelled"
    assert waiting(engine) == [("appointment", "appointment-over")]
    assert rows(engine, "SELECT count(*) FROM ticket") == [(1,)]
    found = admin.get("/api/v1/facilities/77001/node-exceptions").json["items"]
    assert [(each["reason"], each["about"]) for each in found] == [("appointment-over", "ABCD2345")]
    still = admin.post(f"/api/v1/node-exceptions/{found[0]['id']}/apply")
    assert (still.status_code, still.json["code"]) == (409, "still-does-not-fit")
    done = admin.post(f"/api/v1/node-exceptions/{found[0]['id']}/dismiss", {"note": "Đã gọi điện"})
    assert done.status_code == 204
    assert waiting(engine) == []
    node.take(node.call(), "start")


def test_one_who_registers_at_the_kiosk_during_a_cut_is_known_at_the_centre(
    node: Machine, hospital: Hospital, engine: Engine, settings: Any
):
    node.cable.cut()
    seen = node.kiosk.post(
        "/api/v1/kiosk/identify",
        {"text": CARD},
    )
    assert seen.status_code == 200, seen.json
    given = node.kiosk.post(
        "/api/v1/kiosk/numbers", {"who": seen.json["new"], "purpose": "insured", "phone": "0912345678"}
    )
    assert given.status_code == 201, given.json
    node.cable.mend()
    node.rounds()

    assert waiting(engine) == []
    ((patient_id, name, sealed),) = rows(engine, "SELECT id, full_name, phone_sealed FROM patient")
    assert name == "Trần Văn Hai"
    assert settings.cipher.open_text(sealed, f"patient.phone:{patient_id}") == "+84912345678"
    index = settings.cipher.index_text("079052001234", "patient_identifier.national-id")
    assert rows(engine, PERSON, index=index) == [(patient_id,)]


def test_after_the_centre_took_over_a_late_node_loses_nothing_and_doubles_nothing(
    node: Machine, hospital: Hospital, engine: Engine, admin: Caller, clock: MovableClock
):
    node.cable.cut()
    lost = [node.number() for _ in range(3)]
    clock.forward(minutes=10)
    assert admin.post("/api/v1/facilities/77001/nodes/take-back").json == {"epoch": 3}
    here = hospital.number(now=clock())
    node.number()  # nobody has told it yet
    node.cable.mend()
    assert node.round()

    answer = node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets")
    assert answer.status_code == 409
    assert here.number_text not in {each["number"] for each in lost}
    assert waiting(engine) == [("batch", "taken-back")]
    assert rows(engine, "SELECT count(*) FROM ticket") == [(1,)]
    (found,) = admin.get("/api/v1/facilities/77001/node-exceptions").json["items"]
    assert admin.post(f"/api/v1/node-exceptions/{found['id']}/apply").status_code == 204
    assert waiting(engine) == []
    assert rows(engine, "SELECT count(*), count(DISTINCT number) FROM ticket") == [(5, 5)]


def test_a_revoked_node_is_refused_and_stops(node: Machine, hospital: Hospital, admin: Caller):
    assert admin.post(f"/api/v1/nodes/{node.id}/revoke").status_code == 204
    assert not node.round()
    assert node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets").status_code == 409
    hospital.number()


def test_a_node_comes_back_with_the_days_state(
    node: Machine, hospital: Hospital, engine: Engine, admin: Caller, clock: MovableClock
):
    work(node)
    node.rounds()
    admin.post("/api/v1/facilities/77001/nodes/take-back")
    meanwhile = hospital.number(now=clock())
    node.rounds()
    assert admin.post(f"/api/v1/nodes/{node.id}/duty").status_code == 200
    node.rounds()
    called = node.call()
    assert called["number"] == meanwhile.number_text
    node.rounds()
    same_everywhere(engine, node.engine)


def test_a_database_put_back_from_an_older_copy_does_not_go_on(node: Machine, hospital: Hospital):
    work(node)
    node.rounds()
    owner = create_engine(node.databases.owner_url)
    with owner.begin() as connection:
        connection.exec_driver_sql("DELETE FROM node_journal")
    owner.dispose()
    assert not node.round()
    assert node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets").status_code == 409


def test_the_clocks_difference_is_kept_beside_the_nodes_own_times(
    node: Machine, engine: Engine, clock: MovableClock
):
    node.number()
    object.__setattr__(node.node, "clock", lambda: clock() + timedelta(seconds=90))
    assert node.round()
    assert node.round()
    ((ahead,),) = rows(node.engine, "SELECT clock_ahead_ms FROM this_node")
    assert ahead == 90_000
    assert rows(engine, "SELECT report ->> 'clock_ahead_ms' FROM edge_node") == [("90000",)]
    assert rows(engine, "SELECT issued_at FROM ticket") == [(MONDAY_8AM,)]


def test_a_code_is_good_once_for_its_facility_and_half_an_hour(
    machine: Machine, hospital: Hospital, engine: Engine, clock: MovableClock
):
    with hospital.begin() as session:
        code = duty.announce_node(
            session, hospital.admin, hospital.id, "Nút B", now=clock(), cipher=hospital.cipher
        )
    line = HttpLine(machine.cable.url, None)
    for wrong in (("WRONGCODE2", "77001"), (code, "77002")):
        with pytest.raises(Refused) as refused:
            line.enrol(*wrong)
        assert refused.value.code == "wrong-node-code"
    clock.forward(minutes=31)
    with pytest.raises(Refused):
        line.enrol(code, "77001")


def test_no_token_opens_the_door(machine: Machine):
    for line in (
        HttpLine(machine.cable.url, None),
        HttpLine(machine.cable.url, machine.hospital.admin_token),
    ):
        with pytest.raises(Refused) as refused:
            line.bundle(None)
        assert (refused.value.status, refused.value.code) == (401, "unknown-node")


def test_a_centre_of_another_version_leaves_the_node_with_what_it_has(
    node: Machine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(intake, "PARTS", PARTS[1:])
    assert node.round()
    node.number()
    assert node.round()
    assert rows(node.centre, "SELECT count(*) FROM ticket") == [(1,)]


def test_a_row_that_is_none_waits_for_the_desk_and_holds_nothing_up(node: Machine, engine: Engine):
    work(node, 1)
    batch = next_batch(node)
    strange = {"seq": 0, "op": "insert", "at": "2026-11-30T01:00:00+00:00"}
    batch["entries"] = [
        strange | {"kind": "ticket", "row": {}},
        strange | {"kind": "ticket", "row": {"facility_id": str(node.hospital.id), "queue_id": "none"}},
        strange | {"kind": "appointment", "row": {"facility_id": str(node.hospital.id), "status": "none"}},
        strange | {"kind": "ticket_event", "row": {}},
        strange | {"kind": "unheard-of", "row": {}},
        *batch["entries"],
    ]
    node.node.line.settle(batch)
    assert {kind for kind, _ in waiting(engine)} == {"ticket", "appointment", "ticket_event", "unheard-of"}
    assert rows(engine, "SELECT status FROM ticket") == [("done",)]


def test_a_machine_that_is_enrolled_anew_goes_on_from_one(node: Machine, engine: Engine):
    work(node, 1)
    node.rounds()
    work(node, 1)
    node.enrol()
    node.rounds()
    assert ("batch", "taken-back") in waiting(engine)
    node.on_duty_again()
    work(node, 1)
    node.rounds()
    assert rows(engine, "SELECT count(*) FROM ticket WHERE status = 'done'") == [(2,)]
