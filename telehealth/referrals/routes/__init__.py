"""Service requests over HTTP: the API, and the pages of doctors, desks and the province."""

from telehealth.referrals.routes import doctor, province, staff
from telehealth.referrals.routes.api import api
from telehealth.referrals.routes.blueprint import pages

__all__ = ["api", "doctor", "pages", "province", "staff"]
