"""How a facility runs its queues: today, on one page for those who work there; and the admin's settings."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from telehealth.core.clock import at_local, business_date
from telehealth.core.errors import Conflict, DomainError, NotFound, Unprocessable, http_status
from telehealth.core.principal import Role
from telehealth.core.text import whole_number
from telehealth.directory import queries as directory
from telehealth.directory.models import ServicePoint
from telehealth.queueing import queries
from telehealth.queueing.codes import PauseReason
from telehealth.queueing.queries import Line, QueueView
from telehealth.queueing.rules import QueueSettings
from telehealth.queueing.schemas import QueueSettingsSchema
from telehealth.queueing.services import arranging
from telehealth.web.context import enter_again, now, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t

pages = Blueprint("halls", __name__, template_folder="../templates")

NUMBERS = tuple(name for name in QueueSettingsSchema().fields if name != "skips_by_itself")
_CLOCK = "web_until_minute"
_OPTIONAL = ("last_number", "daily_limit")


@pages.get("/clinic/queues")
@guarded("queue.line")
def own_halls() -> ResponseReturnValue:
    """Go to the queues of one's own facility."""
    own = sorted(principal().facilities(Role.PRACTITIONER, Role.DESK, Role.FACILITY_ADMIN))
    if not own:
        raise NotFound
    return redirect(url_for("halls.today", facility_id=own[0]))


@pages.get("/clinic/queues/<uuid:facility_id>")
@guarded("queue.line")
def today(facility_id: UUID) -> str:
    """Show every queue of today: who waits, which rooms call, what is paused or merged."""
    permit("queue.line", facility_id)
    with unit_of_work() as session:
        queues = queries.queues_of(session, facility_id)
        lines = queries.lines(session, queues, business_date(now()), now())
        busy = [queue for queue in queues if _in_use(lines[queue.id])]
        return render_template(
            "queueing/halls.html",
            facility=directory.facility(session, facility_id),
            queues=queues,
            names={queue.id: queue.name for queue in queues},
            busy=busy or queues,
            quiet=[queue for queue in queues if queue not in busy] if busy else [],
            lines=lines,
            points={queue.id: lines[queue.id].day.calling for queue in queues},
            rooms=_rooms(session, facility_id),
            reasons=[(each.value, t(f"halls-reason-{each.value}")) for each in PauseReason],
            now=now(),
        )


def _in_use(line: Line) -> bool:
    """Tell whether a queue is worth a glance today: it has people, has called, or was changed."""
    day = line.day
    changed = day.closed or day.pause is not None or day.merged_into is not None or day.merged_here
    return bool(line.waiting or line.absent or line.last_calls or changed or line.queue.points > 1)


@pages.post("/clinic/queues/<uuid:facility_id>/<uuid:queue_id>/<any(open, close, move):change>")
@guarded("queue.arrange")
def change_room(facility_id: UUID, queue_id: UUID, change: str) -> ResponseReturnValue:
    """Open or close a room for a queue today, or move the queue there."""
    point = _uuid(request.form.get("point", ""))
    with unit_of_work() as session:
        _here(session, facility_id, queue_id, "queue.arrange")
        if change == "move":
            arranging.move(session, principal(), queue_id, point, now=now())
        else:
            is_open = change == "open"
            arranging.set_room(session, principal(), queue_id, point, is_open=is_open, now=now())
    return _back(facility_id)


@pages.post("/clinic/queues/<uuid:facility_id>/<uuid:queue_id>/<any(merge, unmerge):change>")
@guarded("queue.arrange")
def change_merge(facility_id: UUID, queue_id: UUID, change: str) -> ResponseReturnValue:
    """Merge a queue into another, or take it out again."""
    with unit_of_work() as session:
        _here(session, facility_id, queue_id, "queue.arrange")
        if change == "merge":
            into = _uuid(request.form.get("into", ""))
            arranging.merge(session, principal(), queue_id, into, now=now())
        else:
            arranging.unmerge(session, principal(), queue_id, now=now())
    return _back(facility_id)


@pages.post("/clinic/queues/<uuid:facility_id>/<uuid:queue_id>/<any(pause, resume):change>")
@guarded("queue.pause")
def change_pause(facility_id: UUID, queue_id: UUID, change: str) -> ResponseReturnValue:
    """Pause a queue, or call again."""
    with unit_of_work() as session:
        _here(session, facility_id, queue_id, "queue.pause")
        if change == "pause":
            reason, until = _reason(), _until(request.form.get("until", ""))
            arranging.pause(session, principal(), queue_id, reason, until, now=now())
        else:
            arranging.resume(session, principal(), queue_id, now=now())
    return _back(facility_id)


