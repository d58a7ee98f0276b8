"""“I have a slip or a referral”: mine, one typed in from paper, and a time for it in two taps."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import segno
from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from telehealth.booking import queries as bookings
from telehealth.booking.attempts import attempt
from telehealth.booking.presentation import same_day_text
from telehealth.booking.queries import AppointmentView
from telehealth.booking.services import ConsentGiven
from telehealth.core.clock import business_date
from telehealth.core.errors import BadRequest, DomainError, NotFound, http_status
from telehealth.core.text import clean, whole_number
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery
from telehealth.patient_portal.person_form import PersonForm
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.routes.filling import person_questions, register_person
from telehealth.patient_portal.routes.moving import page_after
from telehealth.patient_portal.search import Search
from telehealth.patients.queries import patients_of
from telehealth.patients.services import family
from telehealth.referrals import queries, services
from telehealth.referrals.codes import RequestKind
from telehealth.referrals.errors import BadRequestFields
from telehealth.referrals.queries import RequestView
from telehealth.referrals.routes.means import allowed, means
from telehealth.referrals.routes.staff import issuer_facility, typed_day
from telehealth.referrals.services import Asked, Paper, Use
from telehealth.scheduling.queries import SlotView, slot_by_id
from telehealth.web.context import cipher, enter_again, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

CONSENT = ConsentGiven("booking", "2026-11")  # the words of portal-agree and portal-agree-text
SHOWN = 24
SEARCHED = 4 * SHOWN  # several doctors have the same times
MINE = 50
LONGEST = 200
_WHOSE = "slip-whose"


@dataclass(frozen=True, slots=True)
class _Meant:
    """A slip and a slot that it may be spent on."""

    view: RequestView
    slot: SlotView
    other_day: bool


@pages.get("/my-slips")
@guarded("referral.list")
def my_slips() -> ResponseReturnValue:
    """Show the family's slips: those to book with first."""
    with unit_of_work() as session:
        found = queries.requests_of(session, principal().patient_ids, limit=MINE, **means().reading).items
        for view in found:
            services.note(session, principal(), "referral.list", view.id, view.patient_id, None, now())
    return render_template(
        "patient_portal/slips.html",
        usable=[view for view in found if view.open],
        past=[view for view in found if not view.open],
    )


@pages.get("/my-slips/new")
@guarded("slip.enter")
def new_slip() -> ResponseReturnValue:
    """Show the form of a paper; who has nobody in the account yet says first whose it is."""
    with unit_of_work() as session:
        if not patients_of(session, principal(), cipher()):
            return redirect(url_for("portal.slip_person"))
    return _form_page(request.args.to_dict(), {})


@pages.get("/my-slips/person")
@guarded("patient.register")
def slip_person() -> ResponseReturnValue:
    """Ask whose paper it is, when it is somebody's who is not entered yet."""
    return _person_page(PersonForm.read({}), {})


@pages.post("/my-slips/person")
@guarded("patient.register")
def add_slip_person() -> ResponseReturnValue:
    """Enter the person, and go on to their paper."""
    permit("patient.register")
    form = PersonForm.read(request.form)
    try:
        with unit_of_work() as session:
            patient_id = register_person(session, form)
    except DomainError as error:
        enter_again()
        return _person_page(form, form_errors(error)), http_status(error)
    cookie[_WHOSE] = str(patient_id)
    return redirect(url_for("portal.new_slip"), 303)


@pages.post("/my-slips/new")
@guarded("slip.enter")
def enter_slip() -> ResponseReturnValue:
    """Type in a paper, and go on to its times."""
    form = request.form.to_dict()
    try:
        with unit_of_work() as session:
            view = services.enter(session, principal(), _paper(session, form), means())
            cookie.pop(_WHOSE, None)
    except DomainError as error:
        enter_again()
        return _form_page(form, form_errors(error)), http_status(error)
    return redirect(url_for("portal.my_slip", request_id=view.id), 303)


@pages.get("/my-slips/<uuid:request_id>")
@guarded("referral.read")
def my_slip(request_id: UUID) -> ResponseReturnValue:
    """Show a slip, until when it is good, and the times it may be spent on."""
    return _slip_page(request_id, {})


