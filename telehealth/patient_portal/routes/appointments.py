"""My appointments: coming and past, one of them, cancelling, the calendar file."""

from typing import Any
from uuid import UUID

import segno
from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from telehealth.attendance.queries import restricted
from telehealth.audit.services import Entry, record
from telehealth.booking import queries
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.presentation import calendar_file
from telehealth.booking.queries import AppointmentView
from telehealth.booking.series_queries import turn_of
from telehealth.booking.services import cancel as cancel_appointment
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, Forbidden, NotFound, PreconditionFailed, http_status
from telehealth.core.text import whole_number
from telehealth.directory.queries import service as service_of
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.rules import bring, prepare
from telehealth.patients.queries import patient
from telehealth.patients.rules import is_child
from telehealth.payments.queries import payment_of
from telehealth.queueing.queries import ticket_of_appointment
from telehealth.queueing.services import public_token
from telehealth.web.context import (
    cipher,
    enter_again,
    may,
    now,
    outbox,
    permit,
    principal,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

REASONS = (
    CancelReason.PATIENT,
    CancelReason.PATIENT_BETTER,
    CancelReason.PATIENT_ELSEWHERE,
    CancelReason.PATIENT_NO_TRANSPORT,
)


@pages.get("/appointments")
@guarded("booking.list")
def mine() -> ResponseReturnValue:
    """List the appointments of the family: coming ones first to come, past ones latest first."""
    with unit_of_work() as session:
        found = queries.appointments_of(session, principal())
        held = restricted(session, sorted(principal().patient_ids), now=now())
        _note(session, "booking.list", *found)
    coming = [view for view in found if view.end > now() and view.status in ("booked", "arrived")]
    past = [view for view in found if view not in coming]
    return render_template(
        "patient_portal/appointments.html",
        coming=coming[::-1],
        past=past,
        actions=_actions(found),
        restricted=held,
    )


@pages.get("/appointments/<uuid:appointment_id>")
@guarded("booking.read")
def show(appointment_id: UUID) -> ResponseReturnValue:
    """Show one appointment, with the code for checking in."""
    return _appointment_page(appointment_id, fresh=False)


@pages.get("/appointments/<uuid:appointment_id>/done")
@guarded("booking.read")
def done(appointment_id: UUID) -> ResponseReturnValue:
    """Say that it is booked, and what to keep in mind."""
    return _appointment_page(appointment_id, fresh=True)


@pages.get("/a/<code>")
@guarded("booking.list")
def by_code(code: str) -> ResponseReturnValue:
    """Go on from the address in a message to the appointment; it opens only for its people."""
    with unit_of_work() as session:
        view = queries.appointment_by_code(session, code[:20])
    if view is None:
        raise NotFound
    return redirect(url_for("portal.show", appointment_id=view.id))


@pages.get("/appointments/<uuid:appointment_id>/calendar.ics")
@guarded("booking.read")
def calendar(appointment_id: UUID) -> ResponseReturnValue:
    """Return a calendar file."""
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.read")
    body = calendar_file(view, base_url=settings().public_base_url, now=now(), locale=current_locale())
    answer = Response(body, mimetype="text/calendar")
    answer.headers["Content-Disposition"] = f'attachment; filename="{view.code}.ics"'
    return answer


@pages.get("/appointments/<uuid:appointment_id>/cancel")
@guarded("booking.cancel")
def ask_cancel(appointment_id: UUID) -> ResponseReturnValue:
    """Ask why, and whether."""
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.cancel")
    if "cancel" not in view.actions(principal(), now(), may):
        return redirect(url_for("portal.show", appointment_id=view.id))
    enter_again()
    return _cancel_page(view, {})


@pages.post("/appointments/<uuid:appointment_id>/cancel")
@guarded("booking.cancel")
def cancel(appointment_id: UUID) -> ResponseReturnValue:
    """Cancel; the place is free for others at once. Pressed twice it is still cancelled once."""
    reason = request.form.get("reason_code", "")
    version = whole_number(request.form.get("version", ""))
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.cancel")
    if view.status == AppointmentStatus.CANCELLED:
        return _cancelled()
    if reason not in REASONS or version is None:
        return _cancel_page(view, {"reason_code": t("portal-cancel-reason-missing")}), 422
    enter_again()
    try:
        attempt(lambda: _cancel(appointment_id, version, reason))
    except (Conflict, PreconditionFailed) as error:
        enter_again()
        return _cancel_page(view, form_errors(error)), http_status(error)
    return _cancelled()


def _cancelled() -> ResponseReturnValue:
    flash(t("portal-cancelled"), "success")
    return redirect(url_for("portal.mine"), 303)


def _cancel_page(view: AppointmentView, errors: dict[str, Any]) -> str:
    with unit_of_work() as session:
        deposit = payment_of(session, view.id)
    coming = deposit and deposit.returned_on_cancelling(now(), disrupted=view.disrupted)
    return render_template(
        "patient_portal/cancel.html",
        view=view,
        reasons=REASONS,
        deposit=deposit,
        coming=coming,
        errors=errors,
    )


def _cancel(appointment_id: UUID, version: int, reason: str) -> None:
    with unit_of_work() as session:
        cancel_appointment(
            session,
            principal(),
            appointment_id,
            version=version,
            reason_code=reason,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )


def _appointment_page(appointment_id: UUID, *, fresh: bool) -> ResponseReturnValue:
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.read")
        person = patient(session, view.patient_id, cipher()) if view.patient_id else None
        ticket = ticket_of_appointment(session, view.id, now()) if view.status == "arrived" else None
        service = service_of(session, view.service.id)
        deposit = payment_of(session, view.id)
        turn = turn_of(session, view.id)
    birth_date = person.birth_date if person else None
    child = is_child(birth_date, business_date(now()))
    return render_template(
        "patient_portal/done.html"
        if fresh and view.status == "booked"
        else "patient_portal/appointment.html",
        view=view,
        actions=view.actions(principal(), now(), may),
        why_not=_why_not(view),
        qr=_qr(view.code),
        bring=bring(view.coverage_basis, view.modality, child=child),
        prepare=prepare(service, view.modality, current_locale()),
        deposit=deposit,
        turn=turn,
        number=None if ticket is None else public_token(ticket, cipher()),
    )


def _why_not(view: AppointmentView) -> list[str]:
    """Say why one who may change the appointment cannot do so now."""
    if view.status not in ("booked", "arrived"):
        return []
    refused = {
        t(f"error-{verdict.code}", **verdict.params): None
        for verdict in view.verdicts(principal(), now(), may)
        if verdict.action in ("reschedule", "cancel") and verdict.code not in (None, Forbidden.code)
    }
    return list(refused)


def seen(session: Session, appointment_id: UUID, action: str) -> AppointmentView:
    """Return an appointment that the caller may act on, noted in the trail. Raises NotFound, Forbidden."""
    view = queries.appointment(session, appointment_id)
    if view is None:
        raise NotFound
    permit(action, view.scope)
    _note(session, action, view)
    return view


def _note(session: Session, action: str, *views: AppointmentView) -> None:
    """Write into the trail that these appointments were shown."""
    entries = [
        Entry(action, "Appointment", view.id, patient_id=view.patient_id, facility_id=view.facility.id)
        for view in views
    ]
    record(session, principal(), *entries, now=now())


def _actions(views: list[AppointmentView]) -> dict[UUID, tuple[str, ...]]:
    return {view.id: view.actions(principal(), now(), may) for view in views}


def _qr(code: str) -> Markup:
    """Draw the booking code; the kiosk and the desk read exactly that."""
    drawn = segno.make(code, error="m", micro=False)
    return Markup(drawn.svg_inline(scale=6, border=2, omitsize=True, title=code))  # noqa: S704  our own drawing
