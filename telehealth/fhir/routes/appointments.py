"""Appointment: reading, searching, and the operations of IHE Scheduling (ITI-115, 116, 117).

A proposed appointment has its slot's id, so that what $find answered can be named in $hold and $book
without anything being stored for it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy.orm import Session

from telehealth.audit.services import Entry, record
from telehealth.booking import services
from telehealth.booking.attempts import attempt
from telehealth.booking.codes import AppointmentStatus
from telehealth.booking.errors import NoPatient, SlotTaken
from telehealth.booking.policies import AppointmentScope, channel_of
from telehealth.booking.queries import AppointmentView, appointment, appointments_by_ids
from telehealth.booking.services import BookingRequest, Move
from telehealth.core.errors import NotFound, PreconditionRequired
from telehealth.core.principal import PrincipalKind
from telehealth.fhir import queries, resources
from telehealth.fhir.asking import MOST, Asked, as_uuid, between, is_day, parameters_of, plain, span_of
from telehealth.fhir.bookings import Order, order, target_of
from telehealth.fhir.codes import FIND, PAGING, Kind
from telehealth.fhir.errors import InvalidResource, NotOffered, UnknownParameter
from telehealth.fhir.offers import OfferQuery, offered
from telehealth.fhir.queries import AppointmentQuery
from telehealth.fhir.resources import Json
from telehealth.fhir.routes.blueprint import address, asked, body, bundle, fhir, many, one, search_of, window
from telehealth.fhir.routes.slots import actors_of, modality_of, more_than
from telehealth.scheduling.presentation import slot_json
from telehealth.scheduling.queries import slot_by_id
from telehealth.web.context import (
    answer_links,
    cipher,
    enter_again,
    may,
    now,
    outbox,
    permit,
    principal,
    unit_of_work,
)
from telehealth.web.guard import guarded, public
from telehealth.web.localization import current_locale
from telehealth.web.requests import if_match

_MODIFIES = "booking.reschedule"


@fhir.get("/Appointment")
@guarded("booking.list")
def search_appointments() -> Response:
    """Search one's family's appointments, or those at the facilities where the caller works."""
    question = search_of(Kind.APPOINTMENT)
    query = _query(question)
    with unit_of_work() as session:
        found = queries.appointments(session, query, window(question))
        views = {view.id: view for view in appointments_by_ids(session, found.ids)}
        shown = _shown(session, [views[key] for key in found.ids if key in views])
        _note_read(session, list(views.values()), "booking.list")
    return many(shown, found)


@fhir.get("/Appointment/<identifier>")
@guarded("booking.read")
def read_appointment(identifier: str) -> Response:
    """Show an appointment or a hold, or a proposed one while its time is on offer."""
    wanted = as_uuid(identifier)
    with unit_of_work() as session:
        if wanted is None:
            return one(_proposal(session, identifier))
        view = _permitted(session, wanted, "booking.read")
        shown = _shown(session, [view])
        _note_read(session, [view], "booking.read")
    return one(shown[0])


@fhir.route("/Appointment/$find", methods=["GET", "POST"])
@public
def find() -> Response:
    """Find potential appointments (ITI-115): the free times that GET /api/v1/slots finds."""
    question = asked(FIND) if request.method == "GET" else _posted()
    codes = question.codes("specialty")
    visits = question.codes("visit-type")
    query = OfferQuery(
        codes=[code for code in codes if code in visits] if codes and visits else [*codes, *visits],
        facilities=[
            *question.ids("organization", Kind.ORGANIZATION),
            *question.ids("location-reference", Kind.LOCATION),
        ],
        practitioners=question.ids("practitioner", Kind.PRACTITIONER),
        modality=modality_of(question, "modality"),
        first=_bound(question, "start"),
        before=_bound(question, "end", inclusive=True),
    )
    limit = question.count()
    if codes and visits and not query.codes:
        return bundle([])
    with unit_of_work() as session:
        slots = offered(session, query, limit=min(limit + 1, MOST), now=now())
    at, locale = address(), current_locale()
    notes = [resources.outcome([more_than(limit)], at)] if len(slots) > limit else []
    return bundle([resources.proposed(slot, at, locale) for slot in slots[:limit]], notes=notes)


@fhir.post("/Appointment/$hold")
@guarded("booking.hold")
def hold() -> Response:
    """Hold a proposed appointment (ITI-116): pending, and an extension says until when."""
    target = target_of(body())

    def unit() -> Response:
        with unit_of_work() as session:
            held = services.hold(session, principal(), target, now=now(), channel=channel_of(principal()))
            shown = _shown(session, [_seen(session, held.id)])
        return bundle(shown, total=1)

    return _with_alternatives(unit, target)


@fhir.post("/Appointment/$book")
@guarded("booking.book")
def book() -> Response:
    """Book a proposed or held appointment, or move or cancel a booked one (ITI-117).

    A change needs the version: If-Match, or meta.versionId in the resource.
    """
    wanted = order(body())

    def unit() -> Response:
        with unit_of_work() as session:
            view = _carried_out(session, wanted)
            shown = _shown(session, [view])
        answer = bundle(shown, total=1)
        answer.set_etag(str(view.version), weak=True)
        return answer

    return _with_alternatives(unit, wanted.wanted_slot)


def _carried_out(session: Session, wanted: Order) -> AppointmentView:
    known = None if wanted.record_id is None else appointment(session, wanted.record_id)
    if wanted.record_id is not None and known is None:
        raise NotFound
    if known is None or known.status in (AppointmentStatus.HELD, AppointmentStatus.EXPIRED):
        return _booked(session, wanted, known)
    if wanted.cancel is not None:
        permit("booking.cancel", known.scope)
        return services.cancel(
            session,
            principal(),
            known.id,
            version=_version(wanted),
            reason_code=wanted.cancel,
            now=now(),
            cipher=cipher(),
            outbox=outbox(),
        )
    permit(_MODIFIES, known.scope)
    if wanted.slot_id is None:
        raise InvalidResource({"slot": ["fhir-field-invalid"]})
    move = Move(wanted.slot_id, _version(wanted), channel_of(principal()))
    return services.reschedule(session, principal(), known.id, move, **_means())


def _booked(session: Session, wanted: Order, held: AppointmentView | None) -> AppointmentView:
    if wanted.cancel is not None:
        return _released(session, held)
    if wanted.patient_id is None:
        raise NoPatient
    request_ = BookingRequest(
        patient_id=wanted.patient_id,
        slot_id=None if held is not None else wanted.wanted_slot,
        hold_id=None if held is None else held.id,
        reason=wanted.reason,
        channel=channel_of(principal()),
    )
    return _seen(session, services.book(session, principal(), request_, **_means()).id)


def _released(session: Session, held: AppointmentView | None) -> AppointmentView:
    """Give a hold back: it was never booked, and is cancelled from now on."""
    if held is None:
        raise NotFound
    services.release(session, principal(), held.id, now=now())
    return _seen(session, held.id)


def _means() -> dict[str, Any]:
    return {"now": now(), "cipher": cipher(), "outbox": outbox(), "links": answer_links()}


def _version(wanted: Order) -> int:
    if "If-Match" in request.headers:
        return if_match()
    if wanted.version is None:
        raise PreconditionRequired
    return wanted.version


def _query(question: Asked) -> AppointmentQuery:
    actors = actors_of(question, "actor")
    own = principal().kind is PrincipalKind.PATIENT
    patients = question.ids("patient", Kind.PATIENT)
    family = sorted(principal().patient_ids)
    there = sorted(place for place in principal().facilities() if may("booking.day", AppointmentScope(place)))
    named = question.codes("status")
    return AppointmentQuery(
        patients=[key for key in family if key in patients or not patients] if own else patients or None,
        facilities=None if own else there,
        ids=question.uuids("_id") if question.all("_id") else None,
        codes=question.codes("identifier"),
        practitioners=[*question.ids("practitioner", Kind.PRACTITIONER), *actors[Kind.PRACTITIONER]],
        locations=[*question.ids("location", Kind.LOCATION), *actors[Kind.LOCATION]],
        services=actors[Kind.HEALTHCARE_SERVICE],
        statuses=[ours for code in named for ours in resources.statuses_of(code)] if named else None,
        when=between(question.all("date"), "date"),
        updated=between(question.all("_lastUpdated"), "_lastUpdated"),
    )


def _posted() -> Asked:
    given = parameters_of(body())
    pairs = [
        (name, plain(value, name))
        for name, values in given.items()
        if name in FIND | PAGING
        for value in values
    ]
    strict = "handling=strict" in request.headers.get("Prefer", "").replace(" ", "")
    unknown = [name for name in given if name not in FIND | PAGING]
    if strict and unknown:
        raise UnknownParameter(name=unknown[0][:40])
    return Asked.of(pairs)


def _bound(question: Asked, name: str, *, inclusive: bool = False) -> datetime | None:
    """Return where a span begins or ends; one that ends with a day ends when the day does."""
    value = question.one(name)
    if value is None:
        return None
    first, after = span_of(value, name)
    return after if inclusive and is_day(value) else first


def _permitted(session: Session, appointment_id: UUID, action: str) -> AppointmentView:
    view = _seen(session, appointment_id)
    permit(action, view.scope)
    return view


def _seen(session: Session, appointment_id: UUID) -> AppointmentView:
    view = appointment(session, appointment_id)
    if view is None:
        raise NotFound
    return view


def _proposal(session: Session, slot_id: str) -> Json:
    slot = slot_by_id(session, slot_id, now())
    if slot is None or slot.free < 1:
        raise NotOffered
    return resources.proposed(slot, address(), current_locale())


def _shown(session: Session, views: Sequence[AppointmentView]) -> list[Json]:
    times = queries.times_of(session, [view.id for view in views])
    at, locale = address(), current_locale()
    return [resources.appointment(view, times[view.id], at, locale) for view in views]


def _note_read(session: Session, views: Sequence[AppointmentView], action: str) -> None:
    people = {(view.patient_id, view.facility.id) for view in views}
    single = views[0].id if action == "booking.read" else None
    record(
        session,
        principal(),
        *(
            Entry(action, "Appointment", single, patient_id=patient_id, facility_id=facility_id)
            for patient_id, facility_id in sorted(people, key=str)
        ),
        now=now(),
    )


def _with_alternatives(unit: Callable[[], Response], slot_id: str | None) -> Response:
    """Run the unit; a time that is gone is refused together with the next free ones."""
    try:
        return attempt(unit)
    except SlotTaken as refusal:
        if slot_id is not None:
            enter_again()
            with unit_of_work() as session:
                found = services.alternatives(session, slot_id, now=now())
            refusal.extra["alternatives"] = [slot_json(slot, current_locale()) for slot in found]
        raise
