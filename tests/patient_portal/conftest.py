"""A patient's browser without scripts, at the clinic of the booking tests."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.settings import Settings
from tests.booking.conftest import clinic, set_database_clock
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

__all__ = ["clinic", "set_database_clock"]


@pytest.fixture
def new_browser(
    app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock
) -> Callable[[], Browser]:
    """Open browsers."""

    def opened() -> Browser:
        client: FlaskClient = app.test_client()
        return Browser(client, engine, settings.cipher, clock)

    return opened


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    """One browser, nobody signed in."""
    return new_browser()
