"""The cast of the booking tests."""

from tests.booking.conftest import clinic, desk, lan, minh, other_desk, set_database_clock, web

__all__ = ["clinic", "desk", "lan", "minh", "other_desk", "set_database_clock", "web"]
