"""The patient's pages."""

from telehealth.patient_portal.routes import appointments, booking, choosing
from telehealth.patient_portal.routes.blueprint import pages

__all__ = ["appointments", "booking", "choosing", "pages"]
