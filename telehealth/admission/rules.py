"""Pure rules: how somebody stands in the waiting room."""

from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """Before the hour, in line, let in, or after one's turn."""

    OUTSIDE = "outside"
    EARLY = "early"
    DRAWING = "drawing"
    WAITING = "waiting"
    ADMITTED = "admitted"
    LAPSED = "lapsed"


def standing(
    joined: bool, opens_at: datetime, admit_at: datetime | None, lapses_at: datetime | None, now: datetime
) -> Standing:
    """Return how somebody stands now."""
    if not joined:
        return Standing.OUTSIDE
    if admit_at is None or lapses_at is None:
        return Standing.EARLY if now < opens_at else Standing.DRAWING
    if now < admit_at:
        return Standing.WAITING
    return Standing.ADMITTED if now < lapses_at else Standing.LAPSED
