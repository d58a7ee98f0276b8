"""Holding, booking, seeing and cancelling over HTTP."""

# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Response, json, jsonify, request
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import queries, services
from telehealth.booking.attempts import attempt
from telehealth.booking.conditions import in_person_instead
from telehealth.booking.errors import FULL, HoldUnknown, RemoteNotAllowed
from telehealth.booking.idempotency import RequestKey, remember, store
from telehealth.booking.once import keeps_its_own_keys, request_key
from telehealth.booking.policies import AppointmentScope, channel_of
from telehealth.booking.presentation import (
    appointment_json,
    calendar_file,
    offer_json,
    same_day_text,
    verdict_json,
)
from telehealth.booking.queries import AppointmentPage, AppointmentView
from telehealth.booking.remote import RemoteNeed
from telehealth.booking.schemas import (
    ActionsSchema,
    AppointmentListSchema,
    AppointmentQuerySchema,
    AppointmentSchema,
    BookedSchema,
    BookingSchema,
    CancelSchema,
    CoverageSchema,
    HoldRequestSchema,
    HoldSchema,
    OfferSchema,
    RescheduleSchema,
    TargetSchema,
)
from telehealth.booking.services import AnyPractitioner, BookingRequest, ConsentGiven, Hold, Move, Once
from telehealth.core.clock import at_local, business_date
from telehealth.core.errors import NotFound, UnsupportedMedia
from telehealth.core.principal import PrincipalKind
from telehealth.directory.queries import facility_by_code
from telehealth.directory.remote_care import RemoteCare, remote_care
from telehealth.patients.schemas import new_patient
from telehealth.patients.services import link_facility, register
from telehealth.scheduling.codes import Channel
from telehealth.scheduling.errors import BadRange, SlotUnknown
from telehealth.scheduling.presentation import slot_json
from telehealth.scheduling.queries import slot_by_id
from telehealth.scheduling.rules import DAY_MINUTES
from telehealth.web.api import ETAG, ID, IF_MATCH, Link, links, located
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    may,
    now,
    outbox,
    permit,
    principal,
    settings,
    unit_of_work,
)
from telehealth.web.guard import guarded
from telehealth.web.localization import current_locale
from telehealth.web.requests import if_match, rfc3339

api = Blueprint("booking-api", __name__, url_prefix="/api/v1", description="Holds and appointments")

LONGEST_CHOICE = timedelta(days=31)

View = TypeVar("View", bound=Callable[..., Any])


def json_only(view: View) -> View:
    """Refuse a body of another kind with 415."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not request.is_json:
            raise UnsupportedMedia
        return view(*args, **kwargs)

    return cast("View", checked)


_ONE = "/api/v1/appointments/{appointment_id}"
_KNOWN = {"appointment_id": ID}
_VERSIONED = {**_KNOWN, "header.If-Match": ETAG}
_NEXT = links(
    201,
    show=Link("get", _ONE, _KNOWN),
    actions=Link("get", f"{_ONE}/actions", _KNOWN),
    calendar=Link("get", f"{_ONE}.ics", _KNOWN),
    cancel=Link("post", f"{_ONE}/cancel", _VERSIONED),
    reschedule=Link("post", f"{_ONE}/reschedule", _VERSIONED),
    checkIn=Link("post", f"{_ONE}/check-in", _VERSIONED),
    noShow=Link("post", f"{_ONE}/no-show", _VERSIONED),
    coverage=Link("post", f"{_ONE}/coverage", _VERSIONED),
    offer=Link("post", f"{_ONE}/offers", _KNOWN),
)
_HELD = links(
    201,
    book=Link("post", "/api/v1/appointments", body={"hold_id": ID}),
    release=Link("delete", "/api/v1/holds/{hold_id}", {"hold_id": ID}),
)
_MOVED = links(
    200,
    again=Link("post", f"{_ONE}/reschedule", _VERSIONED),
    cancel=Link("post", f"{_ONE}/cancel", _VERSIONED),
)


@api.post("/holds")
@located("booking-api.show_appointment", "appointment_id")
@api.doc(**_HELD)
@guarded("booking.hold")
@json_only
@api.arguments(HoldRequestSchema())
@api.response(201, HoldSchema)
def create_hold(asked: dict[str, Any]) -> Response:
    """Hold a slot, or the earliest of whichever doctor can, for a few minutes."""

    def unit() -> Response:
        with unit_of_work() as session:
            hold = _held(session, asked)
        held = {"id": str(hold.id), "slot_id": hold.slot_id, "expires_at": rfc3339(hold.expires_at)}
        return _created(_json(held))

    return _with_alternatives(unit, asked.get("slot_id"))


@api.delete("/holds/<uuid:hold_id>")
@guarded("booking.hold")
@api.response(204)
def delete_hold(hold_id: UUID) -> Response:
    """Let a held slot of one's own go. One that is gone already is gone."""

    def unit() -> Response:
        with unit_of_work() as session:
            services.release(session, principal(), hold_id, now=now())
        return Response(status=204)

    return attempt(unit)


