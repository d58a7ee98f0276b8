"""The schedule as a calendar, and changing it with the consequences shown first."""
