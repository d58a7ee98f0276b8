"""The people an account books for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.accounts.errors import FreshCodeNeeded
from telehealth.accounts.routes.proof_pages import to_proof
from telehealth.accounts.services.fresh import is_fresh
from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, http_status
from telehealth.core.text import whole_number
from telehealth.patient_portal.person_form import PersonForm, read_birth_date
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.routes.filling import person_questions, register_person
from telehealth.patients.errors import PatientNotFound
from telehealth.patients.models import Relation
from telehealth.patients.queries import PatientView, delegated_people, grown_up, patient, patients_of
from telehealth.patients.routes import own_contact
from telehealth.patients.rules import adult_from, consent_age, is_adult
from telehealth.patients.services import change, note_read, take_over
from telehealth.web.context import cipher, enter_again, may, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

_ANSWERING = (Relation.PARENT, Relation.GUARDIAN)


@pages.get("/account")
@guarded("patient.list")
def family() -> ResponseReturnValue:
    """Show the account's owner and family, their numbers masked, and whom it acts for by delegation."""
    with unit_of_work() as work:
        people = patients_of(work, principal(), cipher())
        others = delegated_people(work, principal(), "booking.read", cipher())
        grown = grown_up(work, now())
        note_read(work, principal(), *[view.id for view in (*people, *others)], now=now())
    today = business_date(now())
    return render_template(
        "patient_portal/family.html",
        people=people,
        others=others,
        grown=grown,
        consents={view.id: consent_age(view.birth_date, today) for view in people},
        of_age={
            view.id: adult_from(view.birth_date)
            for view in people
            if view.birth_date is not None and _answers_for(view)
        },
    )


@pages.get("/account/people/new")
@guarded("patient.register")
def new_relative() -> ResponseReturnValue:
    """Ask about a person of the family who is not entered yet."""
    return _relative_page(PersonForm.read({}), {})


@pages.post("/account/people/new")
@guarded("patient.register")
def add_relative() -> ResponseReturnValue:
    """Enter the person, and go back to what they were wanted for."""
    permit("patient.register")
    form = PersonForm.read(request.form)
    try:
        with unit_of_work() as work:
            register_person(work, form)
    except DomainError as error:
        enter_again()
        return _relative_page(form, form_errors(error)), http_status(error)
    return redirect(url_for(_wanted_for()), 303)


def _relative_page(form: PersonForm, errors: dict[str, Any]) -> str:
    with unit_of_work() as work:
        questions = person_questions(work, form)
    leads_back = url_for(_wanted_for())
    return render_template("patient_portal/relative.html", **questions, errors=errors, leads_back=leads_back)


def _wanted_for() -> str:
    """Return the page that asked for the person."""
    return "web_numbers.choose" if request.args.get("for") == "number" else "portal.family"


@pages.get("/account/own-record")
@guarded("patient.take-over")
def own_record() -> ResponseReturnValue:
    """Ask a grown person for what stands in their own record."""
    return _own_record_page({})


@pages.post("/account/own-record")
@guarded("patient.take-over")
def take_own_record() -> ResponseReturnValue:
    """Give them the record."""
    try:
        with unit_of_work() as work:
            take_over(
                work,
                principal(),
                own_contact(work),
                full_name=request.form.get("full_name", "")[:200],
                birth_date=read_birth_date(request.form) or "",
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        enter_again()
        return _own_record_page(form_errors(error, "full_name")), http_status(error)
    flash(t("portal-own-record-done"), "success")
    return redirect(url_for("portal.family"), 303)


@pages.get("/account/people/<uuid:patient_id>/contact")
@guarded("patient.change")
def contact(patient_id: UUID) -> ResponseReturnValue:
    """Ask where messages about a person of the family go."""
    if not is_fresh(session(), principal(), now()):
        return to_proof(url_for("portal.contact", patient_id=patient_id))
    return _contact_page(patient_id, None, {})


@pages.post("/account/people/<uuid:patient_id>/contact")
@guarded("patient.change")
def change_contact(patient_id: UUID) -> ResponseReturnValue:
    """Send messages there from now on."""
    form = {name: request.form.get(name, "").strip()[:254] for name in ("phone", "email", "version")}
    try:
        with unit_of_work() as work:
            view = _changeable(work, patient_id)
            changes = {"phone": form["phone"] or None, "email": form["email"] or None}
            version = whole_number(form["version"]) or 0
            change(work, principal(), view.id, changes, version=version, now=now(), cipher=cipher())
    except FreshCodeNeeded:
        return to_proof(url_for("portal.contact", patient_id=patient_id))
    except PatientNotFound:
        raise
    except DomainError as error:
        enter_again()
        return _contact_page(patient_id, form, form_errors(error, "phone")), http_status(error)
    flash(t("portal-contact-done"), "success")
    return redirect(url_for("portal.family"), 303)


def _changeable(work: Session, patient_id: UUID) -> PatientView:
    """Return a person of the family; for anybody else there is no such person."""
    view = patient(work, patient_id, cipher())
    if view is None or not may("patient.change", view.scope):
        raise PatientNotFound
    return view


def _contact_page(patient_id: UUID, form: Mapping[str, Any] | None, errors: dict[str, Any]) -> str:
    """Show the form as it was filled in; nobody has yet: as the record is."""
    with unit_of_work() as work:
        view = _changeable(work, patient_id)
        note_read(work, principal(), view.id, now=now())
    known = {"phone": view.phone, "email": view.email, "version": view.version}
    return render_template("patient_portal/contact.html", view=view, form=form or known, errors=errors)


def _own_record_page(errors: dict[str, Any]) -> str:
    return render_template("patient_portal/own_record.html", form=request.form, errors=errors)


def _answers_for(view: PatientView) -> bool:
    return view.relation in _ANSWERING and not is_adult(view.birth_date, business_date(now()))
