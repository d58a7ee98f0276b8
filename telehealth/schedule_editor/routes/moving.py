"""Moving one session of one day, without touching the other weeks."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.schedule_editor import forms, presentation, queries, services
from telehealth.schedule_editor.queries import Block
from telehealth.schedule_editor.routes.blueprint import (
    Errors,
    Values,
    decide,
    editor,
    frame,
    pages,
    place,
)
from telehealth.schedule_editor.services import Edit, edit
from telehealth.scheduling import editing
from telehealth.web.context import now, session
from telehealth.web.guard import guarded

_SHOWN_AS = ("view", "by")


@pages.get("/sessions/<uuid:session_id>/move")
@guarded("schedule.adjust")
def move_session(session_id: UUID) -> str:
    """Show where a session could be moved, filled as far as the address says."""
    facility_id = place("schedule.adjust")
    block = queries.block(session(), facility_id, session_id)
    asked = request.args
    given = {
        "day": [asked.get("day", block.day.isoformat())],
        "start_minute": [asked.get("start", forms.written_minute(block.start_minute))],
        "end_minute": [asked.get("end", forms.written_minute(block.end_minute))],
        "practitioner_id": [asked.get("doctor", str(block.practitioner_id))],
        "room": [asked.get("room", block.room)],
        **{name: [asked[name]] for name in _SHOWN_AS if name in asked},
    }
    return _page(facility_id, block, given, {})


@pages.post("/sessions/<uuid:session_id>/move")
@guarded("schedule.adjust")
def do_move(session_id: UUID) -> ResponseReturnValue:
    """Show what moving a session does, or do it."""
    facility_id = place("schedule.adjust")
    block = queries.block(session(), facility_id, session_id)

    def asked() -> Edit:
        draft = forms.read_move(request.form)
        services.allow_days(editor(facility_id), [block.day, draft.day], now())
        return edit(editing.move_session, editor(facility_id), session_id, draft, now=now())

    return decide(
        facility_id,
        "calendar",
        asked,
        lambda errors: _page(facility_id, block, forms.form_values(request.form), errors),
        url_for("schedule_editor.calendar", day=_day_shown(block), **_shown_as()),
    )


def _day_shown(block: Block) -> date:
    """Return the day to go back to: where the session went, as far as that can be read."""
    return forms.read_day(request.form.get("day", "")) or block.day


def _shown_as() -> dict[str, Any]:
    """Return how the calendar was shown when a session was moved in it."""
    return {name: request.form[name] for name in _SHOWN_AS if name in request.form}


def _page(facility_id: UUID, block: Block, values: Values, errors: Errors) -> str:
    people = queries.people(session(), facility_id, {block.practitioner_id})
    return render_template(
        "schedule_editor/move.html",
        **frame(facility_id, "calendar"),
        block=block,
        values=values,
        errors=errors,
        people=people,
        doctor=presentation.who(people.get(block.practitioner_id)),
        who=presentation.who,
        time=f"{forms.written_minute(block.start_minute)}–{forms.written_minute(block.end_minute)}",
    )