@pages.get("/my-slips/<uuid:request_id>/paper")
@guarded("referral.read")
def slip_paper(request_id: UUID) -> ResponseReturnValue:
    """Show the slip as paper, to print."""
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "slip.print", view.id, view.patient_id, None, now())
        words = queries.clinical(session, view.id, cipher())
        booked = bookings.appointment(session, view.appointment.id) if view.appointment else None
        where = directory.facility(session, view.target.id) if view.target else None
    code = view.appointment.code if view.appointment else None
    return render_template(
        "patient_portal/slip_paper.html",
        view=view,
        words=words,
        booked=booked,
        where=where,
        qr=_drawn(code) if code else None,
    )


@pages.get("/my-slips/<uuid:request_id>/book/<slot_id>")
@guarded("referral.book")
def ask_slip_time(request_id: UUID, slot_id: str) -> ResponseReturnValue:
    """Show slip and time once more."""
    with unit_of_work() as session:
        return _confirm_page(session, _meant(session, request_id, slot_id), {})


@pages.post("/my-slips/<uuid:request_id>/book/<slot_id>")
@guarded("referral.book")
def take_slip_time(request_id: UUID, slot_id: str) -> ResponseReturnValue:
    """Book. Pressed twice it is one appointment: the slip is spent once."""
    given = whole_number(request.form.get("version", ""))
    with unit_of_work() as session:
        meant = _meant(session, request_id, slot_id)
        if meant.view.appointment is not None:
            return redirect(url_for("portal.show", appointment_id=meant.view.appointment.id), 303)
        errors = _unticked(meant)
        if errors:
            return _confirm_page(session, meant, errors), 422
        if request.form.get("again") != "yes" and _already(session, meant):
            return _confirm_page(session, meant, {}), 409
    use = Use(slot_id[:80], shift_known=request.form.get("other_day") == "yes", consent=CONSENT)
    enter_again()

    def unit() -> UUID:
        with unit_of_work() as session:
            return services.book(session, principal(), request_id, use, means(), version=given).id

    try:
        booked = attempt(unit)
    except DomainError as error:
        enter_again()
        return _slip_page(request_id, form_errors(error)), http_status(error)
    return redirect(url_for("portal.done", appointment_id=booked), 303)


@pages.post("/my-slips/<uuid:request_id>/defer")
@guarded("referral.defer")
def defer_slip(request_id: UUID) -> ResponseReturnValue:
    """Ask the hospital to find a time, since none is free."""
    given = whole_number(request.form.get("version", ""))
    if given is None:
        raise BadRequest
    try:
        with unit_of_work() as session:
            allowed(session, request_id, "referral.defer")
            services.defer(session, principal(), request_id, means(), version=given, reason=None)
    except DomainError as error:
        enter_again()
        return _slip_page(request_id, form_errors(error)), http_status(error)
    flash(t("portal-slip-deferred"), "success")
    return redirect(url_for("portal.my_slip", request_id=request_id), 303)


def _meant(session: Session, request_id: UUID, slot_id: str) -> _Meant:
    view = allowed(session, request_id, "referral.book")
    slot = slot_by_id(session, slot_id[:80], now())
    if slot is None:
        raise NotFound
    other = services.other_day(view, business_date(slot.start), means().rules)
    return _Meant(view, slot, other)


def _already(session: Session, meant: _Meant) -> list[AppointmentView]:
    """Return what the person has of the same service on the day of the chosen time."""
    day = business_date(meant.slot.start)
    return bookings.same_day(session, meant.view.patient_id, meant.slot.service.code, day)


def _unticked(meant: _Meant) -> dict[str, str]:
    errors = {}
    if meant.other_day and request.form.get("other_day") != "yes":
        errors["other_day"] = t("portal-slip-other-day-missing")
    if request.form.get("agree") != "yes":
        errors["agree"] = t("portal-agree-missing")
    return errors


def _confirm_page(session: Session, meant: _Meant, errors: dict[str, Any]) -> str:
    services.note(session, principal(), "referral.read", meant.view.id, meant.view.patient_id, None, now())
    return render_template(
        "patient_portal/slip_confirm.html",
        view=meant.view,
        slot=meant.slot,
        other_day=meant.other_day,
        already=[(each, same_day_text(each, current_locale())) for each in _already(session, meant)],
        errors=errors,
    )


def _slip_page(request_id: UUID, errors: dict[str, Any]) -> str:
    from_day = _asked_day()
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "referral.read", view.id, view.patient_id, None, now())
        slots, later = _times(session, view, from_day)
        return render_template(
            "patient_portal/slip.html",
            view=view,
            days=[(day, list(same)) for day, same in groupby(slots, lambda slot: business_date(slot.start))],
            from_day=from_day,
            today=business_date(now()),
            later=later,
            errors=errors,
        )


