"""What pages with every queue of a facility cost: as many statements for twenty rooms as for two."""

from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from telehealth.directory.models import ServicePoint
from telehealth.queueing import services
from tests.booking.clinic import statements
from tests.queueing.browser import Browser
from tests.queueing.hospital import Caller, Hospital

PAGES = {
    "/clinic/queues/{id}": 8,
    "/clinic": 9,
    "/clinic/numbers/{id}": 8,
    "/board/{code}": 10,
    "/hall": 11,
}
"""The most statements of each, the sign-in and the transaction included."""


def build_rooms(hospital: Hospital, count: int) -> list[str]:
    """Give the hospital more clinic rooms, each with its queue; returns their codes."""
    codes = [f"P1{number:02d}" for number in range(count)]
    with hospital.begin() as session:
        session.add_all(
            ServicePoint(
                id=uuid4(), facility_id=hospital.id, code=code, name=f"Phòng khám {code[1:]}", kind="clinic"
            )
            for code in codes
        )
        session.flush()
        services.ensure_queues(session, hospital.id)
    return codes


@pytest.mark.parametrize("page", PAGES)
def test_a_page_costs_the_same_few_statements_however_many_queues_there_are(
    app: Flask, clock: object, engine: Engine, hospital: Hospital, page: str
):
    browser = Browser(app.test_client())
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = hospital.admin_token
    address = page.format(id=hospital.id, code=hospital.code)
    for code in ("registration", "P001"):
        hospital.number(code)
        hospital.call(code)
        hospital.number(code)
    counts = []
    for rooms in (0, 18):
        for code in build_rooms(hospital, rooms):
            hospital.number(code)
        assert "Phòng khám 1" in browser.open(address)
        with statements(engine) as seen:
            browser.open(address)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= PAGES[page], counts


def test_a_press_is_three_statements(kiosk: Caller, engine: Engine, hospital: Hospital):
    path = f"/api/v1/queues/{hospital.queue('registration')}/tickets"
    kiosk.post(path)
    with statements(engine) as seen:
        assert kiosk.post(path).json["number"] == "A002"
    assert ["app_enter" in seen[0], "queue_standing" in seen[1], "INSERT INTO ticket" in seen[2]] == [
        True
    ] * 3
    assert len(seen) == 3, seen
