"""The worklist of slips, one slip with what can be done about it, and typing in a paper."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking import queries as bookings
from telehealth.booking.attempts import attempt
from telehealth.booking.services import ConsentGiven
from telehealth.core.clock import business_date
from telehealth.core.errors import DomainError, NotFound, http_status
from telehealth.core.text import clean, search_form
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery, FacilityView
from telehealth.patients import queries as patients
from telehealth.patients import services as people
from telehealth.patients.queries import PatientView
from telehealth.referrals import queries, services
from telehealth.referrals.codes import RequestKind, RequestPriority
from telehealth.referrals.errors import BadRequestFields
from telehealth.referrals.policies import RequestScope
from telehealth.referrals.queries import RequestView
from telehealth.referrals.routes.blueprint import drawn, frame, own_facilities, pages, version
from telehealth.referrals.routes.means import allowed, care, means
from telehealth.referrals.services import Asked, Paper, Use
from telehealth.scheduling.queries import SlotView
from telehealth.web.context import cipher, enter_again, may, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

LATEST = 30
ALL = 500
LONGEST = 200
CONSENT = ConsentGiven(purpose="booking-on-behalf", text_version="desk-2026-11")


@pages.get("")
@guarded("referral.return")
def worklist() -> ResponseReturnValue:
    """Show what the facility must see to, with its clocks, and its latest slips."""
    place = own_facilities()[0]
    with unit_of_work() as session:
        waiting = queries.worklist(session, place.id, **means().reading)
        latest = queries.requests_at(session, place.id, limit=LATEST, **means().reading).items
        for view in {view.id: view for view in (*waiting, *latest)}.values():
            services.note(session, principal(), "referral.list", view.id, view.patient_id, place.id, now())
    return render_template(
        "slips/worklist.html", **frame("worklist"), waiting=waiting, latest=latest, now=now()
    )


@pages.get("/people/<uuid:patient_id>/new")
@guarded("referral.return")
def new_paper(patient_id: UUID) -> ResponseReturnValue:
    """Show the empty form of a paper."""
    return _paper_form(patient_id, {}, {})


@pages.post("/people/<uuid:patient_id>/new")
@guarded("referral.return")
def enter_paper(patient_id: UUID) -> ResponseReturnValue:
    """Type in a paper that somebody brought."""
    place = own_facilities()[0]
    permit("referral.return", RequestScope(frozenset(), frozenset({place.id})))
    try:
        with unit_of_work() as session:
            view = services.enter(session, principal(), _paper(session, patient_id, place), means())
    except DomainError as error:
        enter_again()
        return _paper_form(patient_id, request.form.to_dict(), form_errors(error)), http_status(error)
    return redirect(url_for("slips.show", request_id=view.id), 303)


@pages.get("/<uuid:request_id>")
@guarded("referral.return")
def show(request_id: UUID) -> ResponseReturnValue:
    """Show a slip, the times it may be spent on, and what happened to it."""
    return _page(request_id, {})


@pages.post("/<uuid:request_id>/book")
@guarded("referral.book")
def book(request_id: UUID) -> ResponseReturnValue:
    """Spend the slip on the chosen time and show the paper."""
    reason = clean(request.form.get("reason", ""))[:LONGEST] or None
    use = Use(request.form.get("slot_id", "")[:80], accepted_because=reason, consent=CONSENT)

    def unit() -> None:
        with unit_of_work() as session:
            allowed(session, request_id, "referral.book")
            services.book(session, principal(), request_id, use, means(), version=version())

    try:
        attempt(unit)
    except DomainError as error:
        enter_again()
        return _page(request_id, form_errors(error, "slot_id")), http_status(error)
    flash(t("slips-booked"), "success")
    return redirect(url_for("slips.paper", request_id=request_id), 303)


@pages.post("/<uuid:request_id>/<any(defer, give_back, revoke):act>")
@guarded("referral.return")
def see_to(request_id: UUID, act: str) -> ResponseReturnValue:
    """Defer, return or revoke, with a reason."""
    reason = clean(request.form.get("reason", ""))[:LONGEST]
    action = {"defer": "referral.defer", "give_back": "referral.return", "revoke": "referral.revoke"}[act]
    do = {"defer": services.defer, "give_back": services.give_back, "revoke": services.revoke}[act]

    def unit(session: Session) -> str:
        allowed(session, request_id, action)
        do(session, principal(), request_id, means(), version=version(), reason=reason)
        return {
            "defer": t("slips-deferred"),
            "give_back": t("slips-returned"),
            "revoke": t("slips-revoked"),
        }[act]

    return _change(request_id, unit, f"{act}-reason")


@pages.post("/<uuid:request_id>/decide")
@guarded("slip.decide")
def decide(request_id: UUID) -> ResponseReturnValue:
    """Agree to a day other than the paper's, or refuse it."""
    accept = request.form.get("answer") == "accept"
    reason = clean(request.form.get("reason", ""))[:LONGEST]

    def unit(session: Session) -> str:
        allowed(session, request_id, "slip.decide")
        services.decide_day(
            session, principal(), request_id, means(), version=version(), accept=accept, reason=reason
        )
        return t("slips-day-accepted") if accept else t("slips-day-refused")

    return _change(request_id, unit, "decide-reason")


