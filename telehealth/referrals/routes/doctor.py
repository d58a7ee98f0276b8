"""The end of a visit: come again on that day, or go to another facility; slot and slip in one step."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking import queries as bookings
from telehealth.booking.attempts import attempt
from telehealth.booking.services import ConsentGiven
from telehealth.core.clock import at_local, business_date
from telehealth.core.errors import BadRequest, DomainError, NotFound, http_status
from telehealth.core.text import clean
from telehealth.directory import queries as directory
from telehealth.directory.codes import Modality
from telehealth.directory.queries import FacilityQuery, FacilityView
from telehealth.encounters import queries as encounters
from telehealth.encounters.queries import EncounterView
from telehealth.patients import queries as patients
from telehealth.patients import services as people
from telehealth.patients.queries import PatientView
from telehealth.referrals import queries, services
from telehealth.referrals.codes import RequestKind, RequestPriority
from telehealth.referrals.queries import Clinical, days_around
from telehealth.referrals.routes.blueprint import frame, pages
from telehealth.referrals.routes.means import means
from telehealth.referrals.routes.staff import typed_day
from telehealth.referrals.rules import due_day, nth_working_day
from telehealth.referrals.services import Asked, Issue, Use
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView
from telehealth.scheduling.services import find_slots
from telehealth.web.context import cipher, enter_again, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale

CONSENT = ConsentGiven(purpose="booking-on-behalf", text_version="desk-2026-11")
SHOWN = 9
FARTHEST_DAYS = 400
LONGEST = 4000
NO_SLOT = "none"
USUAL = 14
TRANSFER_REASONS = ("above-level", "patient-asked", "lower-level")


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit that ends, of whom, and where."""

    encounter: EncounterView
    person: PatientView
    place: FacilityView
    service_code: str | None


@pages.get("/visits/<uuid:encounter_id>/again")
@guarded("referral.issue")
def again(encounter_id: UUID) -> ResponseReturnValue:
    """Show days and times to come again."""
    return _again_page(encounter_id, {}, request.args.to_dict())


@pages.post("/visits/<uuid:encounter_id>/again")
@guarded("referral.issue")
def come_again(encounter_id: UUID) -> ResponseReturnValue:
    """Make the slip and book the time, both or neither, and show the paper."""
    form = request.form.to_dict()
    slot = form.get("slot_id", "")[:80]

    def unit() -> UUID:
        with unit_of_work() as session:
            visit = _visit(session, encounter_id)
            wanted = _wanted_again(visit, form)
            use = None if slot in ("", NO_SLOT) else Use(slot, shift_known=True, consent=CONSENT)
            return services.issue(session, principal(), wanted, means(), use=use).request.id

    try:
        made = attempt(unit)
    except DomainError as error:
        enter_again()
        return _again_page(encounter_id, form_errors(error, "slot_id"), form), http_status(error)
    return redirect(url_for("slips.paper", request_id=made), 303)


@pages.get("/visits/<uuid:encounter_id>/refer")
@guarded("referral.issue")
def refer(encounter_id: UUID) -> ResponseReturnValue:
    """Show the form of a referral."""
    return _refer_page(encounter_id, {}, {})


@pages.post("/visits/<uuid:encounter_id>/refer")
@guarded("referral.issue")
def make_referral(encounter_id: UUID) -> ResponseReturnValue:
    """Make the referral, and go on to its times."""
    form = request.form.to_dict()

    def unit() -> UUID:
        with unit_of_work() as session:
            visit = _visit(session, encounter_id)
            return services.issue(
                session, principal(), _wanted_referral(session, visit, form), means()
            ).request.id

    try:
        made = attempt(unit)
    except DomainError as error:
        enter_again()
        return _refer_page(encounter_id, form_errors(error), form), http_status(error)
    return redirect(url_for("slips.show", request_id=made), 303)


@pages.get("/appointments/<uuid:appointment_id>/again")
@guarded("referral.issue")
def again_after(appointment_id: UUID) -> ResponseReturnValue:
    """Go on from an appointment (a video visit) to the slip of its visit."""
    with unit_of_work() as session:
        found = encounters.encounter_of_appointment(session, appointment_id)
    if found is None:
        raise NotFound
    return redirect(url_for("slips.again", encounter_id=found.id))


def _visit(session: Session, encounter_id: UUID) -> Visit:
    """Return a visit of a known person at a place where the caller is a practitioner."""
    found = encounters.encounter(session, encounter_id)
    if found is None:
        raise NotFound
    permit("referral.issue", found.facility_id)
    person = patients.patient(session, found.patient_id, cipher()) if found.patient_id else None
    if person is None:
        raise NotFound
    people.note_read(session, principal(), person.id, now=now(), facility_id=found.facility_id)
    booked = bookings.appointment(session, found.appointment_id) if found.appointment_id else None
    service = directory.service(session, found.service_id) if found.service_id else None
    code = booked.service.code if booked else service.code if service else None
    return Visit(found, person, directory.facility(session, found.facility_id), code)


