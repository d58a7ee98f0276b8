"""The schedule editor over HTTP: pages, and the same over the API."""

from telehealth.schedule_editor.routes import (
    blockings,
    calendar,
    exceptions,
    lines,
    moving,
    resources,
    rules,
    waiting_rooms,
)
from telehealth.schedule_editor.routes.api import api
from telehealth.schedule_editor.routes.blueprint import pages

__all__ = [
    "api",
    "blockings",
    "calendar",
    "exceptions",
    "lines",
    "moving",
    "pages",
    "resources",
    "rules",
    "waiting_rooms",
]
