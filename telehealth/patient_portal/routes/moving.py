"""Another time for an appointment: choose, confirm; the old time stays until the new one is ours."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import FULL
from telehealth.booking.queries import AppointmentView
from telehealth.booking.services import Move
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, NotFound, PreconditionFailed, http_status
from telehealth.core.text import whole_number
from telehealth.patient_portal.routes.appointments import seen
from telehealth.patient_portal.routes.blueprint import pages
from telehealth.patient_portal.search import Search
from telehealth.scheduling.errors import SlotClosed
from telehealth.scheduling.queries import SlotQuery, SlotView, earliest_slots, slot_by_id
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    may,
    now,
    outbox,
    principal,
    unit_of_work,
)
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

TIMES_SHOWN = 40


@pages.get("/appointments/<uuid:appointment_id>/move")
@guarded("booking.reschedule")
def move_times(appointment_id: UUID) -> ResponseReturnValue:
    """Offer the earliest other times of the same service at the same place, from a day on if one is asked."""
    today = business_date(now())
    search = Search.read(request.args, today)
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.reschedule")
        slots = earliest_slots(session, _others(view, search.earliest), now=now())
    if not _movable(view):
        return redirect(url_for("portal.show", appointment_id=view.id))
    return render_template(
        "patient_portal/move.html",
        view=view,
        days=_by_day(slots),
        from_day=search.from_day,
        today=today,
        later=page_after(slots) if len(slots) == TIMES_SHOWN else None,
        why=None,
    )


@pages.get("/appointments/<uuid:appointment_id>/move/<slot_id>")
@guarded("booking.reschedule")
def ask_move(appointment_id: UUID, slot_id: str) -> ResponseReturnValue:
    """Show the old time and the new one."""
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.reschedule")
        slot = slot_by_id(session, slot_id[:80], now())
    if slot is None:
        raise NotFound
    if not _movable(view):
        return redirect(url_for("portal.show", appointment_id=view.id))
    return render_template("patient_portal/move_confirm.html", view=view, slot=slot, errors={})


@pages.post("/appointments/<uuid:appointment_id>/move/<slot_id>")
@guarded("booking.reschedule")
def move(appointment_id: UUID, slot_id: str) -> ResponseReturnValue:
    """Move. Pressed twice it is still one move: the second finds the appointment at the time asked for."""
    version = whole_number(request.form.get("version", ""))
    with unit_of_work() as session:
        view = seen(session, appointment_id, "booking.reschedule")
        slot = slot_by_id(session, slot_id[:80], now())
    if slot is None or version is None:
        raise NotFound
    enter_again()
    if _stands_at(view, slot):
        return _moved(appointment_id)
    try:
        attempt(lambda: _move(appointment_id, Move(slot.id, version)))
    except (*FULL, SlotClosed) as refusal:
        return _gone(view, slot, refusal)
    except (Conflict, PreconditionFailed) as error:
        page = render_template(
            "patient_portal/move_confirm.html", view=view, slot=slot, errors=form_errors(error)
        )
        return page, http_status(error)
    return _moved(appointment_id)


def _stands_at(view: AppointmentView, slot: SlotView) -> bool:
    return view.status == AppointmentStatus.BOOKED and view.slot_id == slot.id


def _moved(appointment_id: UUID) -> ResponseReturnValue:
    flash(t("portal-moved"), "success")
    return redirect(url_for("portal.show", appointment_id=appointment_id), 303)


def _move(appointment_id: UUID, wanted: Move) -> None:
    with unit_of_work() as session:
        booking.reschedule(
            session,
            principal(),
            appointment_id,
            wanted,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            links=answer_links(),
        )


def _gone(view: AppointmentView, slot: SlotView, refusal: Conflict) -> ResponseReturnValue:
    """Say that the new time cannot be had and the old one stays, and what is free instead."""
    enter_again()
    with unit_of_work() as session:
        slots = booking.alternatives(session, slot.id, now=now())
    here = [other for other in slots if other.facility.id == view.facility.id]
    page = render_template(
        "patient_portal/move.html",
        view=view,
        days=_by_day(here),
        from_day=None,
        today=business_date(now()),
        later=None,
        why=error_text(refusal),
    )
    return page, http_status(refusal)


def _movable(view: AppointmentView) -> bool:
    return "reschedule" in view.actions(principal(), now(), may)


def _others(view: AppointmentView, earliest: datetime | None) -> SlotQuery:
    return SlotQuery(
        service_code=view.service.code,
        facility_id=view.facility.id,
        modality=view.modality,
        from_=earliest,
        limit=TIMES_SHOWN,
    )


def page_after(shown: Sequence[SlotView]) -> datetime:
    """Return from when the next page of times shows.

    It begins with the last start once more: the page may have been cut between two doctors of it.
    """
    first, last = shown[0].start, shown[-1].start
    return last if last > first else last + timedelta(minutes=1)


def _by_day(slots: list[SlotView]) -> list[tuple[date, list[SlotView]]]:
    return [(day, list(same)) for day, same in groupby(slots, lambda slot: business_date(slot.start))]
