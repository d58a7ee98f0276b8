"""The kiosk over HTTP: its pages, its API, and what staff read of what people said there."""

from telehealth.kiosk.routes.api import api
from telehealth.kiosk.routes.cut import api as cut_api
from telehealth.kiosk.routes.cut import pages as cut_pages
from telehealth.kiosk.routes.feedback import feedback
from telehealth.kiosk.routes.pages import pages

__all__ = ["api", "cut_api", "cut_pages", "feedback", "pages"]
