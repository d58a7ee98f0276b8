"""A hospital with a node: two databases, and a cable between them."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.conftest import Databases, MovableClock, cloned
from tests.nodes.cable import Cable
from tests.nodes.machine import Machine, served
from tests.queueing.hospital import Begin, Caller, Hospital


@pytest.fixture
def begin(engine: Engine, clean_database: None) -> Begin:
    return lambda: system_unit_of_work(engine)


@pytest.fixture
def hospital(begin: Begin, settings: Settings) -> Hospital:
    return Hospital(begin, settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture(scope="session")
def centre_port(app: Flask) -> Iterator[int]:
    with served(app) as port:
        yield port


@pytest.fixture
def cable(centre_port: int) -> Iterator[Cable]:
    made = Cable(centre_port)
    yield made
    made.close()


@pytest.fixture
def node_databases(template_database: str, worker_id: str) -> Iterator[Databases]:
    with cloned(template_database, f"{template_database}_{worker_id}_node") as made:
        yield made


@pytest.fixture
def machine(
    node_databases: Databases,
    hospital: Hospital,
    cable: Cable,
    clock: MovableClock,
    settings: Settings,
    engine: Engine,
    app: Flask,
) -> Iterator[Machine]:
    """A node that is enrolled and has not begun."""
    made = Machine(node_databases, hospital, cable, clock, settings, engine, app).enrol()
    yield made
    made.close()


@pytest.fixture
def node(machine: Machine) -> Machine:
    """A node that runs the hospital's queues."""
    return machine.on_duty()


@pytest.fixture
def admin(app: Flask, clock: MovableClock, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), hospital.admin_token)


@pytest.fixture
def centre_kiosk(app: Flask, clock: MovableClock, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), hospital.kiosk_token)
