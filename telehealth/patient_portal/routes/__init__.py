"""The patient's pages."""

from telehealth.patient_portal.routes import appointments, booking, choosing, family
from telehealth.patient_portal.routes.blueprint import pages

__all__ = ["appointments", "booking", "choosing", "family", "pages"]
