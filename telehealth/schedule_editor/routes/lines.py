"""Roster lines: the list, and the form to add, change from a day on, or end one."""

from datetime import date
from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.clock import business_date
from telehealth.directory.codes import Modality
from telehealth.schedule_editor import forms, presentation, queries
from telehealth.schedule_editor.queries import LineView
from telehealth.schedule_editor.routes.blueprint import (
    Errors,
    Values,
    decide,
    editor,
    frame,
    pages,
    place,
    version,
)
from telehealth.schedule_editor.services import Edit, edit
from telehealth.scheduling import editing
from telehealth.scheduling.codes import Door, SessionMode
from telehealth.web.context import now, session
from telehealth.web.guard import guarded


@pages.get("/lines")
@guarded("schedule.enter")
def lines() -> str:
    """List the lines that hold now or later, by doctor."""
    facility_id, doctor = place(), forms.read_key(request.args.get("doctor", ""))
    people = queries.people(session(), facility_id)
    found = queries.lines(session(), facility_id, from_=business_date(now()), practitioner_id=doctor)
    order = {key: position for position, key in enumerate(people)}
    found.sort(
        key=lambda each: (
            order.get(each.row.practitioner_id, len(order)),
            min(each.row.weekdays),
            each.row.start_minute,
            each.row.valid_from,
        )
    )
    return render_template(
        "schedule_editor/lines.html",
        **frame(facility_id, "lines"),
        lines=found,
        people=people,
        services=queries.services(session(), facility_id),
        doctor=doctor or "",
        who=presentation.who,
        minute=forms.written_minute,
        today=business_date(now()),
    )


@pages.get("/lines/new")
@guarded("schedule.change")
def new_line() -> str:
    """Show the form of a new line, filled as far as the address says."""
    asked = request.args
    given = {
        "practitioner_id": [asked.get("doctor", "")],
        "weekdays": asked.getlist("weekday"),
        "room": [asked.get("room", "")],
        "start_minute": [asked.get("start", "07:30")],
        "end_minute": [asked.get("end", "11:30")],
        "valid_from": [asked.get("day", business_date(now()).isoformat())],
        "modality": [Modality.IN_PERSON.value],
        "mode": [SessionMode.SLOT.value],
        "slot_minutes": ["10"],
    }
    return _page(place("schedule.change"), None, given, {})


@pages.post("/lines")
@guarded("schedule.change")
def add_line() -> ResponseReturnValue:
    """Show what a new line does, or add it."""
    facility_id = place("schedule.change")
    return decide(
        facility_id,
        "lines",
        lambda: edit(editing.add_line, editor(facility_id), forms.read_line(request.form), now=now()),
        lambda errors: _page(facility_id, None, forms.form_values(request.form), errors),
        url_for("schedule_editor.lines"),
    )


@pages.get("/lines/<uuid:line_id>")
@guarded("schedule.change")
def show_line(line_id: UUID) -> str:
    """Show a line to change it from a day on."""
    facility_id = place("schedule.change")
    found = queries.line(session(), facility_id, line_id)
    today = business_date(now())
    first = max(forms.read_day(request.args.get("day", "")) or today, today, found.row.valid_from)
    return _page(facility_id, found, _values(found, first), {})


@pages.post("/lines/<uuid:line_id>")
@guarded("schedule.change")
def change_line(line_id: UUID) -> ResponseReturnValue:
    """Show what changing or ending a line does, or do it."""
    facility_id = place("schedule.change")
    found = queries.line(session(), facility_id, line_id)
    return decide(
        facility_id,
        "lines",
        lambda: _asked(facility_id, line_id),
        lambda errors: _page(facility_id, found, forms.form_values(request.form), errors),
        url_for("schedule_editor.lines"),
    )


def _asked(facility_id: UUID, line_id: UUID) -> Edit:
    if request.form.get("end"):
        fields = forms.Fields(request.form)
        last_day = fields.day("last_day")
        fields.done()
        return edit(editing.end_line, editor(facility_id), line_id, version(), last_day, now=now())
    draft = forms.read_line(request.form)
    return edit(
        editing.change_line,
        editor(facility_id),
        line_id,
        version(),
        draft,
        from_day=draft.valid_from,
        now=now(),
    )


def _values(found: LineView, first: date) -> Values:
    row = found.row
    values = {
        "practitioner_id": [str(row.practitioner_id)],
        "service_id": [str(row.service_id)],
        "modality": [row.modality],
        "weekdays": [str(day) for day in row.weekdays],
        "start_minute": [forms.written_minute(row.start_minute)],
        "end_minute": [forms.written_minute(row.end_minute)],
        "slot_minutes": [str(row.slot_minutes)],
        "capacity": [str(row.capacity)],
        "room": [row.room],
        "valid_from": [first.isoformat()],
        "valid_to": [row.valid_to.isoformat() if row.valid_to else ""],
        "every_weeks": [str(row.every_weeks)],
        "mode": [row.mode],
        "lead_minutes": [str(row.lead_minutes)],
        "tail_minutes": [str(row.tail_minutes)],
        "overbook_most": [str(row.overbook_most)],
        "further_service_ids": [str(key) for key in found.further_service_ids],
        "resource_ids": [str(key) for key in found.resource_ids],
        "version": [str(row.version)],
        "last_day": [first.isoformat()],
    }
    for quota in found.quotas:
        values[f"quota-{quota.door}"] = [str(quota.places)]
        values[f"falls-{quota.door}"] = [str(quota.falls_minutes // 60)]
    return values


def _page(facility_id: UUID, found: LineView | None, values: Values, errors: Errors) -> str:
    return render_template(
        "schedule_editor/line.html",
        **frame(facility_id, "lines"),
        line=found,
        values=values,
        errors=errors,
        people=queries.people(session(), facility_id),
        services=queries.services(session(), facility_id),
        resources=[row for row in queries.resources(session(), facility_id) if row.active],
        doors=list(Door),
        who=presentation.who,
    )
