"""People who miss their visits, at the clinic of the booking tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.booking import services as booking
from telehealth.core.clock import at_local, local
from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.jobs import attendance
from telehealth.jobs.work import Work, work
from telehealth.scheduling.services import materialise
from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, Person
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.booking.test_booking_over_http import book, slots
from tests.cast import messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]


@dataclass
class Days:
    """Days pass, visits are booked, kept or missed."""

    web: FlaskClient
    engine: Engine
    settings: Settings
    clock: MovableClock
    set_database_clock: object
    work: Work

    def go_to(self, instant: datetime) -> None:
        """Move both clocks, and have the sessions of the days after."""
        self.clock.now = instant
        self.set_database_clock(instant)  # type: ignore[operator]
        with system_unit_of_work(self.engine) as session:
            days = [local(instant).date() + timedelta(days=offset) for offset in range(4)]
            materialise(session, days, instant)

    def at(self, hour: int, days: int = 0) -> None:
        """Go to an hour of this day, or of one so many days later."""
        self.go_to(at_local(local(self.clock.now).date() + timedelta(days=days), hour * 60))

    def run(self) -> None:
        """Run the job."""
        attendance.run(self.work, self.clock.now)

    def book(self, who: Person, days: int = 1) -> dict:
        """Book doctor An's first slot of a day to come."""
        day = local(self.clock.now).date() + timedelta(days=days)
        free = slots(self.web, **{"from": f"{day}T00:00:00+07:00"}, practitioner=DOCTORS["an"], limit=1)
        answer = book(self.web, who, slot_id=free[0]["id"])
        assert answer.status_code == 201, answer.json
        return answer.json

    def miss(self, who: Person) -> dict:
        """Book for tomorrow, and let tomorrow pass: the desk records that nobody came."""
        made = self.book(who)
        self.at(12, days=1)
        with system_unit_of_work(self.engine) as session:
            booking.mark_no_show(session, SYSTEM, UUID(made["id"]), self.clock.now)
        self.run()
        return made

    def standing(self, who: Person) -> dict:
        """How somebody stands, by the API."""
        path = f"/api/v1/patients/{who.patient_id}/attendance"
        answer = self.web.get(path, headers=who.headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    def grade(self, who: Person) -> str | None:
        """The grade that holds."""
        standing = self.standing(who)["standing"]
        return standing and standing["grade"]

    def told(self, kind: str) -> list[dict]:
        """The messages of a kind."""
        return messages(self.engine, self.settings.cipher, kind)


@pytest.fixture
def days(
    web: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, set_database_clock: object
) -> Iterator[Days]:
    mine = work(settings, clock=clock)
    yield Days(web, engine, settings, clock, set_database_clock, mine)
    mine.engine.dispose()


@pytest.fixture
def browser(app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock) -> Browser:
    """A browser that nobody is signed in on."""
    return Browser(app.test_client(), engine, settings.cipher, clock)
