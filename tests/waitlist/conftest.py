"""People who wait, at the clinic of the booking tests, and the worker that offers them places."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import waitlist
from telehealth.jobs.work import Work, work
from telehealth.settings import Settings
from telehealth.waitlist import queries
from telehealth.waitlist.queries import EntryView
from tests.booking.clinic import DOCTORS, Employee, Person, add_person, known_at
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.booking.test_booking_over_http import book, slots
from tests.cast import messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]

WEDNESDAY = date(2026, 12, 2)


@dataclass
class Line:
    """What is done to the line, and what it tells."""

    web: FlaskClient
    engine: Engine
    settings: Settings
    clock: MovableClock
    work: Work

    def join(self, who: Person, by: Employee | None = None, **asked: object) -> dict:
        """Put somebody on the list by the API: doctor An, Wednesday. `by`: the desk that does it for them."""
        self.clock.forward(seconds=1)
        wanted = {
            "patient_id": str(who.patient_id),
            "service": "internal",
            "facility": "77001",
            "practitioner": str(DOCTORS["an"]),
            "from": WEDNESDAY.isoformat(),
            "to": WEDNESDAY.isoformat(),
        } | asked
        answer = self.web.post("/api/v1/waitlist", json=wanted, headers=(by or who).headers)
        assert answer.status_code == 201, answer.json
        return answer.json

    def run(self, **later: float) -> list[dict]:
        """Run the worker at the clock's time, or later; return all offers that went out, oldest first."""
        self.clock.forward(**later)
        waitlist.run(self.work, self.clock.now)
        return messages(self.engine, self.settings.cipher, "waitlist-offer")

    def cancel(self, who: Person, appointment: dict) -> None:
        """Cancel an appointment."""
        headers = {**who.headers, "If-Match": f'"{appointment["version"]}"'}
        answer = self.web.post(f"/api/v1/appointments/{appointment['id']}/cancel", json={}, headers=headers)
        assert answer.status_code == 200, answer.json

    def told(self, who: Person, made: dict) -> list[str]:
        """What an entry tells of itself, oldest first: why it was passed over, else what happened."""
        seen = self.web.get(f"/api/v1/waitlist/{made['id']}", headers=who.headers).json
        return [event["reason"] or event["kind"] for event in reversed(seen["events"])]

    def entry(self, made: dict) -> EntryView:
        """An entry as it stands."""
        with system_unit_of_work(self.engine) as session:
            found = queries.entry(session, made["id"], now=self.clock.now)
        assert found is not None
        return found

    def known(self, who: Person, facility: str) -> None:
        """Let a facility know somebody."""
        with system_unit_of_work(self.engine) as session:
            known_at(session, who, facility)

    def people(self, *numbers: int) -> list[Person]:
        """More patients with telephones."""
        with system_unit_of_work(self.engine) as session:
            return [add_person(session, self.settings.cipher, number) for number in numbers]


@pytest.fixture
def line(
    web: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, few_places: None
) -> Iterator[Line]:
    """Nobody waits yet."""
    mine = work(settings, clock=clock)
    yield Line(web, engine, settings, clock, mine)
    mine.engine.dispose()


@pytest.fixture
def few_places(engine: Engine, clinic: None) -> None:
    """Doctor An has two places on Wednesday, 08:00 and 08:10, both for the online door."""
    with system_unit_of_work(engine) as session:
        session.connection().exec_driver_sql(
            """UPDATE clinic_session
                  SET slot_count = 2, online_quota = 2, end_at = start_at + interval '20 minutes'
                WHERE practitioner_id = %s AND service_code = 'internal' AND business_date = %s""",
            (DOCTORS["an"], WEDNESDAY),
        )
        session.connection().exec_driver_sql("DELETE FROM freed_place")


@pytest.fixture
def taken(web: FlaskClient, few_places: None, minh: Person) -> list[dict]:
    """Both places are Minh's."""
    day = f"{WEDNESDAY}T00:00:00+07:00"
    free = slots(web, **{"from": day}, practitioner=DOCTORS["an"], limit=2)
    answers = [book(web, minh, slot_id=slot["id"]) for slot in free]
    assert [answer.status_code for answer in answers] == [201, 201], [answer.json for answer in answers]
    return [answer.json for answer in answers]


@pytest.fixture
def browser(app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock) -> Browser:
    """A browser that nobody is signed in on."""
    return Browser(app.test_client(), engine, settings.cipher, clock)


def link(offer: dict) -> str:
    """The address in a message, as a path."""
    return str(offer["link"]).removeprefix("http://localhost")
