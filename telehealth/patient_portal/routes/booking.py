"""From a chosen slot to an appointment: sign in, hold, who, how, confirm. Plain forms all the way."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from babel import Locale
from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.accounts import browser
from telehealth.accounts.errors import StepExpired
from telehealth.accounts.services import request_otp, sign_in_with_code
from telehealth.accounts.services.otp import SIGN_IN, request_again
from telehealth.booking import queries
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import AppointmentStatus, CoverageBasis
from telehealth.booking.errors import HoldUnknown, SlotTaken
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.queries import AppointmentView
from telehealth.booking.services import BookingRequest, ConsentGiven, Once
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, DomainError, NotFound, Unprocessable, http_status
from telehealth.core.principal import PrincipalKind
from telehealth.core.text import clean, sort_key
from telehealth.directory.codes import Modality
from telehealth.directory.queries import facility as facility_of
from telehealth.patient_portal import drafts
from telehealth.patient_portal.drafts import Draft
from telehealth.patient_portal.person_form import PersonForm
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.rules import GROUNDS, RELATIONS, bring
from telehealth.patients import queries as patients
from telehealth.patients.queries import PatientView
from telehealth.patients.rules import is_child
from telehealth.patients.services import register
from telehealth.scheduling.errors import SlotUnknown
from telehealth.scheduling.queries import SlotView, slot_by_id
from telehealth.web.context import (
    cipher,
    enter_again,
    now,
    outbox,
    permit,
    principal,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale, t

CONSENT = ConsentGiven("booking", "2026-11")
LONGEST_REASON = 300
_STEP = "portal-code"
_SOMEBODY_NEW = "new"
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ"})


@pages.get("/book/slots/<slot_id>")
@public
def slot(slot_id: str) -> ResponseReturnValue:
    """Show a slot: where, with whom, for how much. Who is not signed in gives a phone number here."""
    return _slot_page(_slot(slot_id), {})


@pages.post("/book/slots/<slot_id>")
@public
def take_slot(slot_id: str) -> ResponseReturnValue:
    """Hold the slot, or send a code to the phone first."""
    if principal().kind is PrincipalKind.PATIENT:
        return _hold(slot_id)
    phone = request.form.get("phone", "")[:40]
    try:
        with unit_of_work() as session:
            challenge_id = request_otp(
                session,
                phone=phone,
                purpose=SIGN_IN,
                ip=browser.where().ip,
                language=current_locale(),
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        return _slot_page(_slot(slot_id), form_errors(error, "phone"), phone), http_status(error)
    cookie[_STEP] = {"challenge": str(challenge_id), "ending": phone.strip()[-3:]}
    return redirect(url_for("portal.code", slot_id=slot_id), 303)


@pages.get("/book/slots/<slot_id>/code")
@public
def code(slot_id: str) -> ResponseReturnValue:
    """Ask for the code."""
    if principal().kind is PrincipalKind.PATIENT or _STEP not in cookie:
        return redirect(url_for("portal.slot", slot_id=slot_id))
    return _code_page(slot_id, {})


@pages.post("/book/slots/<slot_id>/code")
@public
def check_code(slot_id: str) -> ResponseReturnValue:
    """Sign in with the code and hold the slot at once."""
    if principal().kind is PrincipalKind.PATIENT:
        return _hold(slot_id)
    step = _step()
    try:
        with unit_of_work() as session:
            signed_in = sign_in_with_code(
                session,
                challenge_id=UUID(step["challenge"]),
                code=request.form.get("code", "")[:40],
                ip=browser.where().ip,
                user_agent=browser.where().user_agent,
                source_port=browser.where().source_port,
                now=now(),
                cipher=cipher(),
            )
    except DomainError as error:
        return _code_page(slot_id, form_errors(error, "code")), http_status(error)
    browser.begin(signed_in)
    return _hold(slot_id)


@pages.post("/book/slots/<slot_id>/code/again")
@public
def send_again(slot_id: str) -> ResponseReturnValue:
    """Send a new code to the same phone."""
    step = _step()
    try:
        with unit_of_work() as session:
            challenge_id = request_again(
                session,
                UUID(step["challenge"]),
                ip=browser.where().ip,
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
    except DomainError as error:
        return _code_page(slot_id, form_errors(error, "code")), http_status(error)
    cookie[_STEP] = step | {"challenge": str(challenge_id)}
    flash(t("portal-code-sent-again"), "success")
    return redirect(url_for("portal.code", slot_id=slot_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/who")
@guarded("booking.book")
def who(hold_id: UUID) -> ResponseReturnValue:
    """Ask who will be seen."""
    with unit_of_work() as session:
        draft = _draft(session, hold_id)
        people = patients.patients_of(session, principal(), cipher())
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
        draft = _draft(session, hold_id)
        people = patients.patients_of(session, principal(), cipher())
        known = next((view for view in people if str(view.id) == chosen), None)
        if known is None:
            return _who_page(session, draft, people, {"who": t("portal-who-missing")}), 422
    _keep(replace(draft, patient_id=known.id))
    return redirect(url_for("portal.details", hold_id=hold_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/person")
@guarded("patient.register")
def person(hold_id: UUID) -> ResponseReturnValue:
    """Ask about a person who is not entered yet."""
    with unit_of_work() as session:
        draft = _draft(session, hold_id)
        return _person_page(session, draft, PersonForm.read({}), {})


@pages.post("/book/holds/<uuid:hold_id>/person")
@guarded("patient.register")
def add_person(hold_id: UUID) -> ResponseReturnValue:
    """Enter the person; they will be seen."""
    permit("patient.register")
    form = PersonForm.read(request.form)
    try:
        with unit_of_work() as session:
            draft = _draft(session, hold_id)
            patient_id = _register(session, form)
    except DomainError as error:
        enter_again()
        with unit_of_work() as session:
            page = _person_page(session, _draft(session, hold_id), form, form_errors(error))
        return page, http_status(error)
    _keep(replace(draft, patient_id=patient_id))
    return redirect(url_for("portal.details", hold_id=hold_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/details")
@guarded("booking.book")
def details(hold_id: UUID) -> ResponseReturnValue:
    """Ask on what ground insurance would pay, who comes along and what it is about."""
    with unit_of_work() as session:
        draft = _draft(session, hold_id)
        return _details_page(session, draft, {})


@pages.post("/book/holds/<uuid:hold_id>/details")
@guarded("booking.book")
def keep_details(hold_id: UUID) -> ResponseReturnValue:
    """Keep the answers."""
    with unit_of_work() as session:
        draft = _draft(session, hold_id)
        video = _held(session, hold_id).modality == Modality.VIDEO
        filled = replace(
            draft,
            coverage_basis=CoverageBasis.NONE if video else request.form.get("coverage_basis", ""),
            companion=request.form.get("companion") == "yes",
            reason=clean(request.form.get("reason", ""))[: LONGEST_REASON + 1],
            told=True,
        )
        errors = _details_errors(filled)
        if errors:
            return _details_page(session, filled, errors), 422
    _keep(filled)
    return redirect(url_for("portal.confirm", hold_id=hold_id), 303)


@pages.get("/book/holds/<uuid:hold_id>/confirm")
@guarded("booking.book")
def confirm(hold_id: UUID) -> ResponseReturnValue:
    """Show everything once more, with what to bring and what it costs."""
    with unit_of_work() as session:
        booked = _booked(session, hold_id)
        if booked is not None:
            return redirect(url_for("portal.done", appointment_id=booked.id))
        draft = _draft(session, hold_id)
        if draft.patient_id is None or not draft.told:
            return redirect(url_for("portal.who", hold_id=hold_id))
        return _confirm_page(session, draft, {})


@pages.post("/book/holds/<uuid:hold_id>/confirm")
@guarded("booking.book")
def book(hold_id: UUID) -> ResponseReturnValue:
    """Book. Pressed twice, or again after going back, it is still one appointment."""
    with unit_of_work() as session:
        booked = _booked(session, hold_id)
        if booked is not None:
            return redirect(url_for("portal.done", appointment_id=booked.id), 303)
        draft = _draft(session, hold_id)
        if draft.patient_id is None:
            return redirect(url_for("portal.who", hold_id=hold_id), 303)
        if request.form.get("agree") != "yes":
            return _confirm_page(session, draft, {"agree": t("portal-agree-missing")}), 422
    enter_again()
    try:
        appointment_id = attempt(lambda: _book(draft))
    except SlotTaken:
        return _taken_page(draft.slot_id)
    except Conflict as error:
        enter_again()
        with unit_of_work() as session:
            return _confirm_page(session, draft, form_errors(error)), http_status(error)
    drafts.forget(cookie)
    return redirect(url_for("portal.done", appointment_id=appointment_id), 303)


@pages.post("/book/holds/<uuid:hold_id>/release")
@guarded("booking.hold")
def release(hold_id: UUID) -> ResponseReturnValue:
    """Give the slot back and look for another time."""
    with unit_of_work() as session:
        view = queries.appointment(session, hold_id)
        booking.release(session, principal(), hold_id, now=now())
    drafts.forget(cookie)
    if view is None:
        return redirect(url_for("portal.services"), 303)
    return redirect(url_for("portal.times", service=view.service.code, facility=view.facility.code), 303)


def _book(draft: Draft) -> UUID:
    """Book the held slot; with the hold run out the slot itself, if it is still free."""
    if draft.patient_id is None:
        raise HoldUnknown
    wanted = BookingRequest(
        patient_id=draft.patient_id,
        slot_id=draft.slot_id,
        coverage_basis=draft.coverage_basis,
        companion=draft.companion,
        reason=draft.reason or None,
        consent=CONSENT,
    )
    with unit_of_work() as session:
        key = RequestKey.of(principal(), request.path, str(draft.hold_id), repr(wanted).encode())
        told = booking.book_once(
            session,
            principal(),
            wanted,
            Once(key, lambda view: json.dumps(str(view.id)).encode()),
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            base_url=settings().public_base_url,
        )
    return UUID(json.loads(told))


def _hold(slot_id: str) -> ResponseReturnValue:
    permit("booking.hold")

    def unit() -> booking.Hold:
        with unit_of_work() as session:
            return booking.hold(session, principal(), slot_id, now=now())

    try:
        held = attempt(unit)
    except SlotTaken:
        return _taken_page(slot_id)
    _keep(Draft(held.id, held.slot_id, held.expires_at))
    return redirect(url_for("portal.who", hold_id=held.id), 303)


def _register(session: Session, form: PersonForm) -> UUID:
    faults = form.faults()
    if faults:
        raise Unprocessable(faults)
    people = patients.patients_of(session, principal(), cipher())
    owner = next((view.id for view in people if view.relation == RELATIONS["self"]), None)
    guardian = owner if form.values["relation"] == "my-child" else None
    new = form.new_patient(guardian, current_locale())
    return register(session, principal(), new, now=now(), cipher=cipher())


def _slot(slot_id: str) -> SlotView:
    with unit_of_work() as session:
        found = slot_by_id(session, slot_id[:80], now())
    if found is None:
        raise SlotUnknown
    return found


def _draft(session: Session, hold_id: UUID) -> Draft:
    """Return this browser's draft of a hold that is its own. Raises HoldUnknown."""
    draft = drafts.read(cookie, hold_id, cipher())
    if draft is not None:
        return draft
    view = _held(session, hold_id)
    if view.status != AppointmentStatus.HELD:
        raise HoldUnknown
    held = booking.hold(session, principal(), view.slot_id, now=now())
    return Draft(held.id, held.slot_id, held.expires_at)


