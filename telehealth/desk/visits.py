"""The desk and visits: find one by its code, set its path right, look after what did not fit."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.booking.attempts import attempt, attempted
from telehealth.core.clock import business_date
from telehealth.core.errors import BadRequest, DomainError, Forbidden, NotFound, http_status
from telehealth.core.text import clean, whole_number
from telehealth.desk.frame import desk_here, frame
from telehealth.desk.given import version_of
from telehealth.directory.codes import ServicePointKind
from telehealth.queueing.queries import queues_of
from telehealth.visits import queries, services
from telehealth.visits.codes import Coverage, EventState, ResultsAt, TestsFirst
from telehealth.visits.rules import Path
from telehealth.web.context import cipher, may, now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded
from telehealth.web.localization import t

visits = Blueprint("desk-visits", __name__, template_folder="templates", url_prefix="/desk")

_LONGEST_REASON = 200
_SHORTEST_REASON = 3
_MOST_PLACES = 20


@visits.get("/visits")
@guarded("visit.repair")
def find() -> ResponseReturnValue:
    """Show the box for a code, who stands nowhere, and how much did not fit."""
    return _home()


@visits.post("/visits")
@guarded("visit.repair")
def look() -> ResponseReturnValue:
    """Look for a visit of today by its code."""
    desk, code = desk_here(), request.form.get("code", "").strip()[:10]
    try:
        with unit_of_work() as work:
            view = queries.visit_by_code(work, desk.facility_id, code, business_date(now()))
    except NotFound as error:
        return _home(code, error_text(error)), http_status(error)
    return redirect(url_for("desk-visits.show", visit_id=view.id), 303)


@visits.get("/visits/<uuid:visit_id>")
@guarded("visit.repair")
def show(visit_id: UUID) -> ResponseReturnValue:
    """Show a visit's path, and what can be set right."""
    return _page(visit_id)


@visits.post("/visits/<uuid:visit_id>/move")
@guarded("visit.repair")
def move(visit_id: UUID) -> ResponseReturnValue:
    """Send the person to another station."""
    try:
        queue_id = UUID(request.form.get("queue", ""))
    except ValueError as error:
        raise BadRequest from error

    def unit() -> None:
        with unit_of_work() as work:
            permit("visit.repair", queries.facility_of_visit(work, visit_id))
            services.move(
                work, principal(), visit_id, queue_id, now=now(), cipher=cipher(), version=version_of()
            )

    return _done(visit_id, unit, "visits-moved")


@visits.post("/visits/<uuid:visit_id>/end")
@guarded("visit.repair")
def end(visit_id: UUID) -> ResponseReturnValue:
    """End the visit."""

    def unit() -> None:
        with unit_of_work() as work:
            permit("visit.repair", queries.facility_of_visit(work, visit_id))
            services.finish(work, principal(), visit_id, now=now(), version=version_of())

    return _done(visit_id, unit, "visits-was-ended")


@visits.get("/visit-events")
@guarded("visit-event.settle")
def worklist() -> ResponseReturnValue:
    """Show what was said of visits and does not fit yet."""
    return _worklist()


@visits.post("/visit-events/<uuid:event_id>/retry")
@guarded("visit-event.settle")
@attempted
def retry(event_id: UUID) -> ResponseReturnValue:
    """Try an event again."""
    try:
        with unit_of_work() as work:
            permit("visit-event.settle", queries.event_by_id(work, event_id).facility_id)
            state = services.retry(work, principal(), event_id, now=now(), cipher=cipher())
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _worklist(error_text(error)), http_status(error)
    fits = state is EventState.APPLIED
    flash(t("visits-event-applied" if fits else "visits-event-still"), "success" if fits else "warning")
    return redirect(url_for("desk-visits.worklist"), 303)


@visits.post("/visit-events/<uuid:event_id>/dismiss")
@guarded("visit-event.settle")
@attempted
def dismiss(event_id: UUID) -> ResponseReturnValue:
    """Take an event off the list, for a reason."""
    reason = clean(request.form.get("reason", ""))[:_LONGEST_REASON]
    if len(reason) < _SHORTEST_REASON:
        return _worklist(t("visits-reason-missing")), 422
    try:
        with unit_of_work() as work:
            permit("visit-event.settle", queries.event_by_id(work, event_id).facility_id)
            services.dismiss(work, principal(), event_id, reason, now=now())
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _worklist(error_text(error)), http_status(error)
    flash(t("visits-event-dismissed"), "success")
    return redirect(url_for("desk-visits.worklist"), 303)