@pages.get("/<uuid:request_id>/paper")
@guarded("referral.return")
def paper(request_id: UUID) -> ResponseReturnValue:
    """Show the paper for the patient."""
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "slip.print", view.id, view.patient_id, None, now())
        words = queries.clinical(session, view.id, cipher())
        booked = bookings.appointment(session, view.appointment.id) if view.appointment else None
        where = directory.facility(session, view.target.id) if view.target else None
    return render_template(
        "slips/paper.html",
        **frame("worklist"),
        view=view,
        words=words,
        booked=booked,
        where=where,
        qr=drawn(view.appointment.code) if view.appointment else None,
    )


@pages.get("/rules")
@guarded("referral.rules")
def rules() -> ResponseReturnValue:
    """Show the rules of slips and the conditions of remote care, with where they are written."""
    permit("referral.rules")
    q = request.args.get("q", "")[:100]
    return render_template("slips/rules.html", rules=means().rules, care=care(), found=care().search(q), q=q)


def _change(request_id: UUID, unit: Callable[[Session], str], field: str) -> ResponseReturnValue:
    def whole() -> str:
        with unit_of_work() as session:
            return unit(session)

    try:
        said = attempt(whole)
    except DomainError as error:
        enter_again()
        errors = {(field if name == "reason" else name): text for name, text in form_errors(error).items()}
        return _page(request_id, errors), http_status(error)
    flash(said, "success")
    return redirect(url_for("slips.show", request_id=request_id), 303)


def _page(request_id: UUID, errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "referral.read", view.id, view.patient_id, None, now())
        slots = services.slots_for(session, principal(), view, means(), count=8) if view.bookable else []
        return render_template(
            "slips/request.html",
            **frame("worklist"),
            view=view,
            words=queries.clinical(session, view.id, cipher()),
            events=queries.events(session, view.id),
            slots=slots,
            shifted={slot.id for slot in slots if _is_other_day(view, slot)},
            may_revoke=may("referral.revoke", view.scope),
            errors=errors,
        )


def _is_other_day(view: RequestView, slot: SlotView) -> bool:
    return services.other_day(view, business_date(slot.start), means().rules)


def _paper(session: Session, patient_id: UUID, place: FacilityView) -> Paper:
    form = request.form
    issuer = clean(form.get("issuer", ""))[:LONGEST]
    target = form.get("target", "")
    known = issuer_facility(session, issuer)
    return Paper(
        asked=Asked(
            kind=RequestKind.REFERRAL if form.get("kind") == "referral" else RequestKind.REEXAMINATION,
            patient_id=patient_id,
            target_facility_id=place.id if target == "here" else None,
            service_code=form.get("service", "")[:40] or None,
            priority=_priority(form.get("priority", "")),
            icd10=form.get("icd10", "")[:10].strip() or None,
            appointment_on=typed_day(form.get("appointment_on", ""), "appointment_on"),
            listed=form.get("listed") == "yes",
        ),
        number=form.get("number", "")[:60],
        signed_on=typed_day(form.get("signed_on", ""), "signed_on") or business_date(now()),
        issuer_name=issuer,
        issuer_id=known,
        facility_id=place.id,
    )


def issuer_facility(session: Session, name: str) -> UUID | None:
    """Return the facility of ours that is called exactly so, with or without marks."""
    wanted = search_form(name)
    if not wanted:
        return None
    found = directory.facilities(session, FacilityQuery(q=name, limit=5)).items
    return next((place.id for place in found if search_form(place.name) == wanted), None)


def typed_day(given: str, field: str) -> date | None:
    """Return the day that a date field holds. Raises BadRequestFields for what is none."""
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise BadRequestFields({field: ["field-slip-day"]}) from error


def _priority(given: str) -> RequestPriority:
    return next((each for each in RequestPriority if each.value == given), RequestPriority.ROUTINE)


def _paper_form(patient_id: UUID, form: dict[str, str], errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        person = _person(session, patient_id)
        place = own_facilities()[0]
        names = [each.name for each in directory.facilities(session, FacilityQuery(limit=ALL)).items]
        offered = [
            (each.code, each.name(current_locale())) for each in directory.services_of(session, place.id)
        ]
        return render_template(
            "slips/enter.html",
            **frame("enter"),
            person=person,
            form=form,
            names=names,
            services=offered,
            priorities=[each.value for each in RequestPriority],
            today=business_date(now()),
            errors=errors,
        )


def _person(session: Session, patient_id: UUID) -> PatientView:
    view = patients.patient(session, patient_id, cipher())
    if view is None:
        raise NotFound
    permit("patient.read", view.scope)
    people.note_read(session, principal(), view.id, now=now())
    return view
