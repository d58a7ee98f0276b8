"""The desk and the waitlist: who waits here, joining on behalf, answering for those who telephone."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, http_status
from telehealth.desk.frame import desk_here, frame, known_person
from telehealth.directory import queries as directory
from telehealth.waitlist import queries, services
from telehealth.waitlist.forms import WishForm
from telehealth.waitlist.routes.common import accept_place, decline_place, readable
from telehealth.waitlist.routes.pages import service_name
from telehealth.waitlist.services import Join
from telehealth.web.context import now, outbox, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

waiting = Blueprint("desk-waitlist", __name__, template_folder="templates", url_prefix="/desk")


@waiting.get("/waitlist")
@guarded("waitlist.list")
def line() -> ResponseReturnValue:
    """Show who waits here, in the order of the line."""
    return _line()


@waiting.get("/people/<uuid:patient_id>/waitlist")
@guarded("waitlist.join")
def ask(patient_id: UUID) -> ResponseReturnValue:
    """Ask on which days and when somebody can come."""
    return _form(patient_id, WishForm.read(request.args, business_date(now())), {})


@waiting.post("/people/<uuid:patient_id>/waitlist")
@guarded("waitlist.join")
def join(patient_id: UUID) -> ResponseReturnValue:
    """Put somebody on the list, at their word."""
    desk = desk_here()
    form = WishForm.read(request.form, business_date(now()))
    try:
        with unit_of_work() as session:
            known_person(session, patient_id)
            place = directory.facility_by_code(session, form.facility).id if form.facility else None
            wanted = Join(patient_id, form.wish(place), desk_id=desk.facility_id)
            services.join(session, principal(), wanted, now=now())
    except DomainError as error:
        return _form(patient_id, form, form_errors(error)), http_status(error)
    flash(t("desk-waitlist-joined"), "success")
    return redirect(url_for("desk-waitlist.line"), 303)


@waiting.post("/waitlist/<uuid:entry_id>/leave")
@guarded("waitlist.leave")
def leave(entry_id: UUID) -> ResponseReturnValue:
    """Take somebody off the list, at their word."""

    def act() -> str:
        with unit_of_work() as session:
            readable(session, entry_id, "waitlist.leave")
            services.leave(session, principal(), entry_id, now=now(), outbox=outbox())
        return "waitlist-left"

    return _act(act)


@waiting.post("/waitlist/offers/<uuid:offer_id>/<any(accept, decline):answer>")
@guarded("waitlist.answer")
def answer(offer_id: UUID, answer: str) -> ResponseReturnValue:
    """Answer for somebody who has telephoned or stands at the desk."""

    def act() -> str:
        if answer == "accept":
            accept_place(offer_id)
            return "desk-waitlist-booked"
        decline_place(offer_id)
        return "waitlist-declined"

    return _act(act)


def _act(act: Callable[[], str]) -> ResponseReturnValue:
    try:
        done = act()
    except DomainError as refusal:
        return _line(error_text(refusal)), http_status(refusal)
    flash(t(done), "success")
    return redirect(url_for("desk-waitlist.line"), 303)


def _line(refusal: str | None = None) -> str:
    desk = desk_here()
    with unit_of_work() as session:
        found = queries.line_of(session, desk.facility_id, now=now())
        events = queries.events_of(session, [view.id for view in found], most=5)
        seen = [
            Entry("waitlist.list", "WaitlistEntry", view.id, view.patient_id, desk.facility_id)
            for view in found
        ]
        record(session, principal(), *seen, now=now())
    return render_template(
        "desk/waitlist.html", **frame(desk, "waitlist"), line=found, events=events, refusal=refusal
    )


def _form(patient_id: UUID, form: WishForm, errors: dict[str, Any]) -> str:
    desk = desk_here()
    with unit_of_work() as session:
        person = known_person(session, patient_id)
        place = directory.facility_by_code(session, form.facility) if form.facility else None
        name = service_name(session, form.service)
    return render_template(
        "desk/waitlist_join.html",
        **frame(desk, "waitlist"),
        person=person,
        form=form,
        place=place,
        service_name=name,
        today=business_date(now()),
        errors=errors,
    )
