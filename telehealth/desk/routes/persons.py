"""Registering a person, and what their phone is told."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from notifications.preferences import Source
from telehealth.answers.choices import chosen
from telehealth.answers.queries import phone_of
from telehealth.answers.services import choose
from telehealth.core.errors import BadRequest, DomainError, http_status
from telehealth.desk import services
from telehealth.desk.forms import PersonForm, written
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.frame import known_person as _seen
from telehealth.desk.routes.blueprint import pages
from telehealth.patients import services as people
from telehealth.web.context import (
    cipher,
    now,
    principal,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t


@pages.get("/people/new")
@guarded("desk.enter")
def new_person() -> ResponseReturnValue:
    """Show the empty form."""
    return _person_form(PersonForm.read({}), {})


@pages.post("/people")
@guarded("desk.enter")
def register() -> ResponseReturnValue:
    """Register a person and go on to them."""
    desk, form = _desk(), PersonForm.read(request.form)
    try:
        with unit_of_work() as work:
            new = form.new_patient(current_locale())
            doubles = services.doubles(work, desk, new, now=now(), cipher=cipher())
            if doubles.any and request.form.get("different") != "yes":
                return render_template(
                    "desk/doubles.html",
                    **_frame(desk, "new"),
                    form=form.values,
                    doubles=doubles,
                    birth=written,
                )
            patient_id = services.register(work, desk, new, now=now(), cipher=cipher())
    except DomainError as error:
        errors = {
            ("birth" if name == "birth_date" else name): text for name, text in form_errors(error).items()
        }
        return _person_form(form, errors), http_status(error)
    for key in form.warnings():
        flash(t(key), "warning")
    return redirect(url_for("desk.person", patient_id=patient_id))


@pages.get("/people/<uuid:patient_id>/messages")
@guarded("desk.enter")
def person_messages(patient_id: UUID) -> ResponseReturnValue:
    """Show what the person's phone is told, to choose for who asks at the desk."""
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        people.note_read(work, principal(), view.id, now=now(), facility_id=_desk().facility_id)
        phone = phone_of(work, view.id, None, cipher())
    return render_template("desk/messages.html", **_frame(_desk()), person=view, phone=phone)


@pages.post("/people/<uuid:patient_id>/messages")
@guarded("desk.enter")
def choose_messages(patient_id: UUID) -> ResponseReturnValue:
    """Keep what was chosen for the person's phone."""
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        phone = phone_of(work, view.id, None, cipher())
        if phone is None:
            raise BadRequest
        choose(
            work,
            principal(),
            phone,
            chosen(request.form.to_dict(flat=False)),
            source=Source.DESK,
            facility_id=_desk().facility_id,
            now=now(),
            cipher=cipher(),
        )
    flash(t("answers-messages-kept"), "success")
    return redirect(url_for("desk.person_messages", patient_id=patient_id), 303)


def _person_form(form: PersonForm, errors: dict[str, Any]) -> str:
    return render_template(
        "desk/person_form.html",
        **_frame(_desk(), "new"),
        form=form.values,
        errors=errors,
        warnings=[t(key) for key in form.warnings()] if not errors else [],
    )
