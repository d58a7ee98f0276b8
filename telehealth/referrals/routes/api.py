"""Referrals, slips and the list of remote care over HTTP."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.booking.attempts import attempt
from telehealth.booking.errors import RemoteNotAllowed
from telehealth.core.clock import business_date
from telehealth.core.errors import UnsupportedMedia
from telehealth.core.principal import PrincipalKind
from telehealth.directory.queries import facility_by_code
from telehealth.referrals import queries, services
from telehealth.referrals.codes import RequestKind, RequestPriority
from telehealth.referrals.errors import OutsideValidity
from telehealth.referrals.policies import RequestScope
from telehealth.referrals.presentation import conditions_json, escalated_json, event_json, referral_json
from telehealth.referrals.queries import Clinical, RequestPage, RequestView
from telehealth.referrals.routes.means import allowed, care, means
from telehealth.referrals.schemas import (
    DecideSchema,
    DeferSchema,
    EscalatedListSchema,
    EventListSchema,
    HandOverSchema,
    IssueSchema,
    PaperSchema,
    ReferralListSchema,
    ReferralQuerySchema,
    ReferralReasonSchema,
    ReferralSchema,
    RemoteConditionsSchema,
    RemoteQuerySchema,
    SlipBookingSchema,
    SlipSlotsQuerySchema,
    SlipSlotsSchema,
)
from telehealth.referrals.services import Asked, Issue, Paper, Use
from telehealth.scheduling.presentation import slot_json
from telehealth.web.api import IF_MATCH, located
from telehealth.web.context import (
    cipher,
    enter_again,
    now,
    permit,
    principal,
    unit_of_work,
)
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale
from telehealth.web.requests import if_match

api = Blueprint(
    "referrals-api", __name__, url_prefix="/api/v1", description="Referrals and slips to come again"
)


@api.post("/referrals")
@located("referrals-api.show_referral", "request_id")
@guarded("referral.issue")
@api.arguments(IssueSchema())
@api.response(201, ReferralSchema)
def issue_referral(asked: dict[str, Any]) -> Response:
    """Make a referral, or a slip to come again; with `slot_id`, spend it on that slot in the same step."""

    def unit(session: Session) -> dict[str, Any]:
        place = facility_by_code(session, asked["facility"])
        permit("referral.issue", place.id)
        wanted = Issue(
            asked=_asked(session, asked),
            facility_id=place.id,
            practitioner_id=principal().practitioner_id,
            encounter_id=asked["encounter_id"],
            clinical=Clinical(**asked["clinical"]),
            transfer_reason=asked["transfer_reason"],
        )
        use = Use(asked["slot_id"], shift_known=True) if asked["slot_id"] else None
        made = services.issue(session, principal(), wanted, means(), use=use)
        return referral_json(made.request)

    return _created(unit)


@api.get("/referrals")
@guarded("referral.list")
@api.arguments(ReferralQuerySchema(), location="query")
@api.response(200, ReferralListSchema)
def list_referrals(asked: dict[str, Any]) -> Response:
    """List one's family's slips, or (staff) what a facility has to do with or must see to."""
    with unit_of_work() as session:
        page = _page(session, asked)
        for view in page.items:
            services.note(
                session, principal(), "referral.list", view.id, view.patient_id, view.performer_id, now()
            )
    return jsonify(items=[referral_json(view) for view in page.items], next=page.next)


@api.get("/referrals/escalated")
@guarded("referral.watch")
@api.response(200, EscalatedListSchema)
def list_escalated() -> Response:
    """List what has come up to the province, without names or diagnoses."""
    permit("referral.watch")
    with unit_of_work() as session:
        found = queries.at_province(session, now())
    return jsonify(items=[escalated_json(view) for view in found])


@api.get("/referrals/<uuid:request_id>")
@guarded("referral.read")
@api.response(200, ReferralSchema)
def show_referral(request_id: UUID) -> Response:
    """Show a request with what the doctor wrote; its ETag is what a change must name in If-Match."""
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "referral.read", view.id, view.patient_id, None, now())
        return _tagged(view, queries.clinical(session, view.id, cipher()))


@api.get("/referrals/<uuid:request_id>/events")
@guarded("referral.read")
@api.response(200, EventListSchema)
def referral_events(request_id: UUID) -> Response:
    """Show what happened to a request, and who owned it when."""
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.read")
        services.note(session, principal(), "referral.read", view.id, view.patient_id, None, now())
        found = queries.events(session, view.id)
    return jsonify(items=[event_json(event) for event in found])


@api.get("/referrals/<uuid:request_id>/slots")
@guarded("referral.book")
@api.arguments(SlipSlotsQuerySchema(), location="query")
@api.response(200, SlipSlotsSchema)
def slip_slots(asked: dict[str, Any], request_id: UUID) -> Response:
    """List the earliest times that the slip may be spent on."""
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.book")
        slots = services.slots_for(
            session, principal(), view, means(), from_day=asked["from_day"], modality=asked["modality"]
        )
    return jsonify(
        items=[slot_json(slot, current_locale()) for slot in slots],
        valid_until=None if view.valid_until is None else view.valid_until.isoformat(),
    )


@api.post("/referrals/<uuid:request_id>/book")
@api.doc(parameters=[IF_MATCH])
@guarded("referral.book")
@api.arguments(SlipBookingSchema())
@api.response(200, ReferralSchema)
def book_slip(asked: dict[str, Any], request_id: UUID) -> Response:
    """Book a slot for the slip; the slip is spent on it. Needs If-Match."""
    version = if_match()
    staff = principal().kind is PrincipalKind.STAFF

    def unit(session: Session) -> RequestView:
        allowed(session, request_id, "referral.book")
        use = Use(
            asked["slot_id"],
            shift_known=asked["shift_known"],
            accepted_because=asked["reason"] if staff else None,
            consultation=asked["consultation"],
        )
        services.book(session, principal(), request_id, use, means(), version=version)
        return services.found_request(session, request_id, means())

    try:
        return _changed(unit)
    except OutsideValidity as refusal:
        refusal.extra["alternatives"] = _other_slots(request_id, None)
        raise
    except RemoteNotAllowed as refusal:
        refusal.extra["alternatives"] = _other_slots(request_id, "in-person")
        raise


@api.post("/referrals/<uuid:request_id>/defer")
@api.doc(parameters=[IF_MATCH])
@guarded("referral.defer")
@api.arguments(DeferSchema())
@api.response(200, ReferralSchema)
def defer_referral(asked: dict[str, Any], request_id: UUID) -> Response:
    """Defer, because no time is free while the slip is good; refused while there is one. Needs If-Match."""
    version = if_match()

    def unit(session: Session) -> RequestView:
        allowed(session, request_id, "referral.defer")
        return services.defer(
            session, principal(), request_id, means(), version=version, reason=asked["reason"]
        )

    return _changed(unit)


@api.post("/referrals/<uuid:request_id>/return")
@api.doc(parameters=[IF_MATCH])
@guarded("referral.return")
@api.arguments(ReferralReasonSchema())
@api.response(200, ReferralSchema)
def return_referral(asked: dict[str, Any], request_id: UUID) -> Response:
    """Return a referral to whoever made it, with the reason. Needs If-Match."""
    version = if_match()

    def unit(session: Session) -> RequestView:
        allowed(session, request_id, "referral.return")
        return services.give_back(
            session, principal(), request_id, means(), version=version, reason=asked["reason"]
        )

    return _changed(unit)


@api.post("/referrals/<uuid:request_id>/revoke")
@api.doc(parameters=[IF_MATCH])
@guarded("referral.revoke")
@api.arguments(ReferralReasonSchema())
@api.response(200, ReferralSchema)
def revoke_referral(asked: dict[str, Any], request_id: UUID) -> Response:
    """Take a slip back for good. Needs If-Match."""
    version = if_match()

    def unit(session: Session) -> RequestView:
        allowed(session, request_id, "referral.revoke")
        return services.revoke(
            session, principal(), request_id, means(), version=version, reason=asked["reason"]
        )

    return _changed(unit)


@api.post("/referrals/<uuid:request_id>/hand-over")
@api.doc(parameters=[IF_MATCH])
@guarded("referral.hand_over")
@api.arguments(HandOverSchema())
@api.response(204)
def hand_over_referral(asked: dict[str, Any], request_id: UUID) -> Response:
    """Give what has come up to the province to a facility. Needs If-Match."""
    version = if_match()
    permit("referral.hand_over")
    with unit_of_work() as session:
        place = facility_by_code(session, asked["facility"])
        services.hand_over(
            session,
            principal(),
            request_id,
            place.id,
            means(),
            version=version,
            priority=RequestPriority(asked["priority"]),
            reason=asked["reason"],
        )
    return Response(status=204)


@api.post("/slips")
@located("referrals-api.show_referral", "request_id")
@guarded("slip.enter")
@api.arguments(PaperSchema())
@api.response(201, ReferralSchema)
def enter_slip(asked: dict[str, Any]) -> Response:
    """Type in a paper slip; the same paper again is the one that is there."""

    def unit(session: Session) -> dict[str, Any]:
        desk = facility_by_code(session, asked["facility"]).id if asked["facility"] else None
        issuer = facility_by_code(session, asked["issuer_code"]) if asked["issuer_code"] else None
        family = principal().kind is PrincipalKind.PATIENT
        if not family:
            permit("referral.return", RequestScope(frozenset(), frozenset({desk} if desk else ())))
        paper = Paper(
            asked=_asked(session, asked, vouched=not family),
            number=asked["number"],
            signed_on=asked["signed_on"],
            issuer_name=asked["issuer"] or (issuer.name if issuer else ""),
            issuer_id=issuer.id if issuer else None,
            facility_id=None if family else desk,
        )
        return referral_json(services.enter(session, principal(), paper, means()))

    return _created(unit)


@api.post("/slips/<uuid:request_id>/decide")
@api.doc(parameters=[IF_MATCH])
@guarded("slip.decide")
@api.arguments(DecideSchema())
@api.response(200, ReferralSchema)
def decide_slip(asked: dict[str, Any], request_id: UUID) -> Response:
    """Agree to a day other than the paper's, or refuse it with a reason. Needs If-Match."""
    version = if_match()

    def unit(session: Session) -> RequestView:
        allowed(session, request_id, "slip.decide")
        return services.decide_day(
            session,
            principal(),
            request_id,
            means(),
            version=version,
            accept=asked["accept"],
            reason=asked["reason"],
        )

    return _changed(unit)


