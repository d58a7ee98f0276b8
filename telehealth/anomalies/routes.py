"""The report over HTTP: the API, and the page of administrators and of the province."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_smorest import Blueprint as ApiBlueprint

from telehealth.anomalies import queries, services
from telehealth.anomalies.codes import AnomalyKind, LimitName
from telehealth.anomalies.errors import BadLimits
from telehealth.anomalies.queries import Anomaly
from telehealth.anomalies.rules import limits_version
from telehealth.anomalies.schemas import (
    AnomalyCheckSchema,
    AnomalyQuerySchema,
    AnomalyReportSchema,
    IdentityLimitsSchema,
    IdentityLimitsShownSchema,
)
from telehealth.audit.services import Entry, record
from telehealth.booking.routes import json_only
from telehealth.core.errors import BadRequest, http_status
from telehealth.core.principal import Role
from telehealth.core.text import whole_number
from telehealth.directory import queries as directory
from telehealth.web.api import IF_MATCH
from telehealth.web.context import cipher, enter_again, now, permit, principal, session, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import t
from telehealth.web.requests import if_match_text, rfc3339

api = ApiBlueprint("anomalies-api", __name__, url_prefix="/api/v1", description="Patterns of touts")
pages = Blueprint("anomalies", __name__, template_folder="templates", url_prefix="/admin")
_LONGEST_SUBJECT = 64


@api.get("/anomalies")
@guarded("anomalies.read")
@api.arguments(AnomalyQuerySchema(), location="query")
@api.response(200, AnomalyReportSchema)
def report(asked: dict[str, Any]) -> Response:
    """List patterns that deserve a look; nothing in it says what anybody comes for."""
    facility_id = _facility_id(asked["facility"])
    return jsonify(items=[_json(each) for each in _read(facility_id)])


@api.post("/anomalies/check")
@guarded("anomalies.read")
@json_only
@api.arguments(AnomalyCheckSchema())
@api.response(204)
def check(asked: dict[str, Any]) -> Response:
    """Mark a line as looked at; newer evidence brings it back."""
    _check(_facility_id(asked["facility"]), AnomalyKind(asked["kind"]), asked["subject"])
    return Response(status=204)


@api.get("/identity-limits")
@guarded("identity-limits.change")
@api.response(200, IdentityLimitsShownSchema)
def show_limits() -> Response:
    """Show how often one identity may book online; the ETag is what a change must name in If-Match."""
    permit("identity-limits.change")
    found = queries.identity_limits(session())
    answer = jsonify({name.field: most for name, most in found.items()})
    answer.set_etag(limits_version(found))
    return answer


@api.put("/identity-limits")
@guarded("identity-limits.change")
@api.doc(parameters=[IF_MATCH])
@json_only
@api.arguments(IdentityLimitsSchema())
@api.response(204)
def put_limits(asked: dict[str, Any]) -> Response:
    """Set how often one identity may book online, from the next booking on. Needs If-Match."""
    wanted = {name: asked[name.field] for name in LimitName}
    _set_limits(wanted, if_match_text())
    answer = Response(status=204)
    answer.set_etag(limits_version(wanted))
    return answer


@pages.get("/province/limits")
@guarded("identity-limits.change")
def limits() -> ResponseReturnValue:
    """Show the limits, to be changed."""
    permit("identity-limits.change")
    found = queries.identity_limits(session())
    return _limits_page(found, {}, limits_version(found))


@pages.post("/province/limits")
@guarded("identity-limits.change")
def change_limits() -> ResponseReturnValue:
    """Set the limits."""
    typed = {name: request.form.get(name.field, "").strip()[:10] for name in LimitName}
    seen = request.form.get("version", "")
    try:
        _set_limits({name: whole_number(given) for name, given in typed.items()}, seen)
    except BadLimits as error:
        enter_again()
        return _limits_page(typed, form_errors(error), seen), http_status(error)
    flash(t("anomalies-limits-saved"), "success")
    return redirect(url_for("anomalies.limits"), 303)


@pages.get("/facilities/<uuid:facility_id>/anomalies")
@guarded("anomalies.read")
def of_facility(facility_id: UUID) -> ResponseReturnValue:
    """Show the report of a facility."""
    return _page(facility_id)


@pages.get("/province/anomalies")
@guarded("anomalies.read")
def of_province() -> ResponseReturnValue:
    """Show the report of the province."""
    return _page(None)


@pages.post("/anomalies/check")
@guarded("anomalies.read")
def mark() -> ResponseReturnValue:
    """Mark a line as looked at."""
    given = request.form
    facility_id = _uuid(given["facility"]) if given.get("facility") else None
    kind, subject = given.get("kind", ""), given.get("subject", "")
    if kind not in set(AnomalyKind) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise BadRequest
    _check(facility_id, AnomalyKind(kind), subject)
    flash(t("anomalies-checked"), "success")
    if facility_id is None:
        return redirect(url_for("anomalies.of_province"), 303)
    return redirect(url_for("anomalies.of_facility", facility_id=facility_id), 303)


def _set_limits(wanted: Mapping[LimitName, int | None], version: str) -> None:
    permit("identity-limits.change")
    with unit_of_work() as work:
        services.set_limits(work, principal(), wanted, version=version, now=now())


def _limits_page(values: Mapping[LimitName, int | str], errors: dict[str, Any], version: str) -> str:
    return render_template(
        "anomalies/limits.html",
        names=list(LimitName),
        values=values,
        errors=errors,
        version=version,
        current="limits",
    )


def _page(facility_id: UUID | None) -> str:
    found = _read(facility_id)
    own = directory.facilities_by_id(session(), list(principal().facilities(Role.FACILITY_ADMIN)))
    return render_template(
        "anomalies/report.html",
        found=found,
        facility=None if facility_id is None else directory.facility(session(), facility_id),
        others=[place for place in own.values() if place.id != facility_id],
        current="anomalies",
    )


def _read(facility_id: UUID | None) -> list[Anomaly]:
    permit("anomalies.read", facility_id)
    with unit_of_work() as work:
        found = queries.anomalies(work, facility_id, now=now(), cipher=cipher())
        record(
            work, principal(), Entry("anomalies.read", "Anomaly", None, facility_id=facility_id), now=now()
        )
    return found


def _check(facility_id: UUID | None, kind: AnomalyKind, subject: str) -> None:
    permit("anomalies.read", facility_id)
    with unit_of_work() as work:
        services.check(work, principal(), kind, subject, facility_id=facility_id, now=now())


def _facility_id(code: str | None) -> UUID | None:
    return None if code is None else directory.facility_by_code(session(), code).id


def _json(each: Anomaly) -> dict[str, Any]:
    return {
        "kind": each.kind.value,
        "subject": each.subject,
        "ending": each.ending,
        "count": each.count,
        "people": each.people,
        "first_at": rfc3339(each.first_at),
        "last_at": rfc3339(each.last_at),
        "codes": list(each.codes),
        "checked_at": None if each.checked_at is None else rfc3339(each.checked_at),
        "text": t(f"anomalies-{each.kind}-text", count=each.count, people=each.people),
    }


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise BadRequest from error
