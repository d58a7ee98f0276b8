"""When a consultation room is open. Pure."""

from datetime import datetime, timedelta

OPENS_BEFORE = timedelta(minutes=15)
CLOSES_AFTER = timedelta(minutes=60)
LINK_AFTER_END = CLOSES_AFTER


def window(start_at: datetime, end_at: datetime) -> tuple[datetime, datetime]:
    """Return from when until when the room of an appointment can be entered."""
    return start_at - OPENS_BEFORE, end_at + CLOSES_AFTER


def practitioner_name(title: str, name: str) -> str:
    """Return how a practitioner is shown: title, then name."""
    return f"{title} {name}".strip()
