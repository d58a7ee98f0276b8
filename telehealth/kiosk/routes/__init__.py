"""The kiosk over HTTP: its pages, its API, and what staff read of what people said there."""

from telehealth.kiosk.routes.api import api
from telehealth.kiosk.routes.feedback import feedback
from telehealth.kiosk.routes.pages import pages

__all__ = ["api", "feedback", "pages"]
