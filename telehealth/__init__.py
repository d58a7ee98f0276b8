"""Telehealth and appointment service for one province's health network."""
