"""Times when nobody is booked."""

from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.clock import business_date, local
from telehealth.core.principal import Role
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
from telehealth.scheduling.drafts import OVERRIDING_ROLES, BlockingDraft
from telehealth.scheduling.models import Blocking
from telehealth.scheduling.policies import DESK_DAYS_AHEAD
from telehealth.web.context import now, session
from telehealth.web.guard import guarded


@pages.get("/blockings")
@guarded("schedule.enter")
def blockings() -> str:
    """List what is blocked now or later."""
    facility_id = place()
    found = queries.blockings(session(), facility_id, from_=now())
    return render_template(
        "schedule_editor/blockings.html",
        **frame(facility_id, "blockings"),
        blockings=sorted(found, key=lambda row: (row.from_at, row.id)),
        people=queries.people(session(), facility_id),
        resources={row.id: row for row in queries.resources(session(), facility_id)},
        who=presentation.who,
    )


@pages.get("/blockings/new")
@guarded("schedule.adjust")
def new_blocking() -> str:
    """Show the form of a blocking, filled as far as the address says."""
    asked, today = request.args, business_date(now()).isoformat()
    given = {
        "subject": [asked.get("subject", "practitioner")],
        "practitioner_id": [asked.get("doctor", "")],
        "resource_id": [asked.get("resource", "")],
        "from_date": [asked.get("day", today)],
        "to_date": [asked.get("day", today)],
        "start_minute": [asked.get("start", "07:30")],
        "end_minute": [asked.get("end", "11:30")],
        "override_roles": [Role.FACILITY_ADMIN.value],
    }
    return _page(place("schedule.adjust"), None, given, {})


@pages.post("/blockings")
@guarded("schedule.adjust")
def add_blocking() -> ResponseReturnValue:
    """Show what a blocking does, or make it."""
    facility_id = place("schedule.adjust")

    def asked() -> Edit:
        draft = forms.read_blocking(request.form)
        services.allow_blocking(editor(facility_id), draft, now())
        return edit(editing.add_blocking, editor(facility_id), draft, now=now())

    return decide(
        facility_id,
        "blockings",
        asked,
        lambda errors: _page(facility_id, None, forms.form_values(request.form), errors),
        url_for("schedule_editor.blockings"),
    )


@pages.get("/blockings/<uuid:blocking_id>")
@guarded("schedule.adjust")
def show_blocking(blocking_id: UUID) -> str:
    """Show a blocking to change or lift it."""
    facility_id = place("schedule.adjust")
    row = queries.blocking(session(), facility_id, blocking_id)
    return _page(facility_id, row, _values(row), {})


@pages.post("/blockings/<uuid:blocking_id>")
@guarded("schedule.adjust")
def change_blocking(blocking_id: UUID) -> ResponseReturnValue:
    """Show what changing or lifting a blocking does, or do it."""
    facility_id = place("schedule.adjust")
    row = queries.blocking(session(), facility_id, blocking_id)
    stored = queries.blocking_draft_of(row)
    return decide(
        facility_id,
        "blockings",
        lambda: _asked(facility_id, blocking_id, stored),
        lambda errors: _page(facility_id, row, forms.form_values(request.form), errors),
        url_for("schedule_editor.blockings"),
    )


def _asked(facility_id: UUID, blocking_id: UUID, stored: BlockingDraft) -> Edit:
    services.allow_blocking(editor(facility_id), stored, now())
    if request.form.get("end"):
        return edit(editing.lift_blocking, editor(facility_id), blocking_id, version(), now=now())
    draft = forms.read_blocking(request.form)
    services.allow_blocking(editor(facility_id), draft, now())
    return edit(editing.change_blocking, editor(facility_id), blocking_id, version(), draft, now=now())


def _values(row: Blocking) -> Values:
    begin, end = local(row.from_at), local(row.to_at)
    subject = "practitioner" if row.practitioner_id else "resource" if row.resource_id else "facility"
    return {
        "subject": [subject],
        "practitioner_id": [str(row.practitioner_id or "")],
        "resource_id": [str(row.resource_id or "")],
        "from_date": [begin.date().isoformat()],
        "to_date": [end.date().isoformat()],
        "start_minute": [f"{begin:%H:%M}"],
        "end_minute": [f"{end:%H:%M}"],
        "reason": [row.reason],
        "override_roles": list(row.override_roles),
        "version": [str(row.version)],
    }


def _page(facility_id: UUID, row: Blocking | None, values: Values, errors: Errors) -> str:
    return render_template(
        "schedule_editor/blocking.html",
        **frame(facility_id, "blockings"),
        blocking=row,
        values=values,
        errors=errors,
        people=queries.people(session(), facility_id),
        resources=[each for each in queries.resources(session(), facility_id) if each.active],
        roles=[role.value for role in OVERRIDING_ROLES],
        who=presentation.who,
        desk_days=DESK_DAYS_AHEAD,
    )
