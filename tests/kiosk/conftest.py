"""A hospital with a kiosk in use."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.core.uow import system_unit_of_work
from telehealth.settings import Settings
from tests.conftest import MovableClock
from tests.kiosk.people import Town
from tests.queueing.browser import Browser
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
def town(begin: Begin, settings: Settings) -> Town:
    return Town(begin, settings.cipher)


@pytest.fixture
def machine(client: FlaskClient, clock: MovableClock, hospital: Hospital) -> Browser:
    """A kiosk that was put into use."""
    browser = Browser(client)
    browser.open("/kiosk")
    browser.send("/kiosk/activate", code=hospital.kiosk_token)
    return browser


@pytest.fixture
def program(app: Flask, clock: MovableClock, hospital: Hospital) -> Caller:
    """A program on the kiosk."""
    return Caller(app.test_client(), hospital.kiosk_token)


@pytest.fixture
def staff(app: Flask, clock: MovableClock, hospital: Hospital) -> Caller:
    return Caller(app.test_client(), hospital.staff_token)
