"""HTTP of the accounts feature."""

from telehealth.accounts.routes import own_pages, patient_pages, proof_pages, staff_pages
from telehealth.accounts.routes.api import api
from telehealth.accounts.routes.blueprint import pages

__all__ = ["api", "own_pages", "pages", "patient_pages", "proof_pages", "staff_pages"]
