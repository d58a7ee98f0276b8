"""The desk's first page, the day's list, and who is called for."""

from collections import Counter
from typing import Any
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.booking import queries as bookings
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.queries import DayCount
from telehealth.core.clock import business_date
from telehealth.desk import services
from telehealth.desk.errors import NothingTyped
from telehealth.desk.forms import PersonForm, written
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.given import uuid_of
from telehealth.desk.routes.blueprint import pages
from telehealth.desk.routes.noting import note_list
from telehealth.desk.rules import read_box
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.scheduling.queries import PractitionerRef
from telehealth.web.context import (
    cipher,
    now,
    permit,
    principal,
    session,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t
from telehealth.web.workplace import choose_workplace

_MOST_IN_LIST = 200


@pages.get("")
@guarded("desk.enter")
def home() -> ResponseReturnValue:
    """Show the one box, and the day in figures."""
    return _home("", {})


@pages.post("/facility")
@guarded("desk.enter")
def choose_facility() -> ResponseReturnValue:
    """Work at another of one's facilities."""
    facility_id = uuid_of(request.form.get("facility", ""))
    permit("desk.use", facility_id)
    choose_workplace(facility_id)
    return redirect(url_for("desk.home"))


@pages.post("/find")
@guarded("desk.enter")
def find() -> ResponseReturnValue:
    """Look for whoever was scanned or typed. Posted, so that no name stands in an address."""
    desk = _desk()
    text = request.form.get("box", "")
    typed = read_box(text)
    if typed is None:
        return _home(text, form_errors(NothingTyped({"box": ["error-desk-nothing-typed"]}))), 422
    with unit_of_work() as work:
        if typed.code is not None:
            view = bookings.appointment_by_code(work, typed.code)
            if view is not None and view.facility.id == desk.facility_id:
                return redirect(url_for("desk.show", appointment_id=view.id))
        found = services.find(work, desk, typed, now=now(), cipher=cipher())
    if len(found) == 1 and (typed.card or typed.national_id or typed.insurance_no):
        return redirect(url_for("desk.person", patient_id=found[0].id))
    form = PersonForm.of(services.draft_of(typed))
    return render_template(
        "desk/found.html",
        **_frame(desk),
        found=found,
        form=form.values,
        box="" if typed.card else text,
        was_code=typed.code is not None,
        errors={},
        warnings=[t(key) for key in form.warnings()],
        birth=written,
    )


@pages.get("/today")
@guarded("desk.enter")
def today() -> ResponseReturnValue:
    """Show the day's appointments, of all doctors or one."""
    desk = _desk()
    doctor = request.args.get("doctor", "")
    practitioner_id = uuid_of(doctor) if doctor else None
    with unit_of_work() as work:
        day = bookings.day_counts(work, desk.facility_id, business_date(now()))
        page = bookings.day_page(
            work, desk.facility_id, practitioner_id, business_date(now()), limit=_MOST_IN_LIST
        )
        shown = list(page.items)
        note_list(work, desk, shown)
    return render_template(
        "desk/today.html",
        **_frame(desk, "today"),
        appointments=shown,
        doctors=_doctors(day),
        doctor=doctor,
        total=sum(each.count for each in day),
    )


@pages.get("/staff-calls")
@guarded("desk.enter")
def staff_calls() -> ResponseReturnValue:
    """Show what the kiosks call for: the part of each page that changes by itself."""
    calls = queues.open_staff_calls(session(), _desk().facility_id)
    return render_template("desk/_calls.html", staff_calls=calls)


@pages.post("/staff-calls/<uuid:call_id>/answer")
@guarded("staff-call.answer")
def answer_staff_call(call_id: UUID) -> ResponseReturnValue:
    """Say that I go to the kiosk."""
    with unit_of_work() as work:
        permit("staff-call.answer", queues.facility_of_staff_call(work, call_id))
        queueing.answer_staff_call(work, principal(), call_id, now=now())
    return redirect(url_for("desk.home"), 303)


def _home(text: str, errors: dict[str, Any]) -> str:
    desk = _desk()
    day = bookings.day_counts(session(), desk.facility_id, business_date(now()))
    counts = {
        status: sum(each.count for each in day if each.status == status) for status in AppointmentStatus
    }
    return render_template(
        "desk/home.html",
        **_frame(desk),
        box=text,
        errors=errors,
        counts=counts,
        doctors=_doctors(day),
    )


def _doctors(day: list[DayCount]) -> list[tuple[PractitionerRef, int, int]]:
    """Return who sees patients today: the doctor, how many are booked, how many have come."""
    booked: Counter[PractitionerRef] = Counter()
    come: Counter[PractitionerRef] = Counter()
    for each in day:
        if each.status != AppointmentStatus.CANCELLED:
            booked[each.practitioner] += each.count
        if each.status in (AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED):
            come[each.practitioner] += each.count
    return [(doctor, count, come[doctor]) for doctor, count in booked.items()]
