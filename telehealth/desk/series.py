"""The desk and several visits at once: asked, previewed, booked with one press, cancelled and moved on."""

from collections.abc import Callable
from datetime import date
from typing import Any, cast
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import services as booking
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import CancelReason, CoverageBasis
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.series_queries import SeriesView, found_series
from telehealth.booking.series_routes import means
from telehealth.booking.series_rules import MOST_VISITS, SeriesRule
from telehealth.booking.series_schemas import SeriesMoveSchema, SeriesRuleSchema, minute_of
from telehealth.booking.services import BookingRequest, Proposal, SeriesChange, SeriesOrder
from telehealth.core.clock import business_date
from telehealth.core.errors import BadRequest, DomainError, Unprocessable, http_status
from telehealth.desk import services
from telehealth.desk.errors import NobodyAsked, NoService
from telehealth.desk.frame import desk_here, frame, known_person
from telehealth.desk.given import version_of
from telehealth.desk.rules import Asked
from telehealth.desk.services import Desk
from telehealth.directory import queries as directory
from telehealth.web.context import enter_again, now, permit, principal, unit_of_work
from telehealth.web.forms import form_errors
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale, t

series_pages = Blueprint("desk-series", __name__, template_folder="templates", url_prefix="/desk")

_FIELDS = ("service", "doctor", "first", "time", "repeat", "every", "visits", "until", "on_holiday")
_DAYS, _WEEKS = "days", "weeks"
GROUNDS = tuple(basis.value for basis in CoverageBasis)


@series_pages.get("/people/<uuid:patient_id>/series")
@guarded("series.book")
def ask(patient_id: UUID) -> ResponseReturnValue:
    """Ask by which rule somebody comes, and show what is free on those days."""
    return _form_page(patient_id, {})


@series_pages.post("/people/<uuid:patient_id>/series")
@guarded("series.book")
def book(patient_id: UUID) -> ResponseReturnValue:
    """Book the chosen visits, all or none."""
    desk = desk_here()

    def unit() -> SeriesView:
        with unit_of_work() as session:
            known_person(session, patient_id)
            order = _order(patient_id, desk)
            return services.book_series(
                session,
                desk,
                order,
                request.form.getlist("slot_id")[:MOST_VISITS],
                _shared(order),
                _asked(),
                means(),
            )

    try:
        made = attempt(unit)
    except DomainError as error:
        enter_again()
        return _form_page(patient_id, form_errors(error, "slot_id")), http_status(error)
    flash(t("desk-series-booked", count=len(made.visits)), "success")
    return redirect(url_for("desk-series.show", series_id=made.id), 303)


@series_pages.get("/series/<uuid:series_id>")
@guarded("series.read")
def show(series_id: UUID) -> ResponseReturnValue:
    """Show a series and its visits."""
    return _series_page(series_id, {})


@series_pages.post("/series/<uuid:series_id>/cancel")
@guarded("series.change")
def cancel(series_id: UUID) -> ResponseReturnValue:
    """Cancel from a visit on."""

    def give_up(session: Session) -> SeriesChange:
        return booking.cancel_series(
            session,
            principal(),
            series_id,
            version=version_of(),
            from_=_day("from"),
            reason_code=CancelReason.PATIENT.value,
            means=means(),
        )

    return _change(series_id, give_up, "desk-series-cancelled")


@series_pages.post("/series/<uuid:series_id>/move")
@guarded("series.change")
def move(series_id: UUID) -> ResponseReturnValue:
    """Move from a visit on to another time of day."""

    def to_time(session: Session) -> SeriesChange:
        asked = _loaded(SeriesMoveSchema(), {"time": request.form.get("time", "")})
        return booking.move_series(
            session,
            principal(),
            series_id,
            version=version_of(),
            from_=_day("from"),
            minute=minute_of(asked["time"]),
            means=means(),
        )

    return _change(series_id, to_time, "desk-series-moved")


def _change(series_id: UUID, do: Callable[[Session], SeriesChange], done: str) -> ResponseReturnValue:
    def unit() -> SeriesChange:
        with unit_of_work() as session:
            permit("series.change", found_series(session, series_id).scope)
            return do(session)

    try:
        change = attempt(unit)
    except DomainError as error:
        enter_again()
        return _series_page(series_id, form_errors(error)), http_status(error)
    flash(t(done, count=len(change.changed)), "success")
    if change.refused:
        flash(t("desk-series-refused", count=len(change.refused)), "warning")
    return redirect(url_for("desk-series.show", series_id=series_id), 303)


