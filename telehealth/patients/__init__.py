"""Patients, their identifiers, families and consents."""
