"""What has come up to the province: seen without names, and handed over to who can see to it."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from telehealth.core.errors import DomainError, http_status
from telehealth.core.text import clean
from telehealth.directory import queries as directory
from telehealth.directory.queries import FacilityQuery
from telehealth.referrals import queries, services
from telehealth.referrals.codes import RequestPriority
from telehealth.referrals.routes.blueprint import pages, version
from telehealth.referrals.routes.means import means
from telehealth.web.context import enter_again, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

ALL = 500
LONGEST = 200


@pages.get("/escalated")
@guarded("referral.watch")
def escalated() -> ResponseReturnValue:
    """Show what has come up to the province."""
    return _page({})


@pages.post("/<uuid:request_id>/hand-over")
@guarded("referral.hand_over")
def hand_over(request_id: UUID) -> ResponseReturnValue:
    """Give a request to a facility, which owns it from now on."""
    permit("referral.hand_over")
    reason = clean(request.form.get("reason", ""))[:LONGEST]
    try:
        with unit_of_work() as session:
            place = directory.facility_by_code(session, request.form.get("facility", "")[:40])
            services.hand_over(
                session,
                principal(),
                request_id,
                place.id,
                means(),
                version=version(),
                priority=RequestPriority.URGENT,
                reason=reason,
            )
    except DomainError as error:
        enter_again()
        return _page(form_errors(error)), http_status(error)
    flash(t("slips-handed-over", facility=place.name), "success")
    return redirect(url_for("slips.escalated"), 303)


def _page(errors: dict[str, object]) -> str:
    permit("referral.watch")
    with unit_of_work() as session:
        return render_template(
            "slips/escalated.html",
            waiting=queries.at_province(session, now()),
            facilities=directory.facilities(session, FacilityQuery(limit=ALL)).items,
            names={
                each.code: each.name(current_locale())
                for each in directory.service_catalogue(session, online_only=False)
            },
            now=now(),
            errors=errors,
        )
