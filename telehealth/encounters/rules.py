"""What a note is sealed for, and how long it may be. Pure."""

from uuid import UUID

MAX_NOTE = 2000
"""Characters of a practitioner's short note."""


def note_context(encounter_id: UUID) -> str:
    """Return what a note is sealed for."""
    return f"encounter.note_sealed:{encounter_id}"
