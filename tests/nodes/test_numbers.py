"""Numbers of a node: from leased blocks, never twice, and each accounted for."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from telehealth.core.clock import business_date
from telehealth.nodes.services import round as rounds
from telehealth.queueing import services
from telehealth.queueing.codes import LeaseholderKind, NumberFate
from telehealth.queueing.leased import numbers_of_the_day
from telehealth.queueing.services.leases import Leaseholder, lease_block
from tests.conftest import MovableClock
from tests.nodes.machine import Machine, rows
from tests.nodes.test_cut import same_everywhere
from tests.nodes.test_settlement import waiting
from tests.queueing.hospital import Hospital


def given(node: Machine, queue: str = "P001") -> list[int]:
    return [
        row[0]
        for row in rows(
            node.engine,
            "SELECT number FROM ticket WHERE queue_id = :queue ORDER BY number",
            queue=node.hospital.queue(queue),
        )
    ]


def fates(centre: Engine, hospital: Hospital, clock: MovableClock, queue: str = "P001") -> dict[str, int]:
    """How many numbers of the day have which fate, as the centre's page says."""
    with hospital.begin() as session:
        day = numbers_of_the_day(session, hospital.queue(queue), business_date(clock()), clock())
    return {fate.value: day.count(fate) for fate in NumberFate if day.count(fate)}


def test_blocks_follow_one_another_without_a_number_of_anybody_else(
    machine: Machine, hospital: Hospital, monkeypatch: pytest.MonkeyPatch, clock: MovableClock, engine: Engine
):
    monkeypatch.setattr(rounds, "BLOCK", 3)
    monkeypatch.setattr(rounds, "LOW", 2)
    node = machine.on_duty()
    for _ in range(3):
        node.number()
    with hospital.begin() as session:
        services.take_web_number(
            session,
            hospital.admin,
            web_queue(hospital),
            hospital.patient(),
            now=clock(),
            cipher=hospital.cipher,
        )
    node.rounds()
    for _ in range(7):
        node.number()
        assert node.round()
    assert len(set(given(node))) == len(given(node)) == 11
    assert given(node) == list(range(1, 12))
    assert fates(engine, hospital, clock).get("missing") is None


def web_queue(hospital: Hospital) -> Any:
    hospital.settle("P001", web_limit=50, web_until_minute=1000)
    return hospital.queue("P001")


def test_with_its_blocks_used_up_a_node_says_so(
    machine: Machine, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rounds, "BLOCK", 2)
    monkeypatch.setattr(rounds, "LOW", 1)
    node = machine.on_duty()
    node.cable.cut()
    node.number()
    node.number()
    answer = node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets")
    assert (answer.status_code, answer.json["code"]) == (409, "no-numbers-at-the-node")
    node.cable.mend()
    node.rounds()
    node.number()
    assert given(node) == [1, 2, 3]


def test_a_contingent_holds_for_the_node_and_leaves_the_web_its_part(
    machine: Machine, hospital: Hospital, clock: MovableClock
):
    hospital.settle("P001", daily_limit=10, web_limit=4, web_until_minute=1000)
    node = machine.on_duty()
    for _ in range(6):
        node.number()
    assert node.kiosk.post(f"/api/v1/queues/{hospital.queue('P001')}/tickets").status_code == 409
    for _ in range(4):
        with hospital.begin() as session:
            services.take_web_number(
                session, hospital.admin, hospital.queue("P001"), hospital.patient(), now=clock(),
                cipher=hospital.cipher,
            )  # fmt: skip


def test_a_number_from_the_web_is_called_at_the_node(node: Machine, hospital: Hospital, clock: MovableClock):
    queue, patient = web_queue(hospital), hospital.patient()
    with hospital.begin() as session:
        taken = services.take_web_number(
            session, hospital.admin, queue, patient, now=clock(), cipher=hospital.cipher
        )
    node.rounds()
    node.cable.cut()
    here = node.kiosk.post("/api/v1/check-ins", {"code": f"https://kham.example.vn/t/{taken.public_token}"})
    assert here.status_code == 201, here.json
    assert here.json["public_token"] == taken.public_token
    assert node.call()["number"] == taken.number_text
    node.cable.mend()
    node.rounds()
    assert rows(node.centre, "SELECT status FROM ticket") == [("called",)]
    assert waiting(node.centre) == []


def test_a_kiosk_leases_from_the_node_within_its_block(
    machine: Machine,
    hospital: Hospital,
    monkeypatch: pytest.MonkeyPatch,
    clock: MovableClock,
):
    monkeypatch.setattr(rounds, "BLOCK", 5)
    monkeypatch.setattr(rounds, "LOW", 1)
    node = machine.on_duty()
    node.number()
    holder = Leaseholder(LeaseholderKind.KIOSK, hospital.device_id)
    with node.begin() as session:
        lent = lease_block(
            session, hospital.kiosk, hospital.queue("P001"), holder, 20, request_id="a", now=clock(),
            cipher=node.settings.cipher,
        )  # fmt: skip
    assert (lent.first, lent.last) == (2, 5)


