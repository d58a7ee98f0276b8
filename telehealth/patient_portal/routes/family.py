"""The people an account books for."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, http_status
from telehealth.patient_portal.person_form import read_birth_date
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patients.models import Relation
from telehealth.patients.queries import PatientView, delegated_people, grown_up, patients_of
from telehealth.patients.routes import own_contact
from telehealth.patients.rules import adult_from, consent_age, is_adult
from telehealth.patients.services import note_read, take_over
from telehealth.web.context import cipher, enter_again, now, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

_ANSWERING = (Relation.PARENT, Relation.GUARDIAN)


@pages.get("/account")
@guarded("patient.list")
def family() -> ResponseReturnValue:
    """Show the account's owner and family, their numbers masked, and whom it acts for by delegation."""
    with unit_of_work() as session:
        people = patients_of(session, principal(), cipher())
        others = delegated_people(session, principal(), "booking.read", cipher())
        grown = grown_up(session, now())
        note_read(session, principal(), *[view.id for view in (*people, *others)], now=now())
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
        with unit_of_work() as session:
            take_over(
                session,
                principal(),
                own_contact(session),
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


def _own_record_page(errors: dict[str, Any]) -> str:
    return render_template("patient_portal/own_record.html", form=request.form, errors=errors)


def _answers_for(view: PatientView) -> bool:
    return view.relation in _ANSWERING and not is_adult(view.birth_date, business_date(now()))
