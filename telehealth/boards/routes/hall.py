"""Watching a hall, and its figures: for the desk and the facility's administrator."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.boards.charts import wait_chart
from telehealth.boards.figures import By, Figures, figures, total
from telehealth.boards.hall import hall as hall_now
from telehealth.boards.spans import days
from telehealth.core.clock import business_date
from telehealth.core.errors import NotFound, Unprocessable
from telehealth.core.principal import Role
from telehealth.directory import queries as directory
from telehealth.queueing.queries import facility_of_staff_call
from telehealth.queueing.services import answer_staff_call
from telehealth.web.context import now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import format_date, t
from telehealth.web.workplace import workplace

hall = Blueprint("hall", __name__, template_folder="../templates", url_prefix="/hall")


@hall.get("")
@guarded("hall.watch")
def watch() -> str:
    """Show every queue and room of a facility as they are now; `?part=state` is what changes by itself."""
    facility_id = _here("hall.watch")
    with unit_of_work() as work:
        state = hall_now(work, facility_id, now())
    part = "boards/_hall.html" if request.args.get("part") == "state" else "boards/hall.html"
    return render_template(part, **_frame(facility_id, "hall"), hall=state, now=now())


@hall.post("/staff-calls/<uuid:call_id>/answer")
@guarded("staff-call.answer")
def answer(call_id: UUID) -> ResponseReturnValue:
    """Say that I go to the kiosk."""
    with unit_of_work() as work:
        permit("staff-call.answer", facility_of_staff_call(work, call_id))
        answer_staff_call(work, principal(), call_id, now=now())
    return redirect(url_for("hall.watch"), 303)


@hall.get("/figures")
@guarded("hall.figures")
def show_figures() -> ResponseReturnValue:
    """Show how long people waited and who left, as charts and tables."""
    facility_id = _here("hall.figures")
    today = business_date(now())
    try:
        first, last = days(_day("from"), _day("to"), today)
    except Unprocessable as error:
        return _figures_page(facility_id, today, today, form_errors(error)), 422
    return _figures_page(facility_id, first, last, {})


def _figures_page(facility_id: UUID, first: date, last: date, errors: dict[str, Any]) -> str:
    today = business_date(now())
    with unit_of_work() as work:
        told = {by: figures(work, facility_id, first, last, by, today=today) for by in By}
        whole = total(work, facility_id, first, last, today=today)
    if first == last:
        del told[By.DAY]
    labelled = {by: [(_label(by, each), each) for each in found] for by, found in told.items()}
    return render_template(
        "boards/figures.html",
        **_frame(facility_id, "figures"),
        first=first,
        last=last,
        today=today,
        errors=errors,
        total=whole,
        tables=labelled,
        charts={by: wait_chart(found) for by, found in labelled.items()},
    )


def _label(by: By, each: Figures) -> str:
    if each.key is None:
        return t("boards-no-room")
    return format_date(date.fromisoformat(each.key), "short") if by is By.DAY else each.key


def _day(name: str) -> date | None:
    given = request.args.get(name, "").strip()
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise Unprocessable({name: ["error-invalid"]}) from error


def _here(action: str) -> UUID:
    facility_id = workplace(principal().facilities(Role.DESK, Role.FACILITY_ADMIN))
    if facility_id is None:
        raise NotFound
    permit(action, facility_id)
    return facility_id


def _frame(facility_id: UUID, current: str) -> dict[str, Any]:
    return {"facility": directory.facility(session(), facility_id), "current": current}
