"""Visits over HTTP: the API, and the buttons of rooms and counters."""

from telehealth.visits.routes.api import api

__all__ = ["api"]
