"""Numbers at the desk: checking in, and walking in."""

from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.booking.attempts import attempted
from telehealth.booking.queries import AppointmentView
from telehealth.core.errors import BadRequest, DomainError, http_status
from telehealth.core.ids import new_id
from telehealth.desk import services
from telehealth.desk.errors import NoQueue
from telehealth.desk.frame import desk_here as _desk
from telehealth.desk.frame import frame as _frame
from telehealth.desk.frame import known_person as _seen
from telehealth.desk.given import uuid_of
from telehealth.desk.routes.appointments import appointment_page
from telehealth.desk.routes.blueprint import pages
from telehealth.desk.routes.looking import choice_of, person_page
from telehealth.desk.routes.paper import qr
from telehealth.patients import services as people
from telehealth.queueing import queries as queues
from telehealth.queueing import services as queueing
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.services import TicketView
from telehealth.visits import services as visits
from telehealth.web.context import (
    cipher,
    now,
    permit,
    principal,
    settings,
    unit_of_work,
)
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded

_MISSING = "field-required"


@pages.post("/people/<uuid:patient_id>/number")
@guarded("desk.enter")
@attempted
def walk_in(patient_id: UUID) -> ResponseReturnValue:
    """Give somebody without an appointment a number."""
    desk = _desk()
    if not request.form.get("queue"):
        refused = NoQueue({"queue": [_MISSING]})
        return person_page(patient_id, choice_of({}), form_errors(refused)), http_status(refused)
    queue_id = uuid_of(request.form["queue"])
    press_key = _press_key()
    with unit_of_work() as work:
        view = _seen(work, patient_id)
        queue = queues.queue_by_id(work, queue_id)
        if queue is None or queue.facility_id != desk.facility_id:
            raise BadRequest
        visits.name_the_person(work, principal(), desk.facility_id, view.id)
        ticket = queueing.take_number(
            work,
            principal(),
            queue_id,
            priority=_priority(),
            press_key=press_key,
            now=now(),
            cipher=cipher(),
            patient_id=view.id,
        )
        people.link_facility(work, view.id, desk.facility_id, now())
    return _ticket_page(ticket, None, patient_id)


@pages.post("/appointments/<uuid:appointment_id>/check-in")
@guarded("desk.enter")
@attempted
def check_in(appointment_id: UUID) -> ResponseReturnValue:
    """Check in and show the number; again, the same number."""
    desk = _desk()
    try:
        with unit_of_work() as work:
            view = services.appointment(work, desk, appointment_id)
            permit("appointment.check-in", view.facility.id)
            if view.patient_id is not None:
                visits.name_the_person(work, principal(), view.facility.id, view.patient_id)
            ticket = queueing.check_in(
                work,
                principal(),
                appointment_id,
                press_key=str(new_id()),
                now=now(),
                cipher=cipher(),
                priority=_priority(),
            )
    except DomainError as error:
        return appointment_page(appointment_id, form_errors(error)), http_status(error)
    return _ticket_page(ticket, view, view.patient_id)


def _ticket_page(ticket: TicketView, view: AppointmentView | None, patient_id: UUID | None) -> str:
    desk = _desk()
    follow = url_for("queueing.follow", public_token=ticket.public_token, _external=False)
    return render_template(
        "desk/number.html",
        **_frame(desk),
        ticket=ticket,
        view=view,
        patient_id=patient_id,
        qr=qr(settings().slip_base_url + follow),
    )


def _priority() -> PriorityClass:
    given = request.form.get("priority", "")
    return next((each for each in PriorityClass if each.value == given), PriorityClass.NONE)


def _press_key() -> str:
    key = request.form.get("press_key", "")[:100]
    if not key:
        raise BadRequest
    return key
