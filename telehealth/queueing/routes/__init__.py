"""Queues over HTTP: the API, and the pages of board, clinic and phone."""

from telehealth.queueing.routes.api import api
from telehealth.queueing.routes.clinic import clinic
from telehealth.queueing.routes.public import pages

__all__ = ["api", "clinic", "pages"]
