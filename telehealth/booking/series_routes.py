"""Several visits at once, over HTTP."""

# mypy: disable-error-code="untyped-decorator"

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, jsonify
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import services
from telehealth.booking.attempts import attempt
from telehealth.booking.policies import AppointmentScope
from telehealth.booking.presentation import appointment_json
from telehealth.booking.routes import json_only
from telehealth.booking.series_queries import SeriesView, found_series
from telehealth.booking.series_rules import SeriesRule
from telehealth.booking.series_schemas import (
    ProposalsSchema,
    SeriesBookingSchema,
    SeriesCancelSchema,
    SeriesChangeSchema,
    SeriesMoveSchema,
    SeriesPreviewSchema,
    SeriesSchema,
    minute_of,
)
from telehealth.booking.services import (
    BookingRequest,
    ConsentGiven,
    Proposal,
    SeriesChange,
    SeriesMeans,
    SeriesOrder,
)
from telehealth.directory.queries import facility_by_code
from telehealth.scheduling.presentation import facility_json, practitioner_json, service_json, slot_json
from telehealth.web.api import ETAG, ID, IF_MATCH, Link, links, located
from telehealth.web.context import answer_links, cipher, may, now, outbox, permit, principal, unit_of_work
from telehealth.web.errors import error_text
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale
from telehealth.web.requests import if_match

api = Blueprint("series-api", __name__, url_prefix="/api/v1/appointment-series", description="Several visits")

_ONE = "/api/v1/appointment-series/{series_id}"
_KNOWN = {"series_id": ID}
_VERSIONED = {**_KNOWN, "header.If-Match": ETAG}
_NEXT = links(
    201,
    show=Link("get", _ONE, _KNOWN),
    cancel=Link("post", f"{_ONE}/cancel", _VERSIONED),
    move=Link("post", f"{_ONE}/move", _VERSIONED),
)


def means() -> SeriesMeans:
    """Return what booking needs of this request."""
    return SeriesMeans(now(), cipher(), outbox(), answer_links())


@api.post("/preview")
@guarded("series.book")
@json_only
@api.arguments(SeriesPreviewSchema())
@api.response(200, ProposalsSchema)
def preview(asked: dict[str, Any]) -> Response:
    """Propose a slot for each visit of a series; nothing is kept."""
    with unit_of_work() as session:
        order = _order(session, asked)
        proposals = services.preview_series(session, order, now=now())
        entry = Entry("series.preview", "Patient", order.patient_id, order.patient_id, order.facility_id)
        record(session, principal(), entry, now=now())
    return jsonify(items=[_proposal_json(item) for item in proposals])


@api.post("")
@located("series-api.show", "series_id")
@api.doc(**_NEXT)
@guarded("series.book")
@json_only
@api.arguments(SeriesBookingSchema())
@api.response(201, SeriesSchema)
def create(asked: dict[str, Any]) -> Response:
    """Book the chosen slots, all or none; a refusal names the slot that could not be had."""

    def unit() -> Response:
        with unit_of_work() as session:
            order = _order(session, asked)
            series = services.book_series(
                session, principal(), order, asked["slot_ids"], _shared(asked), means()
            )
        answer = _tagged(series)
        answer.status_code = 201
        return answer

    return attempt(unit)


@api.get("/<uuid:series_id>")
@guarded("series.read")
@api.response(200, SeriesSchema)
def show(series_id: UUID) -> Response:
    """Show a series and its visits."""
    with unit_of_work() as session:
        series = found_series(session, series_id)
        permit("series.read", series.scope)
        entry = Entry("series.read", "AppointmentSeries", series.id, series.patient_id, series.facility.id)
        record(session, principal(), entry, now=now())
    return _tagged(series)


@api.post("/<uuid:series_id>/cancel")
@api.doc(parameters=[IF_MATCH])
@guarded("series.change")
@json_only
@api.arguments(SeriesCancelSchema())
@api.response(200, SeriesChangeSchema)
def cancel(asked: dict[str, Any], series_id: UUID) -> Response:
    """Cancel the visits from a day on, or all that are still to come. Needs If-Match."""
    version = if_match()

    def unit() -> SeriesChange:
        with unit_of_work() as session:
            permit("series.change", found_series(session, series_id).scope)
            return services.cancel_series(
                session,
                principal(),
                series_id,
                version=version,
                from_=asked["from_"],
                reason_code=asked["reason_code"],
                means=means(),
            )

    return _changed(attempt(unit))


@api.post("/<uuid:series_id>/move")
@api.doc(parameters=[IF_MATCH])
@guarded("series.change")
@json_only
@api.arguments(SeriesMoveSchema())
@api.response(200, SeriesChangeSchema)
def move(asked: dict[str, Any], series_id: UUID) -> Response:
    """Move the visits from a day on to another time of their day; `refused` stay. Needs If-Match."""
    version = if_match()

    def unit() -> SeriesChange:
        with unit_of_work() as session:
            permit("series.change", found_series(session, series_id).scope)
            return services.move_series(
                session,
                principal(),
                series_id,
                version=version,
                from_=asked["from_"],
                minute=minute_of(asked["time"]),
                means=means(),
            )

    return _changed(attempt(unit))


def _order(session: Session, asked: dict[str, Any]) -> SeriesOrder:
    facility_id = facility_by_code(session, asked["facility"]).id
    permit("series.book", AppointmentScope(facility_id))
    return SeriesOrder(
        asked["patient_id"], facility_id, asked["service"], asked["rule"], asked["practitioner"]
    )


def _shared(asked: dict[str, Any]) -> BookingRequest:
    given = asked["consent"]
    return BookingRequest(
        patient_id=asked["patient_id"],
        coverage_basis=asked["coverage_basis"],
        companion=asked["companion"],
        reason=asked["reason"] or None,
        consent=ConsentGiven(**given) if given else None,
    )


def _proposal_json(item: Proposal) -> dict[str, Any]:
    return {
        "due": item.day.due.isoformat(),
        "day": item.day.day and item.day.day.isoformat(),
        "match": item.match.value,
        "slot": item.slot and slot_json(item.slot, current_locale()),
    }


def _rule_json(rule: SeriesRule) -> dict[str, Any]:
    said = asdict(rule)
    minute = said.pop("minute")
    return {
        **said,
        "first": rule.first.isoformat(),
        "until": rule.until and rule.until.isoformat(),
        "time": f"{minute // 60:02}:{minute % 60:02}",
    }


def _series_json(series: SeriesView) -> dict[str, Any]:
    locale = current_locale()
    return {
        "id": str(series.id),
        "version": series.version,
        "patient_id": str(series.patient_id),
        "facility": facility_json(series.facility),
        "service": service_json(series.service, locale),
        "practitioner": series.practitioner and practitioner_json(series.practitioner),
        "rule": _rule_json(series.rule),
        "visits": [appointment_json(view, principal(), now(), locale, may) for view in series.visits],
    }


def _tagged(series: SeriesView) -> Response:
    answer = jsonify(_series_json(series))
    answer.set_etag(str(series.version))
    return answer


def _changed(change: SeriesChange) -> Response:
    refused = [
        {
            "appointment_id": str(item.appointment.id),
            "code": item.refusal.code,
            "detail": error_text(item.refusal),
        }
        for item in change.refused
    ]
    answer = jsonify(
        **_series_json(change.series), changed=[str(view.id) for view in change.changed], refused=refused
    )
    answer.set_etag(str(change.series.version))
    return answer
