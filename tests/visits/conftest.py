"""A hospital with every station, and people on their way through it."""

import pytest
from flask import Flask
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.conftest import MovableClock
from tests.queueing.hospital import Begin, Caller
from tests.visits.wards import Wards


@pytest.fixture
def begin(engine: Engine, clean_database: None, app: Flask) -> Begin:
    return lambda: system_unit_of_work(engine)


@pytest.fixture
def wards(begin: Begin, settings: Settings, clock: MovableClock) -> Wards:
    return Wards.build(begin, settings, clock, "77001", "Bệnh viện Bà Rịa")


@pytest.fixture
def other(begin: Begin, settings: Settings, clock: MovableClock) -> Wards:
    return Wards.build(begin, settings, clock, "77002", "Bệnh viện Vũng Tàu")


@pytest.fixture
def doctor(app: Flask, wards: Wards) -> Caller:
    return Caller(app.test_client(), wards.hospital.staff_token)


@pytest.fixture
def clerk(app: Flask, wards: Wards) -> Caller:
    return Caller(app.test_client(), wards.clerk_token)


@pytest.fixture
def system(app: Flask, wards: Wards) -> Caller:
    return Caller(app.test_client(), wards.system_token)
