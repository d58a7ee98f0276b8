"""What the pages of the schedule share: where one works, the frame, and asking before doing."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from telehealth.booking.policies import AppointmentScope
from telehealth.core.errors import DomainError, Forbidden, NotFound, http_status
from telehealth.core.principal import Role
from telehealth.core.text import whole_number
from telehealth.directory import queries as directory
from telehealth.schedule_editor import forms, presentation, queries, services
from telehealth.schedule_editor.rules import Consequences
from telehealth.schedule_editor.services import Edit
from telehealth.scheduling.editing import Editor
from telehealth.scheduling.errors import PreviewStale
from telehealth.web.context import may, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.localization import t
from telehealth.web.workplace import choose_workplace, workplace

pages = Blueprint("schedule_editor", __name__, template_folder="../templates", url_prefix="/desk/schedule")

Values = Mapping[str, list[str]]
"""Every field of a form with all its values."""

Errors = dict[str, Any]
"""What is wrong, by field, in the reader's language."""

_ROLES = (Role.DESK, Role.FACILITY_ADMIN)
_ASKING = frozenset({"csrf_token", "step", "seen"})


def place(action: str = "schedule.read") -> UUID:
    """Return where the caller works and may do the action: as the address says, or as chosen last."""
    asked = forms.read_key(request.args.get("facility", ""))
    if asked is not None:
        permit(action, asked)
        choose_workplace(asked)
        return asked
    found = workplace(principal().facilities(*_ROLES))
    permit(action, found)
    if found is None:
        raise Forbidden
    return found


def editor(facility_id: UUID) -> Editor:
    """Return who changes the schedule there."""
    return Editor(principal(), facility_id)


def version() -> int:
    """Return the version that the form was filled from."""
    return whole_number(request.form.get("version", "")) or 0


def frame(facility_id: UUID, current: str) -> dict[str, Any]:
    """Return what the frame of every page needs."""
    own = directory.facilities_by_id(session(), [facility_id, *principal().facilities(*_ROLES)])
    return {
        "facility": own[facility_id],
        "others": [each for each in own.values() if each.id != facility_id],
        "current": current,
        "may_change": may("schedule.change", facility_id),
    }


def decide(
    facility_id: UUID,
    current: str,
    asked: Callable[[], Edit],
    form_page: Callable[[Errors], str],
    done: str,
    *,
    shown: Callable[[], dict[str, Any]] = dict,
) -> ResponseReturnValue:
    """Show the form again, or what the change would do, or do what was seen and go on to `done`.

    `shown`: what the preview shows and keeps besides, or instead of the form's own fields (`kept`).
    """
    step = request.form.get("step", "preview")
    if step == "edit":
        return form_page({})
    try:
        edit = asked()
        if step != "save":
            return _preview_page(facility_id, current, edit, shown)
        with unit_of_work() as work:
            services.carry_out(work, editor(facility_id), edit, request.form.get("seen", ""), now=now())
    except PreviewStale as error:
        return _preview_page(facility_id, current, asked(), shown, stale=True), http_status(error)
    except (NotFound, Forbidden):
        raise
    except DomainError as error:
        return form_page(form_errors(error)), http_status(error)
    flash(t("editor-saved"), "success")
    return redirect(done, 303)


def _preview_page(
    facility_id: UUID, current: str, edit: Edit, shown: Callable[[], dict[str, Any]], *, stale: bool = False
) -> str:
    names = may("booking.day", AppointmentScope(facility_id))
    with unit_of_work() as work:
        found = services.preview(work, editor(facility_id), edit, now=now())
        if names:
            services.note_names_seen(work, principal(), facility_id, found, now())
    people = queries.people(session(), facility_id, _named(found))
    return render_template(
        "schedule_editor/preview.html",
        **frame(facility_id, current),
        found=found,
        effects=presentation.effect_lines(found, people, queries.services(session(), facility_id)),
        doubts=[presentation.doubt_words(doubt, people) for doubt in found.doubts],
        outside=presentation.appointments_by_day(found.outside),
        again=presentation.appointments_by_day(found.again),
        people=people,
        who=presentation.who,
        names=names,
        stale=stale,
        **{"kept": forms.kept_fields(request.form, _ASKING), "notes": [], **shown()},
    )


def _named(found: Consequences) -> set[UUID]:
    in_sessions = {key for effect in found.days for key in effect.practitioner_ids}
    in_doubts = {key for doubt in found.doubts for key in (doubt.practitioner_id, doubt.other_id) if key}
    return in_sessions | in_doubts | {each.practitioner_id for each in (*found.outside, *found.again)}
