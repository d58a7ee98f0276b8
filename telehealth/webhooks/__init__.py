"""Telling hospital systems what happened: signed, numbered, and again until they have it."""
