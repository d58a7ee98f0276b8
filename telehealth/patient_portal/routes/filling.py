"""Who will be seen, on what ground insurance would pay, what it is about."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from babel import Locale
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking.codes import CoverageBasis
from telehealth.booking.conditions import in_person_instead
from telehealth.booking.services.identity import check_person
from telehealth.core.errors import Conflict, DomainError, Unprocessable, http_status
from telehealth.core.text import clean, sort_key
from telehealth.directory.codes import Modality
from telehealth.invitations.rules import RELATIONS as INVITED_RELATIONS
from telehealth.invitations.services import NewInvitee, faults_of
from telehealth.patient_portal.drafts import Draft
from telehealth.patient_portal.person_form import PersonForm
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.routes.held import draft_of, held, keep
from telehealth.patient_portal.rules import GROUNDS, RELATIONS
from telehealth.patients import queries as patients
from telehealth.patients.queries import PatientView
from telehealth.patients.services import family, note_read, register
from telehealth.referrals.routes.means import care
from telehealth.web.context import cipher, enter_again, now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

LONGEST_REASON = 300
_SOMEBODY_NEW = "new"
OTHER = "other"
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ"})


@pages.get("/book/holds/<uuid:hold_id>/who")
@guarded("booking.book")
def who(hold_id: UUID) -> ResponseReturnValue:
    """Ask who will be seen."""
    with unit_of_work() as session:
        draft = draft_of(session, hold_id)
        people = _bookable(session)
        if not people:
            return redirect(url_for("portal.person", hold_id=hold_id))
        return _who_page(session, draft, people, {})


@pages.post("/book/holds/<uuid:hold_id>/who")
@guarded("booking.book")
def choose_who(hold_id: UUID) -> ResponseReturnValue:
    """Keep who will be seen."""
    chosen = request.form.get("who", "")
    if chosen == _SOMEBODY_NEW:
        return redirect(url_for("portal.person", hold_id=hold_id), 303)
    with unit_of_work() as session:
        draft = draft_of(session, hold_id)
        people = _bookable(session)
        known = next((view for view in people if str(view.id) == chosen), None)
        if known is None:
            return _who_page(session, draft, people, {"who": t("portal-who-missing")}), 422
        refusal = _refusal(session, draft, known.id)
        if refusal is not None:
            return _who_page(session, draft, people, {"who": error_text(refusal)}), http_status(refusal)
    keep(replace(draft, patient_id=known.id))
    return redirect(url_for("portal.details", hold_id=hold_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/person")
@guarded("patient.register")
def person(hold_id: UUID) -> ResponseReturnValue:
    """Ask about a person who is not entered yet."""
    with unit_of_work() as session:
        draft = draft_of(session, hold_id)
        return _person_page(session, draft, PersonForm.read({}), {})


@pages.post("/book/holds/<uuid:hold_id>/person")
@guarded("patient.register")
def add_person(hold_id: UUID) -> ResponseReturnValue:
    """Enter the person; they will be seen."""
    permit("patient.register")
    form = PersonForm.read(request.form)
    try:
        with unit_of_work() as session:
            draft = draft_of(session, hold_id)
            patient_id = register_person(session, form)
    except DomainError as error:
        enter_again()
        with unit_of_work() as session:
            page = _person_page(session, draft_of(session, hold_id), form, form_errors(error))
        return page, http_status(error)
    enter_again()
    with unit_of_work() as session:
        refusal = _refusal(session, draft, patient_id)
        if refusal is not None:
            page = _who_page(session, draft, _bookable(session), {"who": error_text(refusal)})
            return page, http_status(refusal)
    keep(replace(draft, patient_id=patient_id))
    return redirect(url_for("portal.details", hold_id=hold_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/details")
@guarded("booking.book")
def details(hold_id: UUID) -> ResponseReturnValue:
    """Ask on what ground insurance would pay, who comes along and what it is about."""
    with unit_of_work() as session:
        draft = draft_of(session, hold_id)
        return _details_page(session, draft, {})


@pages.post("/book/holds/<uuid:hold_id>/details")
@guarded("booking.book")
def keep_details(hold_id: UUID) -> ResponseReturnValue:
    """Keep the answers."""
    with unit_of_work() as session:
        draft = draft_of(session, hold_id)
        video = held(session, hold_id).modality == Modality.VIDEO
        filled = replace(
            draft,
            coverage_basis=CoverageBasis.NONE if video else request.form.get("coverage_basis", ""),
            companion=request.form.get("companion") == "yes",
            reason=clean(request.form.get("reason", ""))[: LONGEST_REASON + 1],
            invitee_name=clean(request.form.get("invitee_name", ""))[:200] if video else "",
            invitee_contact=request.form.get("invitee_contact", "").strip()[:254] if video else "",
            invitee_relation=request.form.get("invitee_relation", "") if video else "",
            told=True,
        )
        errors = _details_errors(filled)
        if video:
            filled, missing = _about(filled)
            errors |= missing
        if errors:
            return _details_page(session, filled, errors), 422
        if video and not filled.condition and not filled.consultation:
            keep(replace(filled, told=False))
            return _not_remote_page(session, filled), 422
    keep(filled)
    return redirect(url_for("portal.confirm", hold_id=hold_id), 303)


def _about(draft: Draft) -> tuple[Draft, dict[str, str]]:
    """Return the draft with what a video visit is about, or that it was not said."""
    chosen = request.form.get("condition", "")
    condition = care().condition_of(chosen) if chosen != OTHER else None
    missing = {} if condition or chosen == OTHER else {"condition": t("portal-condition-missing")}
    advice = chosen == OTHER and request.form.get("consultation") == "yes"
    filled = replace(
        draft,
        condition=condition.code if condition else "",
        consultation=advice and care().consultation_without_treatment,
    )
    return filled, missing


def _not_remote_page(session: Session, draft: Draft) -> str:
    """Explain that the doctor must see them, with times in person of the same service."""
    return render_template(
        "patient_portal/not_remote.html",
        held=held(session, draft.hold_id),
        draft=draft,
        slots=in_person_instead(session, draft.slot_id, now=now(), count=4),
        advice=care().consultation_without_treatment,
        other=OTHER,
        errors={},
    )


def _refusal(session: Session, draft: Draft, patient_id: UUID) -> Conflict | None:
    """Return why the place cannot be booked online for somebody, said before they are asked anything more."""
    try:
        check_person(session, held(session, draft.hold_id), patient_id, now=now())
    except Conflict as refusal:
        return refusal
    return None


def _bookable(session: Session) -> list[PatientView]:
    """Return whom the account books for: its own people, and who lets it."""
    own = family(session, principal(), now=now(), cipher=cipher())
    others = patients.delegated_people(session, principal(), "booking.book", cipher())
    note_read(session, principal(), *[view.id for view in others], now=now())
    return [*own, *others]


def register_person(session: Session, form: PersonForm) -> UUID:
    """Enter a person into the account; one whom it has already is the same one. Raises Unprocessable.

    What other accounts know of them is neither asked nor told.
    """
    faults = form.faults()
    if faults:
        raise Unprocessable(faults)
    people = patients.patients_of(session, principal(), cipher())
    owner = next((view.id for view in people if view.relation == RELATIONS["self"]), None)
    guardian = owner if form.values["relation"] == "my-child" else None
    new = form.new_patient(guardian, current_locale())
    return register(session, principal(), new, now=now(), cipher=cipher())


def _details_errors(draft: Draft) -> dict[str, str]:
    errors = {}
    if draft.coverage_basis not in {basis.value for basis in CoverageBasis}:
        errors["coverage_basis"] = t("portal-coverage-missing")
    if len(draft.reason) > LONGEST_REASON:
        errors["reason"] = t("portal-reason-too-long", most=LONGEST_REASON)
    if draft.invitee_name or draft.invitee_contact:
        faults = faults_of(
            NewInvitee(draft.invitee_name, draft.invitee_contact, draft.invitee_relation or "relative")
        )
        errors |= {f"invitee_{name}": t(keys[0]) for name, keys in faults.items()}
    return errors


def _who_page(session: Session, draft: Draft, people: list[PatientView], errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/who.html",
        held=held(session, draft.hold_id),
        draft=draft,
        people=people,
        new=_SOMEBODY_NEW,
        errors=errors,
    )


def _person_page(session: Session, draft: Draft, form: PersonForm, errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/person.html",
        held=held(session, draft.hold_id),
        draft=draft,
        **person_questions(session, form),
        errors=errors,
    )


def person_questions(session: Session, form: PersonForm) -> dict[str, Any]:
    """Return what the questions about a person need; `first`: the account has nobody yet."""
    people = patients.patients_of(session, principal(), cipher())
    has_self = any(view.relation == RELATIONS["self"] for view in people)
    return {
        "form": form.values,
        "first": not people,
        "relations": [name for name in RELATIONS if name != "self" or not has_self],
        "countries": _countries(),
    }


def _details_page(session: Session, draft: Draft, errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/details.html",
        held=held(session, draft.hold_id),
        draft=draft,
        grounds=GROUNDS,
        conditions=sorted(care().conditions, key=lambda each: sort_key(each.plain)),
        other=OTHER,
        invited_relations=INVITED_RELATIONS,
        errors=errors,
    )


def _countries() -> list[tuple[str, str]]:
    """Return countries by name, Viet Nam first."""
    names = {
        str(code): str(name)
        for code, name in Locale(current_locale()).territories.items()
        if len(str(code)) == 2 and str(code) not in _NO_COUNTRIES
    }
    here = names.pop("VN")
    return [("VN", here), *sorted(names.items(), key=lambda item: sort_key(item[1]))]
