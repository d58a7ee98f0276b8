"""Visits over HTTP: the API, and the buttons of rooms and counters."""

from telehealth.visits.routes.api import api
from telehealth.visits.routes.console import pages

__all__ = ["api", "pages"]
