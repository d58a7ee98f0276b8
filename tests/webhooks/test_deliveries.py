"""What happened reaches the hospital's system: signed, numbered, and again until it has it."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.booking import services as booking
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import webhooks
from telehealth.jobs.work import Work
from telehealth.settings import Settings
from telehealth.webhooks import queries, services
from telehealth.webhooks.dispatch import Due, claim, sent
from telehealth.webhooks.rules import Reach
from telehealth.webhooks.sending import Sent
from tests.booking.clinic import DOCTORS, NOW, Person
from tests.conftest import MovableClock
from tests.webhooks.conftest import LOOPBACK, subscribe
from tests.webhooks.receiver import Receiver, dripping, signed_by

Tick = Callable[[], None]


def booked(web: FlaskClient, who: Person, index: int = 0) -> dict:
    asked = {"practitioner": str(DOCTORS["an"]), "from": "2026-12-01T00:00:00+07:00"}
    slot = web.get("/api/v1/slots", query_string=asked).json["items"][index]
    wanted = {"slot_id": slot["id"], "patient_id": str(who.patient_id)}
    answer = web.post("/api/v1/appointments", json=wanted, headers=who.headers)
    assert answer.status_code == 201, answer.json
    return answer.json


def change(web: FlaskClient, who: Person, appointment: dict, verb: str, **body: str) -> dict:
    headers = who.headers | {"If-Match": f'"{appointment["version"]}"'}
    answer = web.post(f"/api/v1/appointments/{appointment['id']}/{verb}", json=body, headers=headers)
    assert answer.status_code == 200, answer.json
    return answer.json


def states(engine: Engine) -> list[tuple[int, str, int]]:
    with system_unit_of_work(engine) as session:
        rows = session.execute(
            text("SELECT sequence, state, attempts FROM webhook_delivery ORDER BY sequence")
        )
        return [tuple(row) for row in rows]


def test_each_change_is_told_in_order_signed_and_without_a_name(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed: tuple[UUID, str],
    tick: Tick,
):
    first = booked(web, lan)
    other = web.get(
        "/api/v1/slots", query_string={"practitioner": str(DOCTORS["an"]), "from": first["end"]}
    ).json["items"][0]
    moved = change(web, lan, first, "reschedule", slot_id=other["id"])
    change(web, lan, moved, "cancel")
    second = booked(web, lan)
    with system_unit_of_work(engine) as session:
        booking.mark_arrived(session, SYSTEM, UUID(second["id"]), now=NOW)
        booking.mark_fulfilled(session, SYSTEM, UUID(second["id"]), now=NOW)
    tick()
    assert receiver.types() == [
        "appointment.booked",
        "appointment.moved",
        "appointment.cancelled",
        "appointment.booked",
        "appointment.arrived",
        "appointment.fulfilled",
    ]
    assert [body["sequence"] for body in receiver.bodies] == [1, 2, 3, 4, 5, 6]
    assert [body["data"]["version"] for body in receiver.bodies[:3]] == [1, 2, 3]
    assert all(signed_by(subscribed[1], *request) for request in receiver.requests)
    assert "Lan" not in json.dumps(receiver.bodies, ensure_ascii=False)
    assert first["code"] not in json.dumps(receiver.bodies)
    tick()
    assert len(receiver.requests) == 6


def test_a_hold_is_nobodys_business_and_neither_is_another_house(
    web: FlaskClient, lan: Person, receiver: Receiver, subscribed: tuple[UUID, str], tick: Tick
):
    slots = web.get("/api/v1/slots", query_string={"facility": "77001"}).json["items"]
    web.post("/api/v1/holds", json={"slot_id": slots[-1]["id"]}, headers=lan.headers)
    video = web.get("/api/v1/slots", query_string={"facility": "77002"}).json["items"][-1]
    wanted = {"slot_id": video["id"], "patient_id": str(lan.patient_id)}
    assert web.post("/api/v1/appointments", json=wanted, headers=lan.headers).status_code == 201
    tick()
    assert receiver.requests == []


def test_what_is_rolled_back_is_not_told(
    web: FlaskClient, lan: Person, minh: Person, engine: Engine, receiver: Receiver, subscribed, tick: Tick
):
    taken = booked(web, lan)
    wanted = {"slot_id": taken["slot_id"], "patient_id": str(minh.patient_id)}
    assert web.post("/api/v1/appointments", json=wanted, headers=minh.headers).status_code == 409
    tick()
    assert receiver.types() == ["appointment.booked"]


def test_a_session_that_closes_is_told(engine: Engine, receiver: Receiver, subscribed, tick: Tick):
    for status in ("closed", "cancelled", "open"):
        with system_unit_of_work(engine) as session:
            session.execute(
                text("UPDATE clinic_session SET status = :status WHERE practitioner_id = :doctor"),
                {"status": status, "doctor": DOCTORS["binh"]},
            )
    tick()
    assert set(receiver.types()[:4]) == {"session.closed"}
    assert set(receiver.types()[4:]) == {"session.opened"}


def test_a_receiver_that_is_down_gets_all_of_it_later_and_only_one_is_tried(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed,
    tick: Tick,
    clock: MovableClock,
):
    change(web, lan, booked(web, lan), "cancel")
    receiver.statuses = [503]
    tick()
    assert states(engine) == [(1, "waiting", 1), (2, "waiting", 0)]
    tick()
    assert len(receiver.requests) == 1
    clock.forward(seconds=6)
    tick()
    assert states(engine) == [(1, "delivered", 2), (2, "delivered", 1)]
    identifiers = [headers["webhook-id"] for headers, _body in receiver.requests]
    assert identifiers[0] == identifiers[1] != identifiers[2]


def test_what_fails_over_one_record_makes_the_others_wait_seconds_and_not_hours(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed,
    tick: Tick,
    clock: MovableClock,
):
    booked(web, lan)
    receiver.statuses = [500] * 6
    for _ in range(5):
        tick()
        clock.forward(hours=1)
    booked(web, minh, 1)
    tick()
    assert states(engine) == [(1, "waiting", 6), (2, "waiting", 0)], "the receiver looks as if it were away"
    clock.forward(seconds=6)
    tick()
    assert states(engine) == [(1, "waiting", 6), (2, "delivered", 1)]


def test_what_is_refused_holds_back_its_own_record_and_no_other(
    web: FlaskClient,
    lan: Person,
    minh: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed,
    tick: Tick,
    clock: MovableClock,
):
    first = booked(web, lan)
    booked(web, minh, 1)
    cancelled = change(web, lan, first, "cancel")
    receiver.statuses = [422]
    tick()
    assert states(engine) == [(1, "waiting", 1), (2, "delivered", 1), (3, "waiting", 0)]
    tick()
    assert len(receiver.requests) == 2, "the cancellation waits for the booking"
    clock.forward(seconds=6)
    tick()
    of_lan = [body for body in receiver.bodies if body["data"]["id"] == first["id"]]
    assert [(body["type"], body["data"]["version"]) for body in of_lan] == [
        ("appointment.booked", 1),
        ("appointment.booked", 1),
        ("appointment.cancelled", cancelled["version"]),
    ]


def test_what_was_given_up_holds_nothing_back(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed,
    tick: Tick,
    clock: MovableClock,
):
    first = booked(web, lan)
    receiver.statuses = [422] * 40
    for _ in range(40):
        tick()
        if states(engine)[0][1] == "dead":
            break
        clock.forward(hours=2)
    receiver.statuses = []
    with system_unit_of_work(engine) as session:
        booking.mark_arrived(session, SYSTEM, UUID(first["id"]), now=NOW)
    tick()
    assert [state for _number, state, _tries in states(engine)] == ["dead", "delivered"]


def test_while_one_is_being_sent_no_other_worker_sends_the_next_of_its_record(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings, subscribed, clock: MovableClock
):
    first = booked(web, lan)
    work = Work(settings, None, engine, None, ())
    webhooks.fan_out(work, clock.now)
    with system_unit_of_work(engine) as session:
        assert [due.subject for due in claim(session, clock.now, settings.cipher)] == [UUID(first["id"])]
    change(web, lan, first, "cancel")
    webhooks.fan_out(work, clock.now)
    with system_unit_of_work(engine) as session:
        assert claim(session, clock.now, settings.cipher) == []


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_after_three_days_it_is_given_up_and_can_be_replayed(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed: tuple[UUID, str],
    tick: Tick,
    clock: MovableClock,
    status: int,
):
    booked(web, lan)
    began = clock.now
    receiver.statuses = [status] * 40
    for _ in range(40):
        tick()
        if states(engine)[0][1] == "dead":
            break
        clock.forward(hours=2)
    assert states(engine)[0][1] == "dead"
    assert 2.5 < (clock.now - began).total_seconds() / 86400 <= 3
    receiver.statuses = []
    with system_unit_of_work(engine) as session:
        assert services.replay(session, SYSTEM, subscribed[0], now=clock.now) == 1
    tick()
    assert states(engine)[0][1] == "delivered"
    assert {body["sequence"] for body in receiver.bodies} == {1}


def test_a_receiver_that_is_gone_is_asked_no_more(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    receiver: Receiver,
    subscribed: tuple[UUID, str],
    tick: Tick,
):
    booked(web, lan)
    receiver.statuses = [410]
    tick()
    with system_unit_of_work(engine) as session:
        assert queries.subscription(session, subscribed[0]).state == "paused"


def test_both_secrets_sign_for_a_week_after_a_rotation(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    settings: Settings,
    receiver: Receiver,
    subscribed: tuple[UUID, str],
    tick: Tick,
    clock: MovableClock,
):
    identifier, old = subscribed
    with system_unit_of_work(engine) as session:
        new = services.rotate(session, SYSTEM, identifier, now=clock.now, cipher=settings.cipher)
    booked(web, lan)
    tick()
    clock.forward(days=8)
    with system_unit_of_work(engine) as session:
        services.try_out(session, SYSTEM, identifier, now=clock.now)
    tick()
    during, after = receiver.requests
    assert (signed_by(old, *during), signed_by(new, *during)) == (True, True)
    assert (signed_by(old, *after), signed_by(new, *after)) == (False, True)


def test_two_systems_of_a_house_have_numbers_of_their_own(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    settings: Settings,
    receiver: Receiver,
    subscribed,
    tick: Tick,
    clock: MovableClock,
):
    booked(web, lan)
    tick()
    subscribe(engine, settings, clock.now, receiver.url + "2")
    booked(web, lan, 1)
    tick()
    assert sorted(body["sequence"] for body in receiver.bodies) == [1, 1, 2]


def test_an_address_inside_is_not_called_even_if_it_was_once_allowed(
    web: FlaskClient, lan: Person, engine: Engine, settings: Settings, receiver: Receiver, subscribed, clock
):
    booked(web, lan)
    work = Work(settings, None, engine, None, ())
    webhooks.fan_out(work, clock.now)
    webhooks.run(work, clock.now)
    assert receiver.requests == []
    with system_unit_of_work(engine) as session:
        delivery = queries.deliveries(session, subscribed[0], limit=1).items[0]
    assert delivery.last_error == "target-refused"


def test_a_receiver_that_drips_is_cut_off_and_the_others_do_not_wait_for_it(receiver: Receiver):
    with dripping() as slow:
        begun = time.monotonic()
        due = [
            Due(uuid4(), uuid4(), uuid4(), url, ("whsec_" + "QUJD" * 8,), b"{}", 1, NOW + timedelta(days=3))
            for url in (slow, receiver.url)
        ]
        turns = sent(due, Reach(LOOPBACK), 0, deadline=1.0)
        (first,) = next(turns)
        assert (first.due, first.sent.status) == (due[1], 204)
        ((last,),) = turns
    assert (last.due, last.sent) == (due[0], Sent(None, "deadline"))
    assert time.monotonic() - begun < 3


def test_what_waits_behind_a_pause_is_given_up_too(
    web: FlaskClient,
    lan: Person,
    engine: Engine,
    settings: Settings,
    subscribed: tuple[UUID, str],
    tick: Tick,
    clock: MovableClock,
):
    with system_unit_of_work(engine) as session:
        session.execute(text("UPDATE webhook_subscription SET state = 'paused'"))
    booked(web, lan)
    tick()
    work = Work(settings, None, engine, None, ())
    webhooks.forget(work, clock.now)
    assert states(engine) == [(1, "waiting", 0)]
    clock.forward(days=3, seconds=1)
    webhooks.forget(work, clock.now)
    assert states(engine) == [(1, "dead", 0)]
