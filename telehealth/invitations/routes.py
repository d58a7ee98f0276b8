"""Inviting to a video visit: pages, the invited person's page, API."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from flask_smorest import Blueprint as ApiBlueprint
from sqlalchemy.orm import Session
from werkzeug.routing import BaseConverter

from telehealth.accounts.rules import Limit, address_key
from telehealth.accounts.services.limits import spend
from telehealth.booking import queries as bookings
from telehealth.booking.queries import AppointmentView
from telehealth.booking.rules import video_window
from telehealth.core.answer_link import TOKEN_LENGTH, AnswerLink
from telehealth.core.errors import DomainError, NotFound, http_status
from telehealth.invitations import queries, schemas, services
from telehealth.invitations.errors import BadInvitee, InviteeUnknown
from telehealth.invitations.queries import InviteeView
from telehealth.invitations.rules import RELATIONS
from telehealth.invitations.services import Means, NewInvitee
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale, t

pages = Blueprint("invitations", __name__, template_folder="templates")
api = ApiBlueprint("invitations-api", __name__, url_prefix="/api/v1", description="Inviting to a visit")

_FIELDS = ("name", "contact", "relation")


class VisitTokenConverter(BaseConverter):
    """The form of an invitation's token."""

    regex = rf"v[A-Za-z0-9_-]{{{TOKEN_LENGTH - 1}}}"
    weight = 40  # asked before the converters of other links


@pages.record_once
def _know_tokens(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["visit_token"] = VisitTokenConverter


@pages.get("/j/<visit_token:token>")
@public
def visit(token: str) -> ResponseReturnValue:
    """Show the invited person when and where; it tells nothing of why."""
    link = AnswerLink.parse(token)
    with unit_of_work() as work:
        try:
            if link is None:
                raise InviteeUnknown
            view = queries.opened(work, link, answer_links())
        except InviteeUnknown:
            _count_guess(work)
            return _kept_close(render_template("invitations/unknown.html"), 404)
    opens, closes = video_window(view.start, view.end)
    state = "off" if view.status == "cancelled" else "over" if now() >= closes else "coming"
    if state == "coming" and now() >= opens:
        state = "open"
    page = render_template(
        "invitations/visit.html", view=view, opens=opens, state=state, hotline=view.facility.hotline
    )
    return _kept_close(page, 200)


@pages.get("/appointments/<uuid:appointment_id>/invitees")
@guarded("invitation.change")
def invitees(appointment_id: UUID) -> ResponseReturnValue:
    """Show who is invited, and ask for another."""
    return _page(appointment_id, {}, {})


@pages.post("/appointments/<uuid:appointment_id>/invitees")
@guarded("invitation.change")
def invite(appointment_id: UUID) -> ResponseReturnValue:
    """Invite somebody."""
    given = {name: request.form.get(name, "").strip()[:254] for name in _FIELDS}
    try:
        with unit_of_work() as work:
            booked = _changeable(work, appointment_id)
            if request.form.get("agree") != "yes":
                raise BadInvitee({"agree": ["invitations-agree-missing"]})
            new = NewInvitee(**given, language=current_locale())
            services.invite(work, principal(), booked, new, _means(), now=now())
    except DomainError as error:
        enter_again()
        return _page(appointment_id, given, form_errors(error, "contact")), http_status(error)
    flash(t("invitations-sent", name=given["name"]), "success")
    return redirect(url_for("invitations.invitees", appointment_id=appointment_id), 303)


@pages.post("/appointments/<uuid:appointment_id>/invitees/<uuid:invitee_id>/withdraw")
@guarded("invitation.change")
def withdraw(appointment_id: UUID, invitee_id: UUID) -> ResponseReturnValue:
    """Take an invitation back."""
    with unit_of_work() as work:
        booked = _changeable(work, appointment_id)
        services.withdraw(work, principal(), booked, invitee_id, _means(), now=now())
    flash(t("invitations-withdrawn"), "success")
    return redirect(url_for("invitations.invitees", appointment_id=appointment_id), 303)


@api.route("/appointments/<uuid:appointment_id>/invitees")
class Invitees(MethodView):
    """Who is invited to a video visit."""

    @guarded("invitation.change")
    @api.response(200, schemas.InviteeList)
    def get(self, appointment_id: UUID) -> dict[str, Any]:
        """List who is invited."""
        with unit_of_work() as work:
            booked = _changeable(work, appointment_id)
            return {"items": queries.invitees_of(work, booked.id, cipher())}

    @guarded("invitation.change")
    @api.arguments(schemas.InviteeRequest)
    @api.response(201, schemas.InviteeList)
    def post(self, body: dict[str, Any], appointment_id: UUID) -> dict[str, Any]:
        """Invite somebody by the patient's wish; they get a link of their own."""
        if not body.pop("agreed"):
            raise BadInvitee({"agreed": ["invitations-agree-missing"]})
        with unit_of_work() as work:
            booked = _changeable(work, appointment_id)
            services.invite(work, principal(), booked, NewInvitee(**body), _means(), now=now())
            return {"items": queries.invitees_of(work, booked.id, cipher())}


@api.delete("/appointments/<uuid:appointment_id>/invitees/<uuid:invitee_id>")
@guarded("invitation.change")
@api.response(204)
def uninvite(appointment_id: UUID, invitee_id: UUID) -> None:
    """Take an invitation back; its link opens nothing any more."""
    with unit_of_work() as work:
        booked = _changeable(work, appointment_id)
        services.withdraw(work, principal(), booked, invitee_id, _means(), now=now())


def _changeable(work: Session, appointment_id: UUID) -> AppointmentView:
    found = bookings.appointment(work, appointment_id)
    if found is None:
        raise NotFound
    permit("invitation.change", found.scope)
    return found


def _page(appointment_id: UUID, given: dict[str, str], errors: dict[str, Any]) -> str:
    with unit_of_work() as work:
        booked = _changeable(work, appointment_id)
        found: list[InviteeView] = queries.invitees_of(work, booked.id, cipher())
    return render_template(
        "invitations/invitees.html",
        view=booked,
        invitees=found,
        relations=RELATIONS,
        given=given,
        errors=errors,
    )


def _means() -> Means:
    return Means(cipher(), outbox(), answer_links())


def _count_guess(work: Session) -> None:
    limit = Limit(f"visit-link:10m:{address_key(request.remote_addr)}", 60, 600)
    spend(work, (limit,), now=now())


def _kept_close(page: str, status: int) -> Response:
    """Keep the token out of search engines and of every Referer."""
    answer = Response(page, status=status, mimetype="text/html")
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer
