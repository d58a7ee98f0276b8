"""Somebody of the family is invited to a video visit, wherever they are."""
