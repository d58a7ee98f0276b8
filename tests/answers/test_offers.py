"""Another time that the hospital offers: taken, declined, or gone before it was taken."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.booking.schemas import OfferSchema
from telehealth.core.answer_link import Purpose
from telehealth.settings import Settings
from tests.answers.test_answers import Told, changes, disrupt, press, row
from tests.architecture.test_routes import snapshot
from tests.booking.clinic import DOCTORS, Employee, Person
from tests.booking.test_booking_over_http import IN_TWO_DAYS, book, count, move, slots
from tests.cast import messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

Offered = Callable[..., Any]


@pytest.fixture
def later(web: FlaskClient, booked: dict) -> dict:
    """A free slot of the same doctor, later that day."""
    return slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[-1]


@pytest.fixture
def offered(web: FlaskClient, booked: dict, later: dict, desk: Employee) -> Offered:
    """Offer the later slot, or another one, and return the answer."""

    def offer(slot: dict = later, who: Employee | Person = desk) -> Any:
        return web.post(
            f"/api/v1/appointments/{booked['id']}/offers", json={"slot_id": slot["id"]}, headers=who.headers
        )

    return offer


def declining(settings: Settings, made: dict) -> str:
    token = settings.answer_links.token(
        Purpose.DECLINE_OFFER, UUID(made["id"]), datetime.fromisoformat(made["expires_at"])
    )
    return f"/j/{token}"


def state(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT set_config('app.kind', 'system', true)")
        found = connection.exec_driver_sql(
            "SELECT state FROM appointment_offer ORDER BY created_at, state DESC"
        )
        return list(found.scalars())


def test_the_desk_offers_and_the_patient_takes_it(
    browser: Browser, web: FlaskClient, offered: Offered, booked: dict, later: dict, told: Told,
    desk: Employee, engine: Engine,
):  # fmt: skip
    made = offered()
    assert made.status_code == 201, made.json
    assert not OfferSchema().validate(made.json)
    page = browser.go(told("offer"))
    assert page.status == 200
    assert page.sees("Có giờ khám khác", later["start"][11:16], "09:00", booked["code"], "Giữ giờ cũ")
    page.send("accept-offer")
    assert (page.status, page.sees("Đã đổi sang giờ mới")) == (200, True)
    seen = web.get(f"/api/v1/appointments/{booked['id']}", headers=desk.headers).json
    assert (seen["start"], seen["code"]) == (later["start"], booked["code"])
    assert state(engine) == ["accepted"]
    assert changes(engine) == [("link", "booking.accept_offer"), ("link", "booking.reschedule")]
    free = [slot["id"] for slot in slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])]
    assert booked["slot_id"] in free
    assert told("moved")


def test_an_offer_is_the_way_out_when_the_doctor_is_away(
    browser: Browser, offered: Offered, booked: dict, told: Told, owner_engine: Engine, engine: Engine
):
    disrupt(owner_engine, booked)
    offered()
    page = browser.go(told("offer"))
    assert page.status == 200
    assert page.sees("Giờ cũ không khám được", "Không nhận giờ này")
    assert not page.sees("Giữ giờ cũ")
    page.send("accept-offer")
    assert (page.status, page.sees("Đã đổi sang giờ mới")) == (200, True)
    assert state(engine) == ["accepted"]


def test_who_declines_keeps_the_old_time(
    browser: Browser, offered: Offered, booked: dict, told: Told, engine: Engine
):
    offered()
    link = told("offer")
    before = row(engine, booked)
    page = browser.go(link)
    page.go(page.links("/j/d")[0]).send("decline-offer")
    assert (page.status, page.sees("Quý vị giữ giờ khám cũ")) == (200, True)
    assert (row(engine, booked), state(engine)) == (before, ["declined"])
    assert browser.go(link).status == 410
    assert press(browser.client, link, "accept-offer") == 410


def test_opening_an_offer_changes_nothing(
    web: FlaskClient, offered: Offered, told: Told, settings: Settings, owner_engine: Engine
):
    made = offered().json
    before = snapshot(owner_engine), count(owner_engine, "audit_event")
    for link in (told("offer"), declining(settings, made)):
        for method in ("GET", "HEAD", "GET"):
            assert web.open(link, method=method).status_code == 200
    assert (snapshot(owner_engine), count(owner_engine, "audit_event")) == before


def test_the_links_of_an_offer_are_not_each_other_s(
    web: FlaskClient, offered: Offered, told: Told, settings: Settings, engine: Engine
):
    made = offered().json
    assert press(web, told("offer"), "decline-offer") == 404
    assert press(web, declining(settings, made), "accept-offer") == 404
    assert press(web, told("booked"), "accept-offer") == 404
    assert state(engine) == ["open"]


def test_a_slot_that_is_gone_leaves_the_old_place(
    browser: Browser, web: FlaskClient, offered: Offered, booked: dict, later: dict, minh: Person, told: Told,
    engine: Engine,
):  # fmt: skip
    offered()
    before = row(engine, booked)
    assert book(web, minh, slot_id=later["id"]).status_code == 201
    link = told("offer")
    assert press(web, link, "accept-offer") == 409
    assert (row(engine, booked), state(engine)) == (before, ["open"])
    page = browser.go(link)
    assert (page.status, page.sees("Giờ mới vừa có người đặt", "vẫn giữ giờ cũ")) == (409, True)
    assert len(page.links(f"/appointments/{booked['id']}/move/")) == 3, "what is free instead"
    times = re.findall(r'move/[^"]+">([^<]+)<', page.text)
    assert len(set(times)) == 3


def test_the_same_offer_made_again_is_one_offer_and_another_takes_its_place(
    web: FlaskClient, browser: Browser, offered: Offered, told: Told, engine: Engine, settings: Settings,
    clock: MovableClock,
):  # fmt: skip
    first, again = offered().json, offered().json
    assert first["id"] == again["id"]
    old = told("offer")
    assert len(messages(engine, settings.cipher, "appointment-offer")) == 1
    clock.forward(minutes=1)
    second = offered(slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[2])
    assert second.status_code == 201
    assert state(engine) == ["withdrawn", "open"]
    page = browser.go(old)
    assert (page.status, page.sees("Lời mời đổi giờ đã khép lại")) == (410, True)
    assert browser.go(told("offer")).status == 200


def test_an_offer_ends_by_itself(
    browser: Browser, web: FlaskClient, offered: Offered, told: Told, clock: MovableClock, engine: Engine,
    booked: dict,
):  # fmt: skip
    made = offered().json
    clock.now = datetime.fromisoformat(made["expires_at"])
    link = told("offer")
    assert browser.go(link).status == 410
    before = row(engine, booked)
    assert press(web, link, "accept-offer") == 410
    assert row(engine, booked) == before
    assert offered().status_code == 201
    assert state(engine) == ["expired", "open"]


def test_an_offer_never_outlives_the_appointment_s_own_time(
    offered: Offered, booked: dict, clock: MovableClock
):
    clock.now = datetime.fromisoformat(booked["start"]) - timedelta(hours=3)
    assert offered().json["expires_at"] == booked["start"]


def test_cancelling_and_moving_take_the_offer_back(
    browser: Browser,
    web: FlaskClient,
    offered: Offered,
    booked: dict,
    lan: Person,
    told: Told,
    engine: Engine,
):
    offered()
    link = told("offer")
    other = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"])[1]
    assert move(web, lan, booked, other["id"]).status_code == 200
    assert state(engine) == ["withdrawn"]
    assert browser.go(link).status == 410
    offered()
    web.post(
        f"/api/v1/appointments/{booked['id']}/cancel", json={}, headers={**lan.headers, "If-Match": '"2"'}
    )
    assert state(engine) == ["withdrawn", "withdrawn"]
    page = browser.go(told("offer"))
    assert (page.status, page.sees("Lịch khám này đã hủy")) == (410, True)


@pytest.mark.parametrize("wrong", ["taken", "other service", "none", "its own"])
def test_only_a_slot_that_can_be_had_is_offered(
    web: FlaskClient, offered: Offered, booked: dict, later: dict, minh: Person, wrong: str, engine: Engine
):
    if wrong == "taken":
        book(web, minh, slot_id=later["id"])
    chosen = {
        "taken": later,
        "other service": {"id": slots(web, modality="video")[0]["id"]},
        "none": {"id": later["id"].partition(".")[0] + ".1"},
        "its own": {"id": booked["slot_id"]},
    }[wrong]
    assert offered(chosen).status_code in (403, 404, 409)
    assert state(engine) == []


def test_only_the_desk_there_offers(offered: Offered, lan: Person, other_desk: Employee):
    assert offered(who=lan).status_code == 403
    assert offered(who=other_desk).status_code == 404


def at_once(*acts: Callable[[], int]) -> list[int]:
    """Do things at the same moment, each in a thread of its own."""
    barrier = Barrier(len(acts))

    def do(act: Callable[[], int]) -> int:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


def test_two_who_accept_at_once_move_once(
    app: Flask, offered: Offered, told: Told, booked: dict, engine: Engine, settings: Settings
):
    offered()
    link = told("offer")
    found = at_once(*[lambda: press(app.test_client(), link, "accept-offer")] * 4)
    assert set(found) <= {303, 200}
    assert row(engine, booked)["version"] == 2
    assert changes(engine) == [("link", "booking.accept_offer"), ("link", "booking.reschedule")]
    assert len(messages(engine, settings.cipher, "appointment-moved")) == 1


def test_accepting_against_somebody_who_takes_the_slot_gives_it_to_one(
    app: Flask, web: FlaskClient, offered: Offered, told: Told, booked: dict, later: dict, minh: Person,
    engine: Engine,
):  # fmt: skip
    offered()
    link = told("offer")
    accepted, taken = at_once(
        lambda: press(app.test_client(), link, "accept-offer"),
        lambda: book(app.test_client(), minh, slot_id=later["id"]).status_code,
    )
    assert (accepted, taken) in {(303, 409), (409, 201)}
    there = count(engine, "appointment", f"status = 'booked' AND start_at = '{later['start']}'")
    assert there == 1
    assert state(engine) == (["accepted"] if accepted == 303 else ["open"])
    assert count(engine, "claim", "active AND resource_kind = 'patient'") == (1 if accepted == 303 else 2)


def test_accepting_against_cancelling_ends_in_one_of_them(
    app: Flask, web: FlaskClient, offered: Offered, told: Told, booked: dict, lan: Person, engine: Engine
):
    offered()
    link = told("offer")

    def cancel() -> int:
        return (
            app.test_client()
            .post(
                f"/api/v1/appointments/{booked['id']}/cancel",
                json={},
                headers={**lan.headers, "If-Match": '"1"'},
            )
            .status_code
        )

    found = at_once(lambda: press(app.test_client(), link, "accept-offer"), cancel)
    assert tuple(found) in {(303, 412), (410, 200)}
    assert row(engine, booked)["status"] == ("booked" if found[0] == 303 else "cancelled")
    assert state(engine) == (["accepted"] if found[0] == 303 else ["withdrawn"])


def test_a_slot_that_the_roster_lost_is_gone_too(
    web: FlaskClient, offered: Offered, told: Told, booked: dict, owner_engine: Engine, engine: Engine
):
    offered()
    with owner_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE appointment_offer SET slot_id = gen_random_uuid() || '.480'")
    assert press(web, told("offer"), "accept-offer") == 409
    assert web.get(told("offer")).status_code == 409
    assert row(engine, booked)["version"] == 1


def test_a_day_that_was_closed_meanwhile_leaves_the_old_place(
    web: FlaskClient,
    offered: Offered,
    told: Told,
    booked: dict,
    later: dict,
    owner_engine: Engine,
    engine: Engine,
):
    offered()
    with owner_engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE clinic_session SET status = 'closed' WHERE id = %s", (later["id"].partition(".")[0],)
        )
    assert press(web, told("offer"), "accept-offer") == 409
    assert row(engine, booked)["version"] == 1
    assert state(engine) == ["open"]
