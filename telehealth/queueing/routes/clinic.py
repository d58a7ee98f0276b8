"""The day of a room: who comes, who waits, call, begin, note, finish."""

from collections import Counter
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from telehealth.audit import services as audit
from telehealth.audit.services import Entry
from telehealth.booking import queries as booking
from telehealth.booking.attempts import attempted
from telehealth.booking.conditions import conditions_of
from telehealth.booking.queries import AppointmentView
from telehealth.core.clock import business_date
from telehealth.core.errors import Conflict, NotFound, Unprocessable
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.encounters import queries as encounter_queries
from telehealth.encounters import services as encounters
from telehealth.encounters.rules import MAX_NOTE
from telehealth.queueing import queries, services
from telehealth.queueing.codes import PriorityClass
from telehealth.queueing.queries import QueueView
from telehealth.web.context import cipher, may, now, outbox, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded
from telehealth.web.localization import t

clinic = Blueprint("clinic", __name__, url_prefix="/clinic", template_folder="../templates")

_POINT = "clinic_point"
_QUEUE = "clinic_queue"
_LONGEST_NUMBER = 20


@clinic.get("")
@guarded("clinic.use")
def day() -> ResponseReturnValue:
    """Show the day; `?part=line` is just what changes by itself, and names nobody."""
    with unit_of_work() as work:
        queue, point = _here(work)
        facility_id = queue.facility_id if queue else _facility_id()
        permit("clinic.use", facility_id)
        values = {
            "facility": directory.facility(work, facility_id),
            "queue": queue,
            "point": point,
            "staff_calls": queries.open_staff_calls(work, facility_id),
            "now": now(),
            **(_state(work, queue, point) if queue else {}),
        }
        if request.args.get("part") == "line":
            return render_template("queueing/_clinic_line.html", **values)
        asked = [request.args.get(name, "").strip()[:_LONGEST_NUMBER] for name in ("one", "other")]
        appointments = _appointments(work, facility_id)
        return render_template(
            "queueing/clinic.html",
            **values,
            **_visit(work, facility_id, values.get("current")),
            places=_places(work, facility_id),
            appointments=appointments,
            conditions=conditions_of(work, [view.id for view in appointments], cipher()),
            counts=_counts(work, facility_id),
            asked=asked,
            between=values["line"].between(*asked, now()) if queue and all(asked) else None,
        )


@clinic.post("/place")
@guarded("clinic.use")
def choose_place() -> ResponseReturnValue:
    """Remember which room or desk this screen calls to."""
    queue_id, _, point = request.form.get("place", "").partition("/")
    with unit_of_work() as work:
        queue = queries.queue_by_id(work, _uuid(queue_id))
        if queue is None:
            raise NotFound
        permit("clinic.use", queue.facility_id)
        if _uuid(point) not in {each for each, _name in queries.points_of(work, queue, business_date(now()))}:
            raise NotFound
    cookie[_QUEUE], cookie[_POINT] = queue_id, point
    return redirect(url_for("clinic.day"), 303)


@clinic.post("/call-next")
@guarded("queue.call")
@attempted
def call_next() -> ResponseReturnValue:
    """Call whoever is next to this room, from its queue or another that it serves."""
    with unit_of_work() as work:
        queue, point = _here(work)
        if request.form.get("queue"):
            queue = queries.queue_by_id(work, _uuid(request.form["queue"]))
        if queue is None:
            raise NotFound
        permit("queue.call", queue.facility_id)
        services.call_next(
            work,
            principal(),
            queue.id,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
            service_point_id=point,
        )
    return redirect(url_for("clinic.day"), 303)


@clinic.post("/tickets/<uuid:ticket_id>/priority")
@guarded("ticket.priority")
def grant_priority(ticket_id: UUID) -> ResponseReturnValue:
    """Confirm, set or take away a statutory class, as the person stands before one."""
    try:
        priority = PriorityClass(request.form.get("priority", ""))
    except ValueError as error:
        raise Unprocessable({"priority": ["error-invalid"]}) from error
    with unit_of_work() as work:
        permit("ticket.priority", queries.facility_of_ticket(work, ticket_id))
        services.grant_priority(work, principal(), ticket_id, priority, now=now())
    return redirect(url_for("clinic.day"), 303)


@clinic.post(
    "/tickets/<uuid:ticket_id>/<any(recall, skip, park, return, start, done, here, 'undo-call'):step>"
)
@guarded("ticket.step")
@attempted
def take_step(ticket_id: UUID, step: str) -> ResponseReturnValue:
    """Move a ticket on."""
    with unit_of_work() as work:
        permit("ticket.step", queries.facility_of_ticket(work, ticket_id))
        services.take(work, principal(), ticket_id, step, now=now(), cipher=cipher())
    return redirect(url_for("clinic.day"), 303)