def _form_page(patient_id: UUID, errors: dict[str, Any]) -> str:
    desk, given = desk_here(), request.values
    permit("series.book", AppointmentScope(desk.facility_id))
    proposals: list[Proposal] = []
    with unit_of_work() as session:
        person = known_person(session, patient_id)
        framed = frame(desk)
        offered = [
            (each.code, each.name(current_locale()))
            for each in directory.services_of(session, desk.facility_id)
        ]
        doctors = directory.practitioners(session, facility_code=framed["facility"].code, limit=100).items
        if "service" in given:
            try:
                proposals = booking.preview_series(session, _order(patient_id, desk), now=now())
            except DomainError as error:
                errors = errors or form_errors(error)
        entry = Entry("series.preview", "Patient", person.id, person.id, desk.facility_id)
        record(session, principal(), entry, now=now())
    return render_template(
        "desk/series_form.html",
        **framed,
        person=person,
        offered=offered,
        doctors=doctors,
        given={name: given.get(name, "") for name in _FIELDS},
        weekdays=given.getlist("weekday"),
        today=business_date(now()),
        proposals=proposals,
        grounds=GROUNDS,
        asked=[each.value for each in Asked],
        errors=errors,
    )


def _series_page(series_id: UUID, errors: dict[str, Any]) -> str:
    desk = desk_here()
    with unit_of_work() as session:
        series = found_series(session, series_id)
        permit("series.read", series.scope)
        entry = Entry("series.read", "AppointmentSeries", series.id, series.patient_id, desk.facility_id)
        record(session, principal(), entry, now=now())
    return render_template(
        "desk/series.html",
        **frame(desk),
        series=series,
        coming=[view for view in series.visits if view.status == "booked" and view.start > now()],
        day=business_date,
        errors=errors,
    )


def _order(patient_id: UUID, desk: Desk) -> SeriesOrder:
    """Read the form. Raises Unprocessable."""
    given = request.values
    if not given.get("service"):
        raise NoService({"service": ["field-required"]})
    doctor = given.get("doctor", "")
    return SeriesOrder(
        patient_id,
        desk.facility_id,
        given.get("service", "")[:60],
        _rule(),
        UUID(doctor) if _is_uuid(doctor) else None,
    )


def _rule() -> SeriesRule:
    given = request.values
    weekly = given.get("repeat") == _WEEKS
    rule: SeriesRule = _loaded(
        SeriesRuleSchema(),
        {
            "first": given.get("first", ""),
            "time": given.get("time", ""),
            "every_weeks" if weekly else "every_days": given.get("every") or 1,
            "weekdays": given.getlist("weekday") if weekly else [],
            "visits": given.get("visits") or None,
            "until": given.get("until") or None,
            "on_holiday": given.get("on_holiday", ""),
        },
    )
    return rule


def _loaded(schema: Any, given: dict[str, Any]) -> Any:
    try:
        return schema.load(given)
    except ValidationError as error:
        found = cast("dict[str, Any]", error.messages)
        fields = {str(name): [_first(each)] for name, each in found.items()}
        raise Unprocessable(fields) from error


def _first(found: Any) -> str:
    """Return the first message, also of a list's item."""
    return str(_first(next(iter(found.values()))) if isinstance(found, dict) else found[0])


def _shared(order: SeriesOrder) -> BookingRequest:
    basis = request.form.get("coverage", "")
    return BookingRequest(
        patient_id=order.patient_id, coverage_basis=basis if basis in GROUNDS else CoverageBasis.NONE.value
    )


def _asked() -> Asked:
    asked = request.form.get("asked", "")
    if asked not in {each.value for each in Asked}:
        raise NobodyAsked({"asked": ["error-desk-nobody-asked"]})
    return Asked(asked)


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.form.get(name, ""))
    except ValueError as error:
        raise BadRequest from error


def _is_uuid(given: str) -> bool:
    try:
        UUID(given)
    except ValueError:
        return False
    return True