def test_the_next_morning_begins_with_numbers_though_the_line_is_cut_at_night(
    node: Machine, hospital: Hospital, clock: MovableClock, engine: Engine
):
    node.number()
    node.rounds()
    node.cable.cut()
    clock.forward(hours=24)
    assert node.number()["number"] == "1-001"
    node.cable.mend()
    node.rounds()
    same_everywhere(engine, node.engine)
    assert waiting(engine) == []


def test_what_a_node_did_not_give_is_given_back_when_the_day_is_over(
    node: Machine, hospital: Hospital, clock: MovableClock, engine: Engine
):
    for _ in range(3):
        node.number()
    yesterday = MovableClock(clock())
    clock.forward(hours=24)
    node.rounds()
    yesterday.forward(hours=10)
    assert fates(engine, hospital, yesterday) == {"issued": 3, "unused": 197}


@pytest.mark.long
def test_a_cut_of_three_hours_leaves_no_number_twice_and_none_unexplained(
    machine: Machine, hospital: Hospital, clock: MovableClock, engine: Engine
):
    """Walk-ins, check-ins, calls and no-shows at the node, meanwhile numbers from the web at the centre."""
    chance = random.Random(20261130)
    for place in range(24):
        hospital.appointment(
            clock() + timedelta(minutes=5 + 7 * place),
            code=booking_code(place),
        )
    web_queue(hospital)
    people = [hospital.patient() for _ in range(30)]
    codes = [row[0] for row in rows(engine, "SELECT code FROM appointment ORDER BY start_at")]
    node = machine.on_duty()
    node.cable.cut()

    for minute in range(180):
        clock.forward(minutes=1)
        assert not node.round()
        for _ in range(chance.choice((0, 1, 1, 2))):
            node.number(chance.choice(("P001", "P002", "registration")))
        if minute % 7 == 3 and codes:
            assert node.kiosk.post("/api/v1/check-ins", {"code": codes.pop(0)}).status_code == 201
        if minute % 6 == 0 and people:
            with hospital.begin() as session:
                services.take_web_number(
                    session, hospital.admin, hospital.queue("P001"), people.pop(), now=clock(),
                    cipher=hospital.cipher,
                )  # fmt: skip
        for queue in ("P001", "P002", "registration"):
            work_on(node, queue, chance)

    issued = rows(node.engine, "SELECT count(*) FROM ticket")[0][0]
    assert issued > 150
    web = rows(engine, "SELECT count(*) FROM ticket")[0][0]
    assert web == 30
    node.cable.mend()
    node.rounds()

    assert waiting(engine) == []
    same_everywhere(engine, node.engine)
    assert rows(engine, "SELECT count(*), count(DISTINCT (queue_id, business_date, number)) FROM ticket") == [
        (issued + web, issued + web)
    ]
    for queue in ("P001", "P002", "registration"):
        counted = fates(engine, hospital, clock, queue)
        assert set(counted) <= {"issued", "leased"}, counted
    clock.forward(hours=24)
    node.rounds()
    at_night = MovableClock(clock() - timedelta(hours=15))
    for queue in ("P001", "P002", "registration"):
        counted = fates(engine, hospital, at_night, queue)
        assert set(counted) <= {"issued", "unused"}, counted


def booking_code(place: int) -> str:
    return f"BK{place:02d}CDEF".replace("0", "Z").replace("1", "Y")


def work_on(node: Machine, queue: str, chance: random.Random) -> None:
    """Do what a room does in a minute: call somebody, see them, or go on without them."""
    if chance.random() < 0.4:
        return
    answer = node.doctor.post(
        f"/api/v1/queues/{node.hospital.queue(queue)}/call-next",
        {"service_point_id": str(node.hospital.point("Q01"))} if queue == "registration" else {},
    )
    if answer.status_code == 409:
        return
    called = dict(answer.json) | {"version": answer.headers["ETag"]}
    if chance.random() < 0.1 and called["appointment"] is None:
        node.take(called, "skip")
    else:
        node.take(called, "start", "done")


def test_the_account_at_the_node_knows_what_is_the_centres(
    machine: Machine, hospital: Hospital, clock: MovableClock
):
    hospital.number()
    hospital.number()
    node = machine.on_duty()
    assert node.number()["number"] == "1-003"
    with node.begin() as session:
        day = numbers_of_the_day(session, hospital.queue("P001"), business_date(clock()), clock())
    assert day.unexplained == ()
    assert day.count(NumberFate.ISSUED) == 3
