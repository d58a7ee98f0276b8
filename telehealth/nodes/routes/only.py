"""On a node only the day's work: booking and administration are the centre's."""

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from telehealth.accounts.enrolment import redeem_elsewhere
from telehealth.core.errors import NotFound
from telehealth.nodes.routes.devices import redeem_at_the_centre
from telehealth.web.context import settings
from telehealth.web.errors import wants_problem

OF_THE_DAY = frozenset(
    {
        "static",
        "built",
        "health",
        "installable",
        "metrics",
        "accounts",
        "accounts-api",
        "boards",
        "boards-api",
        "hall",
        "kiosk",
        "kiosk-api",
        "kiosk-cut-api",
        "lent",
        "lent-api",
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
SINGLE_PAGES = frozenset(
    {
        "pages.choose_language",
        "pages.accessibility",
        "desk.home",
        "desk.choose_facility",
        "desk.find",
        "desk.person",
        "desk.walk_in",
        "desk.today",
        "desk.show",
        "desk.check_in",
        "desk.staff_calls",
        "desk.answer_staff_call",
    }
)
"""Of reception: finding those who are due today, checking in, giving numbers."""


def keep_to_the_day(app: Flask) -> None:
    """Send people on to the centre for everything that is not the day's work here."""
    redeem_elsewhere(app, redeem_at_the_centre)

    @app.before_request
    def only_the_day() -> AnyResponse | Response | None:
        asked = request.endpoint
        if asked is None or asked in SINGLE_PAGES or asked.partition(".")[0] in OF_THE_DAY:
            return None
        if request.path == "/":
            return redirect("/node")
        if request.method != "GET" or wants_problem():
            raise NotFound
        return redirect(settings().slip_base_url + request.full_path.rstrip("?"))
