"""What people said at the kiosks of a facility, for its staff."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from telehealth.directory import queries as directory
from telehealth.kiosk import queries, services
from telehealth.web.context import cipher, now, permit, principal, session, unit_of_work
from telehealth.web.guard import guarded
from telehealth.web.localization import t

feedback = Blueprint("feedback", __name__, url_prefix="/feedback", template_folder="../templates")


@feedback.get("/<string:facility_code>")
@guarded("feedback.read")
def worklist(facility_code: str) -> str:
    """Show what nobody has dealt with, complaints first."""
    facility = directory.facility_by_code(session(), facility_code)
    permit("feedback.read", facility.id)
    found = queries.open_feedback(session(), facility.id, cipher())
    return render_template("kiosk/worklist.html", facility=facility, found=found, current="feedback")


@feedback.post("/<uuid:feedback_id>/handled")
@guarded("feedback.read")
def handle(feedback_id: UUID) -> ResponseReturnValue:
    """Note that somebody dealt with it."""
    with unit_of_work() as work:
        facility_id = queries.facility_of_feedback(work, feedback_id)
        permit("feedback.read", facility_id)
        services.handle_feedback(work, principal(), feedback_id, now=now())
        code = directory.facility(work, facility_id).code
    flash(t("feedback-handled"), "success")
    return redirect(url_for("feedback.worklist", facility_code=code), 303)