def _held(session: Session, hold_id: UUID) -> AppointmentView:
    view = queries.appointment(session, hold_id)
    if view is None:
        raise HoldUnknown
    permit("booking.read", AppointmentScope(view.facility.id, view.patient_id, view.account_id))
    return view


def _booked(session: Session, hold_id: UUID) -> AppointmentView | None:
    view = _held(session, hold_id)
    unfinished = (AppointmentStatus.HELD, AppointmentStatus.EXPIRED, AppointmentStatus.CANCELLED)
    return None if view.status in unfinished else view


def _keep(draft: Draft) -> None:
    drafts.keep(cookie, draft, cipher())


def _step() -> dict[str, str]:
    step = cookie.get(_STEP)
    if not isinstance(step, dict):
        raise StepExpired
    return step


def _details_errors(draft: Draft) -> dict[str, str]:
    errors = {}
    if draft.coverage_basis not in {basis.value for basis in CoverageBasis}:
        errors["coverage_basis"] = t("portal-coverage-missing")
    if len(draft.reason) > LONGEST_REASON:
        errors["reason"] = t("portal-reason-too-long", most=LONGEST_REASON)
    return errors


def _slot_page(found: SlotView, errors: dict[str, Any], phone: str = "") -> str:
    with unit_of_work() as session:
        return render_template(
            "patient_portal/slot.html",
            slot=found,
            facility=facility_of(session, found.facility.id),
            phone=phone,
            errors=errors,
            known=principal().kind is PrincipalKind.PATIENT,
        )


