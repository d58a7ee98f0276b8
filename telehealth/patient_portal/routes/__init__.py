"""The patient's pages."""

from telehealth.patient_portal.routes import (
    appointments,
    choosing,
    confirming,
    family,
    filling,
    moving,
    slips,
    slots,
)
from telehealth.patient_portal.routes.blueprint import pages

__all__ = ["appointments", "choosing", "confirming", "family", "filling", "moving", "pages", "slips", "slots"]
