"""The family's pages: join the line, see how it stands and why, answer, leave by one tap."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, Gone, NotFound, http_status
from telehealth.directory import queries as directory
from telehealth.patients.queries import patients_of
from telehealth.waitlist import queries, services
from telehealth.waitlist.errors import BadWish
from telehealth.waitlist.forms import WishForm
from telehealth.waitlist.presentation import event_text, place_text
from telehealth.waitlist.routes.common import accept_place, decline_place, readable
from telehealth.waitlist.services import Join
from telehealth.web.context import cipher, enter_again, now, outbox, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

pages = Blueprint("waitlist", __name__, template_folder="../templates", url_prefix="/waitlist")
pages.add_app_template_filter(event_text, "waitlist_event")
pages.add_app_template_filter(place_text, "waitlist_place")


@pages.get("/join")
@guarded("waitlist.join")
def ask() -> ResponseReturnValue:
    """Ask for whom, on which days and when."""
    return _form(WishForm.read(request.args, business_date(now())), {})


@pages.post("/join")
@guarded("waitlist.join")
def join() -> ResponseReturnValue:
    """Put somebody of the family on the list."""
    form = WishForm.read(request.form, business_date(now()))
    try:
        with unit_of_work() as session:
            wanted = Join(_patient(), form.wish(_facility_id(session, form)))
            services.join(session, principal(), wanted, now=now())
    except BadWish as error:
        enter_again()
        return _form(form, form_errors(error)), http_status(error)
    flash(t("waitlist-joined"), "success")
    return redirect(url_for("waitlist.mine"), 303)


@pages.get("")
@guarded("waitlist.list")
def mine() -> ResponseReturnValue:
    """List for whom the family waits, what is offered, and why places went to the next."""
    return _mine()


@pages.post("/<uuid:entry_id>/leave")
@guarded("waitlist.leave")
def leave(entry_id: UUID) -> ResponseReturnValue:
    """Wait no longer."""
    with unit_of_work() as session:
        readable(session, entry_id, "waitlist.leave")
        services.leave(session, principal(), entry_id, now=now(), outbox=outbox())
    flash(t("waitlist-left"), "success")
    return redirect(url_for("waitlist.mine"), 303)


@pages.post("/offers/<uuid:offer_id>/accept")
@guarded("waitlist.answer")
def accept(offer_id: UUID) -> ResponseReturnValue:
    """Take the place; when somebody else has it, say so."""
    try:
        view = accept_place(offer_id)
    except (Conflict, Gone) as refusal:
        enter_again()
        return _mine(error_text(refusal)), http_status(refusal)
    return redirect(url_for("portal.done", appointment_id=view.id), 303)


@pages.post("/offers/<uuid:offer_id>/decline")
@guarded("waitlist.answer")
def decline(offer_id: UUID) -> ResponseReturnValue:
    """Leave the place to the next, and wait on."""
    try:
        decline_place(offer_id)
    except (Conflict, Gone) as refusal:
        enter_again()
        return _mine(error_text(refusal)), http_status(refusal)
    flash(t("waitlist-declined"), "success")
    return redirect(url_for("waitlist.mine"), 303)


def _mine(refusal: str | None = None) -> str:
    with unit_of_work() as session:
        found = queries.entries_of(session, principal(), now=now())
        events = queries.events_of(session, [view.id for view in found])
        record(
            session,
            principal(),
            *[Entry("waitlist.list", "WaitlistEntry", view.id, view.patient_id) for view in found],
            now=now(),
        )
    return render_template(
        "waitlist/mine.html",
        waiting=[view for view in found if view.waits],
        past=[view for view in found if not view.waits][:5],
        events=events,
        refusal=refusal,
    )


def _form(form: WishForm, errors: dict[str, Any]) -> str:
    permit("waitlist.join")
    with unit_of_work() as session:
        place = directory.facility_by_code(session, form.facility) if form.facility else None
        doctor = directory.practitioner(session, form.practitioner) if form.practitioner else None
        return render_template(
            "waitlist/join.html",
            form=form,
            service_name=service_name(session, form.service),
            place=place,
            doctor=doctor,
            people=patients_of(session, principal(), cipher()),
            chosen=request.form.get("patient_id", ""),
            today=business_date(now()),
            errors=errors,
        )


def service_name(session: Session, code: str) -> str:
    """Return what a service is called in the reader's language. Raises NotFound."""
    catalogue = directory.service_catalogue(session, online_only=False)
    name = next((entry.name(current_locale()) for entry in catalogue if entry.code == code), None)
    if name is None:
        raise NotFound
    return name


def _facility_id(session: Session, form: WishForm) -> UUID | None:
    service_name(session, form.service)
    return directory.facility_by_code(session, form.facility).id if form.facility else None


def _patient() -> UUID:
    """Return for whom. Raises BadWish when nobody was chosen."""
    chosen = next(
        (each for each in principal().patient_ids if str(each) == request.form.get("patient_id")), None
    )
    if chosen is None:
        raise BadWish({"patient_id": ["field-waitlist-who"]})
    return chosen
