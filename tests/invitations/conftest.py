"""The cast of the booking tests, and a patient's browser."""

from tests.booking.conftest import clinic, desk, lan, minh, set_database_clock, web
from tests.patient_portal.conftest import browser, new_browser

__all__ = ["browser", "clinic", "desk", "lan", "minh", "new_browser", "set_database_clock", "web"]
