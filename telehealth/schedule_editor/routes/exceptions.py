"""Days that are not as the roster says: leave, closures, extra sessions, days that work like others."""

from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.clock import business_date
from telehealth.directory.codes import Modality
from telehealth.schedule_editor import forms, presentation, queries, services
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
from telehealth.scheduling.codes import ExceptionKind
from telehealth.scheduling.drafts import ExceptionDraft
from telehealth.scheduling.models import ScheduleException
from telehealth.scheduling.policies import DESK_DAYS_AHEAD, DESK_KINDS
from telehealth.web.context import may, now, session
from telehealth.web.guard import guarded


@pages.get("/exceptions")
@guarded("schedule.enter")
def exceptions() -> str:
    """List the exceptions that hold today or later."""
    facility_id = place()
    found = queries.exceptions(session(), facility_id, from_=business_date(now()))
    return render_template(
        "schedule_editor/exceptions.html",
        **frame(facility_id, "exceptions"),
        exceptions=sorted(found, key=lambda row: (row.from_date, row.start_minute or 0, row.id)),
        people=queries.people(session(), facility_id),
        services=queries.services(session(), facility_id),
        who=presentation.who,
        minute=forms.written_minute,
        kinds=_kinds(facility_id),
    )


@pages.get("/exceptions/new")
@guarded("schedule.adjust")
def new_exception() -> str:
    """Show the form of an exception, filled as far as the address says."""
    asked, today = request.args, business_date(now()).isoformat()
    given = {
        "kind": [asked.get("kind", ExceptionKind.LEAVE.value)],
        "practitioner_id": [asked.get("doctor", "")],
        "service_id": [asked.get("service", "")],
        "from_date": [asked.get("day", today)],
        "to_date": [asked.get("to", asked.get("day", today))],
        "start_minute": [asked.get("start", "")],
        "end_minute": [asked.get("end", "")],
        "room": [asked.get("room", "")],
        "modality": [asked.get("modality", Modality.IN_PERSON.value)],
        "slot_minutes": [asked.get("slot", "10")],
        "capacity": [asked.get("capacity", "1")],
    }
    return _page(place("schedule.adjust"), None, given, {})


@pages.post("/exceptions")
@guarded("schedule.adjust")
def add_exception() -> ResponseReturnValue:
    """Show what an exception does, or add it."""
    facility_id = place("schedule.adjust")

    def asked() -> Edit:
        draft = forms.read_exception(request.form)
        services.allow_exception(editor(facility_id), draft, now())
        return edit(editing.add_exception, editor(facility_id), draft, now=now())

    return decide(
        facility_id,
        "exceptions",
        asked,
        lambda errors: _page(facility_id, None, forms.form_values(request.form), errors),
        url_for("schedule_editor.exceptions"),
    )


@pages.get("/exceptions/<uuid:exception_id>")
@guarded("schedule.adjust")
def show_exception(exception_id: UUID) -> str:
    """Show an exception to change or withdraw it."""
    facility_id = place("schedule.adjust")
    row = queries.exception(session(), facility_id, exception_id)
    return _page(facility_id, row, _values(row), {})


@pages.post("/exceptions/<uuid:exception_id>")
@guarded("schedule.adjust")
def change_exception(exception_id: UUID) -> ResponseReturnValue:
    """Show what changing or withdrawing an exception does, or do it."""
    facility_id = place("schedule.adjust")
    row = queries.exception(session(), facility_id, exception_id)
    stored = queries.draft_of(row)
    return decide(
        facility_id,
        "exceptions",
        lambda: _asked(facility_id, exception_id, stored),
        lambda errors: _page(facility_id, row, forms.form_values(request.form), errors),
        url_for("schedule_editor.exceptions"),
    )


def _asked(facility_id: UUID, exception_id: UUID, stored: ExceptionDraft) -> Edit:
    services.allow_exception(editor(facility_id), stored, now())
    if request.form.get("end"):
        return edit(editing.withdraw_exception, editor(facility_id), exception_id, version(), now=now())
    draft = forms.read_exception(request.form)
    services.allow_exception(editor(facility_id), draft, now())
    return edit(editing.change_exception, editor(facility_id), exception_id, version(), draft, now=now())


def _kinds(facility_id: UUID) -> list[str]:
    """Return the kinds that the caller may write, the commonest first."""
    order = (ExceptionKind.LEAVE, ExceptionKind.EXTRA, ExceptionKind.CLOSED, ExceptionKind.WORKS_LIKE)
    all_of_them = may("schedule.change", facility_id)
    return [kind.value for kind in order if all_of_them or kind in DESK_KINDS]


def _values(row: ScheduleException) -> Values:
    return {
        "kind": [row.kind],
        "practitioner_id": [str(row.practitioner_id or "")],
        "service_id": [str(row.service_id or "")],
        "from_date": [row.from_date.isoformat()],
        "to_date": [row.to_date.isoformat()],
        "start_minute": [forms.written_minute(row.start_minute)],
        "end_minute": [forms.written_minute(row.end_minute)],
        "modality": [row.modality or Modality.IN_PERSON.value],
        "slot_minutes": [str(row.slot_minutes or 10)],
        "capacity": [str(row.capacity or 1)],
        "room": [row.room or ""],
        "like_weekday": [str(row.like_weekday if row.like_weekday is not None else 0)],
        "note": [row.note],
        "version": [str(row.version)],
    }


def _page(facility_id: UUID, row: ScheduleException | None, values: Values, errors: Errors) -> str:
    return render_template(
        "schedule_editor/exception.html",
        **frame(facility_id, "exceptions"),
        exception=row,
        values=values,
        errors=errors,
        kinds=_kinds(facility_id),
        people=queries.people(session(), facility_id),
        services=queries.services(session(), facility_id),
        who=presentation.who,
        desk_days=DESK_DAYS_AHEAD,
    )
