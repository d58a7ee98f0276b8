"""Payments over HTTP: the payer's page, the desk's worklist, the admin's terms, the API, the webhook."""

from telehealth.payments.routes.api import api
from telehealth.payments.routes.pages import pages
from telehealth.payments.routes.webhook import blueprint as webhook

__all__ = ["api", "pages", "webhook"]
