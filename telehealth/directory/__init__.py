"""Facilities, services, practitioners, service points, on-call rosters and the calendar."""