def _code_page(slot_id: str, errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/code.html", slot=_slot(slot_id), ending=_step()["ending"], errors=errors
    )


def _taken_page(slot_id: str) -> ResponseReturnValue:
    enter_again()
    with unit_of_work() as session:
        lost = slot_by_id(session, slot_id, now())
        page = render_template(
            "patient_portal/taken.html",
            lost=lost,
            alternatives=booking.alternatives(session, slot_id, now=now()),
        )
    return page, 409


def _who_page(session: Session, draft: Draft, people: list[PatientView], errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/who.html",
        held=_held(session, draft.hold_id),
        draft=draft,
        people=people,
        new=_SOMEBODY_NEW,
        errors=errors,
    )


def _person_page(session: Session, draft: Draft, form: PersonForm, errors: dict[str, Any]) -> str:
    people = patients.patients_of(session, principal(), cipher())
    has_self = any(view.relation == RELATIONS["self"] for view in people)
    return render_template(
        "patient_portal/person.html",
        held=_held(session, draft.hold_id),
        draft=draft,
        form=form.values,
        first=not people,
        relations=[name for name in RELATIONS if name != "self" or not has_self],
        countries=_countries(),
        errors=errors,
    )


def _details_page(session: Session, draft: Draft, errors: dict[str, Any]) -> str:
    return render_template(
        "patient_portal/details.html",
        held=_held(session, draft.hold_id),
        draft=draft,
        grounds=GROUNDS,
        errors=errors,
    )


def _confirm_page(session: Session, draft: Draft, errors: dict[str, Any]) -> str:
    held = _held(session, draft.hold_id)
    if draft.patient_id is None:
        raise HoldUnknown
    seen = patients.patient(session, draft.patient_id, cipher())
    if seen is None:
        raise NotFound
    child = is_child(seen.birth_date, business_date(now()))
    return render_template(
        "patient_portal/confirm.html",
        held=held,
        draft=draft,
        seen=seen,
        bring=bring(draft.coverage_basis, held.modality, child=child),
        over=draft.expires_at <= now(),
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