@api.post("/appointments")
@located("booking-api.show_appointment", "appointment_id")
@api.doc(**_NEXT)
@keeps_its_own_keys
@guarded("booking.book")
@json_only
@api.arguments(BookingSchema())
@api.response(201, BookedSchema)
def create_appointment(asked: dict[str, Any]) -> Response:
    """Book a slot or whichever doctor can, or turn a hold into an appointment."""
    return _with_alternatives(lambda: _book(asked), asked.get("slot_id"))


@api.get("/appointments")
@guarded("booking.list", "booking.day")
@api.arguments(AppointmentQuerySchema(), location="query")
@api.response(200, AppointmentListSchema)
def list_appointments(asked: dict[str, Any]) -> Response:
    """List one's own and one's family's appointments, or (staff, other systems) a facility's day."""
    with unit_of_work() as session:
        page = _page(session, asked)
        people = {(item.patient_id, item.facility.id) for item in page.items}
        record(
            session,
            principal(),
            *(
                Entry("booking.list", "Appointment", None, patient_id=patient_id, facility_id=facility_id)
                for patient_id, facility_id in sorted(people, key=str)
            ),
            now=now(),
        )
    return jsonify(items=[_shown(item) for item in page.items], next=page.next)


@api.get("/appointments/<uuid:appointment_id>")
@guarded("booking.read")
@api.response(200, AppointmentSchema)
def show_appointment(appointment_id: UUID) -> Response:
    """Show an appointment; its ETag is what a change must name in If-Match."""
    with unit_of_work() as session:
        view = _read(session, appointment_id, "booking.read")
    return _tagged(view)


@api.get("/appointments/<uuid:appointment_id>.ics")
@guarded("booking.read")
@api.response(200, content_type="text/calendar")
def appointment_calendar(appointment_id: UUID) -> Response:
    """Return a calendar file."""
    with unit_of_work() as session:
        view = _read(session, appointment_id, "booking.read")
    body = calendar_file(view, base_url=settings().public_base_url, now=now(), locale=current_locale())
    answer = Response(body, mimetype="text/calendar")
    answer.headers["Content-Disposition"] = f'attachment; filename="{view.code}.ics"'
    return answer


@api.get("/appointments/<uuid:appointment_id>/actions")
@guarded("booking.read")
@api.response(200, ActionsSchema)
def appointment_actions(appointment_id: UUID) -> Response:
    """List what the caller may do with the appointment now, and why not the rest."""
    with unit_of_work() as session:
        view = _read(session, appointment_id, "booking.read")
        offered = queries.open_offer(session, appointment_id, now=now()) is not None
    found = view.verdicts(principal(), now(), may, offered=offered)
    return jsonify(
        actions=list(view.actions(principal(), now(), may)),
        version=view.version,
        verdicts=[verdict_json(verdict, current_locale()) for verdict in found],
    )


@api.post("/appointments/<uuid:appointment_id>/cancel")
@api.doc(parameters=[IF_MATCH])
@guarded("booking.cancel")
@json_only
@api.arguments(CancelSchema())
@api.response(200, AppointmentSchema)
def cancel_appointment(asked: dict[str, Any], appointment_id: UUID) -> Response:
    """Cancel; the place is free for others at once. Needs If-Match."""
    version = if_match()

    def unit() -> Response:
        with unit_of_work() as session:
            _allowed(session, appointment_id, "booking.cancel")
            view = services.cancel(
                session,
                principal(),
                appointment_id,
                version=version,
                reason_code=asked["reason_code"],
                now=now(),
                cipher=cipher(),
                outbox=outbox(),
            )
        return _tagged(view)

    return attempt(unit)


@api.post("/appointments/<uuid:appointment_id>/reschedule")
@api.doc(**_MOVED)
@api.doc(parameters=[IF_MATCH])
@guarded("booking.reschedule")
@json_only
@api.arguments(RescheduleSchema())
@api.response(200, AppointmentSchema)
def reschedule_appointment(asked: dict[str, Any], appointment_id: UUID) -> Response:
    """Move to another time of the same service; if it is gone, the old time stays. Needs If-Match."""
    version = if_match()
    return _with_alternatives(lambda: _moved(appointment_id, asked, version), asked["slot_id"])


