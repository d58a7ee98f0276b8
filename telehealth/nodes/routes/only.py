"""On a node only the day's work: booking and administration are the centre's."""

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from telehealth.core.errors import NotFound
from telehealth.web.context import settings
from telehealth.web.errors import wants_problem

OF_THE_DAY = frozenset(
    {
        "static",
        "health",
        "metrics",
        "accounts",
        "accounts-api",
        "boards",
        "boards-api",
        "hall",
        "kiosk",
        "kiosk-api",
        "feedback",
        "queueing",
        "queueing-api",
        "queue-arranging-api",
        "halls",
        "clinic",
        "visits",
        "visits-api",
        "desk-visits",
        "nodes",
        "nodes-api",
    }
)
"""Blueprints that a node serves."""
AT_THE_DESK = frozenset(
    f"desk.{view}"
    for view in (
        "home",
        "choose_facility",
        "find",
        "person",
        "walk_in",
        "today",
        "show",
        "check_in",
        "staff_calls",
        "answer_staff_call",
    )
)
"""What reception does at a node: find those who are due today, check in, give numbers."""


def keep_to_the_day(app: Flask) -> None:
    """Send people on to the centre for everything that is not the day's work here."""

    @app.before_request
    def only_the_day() -> AnyResponse | Response | None:
        asked = request.endpoint
        if asked is None or asked in AT_THE_DESK or asked.partition(".")[0] in OF_THE_DAY:
            return None
        if request.path == "/":
            return redirect("/node")
        if request.method != "GET" or wants_problem():
            raise NotFound
        return redirect(settings().slip_base_url + request.full_path.rstrip("?"))
