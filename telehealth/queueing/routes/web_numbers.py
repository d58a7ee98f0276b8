"""Taking today's number at home: `Lấy số hôm nay`, by page and by the API."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint

from telehealth.core.errors import DomainError, Unprocessable, http_status
from telehealth.directory import queries as directory
from telehealth.patients.queries import patients_of
from telehealth.queueing import queries, services
from telehealth.queueing.errors import TicketMovedOn
from telehealth.queueing.schemas import (
    TicketSchema,
    WebNumberSchema,
    WebQueueListSchema,
    WebQueuesQuerySchema,
)
from telehealth.queueing.services import TicketView
from telehealth.web.api import located
from telehealth.web.context import cipher, enter_again, now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import t

pages = Blueprint("web_numbers", __name__, template_folder="../templates", url_prefix="/numbers")
api = ApiBlueprint("web-numbers-api", __name__, url_prefix="/api/v1", description="Numbers from the web")


@api.get("/web-numbers")
@public
@api.arguments(WebQueuesQuerySchema, location="query")
@api.response(200, WebQueueListSchema)
def list_queues(query: dict[str, Any]) -> dict[str, Any]:
    """List the queues that still give numbers from the web today."""
    with unit_of_work() as session:
        facility = directory.facility_by_code(session, query["facility"]) if query["facility"] else None
        return {"items": queries.web_queues(session, now(), facility.id if facility else None)}


@api.post("/web-numbers")
@located("queueing-api.follow", "public_token", "public_token")
@guarded("web-number.take")
@api.arguments(WebNumberSchema)
@api.response(201, TicketSchema)
def take(body: dict[str, Any]) -> TicketView:
    """Take today's number for a person; again for the same queue it is the same number."""
    return _taken(body["queue_id"], body["patient_id"])


@api.delete("/web-numbers/<uuid:ticket_id>")
@guarded("web-number.take")
@api.response(204)
def give_back(ticket_id: UUID) -> None:
    """Give a number back before coming with it."""
    _given_back(ticket_id)


@pages.get("")
@guarded("web-number.take")
def choose() -> str:
    """Ask where, in which queue, and for whom."""
    return _page({})


@pages.post("")
@guarded("web-number.take")
def take_one() -> ResponseReturnValue:
    """Take the number and follow it."""
    try:
        ticket = _taken(_chosen("queue"), _chosen("patient"))
    except DomainError as error:
        enter_again()
        return _page(form_errors(error, "queue")), http_status(error)
    return redirect(url_for("queueing.follow", public_token=ticket.public_token), 303)


@pages.post("/<uuid:ticket_id>/give-back")
@guarded("web-number.take")
def give_one_back(ticket_id: UUID) -> ResponseReturnValue:
    """Give a number back, and say so."""
    _given_back(ticket_id)
    flash(t("web-number-given-back"), "success")
    return redirect(url_for("web_numbers.choose"), 303)


@pages.errorhandler(TicketMovedOn)
def moved_on(error: TicketMovedOn) -> ResponseReturnValue:
    """Show the numbers as they are now."""
    flash(error_text(error), "warning")
    return redirect(url_for("web_numbers.choose"), 303)


def _given_back(ticket_id: UUID) -> None:
    with unit_of_work() as session:
        permit("web-number.take", queries.holder_of_web_number(session, ticket_id))
        services.give_back(session, principal(), ticket_id, now=now())


def _taken(queue_id: UUID, patient_id: UUID) -> TicketView:
    permit("web-number.take", patient_id)
    with unit_of_work() as session:
        return services.take_web_number(
            session, principal(), queue_id, patient_id, now=now(), cipher=cipher()
        )


def _page(errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        code = request.values.get("facility", "")[:20]
        queues = queries.web_queues(session, now())
        people = patients_of(session, principal(), cipher())
        return render_template(
            "queueing/web_numbers.html",
            facilities=sorted(
                {(each.facility_code, each.facility_name) for each in queues}, key=lambda e: e[1]
            ),
            facility=code,
            queues=[each for each in queues if each.facility_code == code],
            people=people,
            held=queries.web_numbers_of(session, [each.id for each in people], now()),
            form=request.form,
            errors=errors,
        )


def _chosen(field: str) -> UUID:
    try:
        return UUID(request.form.get(field, ""))
    except ValueError as error:
        raise Unprocessable({field: ["error-choose"]}) from error
