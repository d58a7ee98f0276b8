"""Booking for a person: a free time, one beside the others, one that is blocked."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from telehealth.booking import queries as bookings
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import CoverageBasis
from telehealth.booking.presentation import same_day_text
from telehealth.booking.services import AnyPractitioner
from telehealth.core.clock import at_local
from telehealth.core.errors import DomainError, http_status
from telehealth.desk import services
from telehealth.desk.errors import BookedThatDay, NobodyAsked, NoReason, NoService
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.frame import known_person as _seen
from telehealth.desk.routes.blueprint import pages
from telehealth.desk.routes.looking import GROUNDS, Choice, choice_of, person_page
from telehealth.desk.routes.noting import note_list
from telehealth.desk.rules import Asked
from telehealth.desk.services import Desk, Order
from telehealth.scheduling.rules import DAY_MINUTES
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    now,
    outbox,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale

_SERVICE = "desk-service"
_ANY = "any"
_MISSING = "field-required"
_NOT_ASKED_AGAIN = ("csrf_token", "again")
_LONGEST_REASON = 200
_SHORTEST_WHY = 3


@pages.post("/people/<uuid:patient_id>/book")
@guarded("desk.enter")
def book(patient_id: UUID) -> ResponseReturnValue:
    """Book the chosen time and show the slip."""
    return _booked(patient_id, "slot_id")


@pages.post("/people/<uuid:patient_id>/overbook")
@guarded("booking.overbook")
def overbook(patient_id: UUID) -> ResponseReturnValue:
    """Put somebody beside those who have a time, for a reason, and show the slip."""
    return _booked(patient_id, "why")


@pages.post("/people/<uuid:patient_id>/override")
@guarded("booking.overbook")
def override(patient_id: UUID) -> ResponseReturnValue:
    """Book a time that a blocking closes to others, for a reason, and show the slip."""
    return _booked(patient_id, "override_why")


def _booked(patient_id: UUID, place_of_errors: str) -> ResponseReturnValue:
    desk, choice = _desk(), choice_of(request.form.to_dict())

    def unit() -> UUID:
        with unit_of_work() as work:
            _seen(work, patient_id)
            return services.book(
                work,
                desk,
                _order(patient_id, desk, choice, place_of_errors),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
                links=answer_links(),
            ).id

    try:
        appointment_id = attempt(unit)
    except BookedThatDay as refusal:
        return _again_page(patient_id, refusal.already), http_status(refusal)
    except DomainError as error:
        return person_page(patient_id, choice, form_errors(error, place_of_errors)), http_status(error)
    cookie[_SERVICE] = choice.service
    return redirect(url_for("desk.slip", appointment_id=appointment_id))


def _order(patient_id: UUID, desk: Desk, choice: Choice, place_of_errors: str) -> Order:
    form = request.form
    if not choice.service:
        raise NoService({"service": [_MISSING]})
    asked, basis = form.get("asked", ""), form.get("coverage", "")
    if asked not in {each.value for each in Asked}:
        raise NobodyAsked({"asked": ["error-desk-nobody-asked"]})
    return Order(
        patient_id=patient_id,
        slot_id=form.get("slot_id", "")[:80],
        asked=Asked(asked),
        coverage_basis=basis if basis in GROUNDS else CoverageBasis.NONE.value,
        companion=form.get("companion") == "yes",
        reason=form.get("reason", "").strip()[:_LONGEST_REASON] or None,
        overbook=_reason_given(form, "why", "error-desk-no-reason") if place_of_errors == "why" else None,
        override=_reason_given(form, "override_why", "error-desk-no-override-reason")
        if place_of_errors == "override_why"
        else None,
        any_of=_any_of(form.get("slot_id", ""), desk, choice),
        again=form.get("again") == "yes",
    )


def _again_page(patient_id: UUID, already: Sequence[UUID]) -> str:
    """Show what the person has that day, and ask whether another one is meant."""
    desk = _desk()
    enter_again()
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        found = bookings.appointments_by_ids(work, already)
        note_list(work, desk, found)
    locale = current_locale()
    return render_template(
        "desk/again.html",
        **_frame(desk),
        person=view,
        already=[(each, same_day_text(each, locale)) for each in found],
        wanted={name: value for name, value in request.form.items() if name not in _NOT_ASKED_AGAIN},
    )


def _reason_given(form: Mapping[str, str], field: str, refusal: str) -> str:
    """Return why a rule is passed over. Raises NoReason."""
    why = " ".join(form.get(field, "").split())[:_LONGEST_REASON]
    if len(why) < _SHORTEST_WHY:
        raise NoReason({field: [refusal]})
    return why


def _any_of(chosen: str, desk: Desk, choice: Choice) -> AnyPractitioner | None:
    """Return what "any doctor" on a day means: its value in the form is `any.` and the day."""
    word, _dot, day = chosen.partition(".")
    if word != _ANY or not choice.service:
        return None
    try:
        asked = date.fromisoformat(day)
    except ValueError:
        return None
    from_, to = at_local(asked, 0), at_local(asked, DAY_MINUTES)
    if choice.when.from_ is not None and choice.when.day == asked:
        from_ = choice.when.from_
    return AnyPractitioner(choice.service, desk.facility_id, from_, to, choice.modality)
