"""Patients with messages in their hands, at the clinic of the booking tests."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from telehealth.settings import Settings
from tests.booking.clinic import DOCTORS, Person
from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web
from tests.booking.test_booking_over_http import IN_TWO_DAYS, book, slots
from tests.cast import messages
from tests.conftest import MovableClock
from tests.patient_portal.browser import Browser

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]


@pytest.fixture
def browser(app: Flask, engine: Engine, settings: Settings, clinic: None, clock: MovableClock) -> Browser:
    """A browser that nobody is signed in on."""
    client: FlaskClient = app.test_client()
    return Browser(client, engine, settings.cipher, clock)


@pytest.fixture
def booked(web: FlaskClient, lan: Person) -> dict:
    """Lan's appointment in two days, at 09:00 with doctor An."""
    free = slots(web, **{"from": IN_TWO_DAYS}, practitioner=DOCTORS["an"], limit=50)
    slot = next(slot for slot in free if "T09:00" in slot["start"])
    return book(web, lan, slot_id=slot["id"]).json


@pytest.fixture
def told(engine: Engine, settings: Settings) -> Callable[[str], str]:
    """The link of the newest message of a kind, as a path."""

    def link(kind: str) -> str:
        return messages(engine, settings.cipher, f"appointment-{kind}")[-1]["link"].removeprefix(
            "http://localhost"
        )

    return link
