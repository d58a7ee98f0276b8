"""Webhooks over HTTP: for programs and for a facility's administrators."""

from telehealth.webhooks.routes.api import api
from telehealth.webhooks.routes.pages import pages

__all__ = ["api", "pages"]