@pages.get("/admin/facilities/<uuid:facility_id>/queues")
@guarded("queue.configure")
def settings(facility_id: UUID) -> str:
    """Show how each queue is run."""
    return _settings_page(facility_id, {}, None)


@pages.post("/admin/facilities/<uuid:facility_id>/queues/<uuid:queue_id>")
@guarded("queue.configure")
def set_settings(facility_id: UUID, queue_id: UUID) -> ResponseReturnValue:
    """Set how a queue is run."""
    permit("queue.configure", facility_id)
    try:
        with unit_of_work() as session:
            _here(session, facility_id, queue_id, "queue.configure")
            version = whole_number(request.form.get("version", "")) or 0
            arranging.configure(
                session, principal(), queue_id, _settings_of_form(), version=version, now=now()
            )
    except DomainError as error:
        enter_again()
        return _settings_page(facility_id, form_errors(error), queue_id), http_status(error)
    flash(t("halls-settings-saved"), "success")
    return redirect(url_for("halls.settings", facility_id=facility_id), 303)


@pages.errorhandler(Conflict)
@pages.errorhandler(Unprocessable)
def refused(error: DomainError) -> ResponseReturnValue:
    """Show the queues as they are, with what went otherwise than expected."""
    view = request.view_args or {}
    words = [
        text
        for texts in form_errors(error).values()
        for text in ([texts] if isinstance(texts, str) else texts)
    ]
    flash(" ".join(words) or error_text(error), "warning")
    return redirect(url_for("halls.today", facility_id=view["facility_id"]), 303)


def _settings_page(facility_id: UUID, errors: dict[str, Any], wrong: UUID | None) -> str:
    permit("queue.configure", facility_id)
    with unit_of_work() as session:
        return render_template(
            "queueing/settings.html",
            facility=directory.facility(session, facility_id),
            queues=queries.queues_of(session, facility_id),
            errors=errors,
            wrong=wrong,
            form=request.form,
            groups=_GROUPS,
            current="queues",
            others=(),
        )


_GROUPS = (
    ("numbers", ("first_number", "last_number", "daily_limit", "minutes_per_visit")),
    ("web", ("web_limit", "web_until_minute", "travel_minutes")),
    ("order", ("priority_run", "appointment_run", "early_minutes", "late_minutes")),
    ("calling", ("calls_before_missed", "max_passed", "return_places", "near")),
)


def _settings_of_form() -> QueueSettings:
    given: dict[str, Any] = {name: request.form.get(name, "").strip() for name in NUMBERS}
    given[_CLOCK] = _minute(given[_CLOCK])
    values = {name: None if value == "" and name in _OPTIONAL else value for name, value in given.items()}
    values["skips_by_itself"] = request.form.get("skips_by_itself") == "yes"
    try:
        return QueueSettings(**QueueSettingsSchema().load(values))
    except ValidationError as error:
        raise Unprocessable(cast("dict[str, list[str]]", error.messages)) from error


def _minute(clock: str) -> int | str:
    hour, _, minute = clock.partition(":")
    found = whole_number(hour), whole_number(minute)
    if None in found or not (0 <= found[0] < 24 and 0 <= found[1] < 60):  # type: ignore[operator]
        return clock
    return found[0] * 60 + found[1]  # type: ignore[operator]


def _until(clock: str) -> datetime | None:
    if not clock.strip():
        return None
    minute = _minute(clock.strip())
    if isinstance(minute, str):
        raise Unprocessable({"until": ["field-queue-until"]})
    return at_local(business_date(now()), minute)


def _reason() -> PauseReason:
    try:
        return PauseReason(request.form.get("reason", ""))
    except ValueError as error:
        raise Unprocessable({"reason": ["error-invalid"]}) from error


def _rooms(session: Session, facility_id: UUID) -> list[tuple[UUID, str]]:
    rows = session.execute(
        select(ServicePoint.id, ServicePoint.name)
        .where(ServicePoint.facility_id == facility_id, ServicePoint.active)
        .order_by(ServicePoint.code)
    )
    return [(row.id, row.name) for row in rows]


def _here(session: Session, facility_id: UUID, queue_id: UUID, action: str) -> QueueView:
    queue = queries.queue_by_id(session, queue_id)
    if queue is None or queue.facility_id != facility_id:
        raise NotFound
    permit(action, facility_id)
    return queue


def _back(facility_id: UUID) -> ResponseReturnValue:
    flash(t("halls-done"), "success")
    return redirect(url_for("halls.today", facility_id=facility_id), 303)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound from error
