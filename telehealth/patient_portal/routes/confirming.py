"""Everything once more, then the appointment."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.booking import queries
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import FULL, HoldUnknown
from telehealth.booking.idempotency import RequestKey
from telehealth.booking.presentation import same_day_text
from telehealth.booking.queries import AppointmentView
from telehealth.booking.remote import RemoteNeed
from telehealth.booking.services import BookingRequest, ConsentGiven, Hold, Once
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, Gone, NotFound, Unprocessable, http_status
from telehealth.directory.naming import practitioner_title
from telehealth.directory.queries import service as service_of
from telehealth.invitations.services import Means, NewInvitee, invite
from telehealth.patient_portal import drafts
from telehealth.patient_portal.drafts import Draft
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.routes.held import draft_of, held, keep
from telehealth.patient_portal.routes.slots import gone_page, take_hold
from telehealth.patient_portal.rules import bring, prepare
from telehealth.patients.rules import is_child
from telehealth.patients.services import shown
from telehealth.payments.queries import deposit_terms
from telehealth.referrals.routes.means import care
from telehealth.scheduling.errors import SlotClosed
from telehealth.scheduling.queries import PractitionerRef
from telehealth.web.context import answer_links, cipher, enter_again, now, outbox, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

CONSENT = ConsentGiven("booking", "2026-11")  # the words of portal-agree and portal-agree-text


@pages.get("/book/holds/<uuid:hold_id>/confirm")
@guarded("booking.book")
def confirm(hold_id: UUID) -> ResponseReturnValue:
    """Show everything once more, with what to bring and what it costs."""
    with unit_of_work() as session:
        booked = _booked(session, hold_id)
        if booked is not None:
            return redirect(url_for("portal.done", appointment_id=booked.id))
        draft = draft_of(session, hold_id)
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
        draft = draft_of(session, hold_id)
        if draft.patient_id is None:
            return redirect(url_for("portal.who", hold_id=hold_id), 303)
        if request.form.get("agree") != "yes":
            return _confirm_page(session, draft, {"agree": t("portal-agree-missing")}), 422
        if request.form.get("again") != "yes" and _already(session, draft):
            return _confirm_page(session, draft, {}), 409
    enter_again()
    try:
        appointment_id = attempt(lambda: _book(draft))
    except (*FULL, SlotClosed) as refusal:
        return _another_doctor(draft, refusal) if draft.anybody else gone_page(draft.slot_id, refusal)
    except Conflict as error:
        enter_again()
        with unit_of_work() as session:
            return _confirm_page(session, draft, form_errors(error)), http_status(error)
    drafts.forget(cookie)
    return redirect(url_for("portal.done", appointment_id=appointment_id), 303)


def _another_doctor(draft: Draft, refusal: Conflict) -> ResponseReturnValue:
    """Hold the same time of another doctor for who wanted any, say so and let them look once more."""
    enter_again()

    def unit() -> Hold:
        with unit_of_work() as session:
            return take_hold(session, draft.anybody)

    try:
        hold = attempt(unit)
    except (Conflict, Gone, Unprocessable):
        return gone_page(draft.anybody, refusal)
    keep(replace(draft, hold_id=hold.id, slot_id=hold.slot_id, expires_at=hold.expires_at))
    with unit_of_work() as session:
        before, after = held(session, draft.hold_id), held(session, hold.id)
    flash(
        t("portal-any-doctor-other", before=_called(before.practitioner), doctor=_called(after.practitioner)),
        "success",
    )
    return redirect(url_for("portal.confirm", hold_id=hold.id), 303)


def _called(practitioner: PractitionerRef) -> str:
    return f"{practitioner_title(practitioner.title)} {practitioner.name}"


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
        need=RemoteNeed(draft.condition or None, draft.consultation, care()),
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
            links=answer_links(),
        )
        appointment_id = UUID(json.loads(told))
        if draft.invitee_contact:
            _invite(session, draft, appointment_id)
    return appointment_id


def _invite(session: Session, draft: Draft, appointment_id: UUID) -> None:
    """Invite whom the patient wishes to have along; pressed twice, once."""
    booked = queries.appointment(session, appointment_id)
    if booked is None:
        raise NotFound
    new = NewInvitee(
        draft.invitee_name,
        draft.invitee_contact,
        draft.invitee_relation or "relative",
        current_locale(),
    )
    means = Means(cipher(), outbox(), answer_links())
    invite(session, principal(), booked, new, means, now=now())


def _booked(session: Session, hold_id: UUID) -> AppointmentView | None:
    view = held(session, hold_id)
    unfinished = (AppointmentStatus.HELD, AppointmentStatus.EXPIRED, AppointmentStatus.CANCELLED)
    return None if view.status in unfinished else view


def _already(session: Session, draft: Draft) -> list[AppointmentView]:
    """Return what the person has of the same service on the day of the held time."""
    view = held(session, draft.hold_id)
    if draft.patient_id is None:
        return []
    return queries.same_day(session, draft.patient_id, view.service.code, business_date(view.start))


def _confirm_page(session: Session, draft: Draft, errors: dict[str, Any]) -> str:
    view = held(session, draft.hold_id)
    if draft.patient_id is None:
        raise HoldUnknown
    seen = shown(session, principal(), draft.patient_id, now=now(), cipher=cipher())
    if seen is None:
        raise NotFound
    child = is_child(seen.birth_date, business_date(now()))
    service = service_of(session, view.service.id)
    return render_template(
        "patient_portal/confirm.html",
        held=view,
        terms=deposit_terms(session, view.service.id),
        prepare=prepare(service, view.modality, current_locale()),
        draft=draft,
        seen=seen,
        bring=bring(draft.coverage_basis, view.modality, child=child),
        about=care().condition_of(draft.condition),
        already=[(each, same_day_text(each, current_locale())) for each in _already(session, draft)],
        errors=errors,
    )
