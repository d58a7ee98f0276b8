"""Encounters: what happened between patient and practitioner, who was there and when."""