def _times(
    session: Session, view: RequestView, from_day: date | None
) -> tuple[list[SlotView], datetime | None]:
    """Return a page of times, and from when the next one shows (None after the last)."""
    if not view.bookable:
        return [], None
    after = Search.read(request.args, business_date(now())).after
    found = services.slots_for(
        session, principal(), view, means(), count=SEARCHED, from_day=from_day, after=after
    )
    apart = _told_apart(found)
    if len(apart) <= SHOWN and len(found) < SEARCHED:
        return apart, None
    return apart[:SHOWN], page_after(apart[:SHOWN])


def _told_apart(slots: list[SlotView]) -> list[SlotView]:
    """Return the slots that look different on the page, which names no doctors: the first of each time."""
    first: dict[tuple[object, ...], SlotView] = {}
    for slot in slots:
        first.setdefault((slot.start, slot.facility.id, slot.modality), slot)
    return list(first.values())


def _asked_day() -> date | None:
    try:
        return date.fromisoformat(request.args.get("from", ""))
    except ValueError:
        return None


def _person_page(form: PersonForm, errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        return render_template(
            "patient_portal/slip_person.html", **person_questions(session, form), errors=errors
        )


def _form_page(form: dict[str, str], errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        people = family(session, principal(), now=now(), cipher=cipher())
        places = directory.facilities(session, FacilityQuery(limit=500)).items
        locale = current_locale()
        offered = [
            (each.code, each.name(locale)) for each in directory.service_catalogue(session, online_only=False)
        ]
        return render_template(
            "patient_portal/slip_new.html",
            people=people,
            places=places,
            offered=offered,
            today=business_date(now()),
            form={"who": cookie.get(_WHOSE, ""), **form},
            errors=errors,
        )


def _paper(session: Session, form: dict[str, str]) -> Paper:
    """Read the form. Raises BadRequestFields with all that is missing."""
    mine = {str(view.id): view.id for view in patients_of(session, principal(), cipher())}
    only = next(iter(mine.values())) if len(mine) == 1 else None
    issuer = clean(form.get("issuer", ""))[:LONGEST]
    person, signed_on = _filled(form, mine.get(form.get("who", ""), only), issuer)
    kind, issuer_id, target = (
        RequestKind(form["kind"]),
        issuer_facility(session, issuer),
        form.get("target", ""),
    )
    own = issuer_id if kind is RequestKind.REEXAMINATION else None
    target_id = directory.facility_by_code(session, target[:40]).id if target else own
    return Paper(
        asked=Asked(
            kind=kind,
            patient_id=person,
            target_facility_id=target_id,
            service_code=form.get("service", "")[:40] or None,
            icd10=form.get("icd10", "").strip()[:10] or None,
            appointment_on=_parts_day(form, "appointment_on"),
        ),
        number=form.get("number", "")[:60],
        signed_on=signed_on,
        issuer_name=issuer,
        issuer_id=issuer_id,
    )


def _filled(form: dict[str, str], person: UUID | None, issuer: str) -> tuple[UUID, date]:
    """Return whose slip it is and when it was signed.

    Raises BadRequestFields with every field that is missing, in the order of the page.
    """
    signed_on = _parts_day(form, "signed_on")
    there = {
        "who": (person, "field-slip-who"),
        "kind": (form.get("kind") in set(RequestKind), "field-slip-kind"),
        "number": (form.get("number", "").strip(), "field-slip-number-missing"),
        "signed_on": (signed_on, "field-slip-signed-on"),
        "issuer": (issuer, "field-slip-issuer-missing"),
    }
    faults = {name: [text] for name, (given, text) in there.items() if not given}
    if person is None or signed_on is None or faults:
        raise BadRequestFields(faults)
    return person, signed_on


def _parts_day(form: dict[str, str], name: str) -> date | None:
    """Return the day of three boxes, None when all are empty. Raises BadRequestFields."""
    day, month, year = (form.get(f"{name}-{part}", "").strip() for part in ("day", "month", "year"))
    if not (day or month or year):
        return None
    return typed_day(f"{year.zfill(4)}-{month.zfill(2)}-{day.zfill(2)}", name)


def _drawn(code: str) -> Markup:
    drawn = segno.make(code, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=6, border=2, omitsize=True, title=code))  # noqa: S704  our own drawing
