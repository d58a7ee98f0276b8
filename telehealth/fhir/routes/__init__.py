"""The facade over HTTP, one module for each group of resources."""

from telehealth.fhir.routes import appointments, directory, metadata, outcomes, patients, slots
from telehealth.fhir.routes.blueprint import fhir

__all__ = ["appointments", "directory", "fhir", "metadata", "outcomes", "patients", "slots"]