@clinic.post("/encounters/<uuid:encounter_id>/note")
@guarded("encounter.note")
def write_note(encounter_id: UUID) -> ResponseReturnValue:
    """Keep the practitioner's short note."""
    note = request.form.get("note", "").replace("\r\n", "\n").strip()
    with unit_of_work() as work:
        found = encounter_queries.encounter(work, encounter_id)
        if found is None:
            raise NotFound
        permit("encounter.note", found.facility_id)
        if len(note) > MAX_NOTE:
            raise Unprocessable({"note": ["field-note-too-long"]})
        encounters.write_note(work, principal(), encounter_id, note, now=now(), cipher=cipher())
    flash(t("clinic-note-saved"), "success")
    return redirect(url_for("clinic.day"), 303)


@clinic.post("/staff-calls/<uuid:call_id>/answer")
@guarded("staff-call.answer")
def answer_staff_call(call_id: UUID) -> ResponseReturnValue:
    """Say that I go to the kiosk."""
    with unit_of_work() as work:
        permit("staff-call.answer", queries.facility_of_staff_call(work, call_id))
        services.answer_staff_call(work, principal(), call_id, now=now())
    return redirect(url_for("clinic.day"), 303)


@clinic.errorhandler(Conflict)
def moved_on(error: Conflict) -> ResponseReturnValue:
    """Show the day as it is now, with what went otherwise than expected."""
    flash(error_text(error), "warning")
    return redirect(url_for("clinic.day"), 303)


def _state(work: Session, queue: QueueView, point: UUID | None) -> dict[str, Any]:
    line = queries.line(work, queue, business_date(now()), now())
    others = [] if point is None else queries.other_lines(work, queue, point, now())
    lines = [line, *others]
    mine = [
        each
        for one in lines
        for each in (*one.called, *one.serving)
        if each.service_point_id in (None if one is line else point, point)
    ]
    current = max(mine, key=lambda each: (each.status == "serving", each.called_at), default=None)
    return {
        "line": line,
        "mine": mine,
        "current": current,
        "others": [(each.queue, len(each.waiting)) for each in others],
        "classes": [(each.value, t(f"queue-priority-{each.value}")) for each in PriorityClass][1:],
    }


def _visit(work: Session, facility_id: UUID, current: queries.LineTicket | None) -> dict[str, Any]:
    encounter_id = queries.encounter_of_ticket(work, current.id) if current else None
    if encounter_id is None or not may("encounter.note", facility_id):
        return {"encounter_id": None, "note": None}
    note = encounter_queries.note(work, principal(), encounter_id, now=now(), cipher=cipher())
    return {"encounter_id": encounter_id, "note": note}


def _appointments(work: Session, facility_id: UUID) -> list[AppointmentView]:
    """Return the practitioner's own day with its names, and leave it in the trail."""
    practitioner_id = principal().practitioner_id
    if practitioner_id is None:
        return []
    found = booking.day_list(work, facility_id, practitioner_id, business_date(now()))
    people = sorted({view.patient_id for view in found if view.patient_id is not None})
    entries = [Entry("booking.list", "Appointment", None, each, facility_id) for each in people]
    audit.record(work, principal(), *entries, now=now())
    return found


def _counts(work: Session, facility_id: UUID) -> Counter[str]:
    """Return the facility's day in figures, for those who have no day of their own."""
    counts: Counter[str] = Counter()
    if principal().practitioner_id is None:
        for each in booking.day_counts(work, facility_id, business_date(now())):
            counts[each.status] += each.count
    return counts


def _here(work: Session) -> tuple[QueueView | None, UUID | None]:
    """The place this screen was set to, else the room where the practitioner sits today."""
    chosen = cookie.get(_QUEUE)
    if chosen:
        queue = queries.queue_by_id(work, _uuid(chosen))
        if queue is not None and may("clinic.use", queue.facility_id):
            return queue, _uuid(cookie.get(_POINT, ""))
    practitioner_id = principal().practitioner_id
    queue = queries.queue_of_practitioner(work, practitioner_id, now()) if practitioner_id else None
    return queue, queue.service_point_id if queue else None


def _places(work: Session, facility_id: UUID) -> list[tuple[str, str]]:
    queues = queries.queues_of(work, facility_id)
    points = queries.points_by_queue(work, [queue.id for queue in queues], business_date(now()))
    return [(f"{queue.id}/{point}", name) for queue in queues for point, name in points.get(queue.id, [])]


def _facility_id() -> UUID:
    own = sorted(principal().facilities(Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN))
    if not own:
        raise NotFound
    return own[0]


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound from error