@api.post("/appointments/<uuid:appointment_id>/offers")
@guarded("booking.offer")
@json_only
@api.arguments(TargetSchema())
@api.response(201, OfferSchema)
def offer_slot(asked: dict[str, Any], appointment_id: UUID) -> Response:
    """Offer the patient another slot of the same service; the old place stays theirs until they take it."""

    def unit() -> Response:
        with unit_of_work() as session:
            _allowed(session, appointment_id, "booking.offer")
            made = services.offer(session, principal(), appointment_id, asked["slot_id"], **_means())
        return _created(_json(offer_json(made)))

    return _with_alternatives(unit, asked["slot_id"])


@api.post("/appointments/<uuid:appointment_id>/no-show")
@api.doc(parameters=[IF_MATCH])
@guarded("booking.no_show")
@api.response(200, AppointmentSchema)
def no_show(appointment_id: UUID) -> Response:
    """Record that nobody came. Needs If-Match."""
    version = if_match()

    def unit() -> Response:
        with unit_of_work() as session:
            _allowed(session, appointment_id, "booking.no_show")
            view = services.record_no_show(session, principal(), appointment_id, version=version, now=now())
        return _tagged(view)

    return attempt(unit)


@api.post("/appointments/<uuid:appointment_id>/coverage")
@api.doc(parameters=[IF_MATCH])
@guarded("booking.confirm_coverage")
@json_only
@api.arguments(CoverageSchema())
@api.response(200, AppointmentSchema)
def confirm_coverage(asked: dict[str, Any], appointment_id: UUID) -> Response:
    """Record that staff have seen the papers of a coverage basis. Needs If-Match."""
    version = if_match()
    with unit_of_work() as session:
        _allowed(session, appointment_id, "booking.confirm_coverage")
        view = services.confirm_coverage(
            session, principal(), appointment_id, basis=asked["coverage_basis"], version=version, now=now()
        )
    return _tagged(view)


def _book(asked: dict[str, Any]) -> Response:
    key = request_key()
    with unit_of_work() as session:
        if key is None:
            return _created(_written(session, _booked(session, asked)))
        if "patient" in asked or "service" in asked:
            return _created(_remembered(session, asked, key))
        once = Once(key, lambda view: _written(session, view))
        return _created(services.book_once(session, principal(), _wanted(session, asked), once, **_means()))


def _remembered(session: Session, asked: dict[str, Any], key: RequestKey) -> bytes:
    """Take the key before anybody is registered or chosen: a replay must not do it twice."""
    known = remember(session, key, now=now(), cipher=cipher())
    if known is not None:
        return known
    answer = _written(session, _booked(session, asked))
    store(session, key, status=201, answer=answer, cipher=cipher())
    return answer


def _booked(session: Session, asked: dict[str, Any]) -> AppointmentView:
    wanted = _wanted(session, asked)
    if "service" not in asked:
        return services.book(session, principal(), wanted, **_means())
    return services.book_any(session, principal(), wanted, _any_practitioner(session, asked), **_means())


def _held(session: Session, asked: dict[str, Any]) -> Hold:
    if "service" not in asked:
        return services.hold(session, principal(), asked["slot_id"], now=now(), channel=_channel(asked))
    wanted = _any_practitioner(session, asked)
    return services.hold_any(session, principal(), wanted, now=now(), channel=_channel(asked))


def _any_practitioner(session: Session, asked: dict[str, Any]) -> AnyPractitioner:
    """Return what is asked of any doctor. Raises BadRange."""
    if "date" in asked:
        from_, to = at_local(asked["date"], 0), at_local(asked["date"], DAY_MINUTES)
    else:
        from_, to = asked["from_"], asked["to"]
    if not from_ < to <= from_ + LONGEST_CHOICE:
        raise BadRange
    facility_id = facility_by_code(session, asked["facility"]).id
    return AnyPractitioner(asked["service"], facility_id, from_, to, asked.get("modality"))


def _wanted(session: Session, asked: dict[str, Any]) -> BookingRequest:
    given = asked["consent"]
    return BookingRequest(
        patient_id=asked.get("patient_id") or _registered(session, asked),
        slot_id=asked.get("slot_id"),
        hold_id=asked.get("hold_id"),
        coverage_basis=asked["coverage_basis"],
        companion=asked["companion"],
        reason=asked["reason"] or None,
        channel=_channel(asked),
        consent=ConsentGiven(**given) if given else None,
        need=RemoteNeed(asked["condition"], asked["consultation"], _care()),
        overbook=_why(asked["overbook"]),
        override=_why(asked["override"]),
    )


def _why(given: dict[str, str] | None) -> str | None:
    return None if given is None else given["reason"]


def _care() -> RemoteCare:
    return remote_care(settings().environ.get("REMOTE_CARE_DIR", ""))


def _means() -> dict[str, Any]:
    return {
        "now": now(),
        "cipher": cipher(),
        "outbox": outbox(),
        "links": answer_links(),
    }


