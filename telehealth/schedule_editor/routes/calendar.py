"""The calendar of a week or a day, and one session of it."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import render_template, request, url_for

from telehealth.core.clock import business_date
from telehealth.schedule_editor import forms, presentation, queries
from telehealth.schedule_editor.presentation import Grouping
from telehealth.schedule_editor.queries import Block
from telehealth.schedule_editor.routes.blueprint import frame, pages, place
from telehealth.web.context import now, session
from telehealth.web.guard import guarded

_WEEK = 7
_MOST_DAYS = 366


@pages.get("")
@guarded("schedule.enter")
def calendar() -> str:
    """Show a week or a day, by doctor or by room."""
    facility_id, today = place(), business_date(now())
    day, one_day = _asked_day(today), request.args.get("view") == "day"
    by = Grouping.ROOM if request.args.get("by") == Grouping.ROOM else Grouping.DOCTOR
    first = day if one_day else day - timedelta(days=day.weekday())
    found = queries.calendar(
        session(), facility_id, first, first if one_day else first + timedelta(days=_WEEK - 1), today
    )
    service, doctor = (forms.read_key(request.args.get(name, "")) for name in ("service", "doctor"))
    shown = _chosen(found.blocks, service, doctor)
    hours = presentation.hours_of(shown) if one_day else None
    rows = presentation.rows(found, shown, by, hours)
    if doctor is not None and by == Grouping.DOCTOR:
        rows = [row for row in rows if row.key == str(doctor)]
    return render_template(
        "schedule_editor/calendar.html",
        **frame(facility_id, "calendar"),
        heads=presentation.heads(found, shown),
        rows=rows,
        agenda=[presentation.card(block, found, Grouping.NEITHER) for block in shown if block.day == day],
        agenda_notes=presentation.day_notes(found, day),
        people=found.people,
        services=found.services,
        hours=hours,
        view="day" if one_day else "week",
        by=by.value,
        day=day,
        first=first,
        last=first if one_day else first + timedelta(days=_WEEK - 1),
        today=today,
        step=timedelta(days=1 if one_day else _WEEK),
        service=service or "",
        doctor=doctor or "",
        who=presentation.who,
        here=_addresses("day" if one_day else "week", by, day, service, doctor),
    )


@pages.get("/sessions/<uuid:session_id>")
@guarded("schedule.enter")
def show_session(session_id: UUID) -> str:
    """Show a session, and what can be done with it."""
    facility_id = place()
    block = queries.block(session(), facility_id, session_id)
    today = business_date(now())
    found = queries.calendar(session(), facility_id, block.day, block.day, today)
    return render_template(
        "schedule_editor/session.html",
        **frame(facility_id, "calendar"),
        card=presentation.card(block, found, Grouping.DOCTOR),
        block=block,
        doctor=presentation.who(found.people.get(block.practitioner_id)),
        ahead=block.day >= today,
        start=forms.written_minute(block.start_minute),
        end=forms.written_minute(block.end_minute),
    )


def _addresses(
    view: str, by: str, day: date, service: UUID | None, doctor: UUID | None
) -> Callable[[Mapping[str, str | None]], str]:
    """Return what makes the address of this page with some of it changed."""
    shown = {"view": view, "by": by, "day": day.isoformat(), "service": service, "doctor": doctor}

    def here(changed: Mapping[str, str | None]) -> str:
        values: dict[str, Any] = {**shown, **changed}
        return url_for("schedule_editor.calendar", **values)

    return here


def _chosen(blocks: tuple[Block, ...], service: UUID | None, doctor: UUID | None) -> list[Block]:
    return [
        block
        for block in blocks
        if service in (None, block.service_id) and doctor in (None, block.practitioner_id)
    ]


def _asked_day(today: date) -> date:
    """Return the day of the address, no further than a year away; today without one."""
    day = forms.read_day(request.args.get("day", "")) or today
    furthest = timedelta(days=_MOST_DAYS)
    return min(max(day, today - furthest), today + furthest)
