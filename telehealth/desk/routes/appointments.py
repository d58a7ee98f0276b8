"""One appointment: its paper, its ground, cancelling, another time, missed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.accounts.queries import account_names
from telehealth.booking import queries as bookings
from telehealth.booking import services as booking
from telehealth.booking.codes import AppointmentStatus, CancelReason
from telehealth.booking.queries import AppointmentView
from telehealth.core.errors import BadRequest, DomainError, http_status
from telehealth.desk import services
from telehealth.desk.forms import written
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.given import version_of
from telehealth.desk.routes.blueprint import pages
from telehealth.desk.routes.looking import GROUNDS
from telehealth.desk.routes.noting import is_today, note
from telehealth.desk.routes.paper import paper
from telehealth.desk.services import Desk
from telehealth.directory.codes import Modality
from telehealth.patients import queries as patients
from telehealth.queueing.codes import PriorityClass
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots, slot_by_id
from telehealth.web.context import (
    answer_links,
    cipher,
    now,
    outbox,
    permit,
    principal,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

_MOST_OFFERED = 5
_MOST_LOOKED_AT = 40
CANCEL_REASONS = (
    CancelReason.PATIENT,
    CancelReason.PATIENT_BETTER,
    CancelReason.PATIENT_ELSEWHERE,
    CancelReason.PRACTITIONER_AWAY,
    CancelReason.FACILITY,
    CancelReason.ENTERED_IN_ERROR,
)


@dataclass(frozen=True, slots=True)
class _Offering:
    """Other times for an appointment; `asked` is the one already offered, open `until`."""

    slots: list[SlotView]
    reachable: bool
    asked: datetime | None
    until: datetime | None


@pages.get("/appointments/<uuid:appointment_id>")
@guarded("desk.enter")
def show(appointment_id: UUID) -> ResponseReturnValue:
    """Show an appointment and what can be done with it."""
    return appointment_page(appointment_id, {})


@pages.get("/appointments/<uuid:appointment_id>/slip")
@guarded("desk.enter")
def slip(appointment_id: UUID) -> ResponseReturnValue:
    """Show the paper for the patient."""
    desk = _desk()
    with unit_of_work() as work:
        view = services.appointment(work, desk, appointment_id)
        note(work, desk, "desk.slip", view)
        born = _born(work, view)
    return render_template("desk/slip.html", **_frame(desk), **paper(view, born), today=is_today(view))


@pages.post("/appointments/<uuid:appointment_id>/coverage")
@guarded("desk.enter")
def confirm_coverage(appointment_id: UUID) -> ResponseReturnValue:
    """Record that the papers were seen."""

    def confirm(work: Session, view: AppointmentView) -> str:
        basis = request.form.get("basis", "")
        if basis not in GROUNDS:
            raise BadRequest
        permit("desk.use", view.facility.id)
        booking.confirm_coverage(work, principal(), view.id, basis=basis, version=version_of(), now=now())
        return "desk-coverage-done"

    return _change(appointment_id, confirm)


@pages.post("/appointments/<uuid:appointment_id>/cancel")
@guarded("desk.enter")
def cancel(appointment_id: UUID) -> ResponseReturnValue:
    """Cancel, for the patient or for the facility."""

    def give_up(work: Session, view: AppointmentView) -> str:
        reason = request.form.get("reason", "")
        if reason not in {known.value for known in CANCEL_REASONS}:
            raise BadRequest
        booking.cancel(
            work,
            principal(),
            view.id,
            version=version_of(),
            reason_code=reason,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
        return "desk-cancelled"

    return _change(appointment_id, give_up)


@pages.post("/appointments/<uuid:appointment_id>/offer")
@guarded("desk.enter")
def offer(appointment_id: UUID) -> ResponseReturnValue:
    """Offer another time by message; the old one stays until the patient takes the new one."""

    def ask(work: Session, view: AppointmentView) -> str:
        permit("booking.offer", view.scope)
        booking.offer(
            work,
            principal(),
            view.id,
            request.form.get("slot_id", "")[:80],
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            links=answer_links(),
        )
        return "desk-offer-sent"

    return _change(appointment_id, ask, field="offer-slot")


@pages.post("/appointments/<uuid:appointment_id>/missed")
@guarded("desk.enter")
def missed(appointment_id: UUID) -> ResponseReturnValue:
    """Record that nobody came."""

    def miss(work: Session, view: AppointmentView) -> str:
        permit("desk.use", view.facility.id)
        booking.record_no_show(work, principal(), view.id, version=version_of(), now=now())
        return "desk-missed-done"

    return _change(appointment_id, miss)


def _change(
    appointment_id: UUID, do: Callable[[Session, AppointmentView], str], *, field: str | None = None
) -> ResponseReturnValue:
    desk = _desk()
    try:
        with unit_of_work() as work:
            done = do(work, services.appointment(work, desk, appointment_id))
    except DomainError as error:
        errors = form_errors(error, field) if field else form_errors(error)
        return appointment_page(appointment_id, errors), http_status(error)
    flash(t(done), "success")
    return redirect(url_for("desk.show", appointment_id=appointment_id))


def appointment_page(appointment_id: UUID, errors: dict[str, Any]) -> str:
    """Return the page of an appointment, and note that it was seen."""
    desk = _desk()
    with unit_of_work() as work:
        view = services.appointment(work, desk, appointment_id)
        note(work, desk, "booking.read", view)
        who = patients.patient(work, view.patient_id, cipher()) if view.patient_id else None
        offering = _offering(work, desk, view)
        behalf = patients.on_behalf(work, view.id)
        clerks = account_names(work, [behalf.written_by]) if behalf and behalf.written_by else {}
    here = view.facility.id == desk.facility_id
    return render_template(
        "desk/appointment.html",
        **_frame(desk),
        view=view,
        person=who,
        birth=written(who.birth_date) if who else "",
        here=here,
        is_today=is_today(view),
        may_come=here and view.status in ("booked", "noshow", "arrived") and view.modality != Modality.VIDEO,
        grounds=GROUNDS,
        reasons=[reason.value for reason in CANCEL_REASONS],
        offering=offering,
        behalf=behalf,
        behalf_clerk=next(iter(clerks.values()), None),
        priorities=[each.value for each in PriorityClass],
        errors=errors,
    )


def _offering(work: Session, desk: Desk, view: AppointmentView) -> _Offering | None:
    """Return what can be offered instead of an appointment here that is still to come, else None."""
    still_to_come = view.status == AppointmentStatus.BOOKED and view.start > now()
    if view.facility.id != desk.facility_id or view.patient_id is None or not still_to_come:
        return None
    query = SlotQuery(
        service_code=view.service.code,
        facility_id=desk.facility_id,
        modality=view.modality,
        limit=_MOST_LOOKED_AT,
        channel=Channel.DESK,
    )
    # The same hour with somebody else would read as no change at all in the message.
    others = [slot for slot in earliest_slots(work, query, now=now()) if slot.start != view.start]
    standing = bookings.open_offer(work, view.id, now=now())
    asked = None if standing is None else slot_by_id(work, standing.slot_id, now(), channel=Channel.DESK)
    return _Offering(
        slots=others[:_MOST_OFFERED],
        reachable=patients.recipient_of(work, view.patient_id, view.account_id, cipher()) is not None,
        asked=None if asked is None else asked.start,
        until=None if standing is None else standing.expires_at,
    )


def _born(work: Session, view: AppointmentView) -> str | None:
    found = patients.patient(work, view.patient_id, cipher()) if view.patient_id else None
    return None if found is None else found.birth_date
