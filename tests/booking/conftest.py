"""The cast of the booking tests."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from telehealth.core.principal import Role
from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.booking.clinic import (
    NOW,
    Employee,
    Person,
    add_clinic,
    add_employee,
    add_person,
    known_at,
)
from tests.conftest import MovableClock


@pytest.fixture
def set_database_clock(owner_engine: Engine) -> Callable[[datetime], None]:
    """Let app_clock() show an instant, and run on from there."""

    def set_to(instant: datetime) -> None:
        with owner_engine.begin() as connection:
            connection.execute(
                text("UPDATE clock_offset SET seconds = extract(epoch FROM :at - clock_timestamp())"),
                {"at": instant},
            )

    return set_to


@pytest.fixture
def clinic(
    engine: Engine,
    clean_database: None,
    clock: MovableClock,
    set_database_clock: Callable[[datetime], None],
) -> None:
    """The clinic of clinic.py, with the sessions of four days; both clocks at Monday 08:00."""
    set_database_clock(NOW)
    with system_unit_of_work(engine) as session:
        add_clinic(session)


@pytest.fixture
def lan(engine: Engine, clinic: None, settings: Settings) -> Person:
    """A patient with a telephone."""
    with system_unit_of_work(engine) as session:
        return add_person(session, settings.cipher, 1, name="Trần Thị Lan")


@pytest.fixture
def minh(engine: Engine, clinic: None, settings: Settings) -> Person:
    """Another one."""
    with system_unit_of_work(engine) as session:
        return add_person(session, settings.cipher, 2, name="Lê Văn Minh")


@pytest.fixture
def desk(engine: Engine, clinic: None, lan: Person) -> Employee:
    """The desk of 77001, which knows Lan."""
    with system_unit_of_work(engine) as session:
        known_at(session, lan, "77001")
        return add_employee(session, Role.DESK, "77001")


@pytest.fixture
def other_desk(engine: Engine, clinic: None) -> Employee:
    """The desk of 77002, which knows nobody."""
    with system_unit_of_work(engine) as session:
        return add_employee(session, Role.DESK, "77002")


@pytest.fixture
def web(client: FlaskClient, clinic: None) -> FlaskClient:
    """A program that speaks to the API."""
    return client
