"""Queues over HTTP: the API, and the pages of board, clinic and phone."""

from telehealth.queueing.routes.api import api
from telehealth.queueing.routes.arranging import pages as halls
from telehealth.queueing.routes.arranging_api import api as arranging_api
from telehealth.queueing.routes.clinic import clinic
from telehealth.queueing.routes.lent import pages as lent
from telehealth.queueing.routes.lent_api import api as lent_api
from telehealth.queueing.routes.public import pages
from telehealth.queueing.routes.web_numbers import api as web_numbers_api
from telehealth.queueing.routes.web_numbers import pages as web_numbers

__all__ = [
    "api",
    "arranging_api",
    "clinic",
    "halls",
    "lent",
    "lent_api",
    "pages",
    "web_numbers",
    "web_numbers_api",
]
