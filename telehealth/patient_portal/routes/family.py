"""The people an account books for."""

from flask import render_template
from flask.typing import ResponseReturnValue

from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patients.queries import patients_of
from telehealth.patients.services import note_read
from telehealth.web.context import cipher, now, principal, unit_of_work
from telehealth.web.guard import guarded


@pages.get("/account")
@guarded("patient.list")
def family() -> ResponseReturnValue:
    """Show the account's owner and family, their numbers masked."""
    with unit_of_work() as session:
        people = patients_of(session, principal(), cipher())
        note_read(session, principal(), *[view.id for view in people], now=now())
    return render_template("patient_portal/family.html", people=people)