@api.get("/remote-conditions")
@public
@api.arguments(RemoteQuerySchema(), location="query")
@api.response(200, RemoteConditionsSchema)
def remote_conditions(asked: dict[str, Any]) -> Response:
    """List the conditions that may be treated from afar, by word or code."""
    return jsonify(conditions_json(care(), care().search(asked["q"])))


def _asked(session: Session, given: dict[str, Any], *, vouched: bool = True) -> Asked:
    target = given["target_facility"]
    return Asked(
        kind=RequestKind(given["kind"]),
        patient_id=given["patient_id"],
        target_facility_id=facility_by_code(session, target).id if target else None,
        service_code=given["target_service"],
        priority=RequestPriority(given["priority"]),
        icd10=given["icd10"] or None,
        appointment_on=given["appointment_on"],
        listed=vouched and given["listed"],
    )


def _page(session: Session, asked: dict[str, Any]) -> RequestPage:
    reading = means().reading
    if asked["facility"] is None:
        people = principal().patient_ids
        return queries.requests_of(session, people, limit=asked["limit"], cursor=asked["cursor"], **reading)
    place = facility_by_code(session, asked["facility"])
    permit("referral.return", RequestScope(frozenset(), frozenset({place.id})))
    if asked["worklist"]:
        return RequestPage(tuple(queries.worklist(session, place.id, **reading)), None)
    return queries.requests_at(
        session, place.id, limit=asked["limit"], cursor=asked["cursor"], status=asked["status"], **reading
    )


def _other_slots(request_id: UUID, modality: str | None) -> list[dict[str, Any]]:
    enter_again()
    with unit_of_work() as session:
        view = allowed(session, request_id, "referral.book")
        today = business_date(now())
        slots = services.slots_for(session, principal(), view, means(), from_day=today, modality=modality)
    return [slot_json(slot, current_locale()) for slot in slots]


def _created(unit: Callable[[Session], dict[str, Any]]) -> Response:
    """Make a thing in one transaction, and answer with it."""
    if not request.is_json:
        raise UnsupportedMedia

    def whole() -> Response:
        with unit_of_work() as session:
            answer = jsonify(unit(session))
        answer.status_code = 201
        return answer

    return attempt(whole)


def _changed(unit: Callable[[Session], RequestView]) -> Response:
    """Change a request in one transaction, again if the database could not serialise it."""
    if not request.is_json:
        raise UnsupportedMedia

    def whole() -> Response:
        with unit_of_work() as session:
            view = unit(session)
        return _tagged(view, None)

    return attempt(whole)


def _tagged(view: RequestView, clinical: Clinical | None) -> Response:
    answer = jsonify(referral_json(view, clinical))
    answer.set_etag(str(view.version))
    return answer
