"""The clinic of the booking tests, and what is done there to appointments."""

import pytest
from sqlalchemy import Engine

from telehealth.settings import Settings
from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock, web
from tests.conftest import MovableClock
from tests.reminders.appointments import Appointments

__all__ = ["clinic", "desk", "lan", "minh", "set_database_clock", "web"]


@pytest.fixture
def appointments(engine: Engine, clinic: None, settings: Settings, clock: MovableClock) -> Appointments:
    """Whatever may happen to an appointment, at the clock's time."""
    return Appointments(engine, settings, clock)