def _moved(appointment_id: UUID, asked: dict[str, Any], version: int) -> Response:
    with unit_of_work() as session:
        _allowed(session, appointment_id, "booking.reschedule")
        view = services.reschedule(
            session,
            principal(),
            appointment_id,
            Move(
                asked["slot_id"],
                version,
                _channel(),
                overbook=_why(asked["overbook"]),
                override=_why(asked["override"]),
            ),
            **_means(),
        )
    return _tagged(view)


def _registered(session: Session, asked: dict[str, Any]) -> UUID:
    """Register the person a booking describes; at a desk the facility knows them from now on."""
    permit("patient.register")
    patient_id = register(session, principal(), new_patient(asked["patient"]), now=now(), cipher=cipher())
    if principal().kind is not PrincipalKind.PATIENT:
        link_facility(session, patient_id, _facility_of(session, asked), now())
    return patient_id


def _facility_of(session: Session, asked: dict[str, Any]) -> UUID:
    """Return where the asked slot, hold or service is. Raises SlotUnknown, HoldUnknown."""
    if "hold_id" in asked:
        held = queries.appointment(session, asked["hold_id"])
        if held is None:
            raise HoldUnknown
        return held.facility.id
    if "facility" in asked:
        return facility_by_code(session, asked["facility"]).id
    slot = slot_by_id(session, asked["slot_id"], now())
    if slot is None:
        raise SlotUnknown
    return slot.facility.id


def _with_alternatives(unit: Callable[[], Response], slot_id: str | None) -> Response:
    """Run the unit; a slot that is gone, or by video only, is refused together with what is free instead."""
    try:
        return attempt(unit)
    except FULL as refusal:
        if slot_id is not None:
            enter_again()
            with unit_of_work() as session:
                slots = services.alternatives(session, slot_id, now=now(), channel=_channel())
            refusal.extra["alternatives"] = [slot_json(slot, current_locale()) for slot in slots]
        raise
    except RemoteNotAllowed as refusal:
        if slot_id is not None:
            enter_again()
            with unit_of_work() as session:
                slots = in_person_instead(session, slot_id, now=now())
            refusal.extra["alternatives"] = [slot_json(slot, current_locale()) for slot in slots]
        raise


def _page(session: Session, asked: dict[str, Any]) -> AppointmentPage:
    if asked["facility"] is None:
        return queries.page_of(
            session,
            principal(),
            limit=asked["limit"],
            cursor=asked["cursor"],
            patient_id=asked["patient_id"],
        )
    facility_id = facility_by_code(session, asked["facility"]).id
    permit("booking.day", AppointmentScope(facility_id))
    return queries.day_page(
        session,
        facility_id,
        asked["practitioner"],
        asked["date"] or business_date(now()),
        limit=asked["limit"],
        cursor=asked["cursor"],
    )


def _read(session: Session, appointment_id: UUID, action: str) -> AppointmentView:
    view = _allowed(session, appointment_id, action)
    entry = Entry(action, "Appointment", view.id, patient_id=view.patient_id, facility_id=view.facility.id)
    record(session, principal(), entry, now=now())
    return view


def _allowed(session: Session, appointment_id: UUID, action: str) -> AppointmentView:
    view = queries.appointment(session, appointment_id)
    if view is None:
        raise NotFound
    permit(action, view.scope)
    return view


def _channel(asked: Mapping[str, Any] = MappingProxyType({})) -> Channel:
    """Return the door that a request comes by: one's own, or for staff that of a patient at home (ADR 62)."""
    if "channel" in asked and principal().kind is PrincipalKind.STAFF:
        return Channel(asked["channel"])
    return channel_of(principal())


def _shown(view: AppointmentView) -> dict[str, Any]:
    return appointment_json(view, principal(), now(), current_locale(), may)


def _tagged(view: AppointmentView) -> Response:
    answer = jsonify(_shown(view))
    answer.set_etag(str(view.version))
    return answer


def _created(body: bytes) -> Response:
    answer = Response(body, status=201, mimetype="application/json")
    version = json.loads(body).get("version")
    if version is not None:
        answer.set_etag(str(version))
    return answer


def _written(session: Session, view: AppointmentView) -> bytes:
    """Return the answer to a booking; a replay gets the same, with the warnings of its hour."""
    return _json({**_shown(view), "warnings": _warnings(session, view)})


def _warnings(session: Session, view: AppointmentView) -> list[str]:
    if view.patient_id is None or not view.others_that_day:
        return []
    day = business_date(view.start)
    others = queries.same_day(session, view.patient_id, view.service.code, day, but=view.id)
    return [same_day_text(each, current_locale()) for each in others]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