@visits.get("/visit-path")
@guarded("visit-path.change")
def path() -> ResponseReturnValue:
    """Show the facility's rule."""
    return _rule()


@visits.post("/visit-path")
@guarded("visit-path.change")
def change_path() -> ResponseReturnValue:
    """Change the facility's rule."""
    desk, form = desk_here(), request.form
    permit("visit-path.change", desk.facility_id)
    places = whole_number(form.get("places_ahead", ""))
    tests, results = form.get("tests", ""), form.get("results", "")
    fits = tests in set(TestsFirst) and results in set(ResultsAt)
    if not fits or places is None or places > _MOST_PLACES:
        return _rule(t("visits-path-wrong")), 422
    wanted = Path(
        pays_before_tests=frozenset(each for each in Coverage if each in form.getlist("pays_before_tests")),
        settles_at_end=frozenset(each for each in Coverage if each in form.getlist("settles_at_end")),
        tests=TestsFirst(tests),
        results=ResultsAt(results),
        places_ahead=places,
    )
    try:
        with unit_of_work() as work:
            services.set_path(work, principal(), desk.facility_id, wanted, version=version_of(), now=now())
    except DomainError as error:
        return _rule(error_text(error)), http_status(error)
    flash(t("visits-path-kept"), "success")
    return redirect(url_for("desk-visits.path"), 303)


def _home(code: str = "", refusal: str | None = None) -> str:
    desk = desk_here()
    with unit_of_work() as work:
        values: dict[str, Any] = {
            "open_count": queries.open_visits(work, desk.facility_id, now()),
            "nowhere": queries.nowhere(work, desk.facility_id, now()),
            "pending": queries.pending_count(work, desk.facility_id),
        }
    return render_template(
        "desk/visits.html",
        **frame(desk, "visits"),
        **values,
        code=code,
        refusal=refusal,
        may_rule=may("visit-path.change", desk.facility_id),
    )


def _page(visit_id: UUID, refusal: str | None = None) -> str:
    with unit_of_work() as work:
        view = queries.visit_view(work, visit_id)
        permit("visit.repair", view.facility_id)
        stations = [
            (str(queue.id), queue.name)
            for queue in queues_of(work, view.facility_id)
            if queue.kind is not ServicePointKind.EMERGENCY
        ]
    return render_template(
        "desk/visit.html", **frame(desk_here(), "visits"), visit=view, stations=stations, refusal=refusal
    )


def _worklist(refusal: str | None = None) -> str:
    desk = desk_here()
    with unit_of_work() as work:
        permit("visit-event.settle", desk.facility_id)
        events = queries.events(work, desk.facility_id, EventState.PENDING)
    return render_template("desk/visit_events.html", **frame(desk, "visits"), events=events, refusal=refusal)


def _rule(refusal: str | None = None) -> str:
    desk = desk_here()
    permit("visit-path.change", desk.facility_id)
    with unit_of_work() as work:
        rule = queries.path_of(work, desk.facility_id)
        version = queries.path_version(work, desk.facility_id)
    return render_template(
        "desk/visit_path.html",
        **frame(desk, "visits"),
        rule=rule,
        version=version,
        refusal=refusal,
        coverages=[_option(each, "visits") for each in Coverage],
        orders=[_option(each, "visits-tests") for each in TestsFirst],
        results=[_option(each, "visits-results-at") for each in ResultsAt],
    )


def _option(each: StrEnum, text: str) -> dict[str, str]:
    return {"value": each.value, "title": t(f"{text}-{each.value}")}


def _done(visit_id: UUID, unit: Any, text: str) -> ResponseReturnValue:
    try:
        attempt(unit)
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _page(visit_id, error_text(error)), http_status(error)
    flash(t(text), "success")
    return redirect(url_for("desk-visits.show", visit_id=visit_id), 303)