def _wanted_again(visit: Visit, form: dict[str, str]) -> Issue:
    return Issue(
        asked=Asked(
            kind=RequestKind.REEXAMINATION,
            patient_id=visit.person.id,
            target_facility_id=visit.place.id,
            service_code=form.get("service", "")[:40] or visit.service_code,
            icd10=form.get("icd10", "").strip()[:10] or None,
            appointment_on=typed_day(form.get("on", ""), "on"),
        ),
        facility_id=visit.place.id,
        practitioner_id=principal().practitioner_id,
        encounter_id=visit.encounter.id,
        clinical=Clinical(plan=clean(form.get("plan", ""))[:LONGEST]),
    )


def _wanted_referral(session: Session, visit: Visit, form: dict[str, str]) -> Issue:
    target = form.get("target", "")[:40]
    reason = form.get("transfer_reason", "")
    if reason not in TRANSFER_REASONS:
        raise BadRequest
    return Issue(
        asked=Asked(
            kind=RequestKind.REFERRAL,
            patient_id=visit.person.id,
            target_facility_id=directory.facility_by_code(session, target).id if target else None,
            service_code=form.get("service", "")[:40] or None,
            priority=RequestPriority(form["priority"])
            if form.get("priority") in set(RequestPriority)
            else RequestPriority.ROUTINE,
            icd10=form.get("icd10", "").strip()[:10] or None,
            listed=form.get("listed") == "yes",
        ),
        facility_id=visit.place.id,
        practitioner_id=principal().practitioner_id,
        encounter_id=visit.encounter.id,
        clinical=Clinical(**{name: form.get(name, "").strip()[:LONGEST] for name in CLINICAL}),
        transfer_reason=reason,
    )


CLINICAL = ("summary", "diagnosis", "results", "treatment", "plan")


def _again_page(encounter_id: UUID, errors: dict[str, Any], form: dict[str, str]) -> str:
    with unit_of_work() as session:
        visit = _visit(session, encounter_id)
        standing = queries.slip_of_encounter(session, encounter_id, **means().reading)
        offered = _offered(session, visit)
        code = form.get("service") or visit.service_code or (offered[0][0] if offered else "")
        proposed = _proposed(session, visit)
        day = _day(form.get("on", "")) or dict(proposed)[USUAL]
        slots = [] if standing else _slots(session, visit, code, day, form.get("modality", ""))
        return render_template(
            "slips/again.html",
            **frame("again", visit.place),
            visit=visit,
            standing=standing,
            proposed=proposed,
            day=day,
            due=_due(session, visit, day),
            code=code,
            offered=offered,
            modality=form.get("modality", ""),
            slots=slots,
            no_slot=NO_SLOT,
            form=form,
            errors=errors,
        )


def _offered(session: Session, visit: Visit) -> list[tuple[str, str]]:
    return [
        (each.code, each.name(current_locale())) for each in directory.services_of(session, visit.place.id)
    ]


def _proposed(session: Session, visit: Visit) -> list[tuple[int, date]]:
    """Return the usual spans with the working day that each falls on."""
    today = business_date(now())
    days = days_around(session, today)
    spans = sorted({*means().rules.proposed_days, USUAL})
    asked = [(span, today + timedelta(days=span)) for span in spans]
    return [
        (span, day if days.working(day) else nth_working_day(day, 1, days.working)) for span, day in asked
    ]


def _due(session: Session, visit: Visit, day: date) -> date:
    days = days_around(session, day)
    return due_day(day, lambda each: days.holiday(each, visit.place.id), days.working)


def _day(given: str) -> date | None:
    today = business_date(now())
    try:
        day = date.fromisoformat(given)
    except ValueError:
        return None
    return min(max(day, today), today + timedelta(days=FARTHEST_DAYS))


def _slots(session: Session, visit: Visit, code: str, day: date, modality: str) -> list[SlotView]:
    """Return one's own earliest times from the day on; a colleague's of the same service without any."""
    first = max(at_local(day, 0), now())
    everybody = SlotQuery(
        service_code=code or None,
        facility_id=visit.place.id,
        modality=modality if modality in set(Modality) else None,
        from_=first,
        limit=SHOWN,
        channel=Channel.DESK,
    )
    mine = replace(everybody, practitioner_id=principal().practitioner_id)
    return find_slots(session, mine, now=now()) or find_slots(session, everybody, now=now())


def _refer_page(encounter_id: UUID, errors: dict[str, Any], form: dict[str, str]) -> str:
    with unit_of_work() as session:
        visit = _visit(session, encounter_id)
        places = directory.facilities(session, FacilityQuery(limit=500)).items
        catalogue = directory.service_catalogue(session, online_only=False)
        return render_template(
            "slips/refer.html",
            **frame("refer", visit.place),
            visit=visit,
            places=[place for place in places if place.id != visit.place.id],
            offered=[(each.code, each.name(current_locale())) for each in catalogue],
            priorities=[each.value for each in RequestPriority],
            reasons=TRANSFER_REASONS,
            rules=means().rules,
            form=form,
            errors=errors,
        )
