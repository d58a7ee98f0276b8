"""A service whose places are released at nine, and the crowd that waits for it."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.admission import services
from telehealth.core.clock import at_local, local
from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import NOW, Employee, Person, add_employee, add_person, service_id
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.conftest import MovableClock

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]

NINE = at_local(local(NOW).date(), 9 * 60)
SERVICE = service_id("77001", "internal")
ROOM = f"/api/v1/services/{SERVICE}/waiting-room"


@dataclass
class Hour:
    """The release hour, moved along by the tests."""

    web: FlaskClient
    engine: Engine
    settings: Settings
    clock: MovableClock
    set_database_clock: object

    def go_to(self, instant: datetime) -> None:
        """Move both clocks."""
        self.clock.now = instant
        self.set_database_clock(instant)  # type: ignore[operator]

    def draw(self) -> None:
        """What the worker does."""
        with system_unit_of_work(self.engine) as session:
            services.draw_due(session, now=self.clock.now)

    def enter(self, who: Person) -> dict:
        """Join the line."""
        answer = self.web.post(ROOM, headers=who.headers)
        assert answer.status_code == 201, answer.json
        return answer.json

    def see(self, who: Person) -> dict:
        """Look at one's place."""
        answer = self.web.get(ROOM, headers=who.headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    def crowd(self, first: int, count: int) -> list[Person]:
        """So many people with accounts."""
        with system_unit_of_work(self.engine) as session:
            return [add_person(session, self.settings.cipher, first + each) for each in range(count)]

    def arrange(self, chief: Employee, **terms: int) -> None:
        """Give the service a waiting room."""
        answer = self.web.put(ROOM, json=terms, headers=chief.headers)
        assert answer.status_code == 204, answer.json


@pytest.fixture
def chief(engine: Engine, clinic: None) -> Employee:
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.FACILITY_ADMIN, "77001")


@pytest.fixture
def hour(
    web: FlaskClient, engine: Engine, settings: Settings, clock: MovableClock, set_database_clock: object
) -> Hour:
    """All sessions of internal medicine at 77001 open at nine this morning."""
    with system_unit_of_work(engine) as session:
        session.connection().exec_driver_sql(
            "UPDATE clinic_session SET opens_at = %s WHERE service_id = %s AND business_date > %s",
            (NINE, SERVICE, local(NOW).date()),
        )
    return Hour(web, engine, settings, clock, set_database_clock)
