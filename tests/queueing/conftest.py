"""Two hospitals, and programs that call them."""

import pytest
from flask import Flask
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.queueing.hospital import Begin, Caller, Hospital


@pytest.fixture
def begin(engine: Engine, clean_database: None) -> Begin:
    return lambda: system_unit_of_work(engine)


@pytest.fixture
def hospital(begin: Begin, settings: Settings) -> Hospital:
    return Hospital(begin, settings.cipher, "77001", "Bệnh viện Bà Rịa").build()


@pytest.fixture
def other_hospital(begin: Begin, settings: Settings) -> Hospital:
    return Hospital(begin, settings.cipher, "77002", "Bệnh viện Vũng Tàu").build()


@pytest.fixture
def kiosk(app: Flask, clock: object, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), hospital.kiosk_token)


@pytest.fixture
def doctor(app: Flask, clock: object, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), hospital.staff_token)
